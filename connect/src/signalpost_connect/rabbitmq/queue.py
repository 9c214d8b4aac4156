"""Reads a queue of RabbitMQ.

The queue sends up to a batch of messages ahead, which stay unacknowledged until the gateway has them: they are held
here in their order, and come again from the queue only if the connection is lost. What the gateway did not answer is
held on, and handed out first. A queue that had to take it back again and again would take it for bad, and drop it.

Messages of RabbitMQ have no version: each says its own, or a mapping does. What is dead goes to a queue of its own with
the reason, and is acknowledged once that queue has it.

Two readers would share the messages, and an older state could be overtaken. So a reader has a third queue, which is its
connection's own while that lives, and which no other reader can declare: another one waits.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, Final, NamedTuple

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, DeliveryMode
from aiormq.exceptions import ChannelLockedResource
from msgspec import Struct

from signalpost_connect.config import Secret
from signalpost_connect.rabbitmq.connection import ANSWER_SECONDS, close, closed_on_failure, opened, url_of
from signalpost_connect.source import Batch, Message, Outcome, SourceAway, Verdict

LONGEST_PROBLEM: Final = 1000


class RabbitConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which queue, and where."""

    url: Secret
    """Refers to a URL: `amqps://user:password@host/vhost`."""
    queue: str
    dead_queue: str
    """The queue for what the gateway will never take."""


class Arrival(NamedTuple):
    """A message that is not settled, and when it came."""

    message: AbstractIncomingMessage
    at: float


class Reading:
    """One connection, with what came by it and is not settled."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        self.connection = connection
        self.channel = channel
        self.held: dict[int, Arrival] = {}
        """What came, by the number of its delivery, oldest first."""
        self._arrived = asyncio.Event()

    async def on_message(self, message: AbstractIncomingMessage) -> None:
        """Hold a message that the queue sent."""
        assert message.delivery_tag is not None
        self.held[message.delivery_tag] = Arrival(message, time.time())
        self._arrived.set()

    async def has_come(self, count: int, seconds: float) -> bool:
        """Whether so many messages are held before that many seconds are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self.held) < count:
                    self._arrived.clear()
                    await self._arrived.wait()
        return len(self.held) >= count


class RabbitQueue:
    """Messages of one queue of RabbitMQ, and the queue for its dead ones."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = RabbitConfig
    has_versions: ClassVar[bool] = False

    def __init__(self, config: RabbitConfig) -> None:
        self._url = url_of(config.url)
        if config.dead_queue == config.queue:
            raise ValueError("dead_queue: dead messages need a queue of their own; name another.")
        self._config = config
        self._reading: Reading | None = None
        self._batch: Sequence[Arrival] = []

    async def take(self, most: int, seconds: float) -> Batch:
        """What is held, oldest first; if nothing is, what comes."""
        async with self._used(most) as reading:
            if reading is None:
                await asyncio.sleep(seconds)
                return Batch([])
            if not await reading.has_come(1, seconds):
                await self._look(reading)
            self._batch = [*reading.held.values()][:most]
        oldest = min(map(_sent_at, self._batch), default=None)
        age = 0.0 if oldest is None else max(0.0, time.time() - oldest)
        return Batch([message_of(each.message) for each in self._batch], age)

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """Move what is dead, acknowledge it and what is done, and hold the rest."""
        judged = [*zip(self._batch, verdicts, strict=True)]
        async with self._used(len(judged)) as reading:
            if reading is None or any(reading.held.get(_tag(each)) is not each for each in self._batch):
                raise SourceAway("The connection was lost. What was read comes again.")
            dead = [(each.message, verdict) for each, verdict in judged if verdict.outcome is Outcome.DEAD]
            await asyncio.gather(*(self._bury(reading.channel, *each) for each in dead))
            for each, verdict in judged:
                if verdict.outcome is not Outcome.AGAIN:
                    await each.message.ack()
                    del reading.held[_tag(each)]

    async def dead(self) -> int | None:
        """How many messages are in the queue of dead ones; None while another reader works."""
        async with self._used(1) as reading:
            if reading is None:
                return None
            queue = await reading.channel.declare_queue(self._config.dead_queue, passive=True)
            return queue.declaration_result.message_count or 0

    async def close(self) -> None:
        """Close the connection. What was not settled comes again at once."""
        reading, self._reading = self._reading, None
        if reading is not None:
            await close(reading.connection)

    @asynccontextmanager
    async def _used(self, most: int) -> AsyncGenerator[Reading | None]:
        """The connection, which reads the queue; None while another reader does. After a failure it is closed."""
        async with closed_on_failure(self.close, SourceAway):
            if self._reading is not None and self._reading.channel.is_closed:
                raise SourceAway("RabbitMQ closed the connection.")
            if self._reading is None:
                self._reading = await self._connected(most)
            yield self._reading

    async def _connected(self, most: int) -> Reading | None:
        """Read the queue by a new connection. Waits until what can come at once is here."""
        try:
            async with opened(self._url) as connection:
                channel = await connection.channel(on_return_raises=True)
                await channel.declare_queue(f"signalpost-connect {self._config.queue}", exclusive=True)
                await channel.set_qos(prefetch_count=most)
                await channel.declare_queue(self._config.dead_queue, passive=True)
                queue = await channel.declare_queue(self._config.queue, passive=True)
                reading = Reading(connection, channel)
                await queue.consume(reading.on_message)
        except ChannelLockedResource:
            return None
        await reading.has_come(min(most, queue.declaration_result.message_count or 0), 1.0)
        return reading

    async def _look(self, reading: Reading) -> None:
        """Nothing came: see that the queue is still there, and has its reader."""
        queue = await reading.channel.declare_queue(self._config.queue, passive=True, timeout=ANSWER_SECONDS)
        if not queue.declaration_result.consumer_count:
            raise SourceAway("RabbitMQ ended the reading of the queue.")

    async def _bury(self, channel: AbstractChannel, message: AbstractIncomingMessage, verdict: Verdict) -> None:
        """Send a message to the queue of dead ones, and wait until that has it."""
        copy = aio_pika.Message(
            message.body,
            headers={**message.headers, "problem": verdict.problem[:LONGEST_PROBLEM]},
            content_type=message.content_type,
            message_id=message.message_id,
            timestamp=message.timestamp,
            delivery_mode=DeliveryMode.PERSISTENT,
        )
        await channel.default_exchange.publish(copy, self._config.dead_queue, timeout=ANSWER_SECONDS)


def message_of(given: AbstractIncomingMessage) -> Message:
    """The message that the queue sent."""
    headers = {name: str(value) for name, value in given.headers.items() if isinstance(value, str | int | float)}
    return Message(given.message_id or f"delivery {given.delivery_tag}", given.body, None, headers)


def _tag(arrival: Arrival) -> int:
    tag: int | None = arrival.message.delivery_tag
    assert tag is not None
    return tag


def _sent_at(arrival: Arrival) -> float:
    """When its program says that it sent a message; else, when it came."""
    sent = arrival.message.timestamp
    return arrival.at if sent is None else sent.timestamp()
