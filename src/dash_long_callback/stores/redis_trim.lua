-- Takes from the index what has expired, up to a number of jobs. Returns how many there were.
--
-- expiries: the key of the set of expiries; states: those of the sets by state.

local function milliseconds_now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function trim(expiries, states, limit)
  local expired = redis.pcall(
    'ZRANGEBYSCORE', expiries, '-inf', milliseconds_now(), 'LIMIT', 0, limit
  )
  if expired.err then  -- it is no set
    redis.call('DEL', expiries)
    return 0
  end
  for _, member in ipairs(expired) do
    local readable, names = pcall(cjson.decode, member)
    if readable and type(names) == 'table' then
      for n = 2, #names do redis.pcall('ZREM', names[n], names[1]) end
      for _, set in ipairs(states) do redis.pcall('ZREM', set, names[1]) end
    end
    redis.call('ZREM', expiries, member)
  end
  return #expired
end
