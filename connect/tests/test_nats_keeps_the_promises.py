"""A stream of NATS JetStream, as its own server has it, before a real gateway, keeps what every source promises."""

import asyncio
import json
import os
import random
import subprocess
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
from signalpost_connect import APPLIED, Batch, Source, SourceAway, dead
from signalpost_connect.config import Secret
from signalpost_connect.testing import Change, Conformance

pytest.importorskip("nats", reason="the client of NATS is not installed: make .venv/dev")
import nats

from signalpost_connect.nats.stream import NatsConfig, NatsStream

SERVER = Path(__file__).parents[2] / ".venv-nats" / "bin" / "nats-server"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SERVER.exists(), reason="the server of NATS is not installed: make connect-nats"),
]
KILLS = int(os.environ.get("KILLS", "6"))
T = TypeVar("T")


class NatsServer:
    """A server that can be killed and started again, at the same port of the loopback interface."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it lets clients in."""
        command: list[str | Path] = [
            SERVER,
            "-a",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-js",
            "-sd",
            self._folder / "data",
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._lets_in, (self._folder / "log").read_text)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _lets_in(self) -> bool:
        async def look(js: Any) -> bool:
            await js.account_info()
            return True

        try:
            return asyncio.run(asked(self.url, look))
        except (nats.errors.Error, OSError, TimeoutError):
            return False


async def asked(url: str, act: Callable[[Any], Awaitable[T]]) -> T:
    """What a program of the platform gets from JetStream."""
    client = await nats.connect(url, allow_reconnect=False, connect_timeout=10, error_cb=_ignore)
    try:
        return await act(client.jetstream(timeout=30))
    finally:
        await client.close()


async def _ignore(error: Exception) -> None:
    pass


class Streams:
    """Two streams of a test: one with changes, one with the dead."""

    def __init__(self, server: NatsServer, folder: Path) -> None:
        name = uuid.uuid4().hex
        self.server, self.stream, self.subject, self.dead_subject = server, f"S{name}", f"c{name}", f"d{name}"
        self.secret = folder / "nats-url"
        self.secret.write_text(server.url)
        self.do(lambda js: js.add_stream(name=self.stream, subjects=[f"{self.subject}.>"]))
        self.do(lambda js: js.add_stream(name=f"D{name}", subjects=[self.dead_subject]))
        self._buried = 0

    def do(self, act: Callable[[Any], Awaitable[T]]) -> T:
        return asyncio.run(asked(self.server.url, act))

    def source(self, **more: Any) -> NatsStream:
        url = Secret(file=str(self.secret))
        return NatsStream(NatsConfig(url, self.stream, self.dead_subject, again_seconds=2, **more))

    def put(self, changes: Sequence[Change]) -> None:
        async def publish(js: Any) -> None:
            for each in changes:
                await js.publish(f"{self.subject}.{each.document}", json.dumps(_body(each)).encode())

        self.do(publish)

    def left(self) -> int:
        async def count(js: Any) -> int:
            try:
                info = await js.consumer_info(self.stream, "signalpost-connect")
            except nats.js.errors.NotFoundError:
                messages: int = (await js.stream_info(self.stream)).state.messages
                return messages
            return int(info.num_pending + info.num_ack_pending)

        return self.do(count)

    def dead(self) -> Sequence[str]:
        async def read(js: Any) -> list[str]:
            last = (await js.stream_info(f"D{self.stream[1:]}")).state.last_seq
            found = [await js.get_msg(f"D{self.stream[1:]}", number) for number in range(1, last + 1)]
            return [each.headers["problem"] for each in found]

        return self.do(read)


def _body(change: Change) -> dict[str, Any]:
    state = {"deleted": True} if change.snapshot is None else change.snapshot
    return {**state, "externalId": change.document, "sourceVersion": change.version}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    made = NatsServer(tmp_path_factory.mktemp("nats"))
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.fixture
def streams(server: NatsServer, tmp_path: Path) -> Streams:
    return Streams(server, tmp_path)


class TestNats(Conformance):
    @pytest.fixture(autouse=True)
    def _given(self, streams: Streams, gateway: FedGateway) -> None:
        self.streams = streams
        self.gateway = gateway

    def source(self) -> Source:
        return self.streams.source()

    def put(self, changes: Sequence[Change]) -> None:
        self.streams.put(changes)

    def left(self) -> int:
        return self.streams.left()

    def dead(self) -> Sequence[str]:
        return self.streams.dead()


def run_source(source: NatsStream, act: Callable[[NatsStream], Awaitable[T]]) -> T:
    async def run() -> T:
        try:
            return await act(source)
        finally:
            await source.close()

    return asyncio.run(run())


def changes(*titles: str) -> list[Change]:
    document = str(uuid.uuid4())
    return [Change(document, version, title) for version, title in enumerate(titles, 1)]


def test_the_version_is_the_number_in_the_stream(streams: Streams) -> None:
    streams.put(changes("one", "two"))
    batch = run_source(streams.source(), lambda source: source.take(10, 5))
    assert [(each.id, each.version) for each in batch.messages] == [("1", 1), ("2", 2)]


def test_after_a_kill_nothing_later_goes_before_what_was_under_way(streams: Streams) -> None:
    """The former reader had taken two messages, and let go of none; the server sends those again after two seconds."""
    streams.put(changes("one", "two"))

    async def die(source: NatsStream) -> Batch:
        batch = await source.take(10, 5)
        assert source._reading is not None
        source._reading.held.clear()  # so that closing gives nothing back
        return batch

    assert len(run_source(streams.source(), die).messages) == 2
    streams.put(changes("three"))
    batch = run_source(streams.source(), lambda source: source.take(10, 5))
    assert [each.id for each in batch.messages][:2] == ["1", "2"]


def test_the_dead_are_counted_and_kept_once(streams: Streams) -> None:
    streams.put(changes("one", "two"))

    async def bury(source: NatsStream) -> int | None:
        batch = await source.take(10, 5)
        while len(batch.messages) < 2:
            batch = await source.take(10, 5)
        await source.settle(batch, [dead("No\ntitle."), APPLIED])
        return await source.dead()

    assert run_source(streams.source(), bury) == 1
    assert streams.dead() == ["No title."]
    assert streams.left() == 0


def test_what_is_missing_is_said(streams: Streams, tmp_path: Path) -> None:
    def said(source: NatsStream) -> str:
        with pytest.raises(SourceAway) as raised:
            run_source(source, lambda source: source.take(1, 0))
        return str(raised.value)

    url = Secret(file=str(streams.secret))
    assert "dead_subject nowhere; make one" in said(NatsStream(NatsConfig(url, streams.stream, "nowhere")))
    assert "is of the stream that is read" in said(NatsStream(NatsConfig(url, streams.stream, f"{streams.subject}.x")))
    assert "stream not found" in said(NatsStream(NatsConfig(url, "MISSING", streams.dead_subject)))
    streams.secret.write_text("nats://reader:hunter2@127.0.0.1:1")
    away = said(streams.source())
    assert away.startswith("NATS: ")
    assert "hunter2" not in away
    streams.secret.write_text("reader:hunter2@127.0.0.1:1")
    with pytest.raises(ValueError, match="url: what it refers to is not a URL") as raised:
        streams.source()
    assert "hunter2" not in str(raised.value)


# --- Kills ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def connector(tmp_path: Path, streams: Streams, gateway: FedGateway) -> Iterator[CommandProcess]:
    key, file, port = tmp_path / "connect.key", tmp_path / "nats.toml", free_port()
    key.write_text(gateway.key)
    file.write_text(
        f'[gateway]\nurl = "{gateway.url}"\nkey = {{ file = "{key}" }}\n'
        f'[source]\nkind = "nats"\nurl = {{ file = "{streams.secret}" }}\nstream = "{streams.stream}"\n'
        f'dead_subject = "{streams.dead_subject}"\nagain_seconds = 2\n[watch]\nport = {port}\n'
    )
    made = CommandProcess(tmp_path, "run", file, port)
    yield made
    made.end()


def test_kills_lose_no_change_make_none_twice_and_keep_the_order(
    streams: Streams, gateway: FedGateway, connector: CommandProcess
) -> None:
    """The connector, the gateway and the server in turn, at random moments, each while there is work under way. None
    is put while the server is away."""
    documents = [str(uuid.uuid4()) for _ in range(50)]
    connector.start()
    for number in range(KILLS):
        newest = newest_of(gateway)
        streams.put(
            [Change(each, 8 * number + part + 1, f"{number} {part}") for part in range(8) for each in documents]
        )
        until_fed_more(gateway, newest)
        time.sleep(random.uniform(0, 0.4))
        _kill_one(number % 3, streams.server, gateway, connector)
    until(lambda: streams.left() == 0, connector.log)
    assert connector.stop() == 0
    wanted = [f"{number} {part}" for number in range(KILLS) for part in range(8)]
    found = told_of(gateway)
    assert {each for each in documents if found[each] != wanted} == set()
    assert streams.dead() == []


def test_after_a_minute_without_the_server_it_goes_on(
    streams: Streams, gateway: FedGateway, connector: CommandProcess
) -> None:
    document = str(uuid.uuid4())
    connector.start()
    streams.put([Change(document, 1, "before")])
    until(lambda: told_of(gateway)[document] == ["before"], connector.log)
    streams.server.kill()
    until(lambda: connector.health()["status"] == "failing", connector.log)
    time.sleep(float(os.environ.get("OUTAGE", "60")))
    streams.server.start()
    streams.put([Change(document, 2, "after")])
    until(lambda: told_of(gateway)[document] == ["before", "after"], connector.log)
    assert connector.stop() == 0


def _kill_one(which: int, server: NatsServer, gateway: FedGateway, connector: CommandProcess) -> None:
    if which == 0:
        connector.kill()
        connector.start()
    elif which == 1:
        gateway.process.kill()
        gateway.start()
    else:
        server.kill()
        server.start()
