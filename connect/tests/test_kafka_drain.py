"""`signalpost-connect drain` from a real gateway to a topic of a real Kafka."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.kafka_rig import Topics, broker, needs_broker, topics
from gateway.tests.acceptance.client import until

from signalpost_connect.kafka.sink import KafkaSink
from signalpost_connect.sink import Entry, SinkAway

__all__ = ["broker", "topics"]
pytestmark = needs_broker


def entry(sequence: int, document: str = "d", body: bytes = b"{}") -> Entry:
    return Entry(sequence, str(uuid.uuid4()), "documentUpdated", "2026-01-01T00:00:00.000000+00:00", document, body)


def written(topics: Topics) -> Sequence[str]:
    return [each.headers["ce_sequence"] for each in topics.broker.read(topics.topic)]


def test_events_are_written_as_webhooks_get_them_and_the_next_process_goes_on(
    topics: Topics, gateway: FedGateway
) -> None:
    drain = topics.drain(gateway)
    drain.start()
    try:
        document = gateway.process.api.create()
        until(lambda: len(topics.broker.read(topics.topic)) == 1, drain.log)
        assert drain.stop() == 0
        gateway.process.api.patch(document, title="Another")
        drain.start()
        until(lambda: len(topics.broker.read(topics.topic)) == 2, drain.log)
        assert drain.stop() == 0
    finally:
        drain.end()
    events = [each["event"] for each in gateway.process.api.ask("GET", "/v1/events?after=0")["data"]]
    for event, message in zip(events, topics.broker.read(topics.topic), strict=True):
        assert json.loads(message.value or b"") == event
        assert message.key == event["data"]["document"]["externalId"]
        said = {name: message.headers[f"ce_{name}"] for name in ("id", "type", "time", "subject", "specversion")}
        assert said == {
            "id": event["id"],
            "type": event["type"],
            "time": event["createdAt"],
            "subject": message.key,
            "specversion": "1.0",
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
    assert written(topics) == ["1", "2", "3", "4"]


def test_a_process_that_another_has_taken_over_from_writes_nothing(topics: Topics) -> None:
    async def take_over() -> None:
        first, second = topics.sink(), topics.sink()
        try:
            await first.cursor()
            await first.write([entry(1)])
            assert await second.cursor() == 1
            with pytest.raises(SinkAway, match="Another process writes as"):
                await first.write([entry(2)])
            await second.write([entry(2)])
        finally:
            await first.close()
            await second.close()

    topics.broker.run(take_over())
    assert written(topics) == ["1", "2"]


async def begun(sink: KafkaSink, entries: Sequence[Entry]) -> None:
    """Send events in a transaction that stays open, as a process does that is killed in the middle."""
    producer: Any = sink._producer
    await producer.begin_transaction()
    await sink._send(producer, entries)


def test_the_cursor_is_found_far_from_the_end(topics: Topics) -> None:
    async def write() -> int | None:
        sink, another = topics.sink(), topics.sink("another")
        try:
            await sink.cursor()
            await sink.write([entry(7)])
            await another.cursor()
            for number in range(60):
                await another.write([entry(number)])
            return await sink.cursor()
        finally:
            await sink.close()
            await another.close()

    assert topics.broker.run(write()) == 7


def test_an_event_that_is_too_large_is_named(topics: Topics) -> None:
    async def write() -> None:
        sink = topics.sink()
        try:
            await sink.cursor()
            await sink.write([entry(1), entry(2, body=b"x" * 2_000_000)])
        finally:
            await sink.close()

    with pytest.raises(SinkAway, match=r"too large for the topic .* has 2000000 bytes\. Raise its max\.message\.bytes"):
        topics.broker.run(write())
    assert written(topics) == []


def test_a_topic_for_cursors_that_forgets_is_refused(topics: Topics) -> None:
    topics.cursor_topic = topics.broker.make_topic()

    async def ask() -> None:
        sink = topics.sink()
        try:
            await sink.cursor()
        finally:
            await sink.close()

    with pytest.raises(SinkAway, match=r"is not compacted, and would forget the cursor"):
        topics.broker.run(ask())
