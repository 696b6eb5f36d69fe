-- Applies a batch (see ports.Batch) in one step.
--
-- KEYS: the index, its expiries, and the queue; rows to compare, to write, to touch, to delete.
-- ARGV: how many of each kind of row there are, of entries in the index and of jobs to take from the
--       queue, none or one, and of channels; until when to do this, in microseconds, or "": after that
--       -1 is returned; what the rows to compare must hold, with "=" before it,
--       "" for nothing; values and milliseconds of the rows to write; milliseconds of the rows to
--       touch; a job's place in the index, its lists, that by its state, milliseconds, and what it
--       wishes of the queue, "" for nothing; the job to take from it; the channels to tell.
--
-- With pcall, a key that holds another type counts as another value, and not as an error.

local compared, written = tonumber(ARGV[1]), tonumber(ARGV[2])
local touched, dropped = tonumber(ARGV[3]), tonumber(ARGV[4])
local entries, dequeued, channels = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local key, argument = 3, 8
if ARGV[8] ~= '' and microseconds_now() > tonumber(ARGV[8]) then return -1 end

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

for _ = 1, entries do
  enter(
    next_argument(), next_argument(), next_argument(), tonumber(next_argument()), next_argument()
  )
end
for _ = 1, dequeued do
  leave(next_argument())
end
for _ = 1, channels do
  redis.call('PUBLISH', next_argument(), '')
end
return 1
