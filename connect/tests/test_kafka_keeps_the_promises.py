"""A topic of a real Kafka, before a real gateway, keeps what every source promises, and what is Kafka's own."""

import asyncio
import json
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import run_command
from connect.tests.feeding import told_of
from connect.tests.kafka_rig import Topics, broker, needs_broker, topics
from connect.tests.source_rig import PlatformConformance, run_source
from gateway.tests.acceptance.client import until

from signalpost_connect import AGAIN, APPLIED, Batch, SourceAway, dead
from signalpost_connect.kafka.source import KafkaConfig, KafkaTopic
from signalpost_connect.testing import Change

__all__ = ["broker", "topics"]
pytestmark = needs_broker


class TestKafka(PlatformConformance):
    many = 1200

    @pytest.fixture(autouse=True)
    def _given(self, topics: Topics, gateway: FedGateway) -> None:
        self.platform = topics
        self.gateway = gateway


async def taken(source: KafkaTopic) -> Batch:
    """The next batch that has something."""
    while not (batch := await source.take(500, 1)).messages:
        pass
    return batch


def versions(batch: Batch) -> Sequence[int | None]:
    return [each.version for each in batch.messages]


def state(title: str) -> Any:
    return {**(Change("", 1, title).snapshot or {}), "title": title}


def test_the_offset_is_the_version_and_a_message_without_a_value_deletes(topics: Topics, gateway: FedGateway) -> None:
    document = str(uuid.uuid4())
    body = {**state("v1"), "externalId": document}
    topics.broker.send(topics.topic, (document, body), (document, {**body, "title": "v2"}), (document, None))
    topics.broker.send(topics.topic, (document, {**body, "title": "v4"}))
    connector = topics.connector(gateway)
    connector.start()
    try:
        until(lambda: topics.left() == 0, connector.log)
        assert told_of(gateway)[document] == ["v1", "v2", "deleted", "v4"]
        assert connector.stop() == 0
    finally:
        connector.end()


def test_a_dead_message_is_kept_as_it_was_with_its_reason_and_its_place(topics: Topics) -> None:
    topics.broker.send(topics.topic, ("a", {"title": "x"}), ("a", None))

    async def bury() -> int | None:
        source = topics.source()
        try:
            batch = await taken(source)
            await source.settle(batch, [dead("No."), dead("Neither.")])
            return await source.dead()
        finally:
            await source.close()

    assert topics.broker.run(bury()) == 2
    first, second = topics.broker.read(topics.dead_topic)
    assert (first.key, first.value, first.headers["problem"]) == ("a", b'{"title": "x"}', "No.")
    assert first.headers["origin"].startswith(f"{topics.topic}/")
    assert (second.value, second.headers["problem"]) == (None, "Neither.")
    assert topics.left() == 0


def test_what_comes_again_is_not_committed_and_comes_with_what_follows(topics: Topics) -> None:
    topics.broker.send(topics.topic, *(("one", {"n": number}) for number in range(4)))

    async def twice() -> tuple[Any, Any, Any]:
        source = topics.source()
        try:
            batch = await taken(source)
            await source.settle(batch, [APPLIED, AGAIN, dead("No."), AGAIN])
            again = await taken(source)
            await source.settle(again, [AGAIN] * len(again.messages))
            return versions(batch), versions(again), versions(await taken(source))
        finally:
            await source.close()

    assert topics.broker.run(twice()) == ([0, 1, 2, 3], [1, 2, 3], [1, 2, 3])
    assert topics.dead() == []
    assert topics.left() == 3


def test_check_shows_messages_and_disturbs_no_reader(topics: Topics, gateway: FedGateway) -> None:
    document = str(uuid.uuid4())
    topics.broker.send(topics.topic, (document, {**state("v1"), "externalId": document}))

    async def read() -> Batch:
        """The reader has taken a batch, and settles it after `check` has looked."""
        source = topics.source()
        try:
            batch = await taken(source)
            done = await asyncio.to_thread(run_command, "check", topics.config(gateway))
            assert done.returncode == 0, done.stdout + done.stderr
            [_, line] = done.stdout.splitlines()
            assert json.loads(line.partition(": ")[2])["externalId"] == document
            await source.settle(batch, [APPLIED])
            return batch
        finally:
            await source.close()

    topics.broker.run(read())
    assert topics.left() == 0
    assert document not in told_of(gateway)


def test_another_connector_of_the_group_shares_the_partitions(topics: Topics) -> None:
    async def shared() -> set[str]:
        sources = [topics.source(instance) for instance in ("1", "2")]
        found = set[str]()
        try:
            while len(found) < 12:
                batches = await asyncio.gather(*[each.take(500, 0.5) for each in sources], return_exceptions=True)
                for source, batch in zip(sources, batches, strict=True):
                    if isinstance(batch, Batch) and batch.messages:
                        found |= {each.headers["key"] for each in batch.messages}
                        with suppress(SourceAway):  # meanwhile the group may have given the partitions to the other
                            await source.settle(batch, [APPLIED] * len(batch.messages))
            return found
        finally:
            for each in sources:
                await each.close()

    topics.broker.send(topics.topic, *((f"key{number}", {}) for number in range(12)))
    assert topics.broker.run(shared()) == {f"key{number}" for number in range(12)}


def test_a_topic_that_is_not_there_is_said_and_not_made(topics: Topics) -> None:
    topics.topic += "-gone"

    async def take() -> None:
        source = topics.source()
        try:
            await source.take(10, 0)
        finally:
            await source.close()

    with pytest.raises(SourceAway, match=r"There is no topic topic-.*-gone"):
        topics.broker.run(take())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tls": True}, "Kafka: ConnectionResetError"),
        ({"tls": False, "servers": ["127.0.0.1:1"]}, "Kafka: .*Connect call failed"),
    ],
)
def test_why_no_broker_can_be_used_is_said(topics: Topics, given: dict[str, Any], said: str) -> None:
    config = {"servers": [topics.broker.server], "topic": topics.topic, "dead_topic": topics.dead_topic, **given}
    with pytest.raises(SourceAway, match=said):
        run_source(KafkaTopic(KafkaConfig(**config)), lambda source: source.take(1, 0))
    with pytest.raises(SourceAway, match=said):
        run_source(KafkaTopic(KafkaConfig(**config)), lambda source: source.look(1, 0))


def test_a_broker_that_is_away_is_said_and_read_again_when_it_is_back(topics: Topics, gateway: FedGateway) -> None:
    documents = [str(uuid.uuid4()) for _ in range(2)]
    connector = topics.connector(gateway)
    connector.start()
    try:
        topics.put([Change(documents[0], 1, "before")])
        until(lambda: documents[0] in told_of(gateway), connector.log)
        topics.broker.kill()
        until(lambda: (connector.health() or {}).get("status") == "failing", connector.log)
        assert connector.health()["trouble"].startswith("The source: Kafka")
        topics.broker.start()
        topics.put([Change(documents[1], 1, "after")])
        until(lambda: topics.left() == 0, connector.log)
        until(lambda: connector.health() == {"status": "ok"}, connector.log)
        assert [told_of(gateway)[each] for each in documents] == [["before"], ["after"]]
        assert connector.stop() == 0
    finally:
        connector.end()
        if not topics.broker.is_running:
            topics.broker.start()
