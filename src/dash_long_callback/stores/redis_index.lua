-- The index of jobs: two sorted sets.
--
-- index:    a job in a list, as the name of the list and the job's place in it. All scores are 0, so
--           the members are in the order of their bytes: each list is one range of them.
-- expiries: JSON, [place, list, ...] of each job, by the time when it expires: the lists that it is
--           in whatever its state is. STATES, which stands before this, has the lists of states.

local function milliseconds_now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function add(set, ...)
  local done = redis.pcall('ZADD', set, ...)
  if type(done) == 'table' and done.err then  -- it is no set
    redis.call('DEL', set)
    done = redis.call('ZADD', set, ...)
  end
  return done
end

-- Takes what has expired from the index, up to a number of jobs. Returns how many there were.
local function trim(index, expiries, now, limit)
  local expired = redis.pcall('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, limit)
  if expired.err then  -- it is no set
    redis.call('DEL', expiries)
    return 0
  end
  for _, job in ipairs(expired) do
    pcall(function()  -- it may be none of ours
      local place, gone = cjson.decode(job), {}
      for n = 2, #place do table.insert(gone, place[n] .. place[1]) end
      for _, state in ipairs(STATES) do table.insert(gone, state .. place[1]) end
      redis.pcall('ZREM', index, unpack(gone))
    end)
    redis.call('ZREM', expiries, job)
  end
  return #expired
end

-- What has another score is none of ours, and would hide what is behind it from who reads a list.
local function clean(index)
  redis.pcall('ZREMRANGEBYSCORE', index, '-inf', '(0')
  redis.pcall('ZREMRANGEBYSCORE', index, '(0', '+inf')
end

-- Has a job in its lists, and of those of states in one. `job` is as in expiries, and begins with `place`.
local function enter(index, expiries, place, job, state, milliseconds)
  local now, left = milliseconds_now(), {}
  local new = add(expiries, now + milliseconds, job) > 0
  add(index, 0, state .. place)
  for _, other in ipairs(STATES) do
    if other ~= state then left[#left + 1] = other .. place end
  end
  redis.call('ZREM', index, unpack(left))
  if new then
    for n, list in ipairs(cjson.decode(job)) do
      if n > 1 then add(index, 0, list .. place) end
    end
    trim(index, expiries, now, 10)  -- a few with each that comes: so there are never many
  end
  -- They are there as long as any job is.
  local last = redis.call('ZRANGE', expiries, -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', index, last)
  redis.call('PEXPIREAT', expiries, last)
end
