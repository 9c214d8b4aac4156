"""A quorum queue of a real RabbitMQ, before a real gateway, keeps what every source promises."""

import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.feeding import changes
from connect.tests.rabbitmq_broker import QUORUM, Broker, aio_pika, broker, needs_broker
from connect.tests.source_rig import KilledConformance, run_source
from gateway.tests.acceptance.client import until

from signalpost_connect import AGAIN, APPLIED, Batch, Outcome, SourceAway, Verdict, dead
from signalpost_connect.config import Secret
from signalpost_connect.rabbitmq.queue import RabbitConfig, RabbitQueue
from signalpost_connect.testing import Change

__all__ = ["broker"]
pytestmark = needs_broker


class CountingQueue(RabbitQueue):
    """A reader that says how many messages it has settled: the queue does not tell what it has sent ahead."""

    settled = 0

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        await super().settle(batch, verdicts)
        self.settled += sum(each.outcome is not Outcome.AGAIN for each in verdicts)


class Queues:
    """Two queues of a test: one with changes, one with the dead."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.server = broker
        self.queue, self.dead_queue = f"changes {uuid.uuid4()}", f"dead {uuid.uuid4()}"
        self.secret = folder / "rabbitmq-url"
        self.secret.write_text(broker.url)
        self._put = 0
        self._sources: list[CountingQueue] = []
        self._buried: list[str] = []

        async def declare(channel: Any) -> None:
            for name in (self.queue, self.dead_queue):
                await channel.declare_queue(name, durable=True, arguments=QUORUM)

        broker.do(declare)
        for name in (self.queue, self.dead_queue):
            broker.until_kept(name)

    def source(self) -> CountingQueue:
        made = CountingQueue(RabbitConfig(Secret(file=str(self.secret)), self.queue, self.dead_queue))
        self._sources.append(made)
        return made

    def put(self, changes: Sequence[Change]) -> None:
        async def publish(channel: Any) -> None:
            for each in changes:
                message = aio_pika.Message(json.dumps(each.line).encode(), delivery_mode=2)
                await channel.default_exchange.publish(message, self.queue)

        self.server.do(publish)
        self._put += len(changes)

    def left(self) -> int:
        return self._put - sum(each.settled for each in self._sources)

    def ready(self) -> int:
        """How many messages the queue has that it has not sent ahead."""

        async def count(channel: Any) -> int:
            queue = await channel.declare_queue(self.queue, passive=True)
            found: int = queue.declaration_result.message_count
            return found

        return self.server.do(count)

    def dead(self) -> Sequence[str]:
        async def read(channel: Any) -> None:
            queue = await channel.declare_queue(self.dead_queue, passive=True)
            while (message := await queue.get(fail=False)) is not None:
                self._buried.append(message.headers["problem"])
                await message.ack()

        self.server.do(read)
        return list(self._buried)

    def table(self) -> str:
        return (
            f'kind = "rabbitmq"\nurl = {{ file = "{self.secret}" }}\nqueue = "{self.queue}"\n'
            f'dead_queue = "{self.dead_queue}"\n'
        )


@pytest.fixture
def queues(broker: Broker, tmp_path: Path) -> Queues:
    return Queues(broker, tmp_path)


class TestRabbitMq(KilledConformance):
    @pytest.fixture(autouse=True)
    def _given(self, queues: Queues, gateway: FedGateway) -> Iterator[None]:
        self.platform = self.queues = queues
        self.gateway = gateway
        yield
        until(self.is_empty)

    def is_empty(self) -> bool:
        """Whether nothing is left; what came back is read again. A quorum queue takes 32 acknowledgements ahead of
        what it has written, and forgets those beyond when their connection closes."""
        if self.queues.ready() == 0:
            return True

        async def settle(source: RabbitQueue) -> None:
            batch = await source.take(500, 0.5)
            await source.settle(batch, [APPLIED] * len(batch.messages))

        run_source(self.queues.source(), settle)
        return False


async def taken(source: RabbitQueue, count: int) -> Batch:
    """A batch of so many messages; they come one after the other."""
    while len((batch := await source.take(500, 5)).messages) < count:
        pass
    return batch


def test_what_was_not_answered_is_handed_out_first_and_is_not_given_back(queues: Queues) -> None:
    queues.put(changes("one", "two"))

    async def hold(source: RabbitQueue) -> list[int]:
        for _ in range(30):  # more often than RabbitMQ 4 lets a message be given back
            await source.settle(await taken(source, 2), [AGAIN, AGAIN])
        batch = await taken(source, 2)
        await source.settle(batch, [APPLIED, APPLIED])
        return [json.loads(each.body)["sourceVersion"] for each in batch.messages]

    assert run_source(queues.source(), hold) == [1, 2]
    until(lambda: queues.ready() == 0)


def test_a_message_has_no_version_of_its_own(queues: Queues) -> None:
    queues.put(changes("one"))
    [message] = run_source(queues.source(), lambda source: taken(source, 1)).messages
    assert message.version is None


def test_a_second_reader_waits_and_goes_on_when_the_first_is_gone(queues: Queues) -> None:
    queues.put(changes("one"))

    async def take_turns(first: RabbitQueue) -> list[int | None]:
        second = queues.source()
        counts: list[int | None] = [len((await taken(first, 1)).messages)]
        counts.append(len((await second.take(500, 0)).messages))
        counts.append(await second.dead())
        await first.close()
        counts.append(len((await taken(second, 1)).messages))
        await second.close()
        return counts

    assert run_source(queues.source(), take_turns) == [1, 0, None, 1]


def test_the_dead_are_counted_and_keep_their_message(queues: Queues) -> None:
    queues.put(changes("one", "two"))

    async def bury(source: RabbitQueue) -> int | None:
        await source.settle(await taken(source, 2), [dead("No ä title."), APPLIED])
        return await source.dead()

    assert run_source(queues.source(), bury) == 1
    assert queues.dead() == ["No ä title."]


def test_what_is_missing_is_said_without_the_secret(queues: Queues) -> None:
    def said(source: RabbitQueue) -> str:
        with pytest.raises(SourceAway) as raised:
            run_source(source, lambda source: source.take(1, 0))
        return str(raised.value)

    url = Secret(file=str(queues.secret))
    assert "no queue 'missing'" in said(RabbitQueue(RabbitConfig(url, "missing", queues.dead_queue)))
    assert "no queue 'missing'" in said(RabbitQueue(RabbitConfig(url, queues.queue, "missing")))
    with pytest.raises(ValueError, match="dead_queue: dead messages need a queue of their own"):
        RabbitQueue(RabbitConfig(url, queues.queue, queues.queue))
    queues.secret.write_text(queues.server.url.replace("guest@", "hunter2@"))
    refused = said(queues.source())
    assert "Login was refused" in refused
    assert "hunter2" not in refused
    queues.secret.write_text("guest:hunter2@127.0.0.1:1")
    with pytest.raises(ValueError, match="url: what it refers to is not a URL") as raised:
        queues.source()
    assert "hunter2" not in str(raised.value)
