"""Workers as processes that send: they end, hang and fill up, and every attempt ends once all the same (C15, C16)."""

import asyncio
import os
import signal
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from gateway.tests.captured_log import captured_log
from gateway.tests.patience import PATIENCE
from gateway.tests.workers.mad_worker import MadWorker, framed
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.errors import StartError
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.sender.addresses import Guard, parse_allow_targets
from signalpost.sender.egress_proxy import parse_egress_proxy
from signalpost.sender.sender import SenderSettings
from signalpost.workers.frames import AttemptEnd, EndFrame
from signalpost.workers.worker_process import StartedWorker, StartWorker, worker_environment
from signalpost.workers.worker_transport import WorkerTransport
from signalpost.workers.workers import Workers as Processes

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run
    from gateway.tests.sender.endpoint import Endpoint, Peer

Serve = Callable[..., "Endpoint"]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CLOSED_AFTER = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

pytestmark = pytest.mark.slow


class Workers:
    """Workers, the processes that there were, and what each attempt was told."""

    def __init__(
        self,
        endpoints: tuple["Endpoint", ...],
        count: int,
        settings: dict[str, Any],
        allow: str = "",
        start: StartWorker | None = None,
    ) -> None:
        self.started: list[StartedWorker] = []
        self.told: list[list[Outcome]] = []
        self.failing_starts = 0
        """How many starts fail from now on."""
        allow += "".join(f",{each.target().scheme}://127.0.0.0/8:{each.port}" for each in endpoints)
        loop = asyncio.get_running_loop()
        given = {"attempt_timeout": PATIENCE, "connect_timeout": PATIENCE, **settings}
        self.processes = Processes(count, loop=loop, start=start or self._start)
        self.transport = WorkerTransport(
            SenderSettings(guard=Guard(parse_allow_targets(allow)), **given),
            self.processes,
            loop=loop,
            wall=lambda: time.time_ns() // 1000,
        )

    def _start(self) -> StartedWorker:
        if self.failing_starts:
            self.failing_starts -= 1
            raise OSError("there is no memory for another process")
        self.started.append(StartedWorker())
        return self.started[-1]

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [each.pid for each in self.started if is_there(each.pid)]

    def send(self, request: OutgoingRequest) -> "asyncio.Future[Outcome]":
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        told: list[Outcome] = []
        self.told.append(told)

        def done(ended: Outcome) -> None:
            told.append(ended)
            if not outcome.done():
                outcome.set_result(ended)

        self.transport.send(request, done)
        assert not told, "told from inside send()"
        return outcome

    async def attempt(self, request: OutgoingRequest) -> Outcome:
        async with asyncio.timeout(PATIENCE):
            return await self.send(request)


@asynccontextmanager
async def workers(*endpoints: "Endpoint", count: int = 2, allow: str = "", **settings: Any) -> AsyncIterator[Workers]:
    """Workers that have told of every attempt once, and are gone, when this ends."""
    made = Workers(endpoints, count, settings, allow)
    try:
        await made.transport.open()
        yield made
    finally:
        await made.transport.close(0)
    assert [len(told) for told in made.told] == [1] * len(made.told)
    assert made.pids == []


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def silent(peer: "Peer") -> None:
    peer.hold()


def to_each(endpoints: "list[Endpoint]", times: int = 1) -> list[OutgoingRequest]:
    return [endpoint.request() for endpoint in endpoints for _ in range(times)]


def test_attempts_go_over_tls_from_every_worker(run: "Run", serve: Serve, authority: trustme.CA, ca_file: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    endpoints = [serve(OK, tls=context) for _ in range(8)]

    async def scenario() -> None:
        async with workers(*endpoints, ca_file=ca_file) as made:
            requests = [replace(each, keeps=True, traced=True) for each in to_each(endpoints, 3)]
            for outcome in [await made.attempt(request) for request in requests]:
                assert (outcome.failure, outcome.status, outcome.answer) == (None, 200, b"ok")
                assert outcome.trace is not None
                assert outcome.trace.tls is not None
        assert [each.connections for each in endpoints] == [1] * 8, "a target's attempts go to the same worker"

    run(scenario())


def test_what_a_killed_worker_had_is_interrupted_and_all_else_goes_on(run: "Run", serve: Serve) -> None:
    """C16: they do not count. Some may have arrived."""
    endpoints = [serve(silent) for _ in range(8)]
    well = serve(OK)

    async def scenario() -> None:
        async with workers(*endpoints, well) as made:
            outcomes = [made.send(request) for request in to_each(endpoints, 5)]  # so many that both have some
            await until(lambda: sum(each.open for each in endpoints) == len(outcomes))
            killed = made.pids[0]
            os.kill(killed, signal.SIGKILL)
            await until(lambda: any(each.done() for each in outcomes))
            ended = [each.result() for each in outcomes if each.done()]
            assert {each.failure for each in ended} == {Failure.INTERRUPTED}
            assert all(each.started_at and each.detail for each in ended)
            assert 0 < len(ended) < len(outcomes), "the other worker's go on"
            await until(lambda: len(made.started) == 3)
            for _ in range(20):
                assert (await made.attempt(well.request())).failure is None
            assert killed not in made.pids

    run(scenario())


def test_attempts_wait_while_no_worker_is_up(run: "Run", serve: Serve) -> None:
    endpoint = serve(OK)

    async def scenario() -> None:
        async with workers(endpoint, count=1) as made:
            made.failing_starts = 1  # after which the next is a second later
            os.kill(made.pids[0], signal.SIGKILL)
            await until(lambda: made.failing_starts == 0)
            outcomes = [made.send(endpoint.request()) for _ in range(20)]
            assert made.pids == []
            async with asyncio.timeout(PATIENCE):
                assert {each.failure for each in await asyncio.gather(*outcomes)} == {None}

    run(scenario())


@pytest.mark.parametrize("requests", [1, 300])
def test_a_worker_that_hangs_is_replaced_and_costs_no_memory(run: "Run", serve: Serve, requests: int) -> None:
    """C15: its attempts end soon after their time. What it does not read is not copied for it."""
    endpoint = serve(OK)
    body = bytes(1_000_000)

    async def scenario() -> None:
        async with workers(endpoint, count=1, attempt_timeout=3.0) as made:
            (stopped,) = made.pids
            before = resident()
            os.kill(stopped, signal.SIGSTOP)
            outcomes = [made.send(endpoint.request(body)) for _ in range(requests)]
            await asyncio.sleep(0.5)
            assert resident() - before < 50_000_000
            async with asyncio.timeout(PATIENCE):
                ended = await asyncio.gather(*outcomes)
            assert {each.failure for each in ended} == {Failure.INTERRUPTED}
            await until(lambda: stopped not in made.pids and not made.processes.away)
            assert (await made.attempt(endpoint.request())).failure is None

    run(scenario())


def resident() -> int:
    """Bytes of this process's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_loop_that_was_held_up_takes_no_worker_for_one_that_hangs(run: "Run", serve: Serve) -> None:
    """Outcomes that came meanwhile are read first."""
    endpoint = serve(OK)

    async def scenario() -> None:
        async with workers(endpoint, count=1, attempt_timeout=0.1) as made:
            outcomes = [made.send(endpoint.request()) for _ in range(10)]
            await asyncio.sleep(0)
            time.sleep(6)  # noqa: ASYNC251 - what holds the loop up
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*outcomes)
            assert len(made.started) == 1

    run(scenario())


def test_what_a_terminal_or_a_service_manager_sends_to_all_ends_no_worker(run: "Run", serve: Serve) -> None:
    asked = threading.Event()
    go_on = threading.Event()

    def script(peer: "Peer") -> None:
        peer.read_request()
        asked.set()
        go_on.wait(PATIENCE)
        peer.send(OK)

    endpoint = serve(script)

    async def scenario() -> None:
        async with workers(endpoint, count=1) as made:
            outcome = made.send(endpoint.request())
            await asyncio.to_thread(asked.wait, PATIENCE)
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(made.pids[0], number)
            closing = asyncio.ensure_future(made.transport.close(PATIENCE))
            go_on.set()
            await closing
            assert (await outcome).failure is None

    run(scenario())


def test_a_worker_that_hangs_is_killed_at_the_end(run: "Run", serve: Serve) -> None:
    endpoint = serve(OK)

    async def scenario() -> None:
        async with workers(endpoint, count=1) as made:
            os.kill(made.pids[0], signal.SIGSTOP)
            outcome = made.send(endpoint.request())
            await made.transport.close(0.1)
            assert outcome.result().failure is Failure.INTERRUPTED
            assert made.pids == []

    run(scenario())


def test_a_worker_that_cannot_be_started_ends_the_start(run: "Run", serve: Serve) -> None:
    endpoint = serve(OK)

    async def ends_at_once() -> None:
        made = Workers((endpoint,), 2, {"ca_file": Path("/nowhere.pem")})
        try:
            with pytest.raises(StartError):
                await made.transport.open()
        finally:
            await made.transport.close(0)
        assert made.pids == []

    async def is_not_there() -> None:
        made = Workers((endpoint,), 2, {})
        made.failing_starts = 2
        with pytest.raises(StartError, match="no memory"):
            await made.transport.open()
        await made.transport.close(0)

    run(ends_at_once())
    run(is_not_there())


@pytest.mark.parametrize("says", [b"\x00\x00\x00\x01\xc1", b"\xff\xff\xff\xff", framed(EndFrame(0.5))])
def test_a_worker_that_says_what_none_says_is_replaced(run: "Run", serve: Serve, says: bytes) -> None:
    """Nothing that it says makes the gateway gather much, or stop."""
    endpoint = serve(OK)

    async def scenario() -> None:
        turned: list[MadWorker | StartedWorker] = []

        def start() -> MadWorker | StartedWorker:
            turned.append(StartedWorker() if turned else MadWorker())
            return turned[-1]

        made = Workers((endpoint,), 1, {}, start=start)
        with captured_log():
            await made.transport.open()
            liar = turned[0]
            assert isinstance(liar, MadWorker)
            liar.say(says)
            await until(lambda: len(turned) == 2)
            assert (await made.attempt(endpoint.request())).failure is None
            await made.transport.close(0)

    run(scenario())


def test_a_worker_cannot_end_what_another_has(run: "Run", serve: Serve) -> None:
    endpoint = serve(silent)

    async def scenario() -> None:
        lies = [AttemptEnd(number, Outcome(status=200)) for number in range(1, 100)]
        turned: list[MadWorker | StartedWorker] = []

        def start() -> MadWorker | StartedWorker:
            turned.append(StartedWorker() if turned else MadWorker())
            return turned[-1]

        made = Workers((endpoint,), 2, {}, start=start)
        await made.transport.open()
        outcomes = [made.send(endpoint.request()) for _ in range(80)]  # so many that both have some
        await until(lambda: endpoint.open > 0)
        liar = turned[0]
        assert isinstance(liar, MadWorker)
        liar.say(framed(*lies))
        await until(lambda: any(each.done() for each in outcomes))
        told = sum(each.done() for each in outcomes)
        await until(lambda: told + endpoint.open == len(outcomes))
        assert 0 < told < len(outcomes)
        await made.transport.close(0)

    run(scenario())


def test_what_a_worker_logs_is_in_the_gateways_log_with_its_number(run: "Run", serve: Serve) -> None:
    async def scenario() -> None:
        with captured_log() as lines:
            async with workers(count=1, allow="https://10.0.0.0/8:443") as made:
                request = OutgoingRequest(Target("https", "localhost", 443), b"POST / HTTP/1.1\r\n\r\n", b"")
                assert (await made.attempt(request)).failure is Failure.ADDRESS_REFUSED
                (pid,) = made.pids
        (line,) = [each for each in lines if each["message"] == "address refused"]
        assert (line["level"], line["host"], line["pid"]) == ("warning", "localhost", pid)

    run(scenario())


def test_no_secret_is_in_a_workers_command_line_or_environment(run: "Run", serve: Serve) -> None:
    async def scenario() -> None:
        proxy = parse_egress_proxy("http://gateway:open-sesame@127.0.0.1:3128")
        async with workers(count=1, proxy=proxy) as made:
            about = Path(f"/proc/{made.pids[0]}")
            shown = (about / "cmdline").read_bytes() + (about / "environ").read_bytes()
            assert b"signalpost.workers" in shown
            assert b"sesame" not in shown
            assert proxy.credentials is not None
            assert proxy.credentials not in shown
            open_files = {str(each.readlink()) for each in (about / "fd").iterdir()}
            assert not [each for each in open_files if each.endswith(".db")]

    run(scenario())


def test_a_worker_inherits_no_variable_but_those_of_libraries() -> None:
    ours = {
        "SIGNALPOST_MASTER_KEY": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "PGPASSWORD": "c",
        "SSL_CERT_FILE": "/certificates.pem",
        "LC_ALL": "C.UTF-8",
        "PYTHONOPTIMIZE": "1",
    }
    assert worker_environment(ours) == {
        "SSL_CERT_FILE": "/certificates.pem",
        "LC_ALL": "C.UTF-8",
        "PYTHONOPTIMIZE": "1",
    }


def test_several_workers_together_keep_to_the_bounds_of_one_sender() -> None:
    settings = SenderSettings()
    for count in (1, 3, 63):
        of_each = settings.share(count)
        for name in ("idle_connections", "lookups", "running_lookups", "sessions"):
            whole, part = getattr(settings, name), getattr(of_each, name)
            assert whole <= part * count < whole + count
        assert (
            replace(of_each, **{name: getattr(settings, name) for name in SenderSettings.__struct_fields__}) == settings
        )
