"""A quorum queue of a real RabbitMQ, before a real gateway, keeps what every source promises."""

import asyncio
import json
import os
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import CommandProcess
from connect.tests.feeding import newest_of, told_of, until_fed_more
from gateway.tests.acceptance.client import until

from signalpost_bench.free_port import free_port
from signalpost_connect import AGAIN, APPLIED, Batch, Outcome, Source, SourceAway, Verdict, dead
from signalpost_connect.config import Secret
from signalpost_connect.testing import Change, Conformance

pytest.importorskip("aio_pika", reason="the client of RabbitMQ is not installed: make .venv/dev")
import aio_pika
from connect.tests.rabbitmq_broker import ERLANG, Broker

from signalpost_connect.rabbitmq.queue import RabbitConfig, RabbitQueue

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ERLANG.exists(), reason="RabbitMQ is not here: make connect-rabbitmq"),
]
KILLS = int(os.environ.get("KILLS", "6"))
T = TypeVar("T")
QUORUM = {"x-queue-type": "quorum"}


class CountingQueue(RabbitQueue):
    """A reader that says how many messages it has settled: the queue does not tell what it has sent ahead."""

    settled = 0

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        await super().settle(batch, verdicts)
        self.settled += sum(each.outcome is not Outcome.AGAIN for each in verdicts)


class Queues:
    """Two queues of a test: one with changes, one with the dead."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
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

    def source(self) -> CountingQueue:
        made = CountingQueue(RabbitConfig(Secret(file=str(self.secret)), self.queue, self.dead_queue))
        self._sources.append(made)
        return made

    def put(self, changes: Sequence[Change]) -> None:
        async def publish(channel: Any) -> None:
            for each in changes:
                message = aio_pika.Message(json.dumps(_body(each)).encode(), delivery_mode=2)
                await channel.default_exchange.publish(message, self.queue)

        self.broker.do(publish)
        self._put += len(changes)

    def left(self) -> int:
        return self._put - sum(each.settled for each in self._sources)

    def ready(self) -> int:
        """How many messages the queue has that it has not sent ahead."""

        async def count(channel: Any) -> int:
            queue = await channel.declare_queue(self.queue, passive=True)
            found: int = queue.declaration_result.message_count
            return found

        return self.broker.do(count)

    def dead(self) -> Sequence[str]:
        async def read(channel: Any) -> None:
            queue = await channel.declare_queue(self.dead_queue, passive=True)
            while (message := await queue.get(fail=False)) is not None:
                self._buried.append(message.headers["problem"])
                await message.ack()

        self.broker.do(read)
        return list(self._buried)


def _body(change: Change) -> dict[str, Any]:
    state = {"deleted": True} if change.snapshot is None else change.snapshot
    return {**state, "externalId": change.document, "sourceVersion": change.version}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("rabbitmq"))
    try:
        made.start()
        yield made
    finally:
        made.end()


@pytest.fixture
def queues(broker: Broker, tmp_path: Path) -> Queues:
    return Queues(broker, tmp_path)


class TestRabbitMq(Conformance):
    @pytest.fixture(autouse=True)
    def _given(self, queues: Queues, gateway: FedGateway) -> Iterator[None]:
        self.queues = queues
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

    def source(self) -> Source:
        return self.queues.source()

    def put(self, changes: Sequence[Change]) -> None:
        self.queues.put(changes)

    def left(self) -> int:
        return self.queues.left()

    def dead(self) -> Sequence[str]:
        return self.queues.dead()


def run_source(source: RabbitQueue, act: Callable[[RabbitQueue], Awaitable[T]]) -> T:
    async def run() -> T:
        try:
            return await act(source)
        finally:
            await source.close()

    return asyncio.run(run())


def changes(*titles: str) -> list[Change]:
    document = str(uuid.uuid4())
    return [Change(document, version, title) for version, title in enumerate(titles, 1)]


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
    queues.secret.write_text(queues.broker.url.replace("guest@", "hunter2@"))
    refused = said(queues.source())
    assert "Login was refused" in refused
    assert "hunter2" not in refused
    queues.secret.write_text("guest:hunter2@127.0.0.1:1")
    with pytest.raises(ValueError, match="url: what it refers to is not a URL") as raised:
        queues.source()
    assert "hunter2" not in str(raised.value)


# --- Kills ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def connector(tmp_path: Path, queues: Queues, gateway: FedGateway) -> Iterator[CommandProcess]:
    key, file, port = tmp_path / "connect.key", tmp_path / "rabbitmq.toml", free_port()
    key.write_text(gateway.key)
    file.write_text(
        f'[gateway]\nurl = "{gateway.url}"\nkey = {{ file = "{key}" }}\n'
        f'[source]\nkind = "rabbitmq"\nurl = {{ file = "{queues.secret}" }}\nqueue = "{queues.queue}"\n'
        f'dead_queue = "{queues.dead_queue}"\n[watch]\nport = {port}\n'
    )
    made = CommandProcess(tmp_path, "run", file, port)
    yield made
    made.end()


def test_kills_lose_no_change_make_none_twice_and_keep_the_order(
    queues: Queues, gateway: FedGateway, connector: CommandProcess
) -> None:
    """The connector, the gateway and RabbitMQ in turn, at random moments, each while there is work under way. None is
    put while RabbitMQ is away."""
    documents = [str(uuid.uuid4()) for _ in range(50)]
    before = newest_of(gateway)
    connector.start()
    for number in range(KILLS):
        newest = newest_of(gateway)
        queues.put([Change(each, 8 * number + part + 1, f"{number} {part}") for part in range(8) for each in documents])
        until_fed_more(gateway, newest)
        time.sleep(random.uniform(0, 0.4))
        _kill_one(number % 3, queues.broker, gateway, connector)
    wanted = [f"{number} {part}" for number in range(KILLS) for part in range(8)]
    until(lambda: newest_of(gateway) >= before + len(wanted) * len(documents), connector.log)
    assert connector.stop() == 0
    found = told_of(gateway)
    assert {each for each in documents if found[each] != wanted} == set()
    assert queues.dead() == []


def test_after_a_minute_without_rabbitmq_it_goes_on(
    queues: Queues, gateway: FedGateway, connector: CommandProcess
) -> None:
    document = str(uuid.uuid4())
    connector.start()
    queues.put([Change(document, 1, "before")])
    until(lambda: told_of(gateway)[document] == ["before"], connector.log)
    queues.broker.kill()
    until(lambda: connector.health()["status"] == "failing", connector.log)
    time.sleep(float(os.environ.get("OUTAGE", "60")))
    queues.broker.start()
    queues.put([Change(document, 2, "after")])
    until(lambda: told_of(gateway)[document] == ["before", "after"], connector.log)
    assert connector.stop() == 0


def _kill_one(which: int, broker: Broker, gateway: FedGateway, connector: CommandProcess) -> None:
    if which == 0:
        connector.kill()
        connector.start()
    elif which == 1:
        gateway.process.kill()
        gateway.start()
    else:
        broker.kill()
        broker.start()
