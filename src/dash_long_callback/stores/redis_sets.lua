-- What the index and the queue have in common: they are sorted sets in which all scores are 0, so the
-- members are in the order of their bytes, and each list is one range of them.
--
-- All scripts that use them have these keys first.
local INDEX, EXPIRIES, QUEUE = KEYS[1], KEYS[2], KEYS[3]

local function microseconds_now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function add(set, ...)
  local done = redis.pcall('ZADD', set, ...)
  if type(done) == 'table' and done.err then  -- it is no set
    redis.call('DEL', set)
    done = redis.call('ZADD', set, ...)
  end
  return done
end

-- What has another score is none of ours, and would hide what is behind it from who reads a list.
local function clean(set)
  redis.pcall('ZREMRANGEBYSCORE', set, '-inf', '(0')
  redis.pcall('ZREMRANGEBYSCORE', set, '(0', '+inf')
end
