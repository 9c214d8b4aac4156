"""Reads a stream of Redis as a consumer of a group.

The id of an entry in its stream is its version. What was taken and not acknowledged is held here and handed out first.
Redis keeps it for this consumer, too: a connector that starts has it from there before anything new.

What another consumer of the group has taken is older than all that is new. So nothing new is read while another one has
something. What it has not acknowledged for `again_seconds` is claimed: it is taken for gone.

A message that is dead goes to a stream of its own with the reason, in one transaction with the acknowledgements.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from signalpost_connect.config import Secret, is_url
from signalpost_connect.source import Batch, Message, Outcome, SourceAway, Verdict

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
LONGEST_PROBLEM: Final = 1000
COUNTER_BITS: Final = 20
"""The lowest bits of a version are the counter in the id of an entry; the milliseconds are above."""

Fields = Mapping[bytes, bytes]
log = logging.getLogger("signalpost_connect")


class RedisConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which stream, and where."""

    url: Secret
    """Refers to a URL: `rediss://user:password@host:6379/0`."""
    stream: str
    dead_stream: str
    """The stream for what the gateway will never take."""
    field: str | None = None
    """The field of an entry that has the message in JSON; without it, the fields are the message."""
    group: str = "signalpost-connect"
    """The consumer group, which is made if it is not there."""
    consumer: str = "1"
    """The name of this connector in the group."""
    again_seconds: Annotated[int, Meta(ge=1, le=3600)] = 30
    """After which time another consumer of the group is taken for gone."""


class Held(NamedTuple):
    """An entry that is not settled."""

    message: Message
    fields: Fields


class RedisStream:
    """Entries of one stream, and the stream for its dead ones."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = RedisConfig

    def __init__(self, config: RedisConfig) -> None:
        self._url = url_of(config.url)
        if config.dead_stream == config.stream:
            raise ValueError("dead_stream: dead messages need a stream of their own; name another.")
        self._config = config
        self._client: Redis | None = None
        self._is_member = False
        self._held: dict[str, Held] = {}
        """What this consumer has taken, by the ids of entries."""

    async def take(self, most: int, seconds: float) -> Batch:
        """What is held, oldest first; if nothing is, what another consumer left, or what is new."""
        async with self._used() as client:
            if not self._held:
                await self._claim(client, most)
            if not self._held:
                if await self._others_have_something(client):
                    await asyncio.sleep(seconds)
                else:
                    await self._read(client, ">", most, seconds)
        messages = sorted((each.message for each in self._held.values()), key=lambda each: _place(each.id))[:most]
        return Batch(messages, _age(messages[0].id) if messages else 0.0)

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """Move what is dead, acknowledge it and what is done, and hold the rest."""
        async with self._used() as client:
            if any(each.id not in self._held for each in batch.messages):
                raise SourceAway("The connection was lost. What was read comes again.")
            done = list[str]()
            async with client.pipeline(transaction=True) as changes:
                for message, verdict in zip(batch.messages, verdicts, strict=True):
                    if verdict.outcome is Outcome.DEAD:
                        changes.xadd(self._config.dead_stream, self._dead_entry(message.id, verdict))
                    if verdict.outcome is not Outcome.AGAIN:
                        done.append(message.id)
                if done:
                    changes.xack(self._config.stream, self._config.group, *done)
                    await changes.execute()
            for each in done:
                del self._held[each]

    async def dead(self) -> int | None:
        """How many messages are in the stream of dead ones."""
        async with self._used() as client:
            return int(await client.xlen(self._config.dead_stream))

    async def look(self, most: int, seconds: float) -> Batch:
        """What was taken and not settled, and what is new, without taking it."""
        async with self._used(joins=False) as client:
            if not await client.xlen(self._config.stream):
                return Batch([])
            groups = await client.xinfo_groups(self._config.stream)
            last = next((each["last-delivered-id"] for each in groups if each["name"] == self._group), None)
            taken = [] if last is None else await client.xpending_range(
                self._config.stream, self._group, "-", "+", most)  # fmt: skip
            ranges = [(each["message_id"], each["message_id"]) for each in taken]
            found: list[Any] = [
                await client.xrange(self._config.stream, *each, count=most)
                for each in (*ranges, ("-" if last is None else b"(" + last, "+"))
            ]
        entries = [entry for each in found for entry in each]
        return Batch([message_of(place, fields, self._config.field) for place, fields in entries[:most]])

    async def close(self) -> None:
        """Close the connection. What was not settled stays with this consumer, and comes again."""
        client, self._client = self._client, None
        self._is_member, self._held = False, {}
        if client is not None:
            await client.aclose()

    # --- What is taken ------------------------------------------------------------------------------------------------

    @property
    def _group(self) -> bytes:
        return self._config.group.encode()

    async def _read(self, client: Redis, place: str, most: int | None, seconds: float) -> None:
        """Take entries: new ones from `>` on, from `0` on those that this consumer has already."""
        milliseconds = max(1, int(seconds * 1000))
        found: Any = await client.xreadgroup(
            self._config.group, self._config.consumer, {self._config.stream: place}, count=most, block=milliseconds
        )
        for _, entries in found:
            self._hold(entries)

    async def _claim(self, client: Redis, most: int) -> None:
        """Take what another consumer has had for too long."""
        idle = 1000 * self._config.again_seconds
        _, entries, gone = await client.xautoclaim(
            self._config.stream, self._config.group, self._config.consumer, idle, count=most
        )
        if gone:
            places = ", ".join(each.decode() for each in gone)
            log.warning("a consumer had taken %s, and the stream no longer has it: it is not imported", places)
        self._hold(entries)

    async def _others_have_something(self, client: Redis) -> bool:
        pending: Any = await client.xpending(self._config.stream, self._config.group)
        return any(each["name"] != self._config.consumer.encode() for each in pending["consumers"])

    def _hold(self, entries: Sequence[tuple[bytes, Fields]]) -> None:
        for place, fields in entries:
            self._held[place.decode()] = Held(message_of(place, fields, self._config.field), fields)

    def _dead_entry(self, place: str, verdict: Verdict) -> dict[Any, Any]:
        about = {b"problem": verdict.problem[:LONGEST_PROBLEM].encode(), b"origin": place.encode()}
        return {**self._held[place].fields, **about}

    # --- The connection -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _used(self, *, joins: bool = True) -> AsyncGenerator[Redis]:
        """The connection. After a failure it is closed."""
        try:
            if self._client is None:
                self._client = client_of(self._url)
            if joins and not self._is_member:
                await self._join(self._client)
                self._is_member = True
            yield self._client
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise SourceAway(_sentence(error)) from error
        except BaseException:
            await self.close()
            raise

    async def _join(self, client: Redis) -> None:
        """Make the group if it is not there, and hold what this consumer has taken before."""
        try:
            await client.xgroup_create(self._config.stream, self._config.group, id="0")
        except ResponseError as error:
            if "requires the key to exist" in str(error):
                raise SourceAway(f"There is no stream {self._config.stream}.") from None
            if "BUSYGROUP" not in str(error):
                raise
        await self._read(client, "0", None, 0)


def url_of(url: Secret) -> str:
    """The URL that a configuration refers to. Raises ValueError, which names the member."""
    try:
        found = url.read()
    except ValueError as error:
        raise ValueError(f"url: {error}") from None
    if not is_url(found, "redis", "rediss"):
        raise ValueError("url: what it refers to is not a URL such as rediss://user:password@host:6379/0.")
    return found


def client_of(url: str) -> Redis:
    """A client that tries nothing twice, and verifies certificates alike with every version of Python."""
    tls: Any = {"ssl_exclude_verify_flags": [ssl.VERIFY_X509_STRICT]} if url.startswith("rediss:") else {}
    return Redis.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        **tls,
    )


def message_of(place: bytes, fields: Fields, field: str | None) -> Message:
    """The message that an entry is. Its other fields are headers."""
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    body = msgspec.json.encode(texts) if field is None else fields.get(field.encode(), b"")
    headers = {name: value for name, value in texts.items() if name != field}
    return Message(place.decode(), body, version_of(place.decode()), headers)


def version_of(place: str) -> int:
    """The id of an entry as one number. If a clock was set back, the counter goes on rising and may need more bits: it
    then counts as milliseconds, which are used up before the clock comes there."""
    milliseconds, counter = _place(place)
    return (milliseconds << COUNTER_BITS) + counter


def _place(place: str) -> tuple[int, int]:
    milliseconds, _, counter = place.partition("-")
    return int(milliseconds), int(counter)


def _age(place: str) -> float:
    return max(0.0, time.time() - _place(place)[0] / 1000)


def _sentence(error: Exception) -> str:
    said = " ".join(str(error).split()).rstrip(".")
    return f"Redis: {said or type(error).__name__}."
