"""A broker of Kafka, in a process that can be killed and started again on the same data."""

import asyncio
import base64
import json
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

pytest.importorskip("aiokafka", reason="what speaks with Kafka is not installed: make connect-kafka")
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from gateway.tests.acceptance.client import until
from gateway.tests.patience import LONG_PATIENCE, PATIENCE

from signalpost_bench.free_port import free_port

JARS = Path(__file__).parents[2] / ".venv-kafka" / "jars"
T = TypeVar("T")
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""


class TopicMessage(NamedTuple):
    """A record as it stands in a topic."""

    partition: int
    offset: int
    key: str | None
    value: bytes | None
    headers: Mapping[str, str]


class Broker:
    """One node of KRaft, on the loopback interface."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._properties = folder / "server.properties"
        self._properties.write_text(_PROPERTIES.format(port=self.port, controller=free_port(), data=folder / "data"))
        self._log = folder / "log"
        self._partitions = dict[str, int]()
        """How many partitions each topic has."""
        self._process: subprocess.Popen[bytes] | None = None
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        formatted = self._java(
            "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(self._properties)
        )
        assert formatted.wait(LONG_PATIENCE) == 0, self.log()

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    # --- Life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = self._java("kafka.Kafka", str(self._properties))
        until(self._listens, self.log)
        self.run(self._answers())

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def end(self) -> None:
        """Whatever state it is in: nothing of it runs afterwards."""
        if self._process is not None:
            self.kill()

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(PATIENCE)
        self._process = None

    def _java(self, *arguments: str) -> "subprocess.Popen[bytes]":
        options = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*")
        with self._log.open("ab") as said:
            return subprocess.Popen(["java", *options, *arguments], stdout=said, stderr=said, cwd=self._folder)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    async def _answers(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.server)
        try:
            await admin.start()
            while not (await admin.describe_cluster())["brokers"]:
                await asyncio.sleep(0.1)
        finally:
            await admin.close()

    # --- Topics -------------------------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns, in a loop of its own."""

        async def patient() -> T:
            async with asyncio.timeout(PATIENCE):
                return await work

        return asyncio.run(patient())

    def make_topic(self, partitions: int = 1, **configs: str) -> str:
        """The name of a new topic."""
        name = f"topic-{uuid.uuid4()}"
        given = {member.replace("_", "."): value for member, value in configs.items()}

        async def make() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.server)
            try:
                await admin.start()
                answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=given)])
                assert [each[1] for each in answer.topic_errors] == [0], answer
                while name not in await admin.list_topics():
                    await asyncio.sleep(0.1)
            finally:
                await admin.close()

        self.run(make())
        self._partitions[name] = partitions
        return name

    def send(self, topic: str, *messages: tuple[str | None, object]) -> None:
        """Write messages: a key, and what is written as JSON, or bytes, or None for a tombstone."""

        async def send() -> None:
            producer = AIOKafkaProducer(bootstrap_servers=self.server, enable_idempotence=True)
            try:
                await producer.start()
                await asyncio.gather(
                    *[
                        await producer.send(topic, value_of(value), None if key is None else key.encode())
                        for key, value in messages
                    ]
                )
            finally:
                await producer.stop()

        self.run(send())

    def left(self, topic: str, group: str = "signalpost-connect") -> int:
        """How many messages of a topic a group has not committed."""

        async def left() -> int:
            consumer = self._consumer(group_id=group)
            try:
                places, ends = await _placed(consumer, topic, self._partitions[topic])
                committed = [await consumer.committed(each) or 0 for each in places]
                return sum(ends.values()) - sum(committed)
            finally:
                await consumer.stop()

        return self.run(left())

    def read(self, topic: str) -> Sequence[TopicMessage]:
        """All committed messages of a topic, those of each partition in their order."""

        async def read() -> Sequence[TopicMessage]:
            consumer = self._consumer()
            found = list[TopicMessage]()
            try:
                places, ends = await _placed(consumer, topic, self._partitions[topic])
                while any([await consumer.position(each) < ends[each] for each in places]):
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        found += [_told(each) for each in records]
                return found
            finally:
                await consumer.stop()

        return self.run(read())

    def _consumer(self, **arguments: Any) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self.server,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            **arguments,
        )


async def _placed(
    consumer: AIOKafkaConsumer, topic: str, partitions: int
) -> tuple[Sequence[TopicPartition], Mapping[TopicPartition, int]]:
    await consumer.start()
    places = [TopicPartition(topic, each) for each in range(partitions)]
    consumer.assign(places)
    return places, await consumer.end_offsets(places)


def _told(record: Any) -> TopicMessage:
    headers = {name: value.decode() for name, value in record.headers}
    key = None if record.key is None else record.key.decode()
    return TopicMessage(record.partition, record.offset, key, record.value, headers)


def value_of(value: object) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else json.dumps(value).encode()


class Writer:
    """A program that goes on writing, whatever becomes of the broker, until it is stopped."""

    def __init__(self, broker: Broker, topic: str, next_message: Callable[[], tuple[str, object]]) -> None:
        self._broker = broker
        self._topic = topic
        self._next = next_message
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._write(),))
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    async def _write(self) -> None:
        while not self._stopping.is_set():
            with suppress(KafkaError):  # the broker is killed now and then
                await self._write_until_it_fails()

    async def _write_until_it_fails(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._broker.server, enable_idempotence=True)
        try:
            await producer.start()
            while not self._stopping.is_set():
                key, value = self._next()
                await producer.send_and_wait(self._topic, value_of(value), key.encode())
        finally:
            await producer.stop()
