"""Events of a real gateway in a topic of a real Kafka: what every sink promises, and what is Kafka's own."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.kafka_rig import Topics, broker, needs_broker, topics
from connect.tests.sink_rig import entry

from signalpost_connect.kafka.sink import KafkaSink
from signalpost_connect.sink import Entry, Sink, SinkAway
from signalpost_connect.testing import SinkConformance, SinkMessage

__all__ = ["broker", "topics"]
pytestmark = needs_broker


class TestKafkaSink(SinkConformance):
    @pytest.fixture(autouse=True)
    def _given(self, topics: Topics, gateway: FedGateway) -> None:
        self.topics = topics
        self.server = topics.broker
        self.gateway = gateway

    def sink(self) -> Sink:
        return self.topics.sink()

    def table(self) -> str:
        return self.topics.sink_table()

    def read(self) -> Sequence[SinkMessage]:
        return [
            SinkMessage(each.headers["ce_id"], each.key, each.value or b"")
            for each in self.topics.broker.read(self.topics.topic)
        ]


def run_sink(topics: Topics, act: Callable[[KafkaSink], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        sink = topics.sink()
        try:
            return await act(sink)
        finally:
            await sink.close()

    return topics.broker.run(run())


def test_the_headers_are_those_of_cloud_events_and_the_key_is_the_document(topics: Topics) -> None:
    wanted = entry(7, "d")

    async def write(sink: KafkaSink) -> None:
        await sink.cursor()
        await sink.write([wanted])

    run_sink(topics, write)
    [message] = topics.broker.read(topics.topic)
    assert (message.key, message.value) == ("d", wanted.body)
    assert message.headers == {
        "ce_specversion": "1.0",
        "ce_id": wanted.id,
        "ce_source": "signalpost",
        "ce_type": wanted.type,
        "ce_time": wanted.created_at,
        "ce_subject": "d",
        "ce_sequence": "7",
        "content-type": "application/json",
    }


def test_a_batch_that_was_not_committed_is_not_read_and_not_skipped(topics: Topics) -> None:
    async def crash_and_go_on() -> None:
        first, second = topics.sink(), topics.sink()
        try:
            assert await first.cursor() is None
            await first.write([entry(1), entry(2)])
            await begun(first, [entry(3)])
            assert await second.cursor() == 2
            await second.write([entry(3), entry(4)])
            assert await second.cursor() == 4
        finally:
            await first.close()
            await second.close()

    topics.broker.run(crash_and_go_on())
    assert [each.headers["ce_sequence"] for each in topics.broker.read(topics.topic)] == ["1", "2", "3", "4"]


async def begun(sink: KafkaSink, entries: Sequence[Entry]) -> None:
    """Send events in a transaction that stays open, as a process does that is killed in the middle."""
    producer: Any = sink._producer
    await producer.begin_transaction()
    await sink._send(producer, entries)


def test_the_cursor_is_found_far_from_the_end(topics: Topics) -> None:
    async def write(sink: KafkaSink) -> int | None:
        another = topics.sink("another")
        try:
            await sink.cursor()
            await sink.write([entry(7)])
            await another.cursor()
            for number in range(60):
                await another.write([entry(number)])
            return await sink.cursor()
        finally:
            await another.close()

    assert run_sink(topics, write) == 7


def test_an_event_that_is_too_large_is_named(topics: Topics) -> None:
    async def write(sink: KafkaSink) -> None:
        await sink.cursor()
        await sink.write([entry(1), entry(2, body=b"x" * 2_000_000)])

    with pytest.raises(SinkAway, match=r"too large for the topic .* has 2000000 bytes\. Raise its max\.message\.bytes"):
        run_sink(topics, write)
    assert topics.broker.read(topics.topic) == []


def test_a_topic_for_cursors_that_forgets_is_refused(topics: Topics) -> None:
    topics.cursor_topic = topics.broker.make_topic()
    with pytest.raises(SinkAway, match=r"is not compacted, and would forget the cursor"):
        run_sink(topics, lambda sink: sink.cursor())
