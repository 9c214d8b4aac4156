"""A store in Redis or Valkey, for any number of machines. Each call is one Lua script, which nothing interrupts.

The keys, all below a prefix in braces, so that a cluster keeps them together:

    {signalpost}:event:ID           hash: state (claimed, handled, held), token, until, document, position, body, hints
    {signalpost}:document:DOCUMENT  hash: position (the mark), until, token, lease_until
    {signalpost}:due                sorted set: the ids of held events, by when they are due
    {signalpost}:held:DOCUMENT      sorted set: "position id" of the document's held events

Times are compared as they are passed in; keys expire by the server's clock, an hour after they no longer count, so that
the commit of a handler that was slow still finds its claim.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from .base import Busy, Claim, Claimed, Handled, Held, Item, Stale

if TYPE_CHECKING:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

PREFIX = "{signalpost}"

_COMMON = """
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
"""

_CLAIM = """
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
"""

_COMMIT = """
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
"""

_RELEASE = """
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
"""

_HOLD = """
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
"""

_TAKE = """
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
"""

_FORGET = """
local event = redis.call('HMGET', event_key(ARGV[1]), 'document', 'position')
if event[1] then forget_held(ARGV[1], event[1], event[2]) end
redis.call('DEL', event_key(ARGV[1]))
return 1
"""

_SCRIPTS = {
    "claim": _CLAIM,
    "commit": _COMMIT,
    "release": _RELEASE,
    "hold": _HOLD,
    "take": _TAKE,
    "forget": _FORGET,
}


class _Scripts:
    """The scripts on one server, which answer (or, with an asynchronous client, promise an answer)."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._prefix = prefix
        self._scripts: dict[str, Callable[..., Any]] = {
            name: client.register_script(_COMMON + script) for name, script in _SCRIPTS.items()
        }

    def run(self, name: str, *arguments: str | bytes | float) -> Any:
        return self._scripts[name](keys=[self._prefix], args=[_argument(each) for each in arguments])

    def claim(self, item: Item, now: float, lease_until: float) -> Any:
        return self.run("claim", item.event_id, item.document or "", item.position, _token(), now, lease_until)

    def commit(self, item: Item, token: str, now: float, forget_at: float) -> Any:
        return self.run("commit", item.event_id, item.document or "", item.position, token, now, forget_at)

    def release(self, item: Item, token: str, again_at: float) -> Any:
        return self.run("release", item.event_id, item.document or "", token, again_at)

    def hold(self, item: Item, body: bytes, hints: str, now: float, due_at: float) -> Any:
        return self.run("hold", item.event_id, item.document or "", item.position, _token(), now, due_at, body, hints)


class RedisStore:
    """Remembers events in Redis, through a client of the `redis` distribution.

    `prefix` tells the receivers of different subscriptions apart; keep its braces in a cluster.
    """

    blocking: ClassVar[bool] = True

    def __init__(self, client: Redis, *, prefix: str = PREFIX) -> None:
        self._scripts = _Scripts(client, prefix)

    def claim(self, item: Item, *, now: float, lease_until: float) -> Claim:
        """See `Store.claim`; one script."""
        return _claim(self._scripts.claim(item, now, lease_until))

    def commit(self, item: Item, token: str, *, now: float, forget_at: float) -> bool:
        """See `Store.commit`; one script."""
        return bool(self._scripts.commit(item, token, now, forget_at))

    def release(self, item: Item, token: str, *, again_at: float) -> None:
        """See `Store.release`; one script."""
        self._scripts.release(item, token, again_at)

    def hold(self, item: Item, body: bytes, hints: str, *, now: float, due_at: float) -> Claim:
        """See `Store.hold`; one script."""
        return _claim(self._scripts.hold(item, body, hints, now, due_at))

    def take(self, *, now: float, lease_until: float) -> Held | None:
        """See `Store.take`; one script."""
        token = _token()
        return _held(self._scripts.run("take", token, now, lease_until), token)

    def forget(self, event_id: str) -> None:
        """See `Store.forget`; one script."""
        self._scripts.run("forget", event_id)


class AsyncRedisStore:
    """Remembers events in Redis, through an asynchronous client of the `redis` distribution. See `RedisStore`."""

    blocking: ClassVar[bool] = False

    def __init__(self, client: AsyncRedis, *, prefix: str = PREFIX) -> None:
        self._scripts = _Scripts(client, prefix)

    async def claim(self, item: Item, *, now: float, lease_until: float) -> Claim:
        """See `Store.claim`; one script."""
        return _claim(await self._scripts.claim(item, now, lease_until))

    async def commit(self, item: Item, token: str, *, now: float, forget_at: float) -> bool:
        """See `Store.commit`; one script."""
        return bool(await self._scripts.commit(item, token, now, forget_at))

    async def release(self, item: Item, token: str, *, again_at: float) -> None:
        """See `Store.release`; one script."""
        await self._scripts.release(item, token, again_at)

    async def hold(self, item: Item, body: bytes, hints: str, *, now: float, due_at: float) -> Claim:
        """See `Store.hold`; one script."""
        return _claim(await self._scripts.hold(item, body, hints, now, due_at))

    async def take(self, *, now: float, lease_until: float) -> Held | None:
        """See `Store.take`; one script."""
        token = _token()
        return _held(await self._scripts.run("take", token, now, lease_until), token)

    async def forget(self, event_id: str) -> None:
        """See `Store.forget`; one script."""
        await self._scripts.run("forget", event_id)


def _token() -> str:
    return secrets.token_hex(8)


def _argument(value: str | bytes | float) -> str | bytes:
    return repr(value) if isinstance(value, (int, float)) else value


def _text(value: str | bytes) -> str:
    # A client may be set to decode what the server answers.
    return value.decode() if isinstance(value, bytes) else value


def _claim(answer: list[str | bytes]) -> Claim:
    kind = _text(answer[0])
    if kind == "claimed":
        return Claimed(_text(answer[1]))
    if kind == "busy":
        return Busy(float(answer[1]))
    return Stale() if kind == "stale" else Handled()


def _held(answer: list[str | bytes], token: str) -> Held | None:
    if not answer:
        return None
    event_id, document, position, body, hints = answer
    item = Item(_text(event_id), _text(document), _text(position))
    return Held(item, token, body.encode() if isinstance(body, str) else body, _text(hints))
