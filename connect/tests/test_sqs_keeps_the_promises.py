"""A queue of SQS, as moto serves it, before a real gateway, keeps what every source promises."""

import asyncio
import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import CommandProcess
from connect.tests.feeding import kill_one, newest_of, seeded, told_of, until_fed_more
from gateway.tests.acceptance.client import until

from signalpost_bench.free_port import free_port
from signalpost_connect import APPLIED, Source, SourceAway, dead
from signalpost_connect.config import Secret
from signalpost_connect.sqs.queue import SqsConfig, SqsQueue
from signalpost_connect.sqs.signature import Credentials, signed
from signalpost_connect.testing import Change, Conformance

MOTO = Path(__file__).parents[2] / ".venv-sqs" / "bin" / "moto_server"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MOTO.exists(), reason="what serves SQS is not installed: make connect-sqs"),
]
REGION = "eu-west-1"
KILLS = int(os.environ.get("KILLS", "6"))


class Queues:
    """Two FIFO queues of a test: one with messages, one with the dead."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._endpoint = endpoint
        self._secret = Secret(file=str(folder / "secret"))
        (folder / "secret").write_text("secret")
        self.queue, self.dead_queue = (self._made(name) for name in ("changes", "dead"))

    def source(self) -> SqsQueue:
        return SqsQueue(SqsConfig(self.queue, self.dead_queue, REGION, self._secret, self._secret))

    def call(self, action: str, **members: Any) -> dict[str, Any]:
        body = json.dumps(members).encode()
        about = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{action}"}
        headers = signed(self._endpoint, about, body, REGION, Credentials("test", "test"), datetime.now(UTC))
        with urlopen(Request(self._endpoint, body, headers)) as answer:
            said: dict[str, Any] = json.loads(answer.read() or b"{}")
        assert not said.get("Failed"), said
        return said

    def send(self, messages: Sequence[tuple[str, object]]) -> None:
        """Send bodies, each with its group."""
        for start in range(0, len(messages), 10):
            entries = [
                {
                    "Id": str(place),
                    "MessageBody": json.dumps(body),
                    "MessageGroupId": group,
                    "MessageDeduplicationId": str(uuid.uuid4()),
                }
                for place, (group, body) in enumerate(messages[start : start + 10])
            ]
            self.call("SendMessageBatch", QueueUrl=self.queue, Entries=entries)

    def left(self) -> int:
        """How many messages are in the queue, also those that are hidden."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        answer = self.call("GetQueueAttributes", QueueUrl=self.queue, AttributeNames=[*names])
        return sum(int(answer["Attributes"][name]) for name in names)

    def _made(self, name: str) -> str:
        url: str = self.call("CreateQueue", QueueName=f"{name}-{uuid.uuid4()}.fifo", Attributes={"FifoQueue": "true"})[
            "QueueUrl"
        ]
        return url


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port, log = free_port(), tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as said:
        server = subprocess.Popen([MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=said, stderr=said)
    try:
        until(lambda: _listens(port), log.read_text)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.kill()
        server.wait()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@pytest.fixture
def queues(endpoint: str, tmp_path: Path) -> Queues:
    return Queues(endpoint, tmp_path)


class TestSqs(Conformance):
    many = shuffled = 80
    poisoned = 20

    @pytest.fixture(autouse=True)
    def _given(self, queues: Queues, gateway: FedGateway) -> None:
        self.queues = queues
        self.gateway = gateway

    def source(self) -> Source:
        return self.queues.source()

    def put(self, changes: Sequence[Change]) -> None:
        self.queues.send([(each.document, each.line) for each in changes])

    def left(self) -> int:
        return self.queues.left()

    def dead(self) -> Sequence[str]:
        problems: list[str] = []
        while received := self.queues.call(
            "ReceiveMessage",
            QueueUrl=self.queues.dead_queue,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
        ).get("Messages"):
            problems += [each["MessageAttributes"]["problem"]["StringValue"] for each in received]
        return problems


def test_a_queue_that_is_not_there_is_said(queues: Queues) -> None:
    queues.queue += "-gone"

    async def take() -> None:
        source = queues.source()
        try:
            await source.take(10, 0)
        finally:
            await source.close()

    with pytest.raises(SourceAway, match=r"SQS answered ReceiveMessage with 400 .*NonExistentQueue|QueueDoesNotExist"):
        asyncio.run(take())


def test_the_dead_are_counted(queues: Queues) -> None:
    queues.send([("a", {}), ("b", {})])

    async def bury() -> int | None:
        source = queues.source()
        try:
            batch = await source.take(10, 1)
            await source.settle(batch, [dead("No."), APPLIED])
            return await source.dead()
        finally:
            await source.close()

    assert asyncio.run(bury()) == 1


# --- Kills ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def connector(tmp_path: Path, queues: Queues, gateway: FedGateway) -> Iterator[CommandProcess]:
    key, secret, file, port = tmp_path / "connect.key", tmp_path / "secret", tmp_path / "sqs.toml", free_port()
    key.write_text(gateway.key)
    file.write_text(
        f'[gateway]\nurl = "{gateway.url}"\nkey = {{ file = "{key}" }}\n'
        f'[source]\nkind = "sqs"\nqueue = "{queues.queue}"\ndead_queue = "{queues.dead_queue}"\nregion = "{REGION}"\n'
        f'access_key = {{ file = "{secret}" }}\nsecret_key = {{ file = "{secret}" }}\nhidden_seconds = 10\n'
        f"[watch]\nport = {port}\n"
    )
    made = CommandProcess(tmp_path, "run", file, port)
    yield made
    made.end()


def test_kills_make_no_change_twice_and_leave_the_last_states(
    queues: Queues, gateway: FedGateway, connector: CommandProcess
) -> None:
    """The connector and the gateway in turn, at random moments, each while there is work under way.

    What serves SQS here keeps messages in memory alone, so it is not killed. And of the messages of a group that come
    again as they were not settled, it gives the last one first, which SQS does not: so some states are overtaken.
    """
    chance, documents = seeded(), [str(uuid.uuid4()) for _ in range(10)]
    connector.start()
    for number in range(KILLS):
        newest = newest_of(gateway)
        changes = [Change(each, 4 * number + part + 1, f"{number} {part}") for part in range(4) for each in documents]
        queues.send([(each.document, each.line) for each in changes])
        until_fed_more(gateway, newest)
        time.sleep(chance.uniform(0, 0.4))
        kill_one(number, connector, gateway)
    until(lambda: queues.left() == 0, connector.log)
    assert connector.stop() == 0
    states = [f"{number} {part}" for number in range(KILLS) for part in range(4)]
    found = told_of(gateway)
    told = sum(len(found[each]) for each in documents)
    print(f"{len(states) * len(documents)} changes of {len(documents)} documents, {told} told, {KILLS} kills")
    for each in documents:
        places = [states.index(state) for state in found[each]]
        assert places == sorted(set(places)), "a state came twice, or after a later one"
        assert found[each][-1] == states[-1]
