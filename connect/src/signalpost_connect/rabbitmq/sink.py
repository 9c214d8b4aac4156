"""Writes events to an exchange of RabbitMQ, and then the cursor to a queue of its own.

RabbitMQ has no transaction for both. So the cursor is written once all events before it were confirmed, and after a
crash between the two, events are written again: each at least once, and always in the order of its document.

The queue of the cursor keeps the last message alone. Who reads a message and puts it back counts as a delivery of it,
and a quorum queue drops what was delivered too often; so what was read is written again, confirmed, and only then taken
away. After a crash there may be two: the higher one counts.

A queue that is the connection's own is the lock: it is there for as long as RabbitMQ may still get something by that
connection. Another process that begins is refused until then.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, NamedTuple

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue, DeliveryMode
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq.exceptions import ChannelLockedResource
from msgspec import Meta, Struct

from signalpost_connect.config import Secret
from signalpost_connect.rabbitmq.connection import ANSWER_SECONDS, close, closed_on_failure, opened, url_of
from signalpost_connect.sink import Entry, Origin, SinkAway, attributes_of

CURSOR_QUEUE: Final[dict[str, Any]] = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "drop-head"}


class RabbitSinkConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which exchange, and under which name."""

    url: Secret
    """Refers to a URL: `amqps://user:password@host/vhost`."""
    exchange: Annotated[str, Meta(min_length=1, max_length=200)]
    """Where events go; the routing key is the type of the event."""
    name: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,200}$")] = "signalpost-drain"
    """The name of the cursor and of the lock: each sink has another."""
    source: Origin = "signalpost"


class Writing(NamedTuple):
    """One connection that has the lock."""

    connection: AbstractConnection
    channel: AbstractChannel
    exchange: AbstractExchange
    cursors: AbstractQueue


class RabbitSink:
    """An exchange for events, and the queue of the cursor."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = RabbitSinkConfig

    def __init__(self, config: RabbitSinkConfig) -> None:
        self._url = url_of(config.url)
        self._config = config
        self._writing: Writing | None = None

    async def cursor(self) -> int | None:
        """Take the lock, then read the cursor, and write it again."""
        await self.close()
        async with closed_on_failure(self.close, SinkAway):
            self._writing = await self._connected()
            found = []
            while (message := await self._writing.cursors.get(fail=False, timeout=ANSWER_SECONDS)) is not None:
                found.append(message)
            if not found:
                return None
            if not all(each.body.isdigit() for each in found):
                raise SinkAway(f"The queue {self._writing.cursors.name} has a message that is no cursor; purge it.")
            last = max(int(each.body) for each in found)
            await self._keep_cursor(self._writing, last)
            for each in found:
                await each.ack()
            return last

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write events, then the cursor. If one is refused, those before it are done all the same."""
        async with closed_on_failure(self.close, SinkAway):
            assert self._writing is not None, "ask for the cursor first"
            last, failure = await self._publish(self._writing, entries)
            if last is not None:
                await self._keep_cursor(self._writing, last)
            if failure is not None:
                raise failure

    async def close(self) -> None:
        """Close the connection, and give the lock back with it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await close(writing.connection)

    async def _publish(self, writing: Writing, entries: Sequence[Entry]) -> tuple[int | None, Exception | None]:
        """The sequence up to which all are confirmed, and why it ends there if it is not the last one."""
        last: int | None = None
        for part in parts_of(entries):
            async with asyncio.timeout(ANSWER_SECONDS):
                answers = await asyncio.gather(
                    *(writing.exchange.publish(message_of(each, self._config.source), each.type) for each in part),
                    return_exceptions=True,
                )
            for each, answer in zip(part, answers, strict=True):
                if isinstance(answer, BaseException):
                    return last, self._refusal(answer, each)
                last = each.sequence
        return last, None

    async def _keep_cursor(self, writing: Writing, sequence: int) -> None:
        message = aio_pika.Message(str(sequence).encode(), delivery_mode=DeliveryMode.PERSISTENT)
        await writing.channel.default_exchange.publish(message, writing.cursors.name, timeout=ANSWER_SECONDS)

    def _refusal(self, error: BaseException, entry: Entry) -> Exception:
        if isinstance(error, PublishError):
            return SinkAway(
                f"No queue gets events of the type {entry.type} from the exchange {self._config.exchange}; bind one."
            )
        if isinstance(error, DeliveryError):
            return SinkAway(
                f"A queue that is bound to the exchange {self._config.exchange} refuses events. Is it full?"
            )
        return error if isinstance(error, Exception) else SinkAway("RabbitMQ closed the connection.")

    async def _connected(self) -> Writing:
        try:
            async with opened(self._url) as connection:
                channel = await connection.channel(on_return_raises=True)
                await channel.declare_queue(f"signalpost-connect drain {self._config.name}", exclusive=True)
                exchange = await channel.get_exchange(self._config.exchange)
                cursors = await channel.declare_queue(
                    f"signalpost-connect cursor {self._config.name}", durable=True, arguments=CURSOR_QUEUE
                )
        except ChannelLockedResource:
            raise SinkAway(
                f"Another process writes as {self._config.name}. If both are wanted, give one another sink.name."
            ) from None
        return Writing(connection, channel, exchange, cursors)


def parts_of(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Split events before each document that comes again. The next part is sent once this one is confirmed: so if an
    event is refused, no later one of its document was taken."""
    part, documents = list[Entry](), set[str | None]()
    for each in entries:
        if each.document in documents:
            yield part
            part, documents = [], set()
        part.append(each)
        documents.add(each.document)
    if part:
        yield part


def message_of(entry: Entry, source: str) -> aio_pika.Message:
    """An event, with the attributes of CloudEvents as their protocol binding for AMQP names them."""
    return aio_pika.Message(
        entry.body,
        headers={f"cloudEvents_{name}": value for name, value in attributes_of(entry, source).items()},
        content_type="application/json",
        message_id=entry.id,
        type=entry.type,
        timestamp=datetime.fromisoformat(entry.created_at),
        delivery_mode=DeliveryMode.PERSISTENT,
    )
