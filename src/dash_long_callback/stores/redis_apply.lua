-- Applies a batch (see ports.Batch) in one step.
--
-- KEYS: rows to compare, to write, to touch, to delete; then, if a job is entered into the index, the
--       set of expiries, the set that it is to be in by its state, its other sets, the one that it
--       leaves, and those of the other states.
-- ARGV: how many of each kind of row there are, and how many channels; what the rows to compare
--       must hold, with "=" before it, "" for nothing; values and milliseconds of the rows to write;
--       milliseconds of the rows to touch; how many sets the job is to be in, 0 for no entry, and
--       how many it leaves, its id, score, milliseconds and member of the set of expiries; the channels to tell.
--
-- With pcall, a key that holds another type counts as another value, and not as an error.

local compared, written = tonumber(ARGV[1]), tonumber(ARGV[2])
local touched, dropped, channels = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local key, argument = 0, 5

local function next_key()
  key = key + 1
  return KEYS[key]
end

local function next_argument()
  argument = argument + 1
  return ARGV[argument]
end

for _ = 1, compared do
  local found = redis.pcall('GET', next_key())
  local holds = type(found) == 'string' and '=' .. found or ''
  if holds ~= next_argument() then return 0 end
end
for _ = 1, written do
  redis.call('SET', next_key(), next_argument(), 'PX', next_argument())
end
for _ = 1, touched do
  redis.call('PEXPIRE', next_key(), next_argument())
end
for _ = 1, dropped do
  redis.call('DEL', next_key())
end

local function enter(set, score, member)
  local done = redis.pcall('ZADD', set, score, member)
  if type(done) == 'table' and done.err then  -- it is no set
    redis.call('DEL', set)
    redis.call('ZADD', set, score, member)
  end
end

local sets = tonumber(next_argument())
if sets > 0 then
  local leaves, id, score = tonumber(next_argument()), next_argument(), next_argument()
  local milliseconds, member = next_argument(), next_argument()
  local expiries = next_key()
  local states = { KEYS[key + 1], unpack(KEYS, key + sets + 1) }
  -- A few with each that comes: so there are never many.
  if leaves == 0 then trim(expiries, states, 10) end
  enter(expiries, milliseconds_now() + tonumber(milliseconds), member)
  -- A set is there as long as any job is.
  local last = redis.call('ZRANGE', expiries, -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', expiries, last)
  for _ = 1, sets do
    local set = next_key()
    enter(set, score, id)
    redis.call('PEXPIREAT', set, last)
  end
  for _ = 1, leaves do redis.pcall('ZREM', next_key(), id) end
end

for _ = 1, channels do
  redis.call('PUBLISH', next_argument(), '')
end
return 1
