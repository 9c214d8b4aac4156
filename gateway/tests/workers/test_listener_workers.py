"""Workers as processes that listen: they end, hang and go mad, and no client is told what is not so (C16's twin: what
was never answered is unknown)."""

import asyncio
import os
import signal
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from gateway.tests.captured_log import captured_log
from gateway.tests.listener.applications import NOTHING, read, waiting_for
from gateway.tests.patience import PATIENCE
from gateway.tests.workers.mad_worker import MadWorker, framed

from signalpost.cli.serving.listening import hold_port, listen_beside
from signalpost.listener.application import Answer, App, ArrivingBody, BrokenBody, Head, Steps
from signalpost.listener.certificate import Certificate
from signalpost.listener.serving import ServerSettings
from signalpost.workers.frames import AnswerPart, CallFrame, OriginFrame, PartTaken
from signalpost.workers.worker_process import StartedWorker, StartWorker, waited_for_a_core
from signalpost.workers.worker_server import WorkerServer
from signalpost.workers.workers import SILENT_LOOKS, Workers

pytestmark = pytest.mark.slow
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Listeners:
    """Workers that listen, and the processes that there were."""

    def __init__(
        self,
        app: App,
        count: int,
        start: StartWorker | None = None,
        certificate: Certificate | None = None,
        waited: Callable[[int], float] = waited_for_a_core,
    ) -> None:
        self.started: list[StartedWorker] = []
        with hold_port("127.0.0.1", 0) as holder:
            self.sockets = [listen_beside(holder, PATIENCE) for _ in range(count)]
        self.port = self.sockets[0].getsockname()[1]
        self.failing_starts = 0
        """How many starts fail from now on."""
        self.workers = Workers(count, loop=asyncio.get_running_loop(), start=start or self.start, waited=waited)
        settings = ServerSettings(max_connections=100, stop_seconds=PATIENCE)
        self.server = WorkerServer(app, self.sockets, self.workers, settings, certificate)
        self._connections: list[asyncio.StreamWriter] = []

    def start(self) -> StartedWorker:
        if self.failing_starts:
            self.failing_starts -= 1
            raise OSError("there is no memory for another process")
        self.started.append(StartedWorker(self.sockets))
        return self.started[-1]

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self.workers.up if worker.pid is not None]

    async def connect(self) -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._connections.append(writer)
        return reader, writer

    async def asked(self, count: int) -> list[Connection]:
        """New clients that have sent a request."""
        clients = [await self.connect() for _ in range(count)]
        for _, writer in clients:
            writer.write(REQUEST)
        return clients

    async def status(self) -> bytes:
        """The status of an answer to one more client."""
        ((reader, _),) = await self.asked(1)
        async with asyncio.timeout(PATIENCE):
            return (await reader.readuntil(b"\r\n"))[9:12]

    def close(self) -> None:
        for writer in self._connections:
            writer.close()


@asynccontextmanager
async def listeners(
    app: App,
    count: int = 2,
    start: StartWorker | None = None,
    certificate: Certificate | None = None,
    waited: Callable[[int], float] = waited_for_a_core,
) -> AsyncIterator[Listeners]:
    made = Listeners(app, count, start, certificate, waited)
    serving = asyncio.ensure_future(made.server.serve())
    try:
        await made.workers.open()
        yield made
    finally:
        made.close()
        made.server.stop()
        await serving
        await made.workers.close(0, PATIENCE)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(scenario())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def what_came(client: Connection) -> bytes:
    """Everything until the connection is closed."""
    came = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            while part := await client[0].read(65536):
                came += part
    return came


def at_once(_head: Head, _body: ArrivingBody) -> Steps:
    yield from ()
    return NOTHING


class Door:
    """An application that answers once it is opened."""

    def __init__(self) -> None:
        self.knocks = 0
        self.opened = asyncio.Event()

    def __call__(self, _head: Head, _body: ArrivingBody) -> Steps:
        self.knocks += 1
        yield self.opened.wait()
        return NOTHING


def test_clients_are_shared_out_and_the_clients_of_a_lost_worker_are_told_nothing() -> None:
    async def scenario() -> None:
        door = Door()
        async with listeners(door) as made:
            clients = await made.asked(40)
            await until(lambda: door.knocks == 40)
            killed = made.pids[0]
            os.kill(killed, signal.SIGKILL)
            await until(lambda: killed not in made.pids)
            door.opened.set()
            cut = answered = 0
            for reader, _ in clients:
                with suppress(ConnectionError):
                    said = await asyncio.wait_for(reader.read(9), PATIENCE)
                    assert said in (b"", b"HTTP/1.1 ")
                    answered += bool(said)
                    cut += not said
            assert answered > 0, "the other worker's are answered"
            assert cut + answered <= 40
            assert answered < 40
            await until(lambda: made.workers.losses == 1)

    run(scenario)


def test_while_a_worker_is_away_another_listens_in_its_place() -> None:
    async def scenario() -> None:
        async with listeners(at_once) as made:
            for _ in range(2):  # it is started again at once after the first loss, and a second after the next
                made.failing_starts = 1
                os.kill(made.pids[0], signal.SIGKILL)
                await until(lambda: len(made.pids) == 1)
                assert [await made.status() for _ in range(20)] == [b"204"] * 20
                await until(lambda: len(made.pids) == 2)
            assert [await made.status() for _ in range(20)] == [b"204"] * 20

    run(scenario)


def test_while_no_worker_is_up_clients_wait_and_none_is_refused() -> None:
    async def scenario() -> None:
        async with listeners(at_once) as made:
            made.failing_starts = 2
            for pid in made.pids:
                os.kill(pid, signal.SIGKILL)
            await until(lambda: not made.pids)
            clients = await made.asked(20)
            for reader, _ in clients:
                async with asyncio.timeout(PATIENCE):
                    assert (await reader.readuntil(b"\r\n"))[9:12] == b"204"

    run(scenario)


def test_a_worker_that_hangs_is_replaced() -> None:
    async def scenario() -> None:
        async with listeners(at_once, count=1) as made:
            (hanging,) = made.pids
            os.kill(hanging, signal.SIGSTOP)
            assert await made.status() == b"204"
            assert hanging not in made.pids

    run(scenario)


def test_a_worker_that_gets_no_core_is_not_taken_for_one_that_hangs() -> None:
    looks = 0

    def always(_pid: int) -> float:
        nonlocal looks
        looks += 1
        return time.monotonic()

    async def scenario() -> None:
        async with listeners(at_once, count=1, waited=always) as made:
            (starved,) = made.pids
            os.kill(starved, signal.SIGSTOP)
            await until(lambda: looks > SILENT_LOOKS + 3)
            os.kill(starved, signal.SIGCONT)
            assert await made.status() == b"204"
            assert made.pids == [starved]

    run(scenario)


def test_how_long_a_process_had_no_core_is_known_of_one_that_is_there() -> None:
    assert 0.0 <= waited_for_a_core(os.getpid()) < time.monotonic()
    assert waited_for_a_core(0) == 0.0


def test_an_application_learns_that_a_client_went_with_its_worker() -> None:
    heard: list[str] = []

    async def until_gone(body: ArrivingBody) -> AsyncGenerator[bytes, None]:
        yield b"first"
        await body.gone()
        heard.append("gone")

    def streaming(_head: Head, body: ArrivingBody) -> Steps:
        yield from ()
        return Answer(200, (), until_gone(body))

    async def reading(_head: Head, body: ArrivingBody) -> Answer:
        try:
            await read(body)
        except BrokenBody:
            heard.append("broken")
        return NOTHING

    def app(head: Head, body: ArrivingBody) -> Steps:
        return streaming(head, body) if head.method == "GET" else waiting_for(reading)(head, body)

    async def scenario() -> None:
        async with listeners(app, count=1) as made:
            ((reader, _),) = await made.asked(1)
            await reader.readuntil(b"first")
            _, writer = await made.connect()
            writer.write(b"PUT / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhal")
            assert await made.status() == b"200"
            os.kill(made.pids[0], signal.SIGKILL)
            await until(lambda: sorted(heard) == ["broken", "gone", "gone"])

    run(scenario)


def test_no_more_of_a_stream_is_made_than_its_client_takes() -> None:
    made_parts = 0

    async def parts() -> AsyncGenerator[bytes, None]:
        nonlocal made_parts
        for made_parts in range(1, 1_001):  # noqa: B007
            yield b"x" * 65536

    def app(_head: Head, _body: ArrivingBody) -> Steps:
        yield from ()
        return Answer(200, (), parts())

    async def scenario() -> None:
        async with listeners(app, count=1) as made:
            client = socket.create_connection(("127.0.0.1", made.port))
            client.sendall(REQUEST)
            before = -1
            while not made_parts or before != made_parts:
                before = made_parts
                await asyncio.sleep(0.5)
            assert 0 < made_parts < 200, "of 64 KiB: what the system and both processes hold"
            client.close()
            made.server.stop()

    run(scenario)


def test_a_worker_that_follows_another_speaks_tls_even_if_the_files_are_broken_by_then(
    authority: trustme.CA, tmp_path: Path
) -> None:
    leaf = authority.issue_cert("gateway.example")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(cert)
    key.touch(0o600)
    leaf.private_key_pem.write_to_path(key)
    client = ssl.create_default_context()
    authority.configure_trust(client)

    async def status(port: int) -> bytes:
        opened = asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="gateway.example")
        reader, writer = await asyncio.wait_for(opened, PATIENCE)
        writer.write(REQUEST)
        line = await asyncio.wait_for(reader.readuntil(b"\r\n"), PATIENCE)
        writer.close()
        return line[9:12]

    async def scenario() -> None:
        async with listeners(at_once, count=1, certificate=Certificate(cert, key)) as made:
            assert await status(made.port) == b"204"
            (killed,) = made.pids
            key.chmod(0o644)  # as half a renewal leaves it
            os.kill(killed, signal.SIGKILL)
            await until(lambda: made.pids not in ([], [killed]))
            assert await status(made.port) == b"204"
            assert made.workers.losses == 1

    run(scenario)


async def after_its_body(_head: Head, body: ArrivingBody) -> Answer:
    with suppress(BrokenBody):
        await read(body)
    return NOTHING


OF_AN_UNKNOWN_ORIGIN = CallFrame(1, "GET", "/", b"/", b"", 0, 7, b"", is_whole=True)
UNFINISHED = CallFrame(1, "PUT", "/", b"/", b"", 9, -1, b"", False, OriginFrame((), None, "http", True, False))


@pytest.mark.parametrize(
    "says",
    [
        framed(OF_AN_UNKNOWN_ORIGIN),
        framed(UNFINISHED, UNFINISHED),
        framed(AnswerPart(1, b"", is_last=True)),
        b"\xff" * 4,
    ],
    ids=["unknown origin", "a number twice", "an answer", "a long frame"],
)
def test_a_worker_that_says_what_none_says_is_replaced(says: bytes) -> None:
    async def scenario() -> None:
        started: list[MadWorker | StartedWorker] = []

        def start() -> MadWorker | StartedWorker:
            started.append(made[0].start() if started else MadWorker(framed(PartTaken(99, 5)) + says))
            return started[-1]

        made: list[Listeners] = []
        with captured_log():
            made.append(Listeners(waiting_for(after_its_body), 1, start))
            serving = asyncio.ensure_future(made[0].server.serve())
            await made[0].workers.open()
            await until(lambda: len(started) == 2)
            assert await made[0].status() == b"204"
            made[0].close()
            made[0].server.stop()
            await serving
            await made[0].workers.close(0, PATIENCE)

    run(scenario)


def said_to(pid: int) -> list[bytes]:
    """The words of a process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def test_nothing_of_a_client_or_of_the_settings_is_in_a_workers_command_line() -> None:
    async def scenario() -> None:
        async with listeners(at_once, count=1) as made:
            words = said_to(made.pids[0])
            at = words.index(b"signalpost.workers")
            assert all(word.isdigit() for word in words[at + 1 : -1])

    run(scenario)


def test_a_stop_answers_what_has_come_to_any_worker() -> None:
    async def scenario() -> None:
        door = Door()
        async with listeners(door) as made:
            clients = await made.asked(20)
            await until(lambda: door.knocks == 20)
            made.server.stop()
            await asyncio.sleep(0.1)
            door.opened.set()
            for answer in await asyncio.gather(*map(what_came, clients)):
                assert answer.startswith(b"HTTP/1.1 204 ")
                assert b"\r\nconnection: close\r\n" in answer

    run(scenario)
