"""Redis scripts: every operation on Redis is one of these Lua scripts, and so atomic."""

from hashlib import sha1


class Script:
    """A Lua script, known to the server by its hash after its first call."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.hash = sha1(text.encode(), usedforsecurity=False).hexdigest()


LOOK = Script("""
local now
local function charge(key, interval, burst)
  if not now then
    local time = redis.call('time')
    now = time[1] * 1000000 + time[2]
  end
  local drained = redis.pcall('get', key)
  if type(drained) == 'table' then return false end
  local room = interval * burst
  drained = tonumber(drained) or now
  drained = drained > now and math.min(drained, now + room) or now
  local after = drained + interval
  if after - now > room then return {after - now - room, drained - now} end
  local kept = redis.pcall('set', key, string.format('%d', after), 'px', math.ceil((after - now) / 1000))
  if kept.err then return false end
  return {0, after - now}
end
local answers = {}
for i = 1, #KEYS, 3 do
  local session, value, limit = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  local n = (i - 1) / 3 * 2
  limit = limit ~= '' and charge(limit, tonumber(ARGV[n + 1]), tonumber(ARGV[n + 2]))
  local admitted = not limit or limit[1] == 0
  answers[i] = admitted and session ~= ''
    and redis.pcall('hmget', session, 'user_id', 'session_id', 'expires_at', 'checked_at')
  answers[i + 1] = admitted and value ~= '' and redis.pcall('get', value)
  answers[i + 2] = limit
end
return answers
""")
"""Charges (see `adapters/gcra.py`) and reads for whoever is let through; three keys and two arguments a question."""

GET = Script("return redis.call('get', KEYS[1])")

OPEN_SESSION = Script("""
redis.call('hset', KEYS[1], 'user_id', ARGV[1], 'session_id', ARGV[2], 'expires_at', ARGV[3],
  'checked_at', ARGV[4])
redis.call('expire', KEYS[1], ARGV[5])
""")

FORGET = Script("return redis.call('unlink', KEYS[1])")

LEASE = Script("""
local value = redis.call('get', KEYS[1])
if value then
  return {value, tonumber(redis.call('get', KEYS[1] .. ':position') or 0)}
end
return redis.call('set', KEYS[1] .. ':lease', ARGV[1], 'nx', 'px', ARGV[2]) and true or false
""")

FILL = Script("""
local position = tonumber(ARGV[3])
if redis.call('get', KEYS[1] .. ':lease') ~= ARGV[1]
    or position < tonumber(redis.call('get', KEYS[1] .. ':floor') or 0)
    or position < tonumber(redis.call('get', KEYS[1] .. ':position') or 0) then
  return 0
end
redis.call('set', KEYS[1], ARGV[2], 'pxat', ARGV[4])
redis.call('set', KEYS[1] .. ':position', ARGV[3], 'pxat', ARGV[4])
redis.call('del', KEYS[1] .. ':lease')
return 1
""")

INVALIDATE = Script("""
for i, key in ipairs(KEYS) do
  local floor = math.max(tonumber(ARGV[i + 1]), tonumber(redis.call('get', key .. ':floor') or 0))
  redis.call('del', key .. ':lease')
  if floor > tonumber(redis.call('get', key .. ':position') or 0) then
    redis.call('del', key, key .. ':position')
  end
  redis.call('set', key .. ':floor', string.format('%d', floor), 'px', ARGV[1])
end
""")
