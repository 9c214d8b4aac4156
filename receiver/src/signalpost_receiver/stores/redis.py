"""A store in Redis or Valkey, for any number of machines. Each call is one Lua script (`redis.lua`), which nothing
interrupts.

The keys, all below a prefix in braces, so that a cluster keeps them together:

    {signalpost}:event:ID           hash: state (claimed, handled, held), token, until, document, position, body, hints
    {signalpost}:document:DOCUMENT  hash: position (the mark), until, token, lease_until
    {signalpost}:due                sorted set: the ids of held events, by when they are due
    {signalpost}:held:DOCUMENT      sorted set: "position id" of the document's held events

Times are compared as they are passed in; keys expire by the server's clock, an hour after they no longer count, so that
the commit of a handler that was slow still finds its claim.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

from .base import Busy, Claim, Claimed, Handled, Held, Item, Stale

if TYPE_CHECKING:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

PREFIX = "{signalpost}"

_, _, _COMMON, *_OTHERS = re.split(
    r"^-- script: ([a-z]+)\n", (files(__package__) / "redis.lua").read_text("utf-8"), flags=re.MULTILINE
)
_SCRIPTS = dict(zip(_OTHERS[::2], _OTHERS[1::2], strict=True))


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
