-- The index of jobs: two sorted sets.
--
-- index:    a job in a list, as the name of the list and the job's place in it (see redis_sets.lua).
-- expiries: JSON, [place, list, ...] of each job, by the time when it expires: the lists that it is
--           in whatever its state is. STATES, which stands before this, has the lists of states.

--- Digits of the time of creation, which is before the id in a job's place.
local TIME_DIGITS = 16

-- Takes what has expired from the index, up to a number of jobs. Returns how many there were.
local function trim(now, limit)
  local expired = redis.pcall('ZRANGEBYSCORE', EXPIRIES, '-inf', now, 'LIMIT', 0, limit)
  if expired.err then  -- it is no set
    redis.call('DEL', EXPIRIES)
    return 0
  end
  for _, job in ipairs(expired) do
    pcall(function()  -- it may be none of ours
      local place, gone = cjson.decode(job), {}
      for n = 2, #place do table.insert(gone, place[n] .. place[1]) end
      for _, state in ipairs(STATES) do table.insert(gone, state .. place[1]) end
      redis.pcall('ZREM', INDEX, unpack(gone))
      leave(place[1]:sub(TIME_DIGITS + 1))
    end)
    redis.call('ZREM', EXPIRIES, job)
  end
  return #expired
end

-- Has a job in its lists, and of those of states in one; and in the queue, if it `waits` (see `join`).
-- `job` is as in expiries, and begins with `place`.
local function enter(place, job, state, milliseconds, waits)
  local now, left = microseconds_now(), {}
  local now_ms = math.floor(now / 1000)
  local new = add(EXPIRIES, now_ms + milliseconds, job) > 0
  add(INDEX, 0, state .. place)
  for _, other in ipairs(STATES) do
    if other ~= state then left[#left + 1] = other .. place end
  end
  redis.call('ZREM', INDEX, unpack(left))
  local id = place:sub(TIME_DIGITS + 1)
  if new then
    for n, list in ipairs(cjson.decode(job)) do
      if n > 1 then add(INDEX, 0, list .. place) end
    end
    trim(now_ms, 10)  -- a few with each that comes: so there are never many
  end
  local known = waits:sub(-1) == 's' and places(id)[1]
  if not new or known then leave(id) end  -- a new one is in no queue
  -- They are there as long as any job is.
  local last = redis.call('ZRANGE', EXPIRIES, -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', INDEX, last)
  redis.call('PEXPIREAT', EXPIRIES, last)
  if waits ~= '' then
    join(id, waits, now, known)
    redis.call('PEXPIREAT', QUEUE, last)
  end
end
