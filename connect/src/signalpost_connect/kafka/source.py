"""Reads a topic of Kafka, as a member of a consumer group.

What is done is the group's committed offset of each partition, which is set only after the gateway answered and dead
messages are in their topic. So what ends the process, or has another member take a partition over, makes messages come
again, and never passes one over. The offset is a message's version: that holds as long as a document stays in one
partition, which it does if it is the key.

The member has a name of its own (`instance`), by which it gets its partitions back at once after a restart, without
waiting until the group has missed the former process.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from msgspec import Struct

from signalpost_connect.kafka.brokers import (
    ANSWER_SECONDS,
    BrokersConfig,
    Name,
    Topic,
    arguments_of,
    raised_as,
    stop,
    topics,
)
from signalpost_connect.kafka.settlement import Place, Record, headers_of_dead, message_of, settlement_of
from signalpost_connect.source import Batch, SourceAway, Verdict

FETCH_BYTES: Final = 8 * 1024 * 1024
"""How much is fetched ahead; a larger message comes alone."""
LARGEST_DEAD: Final = 64 * 1024 * 1024
"""Bytes of a dead message that are tried: the topic has the last word."""
PAUSE_MILLISECONDS: Final = 3_600_000
"""For how long nothing may be taken, because the gateway wants it so, before the group gives the partitions away."""


class KafkaConfig(BrokersConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which topic, and as whom it is read."""

    topic: Topic
    dead_topic: Topic
    """The topic for what the gateway will never take."""
    group: Name = "signalpost-connect"
    instance: Name = "1"
    """Each connector of a group has another."""


class _Clients(NamedTuple):
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    dead: Sequence[TopicPartition]
    """The partitions of the topic for dead messages."""


class KafkaTopic:
    """The messages of one topic."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = KafkaConfig
    reads_ahead: ClassVar[bool] = True

    def __init__(self, config: KafkaConfig) -> None:
        if config.topic == config.dead_topic:
            raise ValueError("dead_topic: it must be another topic than the one that is read.")
        self._config = config
        self._arguments = arguments_of(config)
        self._clients: _Clients | None = None
        self._taken = deque[Sequence[Record]]()
        """The records of each batch that is not settled."""
        self._again = dict[Place, int]()
        """From which offset on a partition comes again with the next `take`."""

    async def take(self, most: int, seconds: float) -> Batch:
        """The next records of some partitions, those of each in the order of their offsets."""
        async with self._used() as clients:
            consumer = clients.consumer
            for place, offset in self._again.items():
                if TopicPartition(*place) in consumer.assignment():
                    consumer.seek(TopicPartition(*place), offset)
            self._again.clear()
            consumer.resume(*consumer.paused())
            records = await _fetched(consumer, most, seconds)
            if records:
                self._taken.append(records)
            else:  # of brokers that are away, nothing would be said
                await consumer.end_offsets(consumer.assignment())
        return _batch(records)

    async def look(self, most: int, seconds: float) -> Batch:
        """The first records that are not done, without becoming a member of the group."""
        consumer = self._consumer(instance=None)
        with raised_as(SourceAway):
            async with asyncio.timeout(ANSWER_SECONDS):
                try:
                    async with topics(self._arguments) as found:
                        places = [TopicPartition(self._config.topic, each) for each in found.of(self._config.topic)]
                        found.of(self._config.dead_topic)
                    await consumer.start()
                    consumer.assign(places)
                    ends = await consumer.end_offsets(places)
                    records: Sequence[Record] = ()
                    while not records and not await _is_at(consumer, ends):
                        records = await _fetched(consumer, most, seconds)
                finally:
                    await stop(consumer)
        return _batch(records)

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """Keep what is dead, then commit how far each partition is done. If something comes again, nothing is fetched
        until it is taken."""
        async with self._used() as clients:
            if not self._taken:
                raise SourceAway("The connection was lost. What was read comes again.")
            found = settlement_of(zip(self._taken.popleft(), verdicts, strict=True))
            for record, problem in found.dead:
                await self._keep(clients.producer, record, problem)
            if found.done:
                await clients.consumer.commit({TopicPartition(*each): offset for each, offset in found.done.items()})
            if found.again:
                clients.consumer.pause(*clients.consumer.assignment())
            self._again = {**found.again, **self._again}  # an earlier batch has lower offsets

    async def dead(self) -> int | None:
        """How many messages are in the topic of dead ones; None if others of the group have all partitions."""
        async with self._used() as clients:
            if not clients.consumer.assignment():
                return None
            first = await clients.consumer.beginning_offsets(clients.dead)
            last = await clients.consumer.end_offsets(clients.dead)
            return int(sum(last.values()) - sum(first.values()))

    async def close(self) -> None:
        """Close the connections. The group keeps the partitions for this instance, for some seconds."""
        clients, self._clients = self._clients, None
        self._taken.clear()
        self._again.clear()
        if clients is not None:
            try:
                await stop(clients.consumer)
            finally:
                with suppress(KafkaError, OSError):
                    await clients.producer.stop()

    @asynccontextmanager
    async def _used(self) -> AsyncGenerator[_Clients]:
        """The clients, connected. After a failure they are closed."""
        try:
            with raised_as(SourceAway):
                async with asyncio.timeout(ANSWER_SECONDS):
                    yield self._clients or await self._connected()
        except BaseException:
            await self.close()
            raise

    async def _connected(self) -> _Clients:
        async with topics(self._arguments) as found:
            found.of(self._config.topic)
            dead = [TopicPartition(self._config.dead_topic, each) for each in found.of(self._config.dead_topic)]
        producer = AIOKafkaProducer(enable_idempotence=True, max_request_size=LARGEST_DEAD, **self._arguments)
        self._clients = clients = _Clients(self._consumer(self._config.instance), producer, dead)
        await clients.consumer.start()
        await producer.start()
        clients.consumer.subscribe([self._config.topic])
        return clients

    def _consumer(self, instance: str | None) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            group_id=self._config.group,
            group_instance_id=instance,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_bytes=FETCH_BYTES,
            max_poll_interval_ms=PAUSE_MILLISECONDS,
            **self._arguments,
        )

    async def _keep(self, producer: AIOKafkaProducer, record: Record, problem: str) -> None:
        """Put a record into the topic of dead ones; without its value, if it is too large for that topic."""
        topic, headers = self._config.dead_topic, headers_of_dead(record, problem)
        is_empty = record.value is None and record.key is None
        try:
            await producer.send_and_wait(topic, b"" if is_empty else record.value, record.key, headers=headers)
        except MessageSizeTooLargeError:
            await producer.send_and_wait(topic, b"", record.key, headers=headers)


async def _fetched(consumer: AIOKafkaConsumer, most: int, seconds: float) -> Sequence[Record]:
    found = await consumer.getmany(timeout_ms=round(1000 * seconds), max_records=most)
    return [record for each in found.values() for record in each]


async def _is_at(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    return all([await consumer.position(place) >= end for place, end in ends.items()])


def _batch(records: Sequence[Record]) -> Batch:
    written = min((each.timestamp for each in records), default=None)
    seconds = 0.0 if written is None else max(0.0, time.time() - written / 1000)
    return Batch([message_of(each) for each in records], seconds)
