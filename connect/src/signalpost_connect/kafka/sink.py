"""Writes events to a topic of Kafka, each batch in a transaction with the cursor.

The cursor is a message in a topic of its own: under the name of this sink, the sequence of the last event. That topic
has to be compacted, so that the cursor is kept however long nothing is written; an offset of a consumer group would be
forgotten after a week. A reader that reads committed messages alone sees each event once.

The transactions have the sink's name as well. So a new process ends what a former one has begun, before it reads the
cursor, and a former one that is still there can write no more.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError, ProducerFenced
from msgspec import Struct

from signalpost_connect.kafka.brokers import (
    ANSWER_SECONDS,
    BrokersConfig,
    Name,
    Topic,
    Topics,
    arguments_of,
    raised_as,
    stop,
    stop_producer,
    topics,
)
from signalpost_connect.sink import Entry, Origin, SinkAway, attributes_of

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of an event that are tried: the topic has the last word."""
FIRST_WINDOW: Final = 100
"""The cursor is first looked for among so many messages at the end of its topic."""
CURSOR_PARTITION: Final = 0


class KafkaSinkConfig(BrokersConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which topics, and under which name."""

    topic: Topic
    cursor_topic: Topic
    """The topic for cursors, which is compacted. Several sinks can share it."""
    name: Name = "signalpost-drain"
    """The name of the cursor and of the transactions: each sink has another."""
    source: Origin = "signalpost"


class KafkaSink:
    """A topic of events, and the cursor beside it."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = KafkaSinkConfig

    def __init__(self, config: KafkaSinkConfig) -> None:
        if config.topic == config.cursor_topic:
            raise ValueError("cursor_topic: it must be another topic than that of the events.")
        self._config = config
        self._arguments = arguments_of(config)
        self._place = TopicPartition(config.cursor_topic, CURSOR_PARTITION)
        self._producer: AIOKafkaProducer | None = None

    async def cursor(self) -> int | None:
        """End what was begun under this name, then read how far it came."""
        await self.close()
        async with self._used():
            async with topics(self._arguments) as found:
                found.of(self._config.topic)
                found.of(self._config.cursor_topic)
                await self._check_compaction(found)
            self._producer = AIOKafkaProducer(
                transactional_id=self._config.name, max_request_size=LARGEST, **self._arguments
            )
            await self._producer.start()
            await self._producer.begin_transaction()  # without a message: from now on, no other process can write
            await self._producer.commit_transaction()
            return await self._read_cursor()

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write events and the cursor in one transaction."""
        async with self._used():
            assert self._producer is not None, "ask for the cursor first"
            try:
                await self._producer.begin_transaction()
                await self._send(self._producer, entries)
                await self._producer.commit_transaction()
            except MessageSizeTooLargeError:
                largest = max(entries, key=lambda each: len(each.body))
                raise SinkAway(
                    f"An event is too large for the topic {self._config.topic}; the largest of those that come next,"
                    f" {largest.id}, has {len(largest.body)} bytes. Raise its max.message.bytes."
                ) from None
            except ProducerFenced:
                raise SinkAway(
                    f"Another process writes as {self._config.name}. If both are wanted, give one another sink.name."
                ) from None

    async def close(self) -> None:
        """Close the connection. A transaction that is open ends when the next process begins, or by itself."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_producer(producer)

    async def _send(self, producer: AIOKafkaProducer, entries: Sequence[Entry]) -> None:
        sent = [
            await producer.send(
                self._config.topic, each.body, _key(each), headers=headers_of(each, self._config.source)
            )
            for each in entries
        ]
        name, sequence = self._config.name.encode(), str(entries[-1].sequence).encode()
        sent.append(await producer.send(self._config.cursor_topic, sequence, name, CURSOR_PARTITION))
        await asyncio.gather(*sent)

    async def _read_cursor(self) -> int | None:
        """The last sequence under this name. It is near the end, so the end is looked at first."""
        consumer = AIOKafkaConsumer(
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            **self._arguments,
        )
        try:
            await consumer.start()
            consumer.assign([self._place])
            [begin] = (await consumer.beginning_offsets([self._place])).values()
            [end] = (await consumer.end_offsets([self._place])).values()
            window = FIRST_WINDOW
            while True:
                start = max(begin, end - window)
                found = await self._last_between(consumer, start, end)
                if found is not None or start == begin:
                    return found
                window *= 10
        finally:
            await stop(consumer)

    async def _last_between(self, consumer: AIOKafkaConsumer, start: int, end: int) -> int | None:
        consumer.seek(self._place, start)
        last: int | None = None
        while await consumer.position(self._place) < end:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for each in records:
                    if each.key == self._config.name.encode() and each.value is not None:
                        last = int(each.value)
        return last

    async def _check_compaction(self, found: Topics) -> None:
        """Raises SinkAway if Kafka would forget the cursor after some time."""
        about = ConfigResource(ConfigResourceType.TOPIC, self._config.cursor_topic, {"cleanup.policy": ""})
        policies = [
            str(entry[1])
            for answer in await found.admin.describe_configs([about])
            for resource in answer.resources
            for entry in resource[4]
        ]
        if policies and not any("compact" in each for each in policies):
            raise SinkAway(
                f"The topic {self._config.cursor_topic} is not compacted, and would forget the cursor."
                " Set its cleanup.policy to compact."
            )

    @asynccontextmanager
    async def _used(self) -> AsyncGenerator[None]:
        """Whatever fails, the connection is closed afterwards."""
        try:
            with raised_as(SinkAway):
                async with asyncio.timeout(ANSWER_SECONDS):
                    yield
        except BaseException:
            await self.close()
            raise


def headers_of(entry: Entry, source: str) -> list[tuple[str, bytes]]:
    """What is said beside an event: the attributes of CloudEvents as their protocol binding for Kafka names them."""
    attributes = {f"ce_{name}": value for name, value in attributes_of(entry, source).items()}
    return [(name, value.encode()) for name, value in {**attributes, "content-type": "application/json"}.items()]


def _key(entry: Entry) -> bytes | None:
    """Events of a document are in one partition, and so in order."""
    return None if entry.document is None else entry.document.encode()
