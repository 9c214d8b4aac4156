-- The scripts of the stores in Redis, of the kit for Python and of that for Node, which can share a server. Each begins
-- with a line that names it. What is sent is `common`, and one of the others behind it.

-- script: common
local prefix = KEYS[1]
local function event_key(id) return prefix .. ':event:' .. id end
local function document_key(document) return prefix .. ':document:' .. document end
local function held_key(document) return prefix .. ':held:' .. document end
local function keep(key, seconds)
  local wanted = math.ceil((seconds + 3600) * 1000)
  if redis.call('PTTL', key) < wanted then redis.call('PEXPIRE', key, wanted) end
end
local function known(id, now)
  local event = redis.call('HMGET', event_key(id), 'state', 'until', 'body')
  if not event[1] then return nil end
  local lasts = tonumber(event[2]) > now
  if event[1] == 'claimed' and lasts then return {'busy', event[2]} end
  if event[3] or lasts then return {'handled'} end
  return nil
end
local function position_at(document, now)
  local mark = redis.call('HMGET', document_key(document), 'position', 'until')
  return mark[1] and tonumber(mark[2]) > now and mark[1] or ''
end
local function lease_of(document)
  return tonumber(redis.call('HGET', document_key(document), 'lease_until') or '0')
end
local function end_lease(document, token, at, now)
  local key = document_key(document)
  if redis.call('HGET', key, 'token') == token then
    redis.call('HSET', key, 'token', '', 'lease_until', at)
    keep(key, tonumber(at) - now)
  end
end
local function forget_held(id, document, position)
  redis.call('ZREM', prefix .. ':due', id)
  redis.call('ZREM', held_key(document), position .. ' ' .. id)
end

-- script: claim
local id, document, position, token, now, lease_until = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local other = known(id, now)
if other then return other end
local span = tonumber(lease_until) - now
if document ~= '' then
  local key = document_key(document)
  if lease_of(document) > now then return {'busy', redis.call('HGET', key, 'lease_until')} end
  if position <= position_at(document, now) then return {'stale'} end
  redis.call('HSET', key, 'token', token, 'lease_until', lease_until)
  keep(key, span)
end
local key = event_key(id)
redis.call('DEL', key)
redis.call('HSET', key, 'state', 'claimed', 'token', token, 'until', lease_until)
keep(key, span)
return {'claimed', token}

-- script: commit
local id, document, position, token, now, forget_at = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local key = event_key(id)
local event = redis.call('HMGET', key, 'state', 'token')
if event[1] ~= 'claimed' or event[2] ~= token then return 0 end
local span = tonumber(forget_at) - now
redis.call('DEL', key)
redis.call('HSET', key, 'state', 'handled', 'token', '', 'until', forget_at)
keep(key, span)
if document ~= '' then
  forget_held(id, document, position)
  local lasts = redis.call('HGET', document_key(document), 'until')
  if position_at(document, now) < position then redis.call('HSET', document_key(document), 'position', position) end
  if tonumber(lasts or '0') < tonumber(forget_at) then lasts = forget_at end
  redis.call('HSET', document_key(document), 'until', lasts)
  end_lease(document, token, '0', now)
  keep(document_key(document), span)
end
return 1

-- script: release
local id, document, token, again_at = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = event_key(id)
local event = redis.call('HMGET', key, 'state', 'token', 'body', 'until')
if event[1] ~= 'claimed' or event[2] ~= token then return 0 end
local lease_end = '0'
if event[3] then
  redis.call('HSET', key, 'state', 'held', 'token', '', 'until', again_at)
  redis.call('ZADD', prefix .. ':due', again_at, id)
  lease_end = again_at
else
  redis.call('DEL', key)
end
if document ~= '' then end_lease(document, token, lease_end, tonumber(event[4])) end
return 1

-- script: hold
local id, document, position, token, now, due_at = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
if known(id, now) then return {'handled'} end
if position <= position_at(document, now) then return {'stale'} end
local key = event_key(id)
redis.call('DEL', key)
redis.call('HSET', key, 'state', 'held', 'token', '', 'until', due_at, 'document', document, 'position', position,
  'body', ARGV[7], 'hints', ARGV[8])
redis.call('ZADD', prefix .. ':due', due_at, id)
redis.call('ZADD', held_key(document), 0, position .. ' ' .. id)
return {'claimed', token}

-- script: take
local token, now, lease_until = ARGV[1], tonumber(ARGV[2]), ARGV[3]
for _, due in ipairs(redis.call('ZRANGEBYSCORE', prefix .. ':due', '-inf', now)) do
  local document = redis.call('HGET', event_key(due), 'document')
  if not document then redis.call('ZREM', prefix .. ':due', due) end
  if document and lease_of(document) <= now then
    for _, member in ipairs(redis.call('ZRANGE', held_key(document), 0, -1)) do
      local position, id = string.match(member, '^(%S+) (.*)$')
      if not redis.call('HGET', event_key(id), 'body') then
        redis.call('ZREM', held_key(document), member)
      elseif position <= position_at(document, now) then
        redis.call('DEL', event_key(id))
        forget_held(id, document, position)
      else
        redis.call('HSET', event_key(id), 'state', 'claimed', 'token', token, 'until', lease_until)
        redis.call('ZADD', prefix .. ':due', lease_until, id)
        redis.call('HSET', document_key(document), 'token', token, 'lease_until', lease_until)
        keep(document_key(document), tonumber(lease_until) - now)
        local event = redis.call('HMGET', event_key(id), 'body', 'hints')
        return {id, document, position, event[1], event[2]}
      end
    end
  end
end
return {}

-- script: forget
local event = redis.call('HMGET', event_key(ARGV[1]), 'document', 'position')
if event[1] then forget_held(ARGV[1], event[1], event[2]) end
redis.call('DEL', event_key(ARGV[1]))
return 1
