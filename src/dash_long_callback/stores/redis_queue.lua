-- The queue: one sorted set (see redis_sets.lua). All of it is in one key, so that nothing is left that
-- does not fit if the key is overwritten or evicted.
--
-- A job has a place: fields of 16 characters each, which sort as what they stand for do. These are, in
-- order: queue, priority, turn, number, gate, lane, and the time before which it is not taken. Its
-- members follow from it, one in each list that the job is in:
--
--   j<id>:<place>                                what its place is
--   r<queue><priority><turn><number><id>         what may be taken; a rank here is a position
--   g<queue><gate><priority><turn><number><id>   the same by gates
--   l<queue><priority><lane><turn><id>           what waits, by lanes
--   d<time><id>                                  what may not be taken yet; it is not in r and g
--
-- A turn is one more than in ports.Place, so that none is negative. A member that does not follow from
-- a place in j is none of ours: whoever finds it deletes it, else it would come first for ever.

local WIDTH = 16
-- Lists: all; those of a job that may be taken, and that may not be taken yet.
local ALL, DUE, LATER = { 'j', 'l', 'r', 'g', 'd' }, { 'j', 'l', 'r', 'g' }, { 'j', 'l', 'd' }
-- How many fields are before the id.
local BEFORE_ID = { r = 4, g = 5, l = 4, d = 1 }
-- Jobs that are let in in one go. All may be due at once, and Redis does nothing else meanwhile.
local LET_IN = 1000

local function digits(number)
  return string.format('%016.0f', number)
end

local function fields(place, from, to)
  return place:sub(WIDTH * (from - 1) + 1, WIDTH * to)
end

-- A job's member in a list. One at a time, as they are long, and rarely all are needed.
local function member_in(list, id, place)
  if list == 'r' then return 'r' .. fields(place, 1, 4) .. id end
  if list == 'g' then
    return 'g' .. fields(place, 1, 1) .. fields(place, 5, 5) .. fields(place, 2, 4) .. id
  end
  if list == 'l' then
    return 'l' .. fields(place, 1, 2) .. fields(place, 6, 6) .. fields(place, 3, 3) .. id
  end
  if list == 'd' then return 'd' .. fields(place, 7, 7) .. id end
  return 'j' .. id .. ':' .. place
end

-- What there is in j of a job: its place, if nobody else has written there.
local function places(id)
  local begins, found = 'j' .. id .. ':', {}
  local there = redis.pcall('ZRANGEBYLEX', QUEUE, '[' .. begins, '(j' .. id .. ';')
  for n, member in ipairs(there) do found[n] = member:sub(#begins + 1) end
  return found
end

-- The job and the place that a member follows from; nil if it is none of ours, which is deleted.
local function known(member)
  local list = member:sub(1, 1)
  local id = member:sub(2 + WIDTH * BEFORE_ID[list])
  for _, place in ipairs(places(id)) do
    if member_in(list, id, place) == member then return id, place end
  end
  redis.call('ZREM', QUEUE, member)
end

-- The first job between two members, or the last one with ZREVRANGEBYLEX; nil if there is none.
local function first(command, from, to)
  while true do
    local member = redis.pcall(command, QUEUE, from, to, 'LIMIT', 0, 1)[1]
    if not member then return nil end
    local id, place = known(member)
    if id then return id, place end
  end
end

local function turn_of(place)
  return place and tonumber(fields(place, 3, 3)) or 0
end

-- Lets in what is due by now. Whoever reads lists does this first: without `clean`, the place of a
-- member might not be found, which would be deleted.
local function let_in(now)
  clean(QUEUE)
  local due = redis.pcall('ZRANGEBYLEX', QUEUE, '[d', '(d' .. digits(now + 1), 'LIMIT', 0, LET_IN)
  for _, member in ipairs(due) do
    local id, place = known(member)
    if id then
      add(QUEUE, 0, member_in('r', id, place), 0, member_in('g', id, place))
      redis.call('ZREM', QUEUE, member)
    end
  end
end

-- Takes a job out, if it is in the queue. Not after `clean`, as most that come here wait no more: if
-- it was not found for that reason, it is found when it comes first.
local function leave(id)
  for _, place in ipairs(places(id)) do
    local its = {}
    for n, list in ipairs(ALL) do its[n] = member_in(list, id, place) end
    redis.call('ZREM', QUEUE, unpack(its))
  end
end

-- Puts a job in that is not there. `wish`: its place without turn and number, and "f" if it is to be
-- before the others. `known`: the place that it had, which it keeps but for the time. Numbers are times
-- of arrival; in front, the later one has the smaller number.
local function join(id, wish, now, known)
  let_in(now)
  local alike, rest = fields(wish, 1, 2), fields(wish, 3, 5)  -- what is before these two, and behind
  local turn, number = 0, 2 ^ 53 - now
  if not known and wish:sub(5 * WIDTH + 1, 5 * WIDTH + 1) ~= 'f' then
    local lane = 'l' .. alike .. fields(wish, 4, 4)
    local _, ahead = first('ZRANGEBYLEX', '[r' .. alike .. digits(1), '(r' .. alike .. '~')
    local _, last = first('ZREVRANGEBYLEX', '(' .. lane .. '~', '[' .. lane)
    turn, number = math.max(1, turn_of(ahead), turn_of(last) + 1), now
  end
  local place, its = alike .. digits(turn) .. digits(number) .. rest, {}
  if known then place = fields(known, 1, 6) .. fields(wish, 5, 5) end
  for _, list in ipairs(tonumber(fields(wish, 5, 5)) <= now and DUE or LATER) do
    table.insert(its, 0)
    table.insert(its, member_in(list, id, place))
  end
  add(QUEUE, unpack(its))
end

-- The job of a queue that is to be taken next, and its rows, whose keys are `before`, its id, and one
-- of the others. If its gate is this one, it is out of r and g for some microseconds. With pcall, a
-- key that holds another type counts as missing.
local function head(queue, hidden, gate, before, ...)
  local now = microseconds_now()
  let_in(now)
  local id, place = first('ZRANGEBYLEX', '[r' .. queue, '(r' .. queue .. '~')
  if not id then return false end
  if tonumber(hidden) > 0 and fields(place, 5, 5) == gate then
    local later = fields(place, 1, 6) .. digits(now + hidden)
    redis.call(
      'ZREM', QUEUE, member_in('j', id, place), member_in('r', id, place), member_in('g', id, place)
    )
    add(QUEUE, 0, member_in('j', id, later), 0, member_in('d', id, later))
  end
  local found = { id }
  for n, kind in ipairs({ ... }) do
    local row = redis.pcall('GET', before .. id .. kind)
    found[n + 1] = type(row) == 'string' and row
  end
  return found
end

-- The first job of each gate, with its order before its id.
local function heads(queue)
  let_in(microseconds_now())
  local found, from = {}, '[g' .. queue
  while true do
    local id, place = first('ZRANGEBYLEX', from, '(g' .. queue .. '~')
    if not id then return found end
    found[#found + 1] = fields(place, 2, 4) .. id
    from = '(g' .. queue .. fields(place, 5, 5) .. '~'  -- behind all of this gate
  end
end

-- How many are ahead of a job: of its queue, and of its gate. Nothing if it may not be taken.
local function ahead(id)
  let_in(microseconds_now())
  for _, place in ipairs(places(id)) do
    local found = {}
    for n, list in ipairs({ 'r', 'g' }) do
      local member = member_in(list, id, place)
      if not redis.call('ZSCORE', QUEUE, member) then return false end
      local all = member:sub(1, 1 + WIDTH * n)  -- up to the queue, or to the gate
      found[n] = redis.call('ZLEXCOUNT', QUEUE, '[' .. all, '(' .. member)
    end
    return found
  end
  return false
end

local function waiting(queue)
  let_in(microseconds_now())
  return redis.pcall('ZLEXCOUNT', QUEUE, '[r' .. queue, '(r' .. queue .. '~')
end
