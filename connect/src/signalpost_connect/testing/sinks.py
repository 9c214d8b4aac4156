"""What every sink promises, as tests that its author inherits. They drain a real gateway to the real thing.

    class TestMySink(SinkConformance):
        @pytest.fixture(autouse=True)
        def _given(self, bus, gateway):
            self.server, self.gateway = bus, gateway

        def sink(self): return MySink(MyConfig(…))
        def table(self): return 'kind = "mine"\\nurl = "…"\\n'
        def read(self): …

`sink` and `table` say the same, once for this process, and once for a drain that is a process of its own. Each test
has a place of its own to write to, as `sink` is a new one there. One gateway can serve all tests.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import httpx

from signalpost_client import AsyncClient, Client, SignalpostError
from signalpost_connect.draining import Drain, entries_of, page_after
from signalpost_connect.progress import DrainProgress
from signalpost_connect.sink import Entry, Sink, SinkAway
from signalpost_connect.testing.conformance import Change, Killable, RunningGateway
from signalpost_connect.testing.gateway import free_port

KILLS = int(os.environ.get("KILLS", "6"))
DOCUMENTS = 100
BETWEEN_CHANGES = 0.02
"""Seconds between the imports of what changes: so a drain keeps up, and a kill interrupts what is new."""


class SinkMessage(NamedTuple):
    """An event as it stands in the sink."""

    id: str
    """The id of the event, by which a reader tells repeats."""
    document: str | None
    """The `externalId` of its document."""
    body: bytes


class KillableGateway(RunningGateway, Killable, Protocol):
    """A gateway that a test may also kill."""


class SinkConformance(ABC):
    """The promises. Derive from this, and say how the sink is made and read."""

    gateway: KillableGateway
    server: Killable
    """What the sink writes to."""
    writes_once: ClassVar[bool] = True
    """Whether the cursor is written with the events, so that none is ever there twice."""
    kills: ClassVar[int] = KILLS
    patience: ClassVar[float] = 180.0
    """Seconds after which something that has to happen is taken to never happen."""

    @abstractmethod
    def sink(self) -> Sink:
        """A new sink, as one start of a drain makes it."""

    @abstractmethod
    def table(self) -> str:
        """What makes the same sink: the lines of TOML below `[sink]`."""

    @abstractmethod
    def read(self) -> Sequence[SinkMessage]:
        """All events that were written, those of a document in the order in which a reader sees them."""

    # --- The promises -------------------------------------------------------------------------------------------------

    def test_every_event_is_written_as_it_stands_and_in_the_order_of_its_document(self) -> None:
        """More events than a page of the log has."""
        start = self._newest()
        self._change(DOCUMENTS, 4)
        asyncio.run(self._drained(start))
        log = self._log(start)
        assert len(log) == 4 * DOCUMENTS
        written = self.read()
        assert {each.id: each.body for each in written} == {each.id: each.body for each in log}
        self._check(log, written, may_repeat=False)

    def test_a_new_sink_has_no_cursor_and_the_next_process_goes_on(self) -> None:
        """Each process is closed in order, so nothing comes twice."""
        log = entries(7)

        async def three_processes() -> list[int | None]:
            cursors = []
            for begin, end in ((0, 3), (3, 4), (4, 7)):
                async with _closed(self.sink()) as sink:
                    cursors.append(await sink.cursor())
                    await sink.write(log[begin:end])
            async with _closed(self.sink()) as sink:
                cursors += [await sink.cursor() for _ in range(3)]
            return cursors

        assert asyncio.run(three_processes()) == [None, 3, 4, 7, 7, 7]
        self._check(log, self.read(), may_repeat=False)

    def test_what_is_cut_off_at_any_moment_loses_nothing_and_keeps_the_order(self) -> None:
        """A process ends after some steps of its loop, in the middle of a batch; the next one goes on."""
        log = entries(600)

        async def cut_off() -> None:
            for steps in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610):
                async with _closed(self.sink()) as sink:
                    done = await sink.cursor() or 0
                    await _cut_off(sink.write(log[done : done + 40]), steps)
            async with _closed(self.sink()) as sink:
                done = await sink.cursor() or 0
                await sink.write(log[done:])
                assert await sink.cursor() == 600

        asyncio.run(cut_off())
        self._check(log, self.read(), may_repeat=not self.writes_once)

    def test_two_processes_mix_nothing(self) -> None:
        """The second begins while the first is there. One of both fails; afterwards the cursor is right."""
        log = entries(3)

        async def both() -> None:
            async with _closed(self.sink()) as first, _closed(self.sink()) as second:
                await first.cursor()
                await first.write(log[:1])
                writers = [first, *([second] if await _succeeds(second.cursor()) else [])]
                written = [await _succeeds(each.write(log[1:2])) for each in writers]
            assert written.count(True) <= 1
            async with _closed(self.sink()) as third:
                done = await third.cursor() or 0
                assert done == 1 + written.count(True)
                await third.write(log[done:])

        asyncio.run(both())
        self._check(log, self.read(), may_repeat=False)

    def test_while_the_gateway_is_away_it_waits(self) -> None:
        """The gateway is stopped between two events, and comes back."""
        start = self._newest()
        self._change(1, 1)

        async def drain() -> None:
            async with self._drain(start) as drain:
                while await drain.round() == 0.0:
                    pass
                await asyncio.to_thread(self.gateway.stop)
                assert await drain.round() > 0
                assert self._trouble.startswith("The gateway:")
                await asyncio.to_thread(self.gateway.start)
                self._change(1, 1)
                await self._until_written(drain, start)

        asyncio.run(drain())
        self._check(self._log(start), self.read(), may_repeat=False)

    def test_while_the_server_is_away_it_says_so_and_then_goes_on(self) -> None:
        """The server is killed, and stays away for some rounds, in which events come."""
        start = self._newest()
        self._change(3, 1)

        async def drain() -> None:
            async with self._drain(start) as drain:
                while await drain.round() == 0.0:
                    pass
                await asyncio.to_thread(self.server.kill)
                try:
                    self._change(3, 2)
                    for _ in range(3):
                        assert await drain.round() > 0
                        assert self._trouble.startswith("The sink:")
                finally:
                    await asyncio.to_thread(self.server.start)
                await self._until_written(drain, start)

        asyncio.run(drain())
        self._check(self._log(start), self.read(), may_repeat=not self.writes_once)

    def test_kills_lose_no_event_and_keep_the_order(self, tmp_path: Path) -> None:
        """The drain, the gateway and the server in turn, at random moments, each while the drain writes."""
        start, seed = self._newest(), random.randrange(1_000_000)  # noqa: S311 - no secret
        chance = random.Random(seed)  # noqa: S311
        with self._process(tmp_path, start) as drain:
            with self._feeding():
                for number in range(self.kills):
                    self._until_written_more(drain)
                    time.sleep(chance.uniform(0, 0.6))
                    victim: Killable = (drain, self.gateway, self.server)[number % 3]
                    victim.kill()
                    victim.start()
                self._until_written_more(drain)
            events = self._log(start)
            self._until(lambda: drain.last_sequence() >= events[-1].sequence, drain.log)
            drain.stop()
        written = self.read()
        repeats = len(written) - len({each.id for each in written})
        told = f"seed {seed}: {len(events)} events, {self.kills} kills, {repeats} repeats"
        print(told)  # noqa: T201 - who runs it wants to know
        self._check(events, written, may_repeat=not self.writes_once)

    # --- How they are tried -------------------------------------------------------------------------------------------

    def _check(self, log: Sequence[Entry], written: Sequence[SinkMessage], *, may_repeat: bool) -> None:
        """Every event is there, and those of a document came in the order of the log, whatever was repeated later."""
        if not may_repeat:
            assert sorted(each.id for each in written) == sorted(each.id for each in log)
        assert _by_document(written) == _by_document(log)

    def _newest(self) -> int:
        with self._reader() as client:
            newest = client.events.list(before="latest", limit=1).data
            return newest[0].sequence if newest else 0

    def _log(self, after: int) -> Sequence[Entry]:
        """All events after a sequence, as a drain reads them."""
        found = list[Entry]()
        with self._reader() as client:
            while page := entries_of(client.send(page_after(after)).content)[0]:
                found += page
                after = page[-1].sequence
        return found

    def _change(self, documents: int, states: int) -> None:
        """Have new documents, and some states of each, one document after the other."""
        names = [str(uuid.uuid4()) for _ in range(documents)]
        with Client(self.gateway.url, self.gateway.key) as client:
            for state in range(1, states + 1):
                for answer in client.documents.import_lines([_line(each, state) for each in names]):
                    assert answer.changed, answer

    @contextmanager
    def _feeding(self) -> Iterator[None]:
        """Documents change until the end of the block, whatever becomes of the gateway."""
        stopping = threading.Event()

        def feed() -> None:
            names = [str(uuid.uuid4()) for _ in range(DOCUMENTS)]
            state = 0
            with Client(self.gateway.url, self.gateway.key, deadline=5.0) as client:
                while not stopping.wait(BETWEEN_CHANGES):
                    state += 1
                    try:
                        [*client.documents.import_lines([_line(each, state) for each in names[state % 10 :: 10]])]
                    except SignalpostError:
                        continue  # it is killed now and then

        thread = threading.Thread(target=feed)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def _until_written_more(self, drain: "_Process") -> None:
        before = drain.last_sequence()
        self._until(lambda: drain.last_sequence() > before, drain.log)

    def _until(self, condition: Callable[[], bool], why: Callable[[], str]) -> None:
        end = time.monotonic() + self.patience
        while not condition():
            assert time.monotonic() < end, why()
            time.sleep(0.1)

    def _reader(self) -> Client:
        return Client(self.gateway.url, self.gateway.operator_key)

    def _drain(self, after: int) -> "_DrainHere":
        self._progress = DrainProgress(time.monotonic)
        client = AsyncClient(self.gateway.url, self.gateway.operator_key, deadline=5.0)
        return _DrainHere(self.sink(), client, after, self._progress)

    @property
    def _trouble(self) -> str:
        return str(self._progress.health().get("trouble"))

    async def _drained(self, after: int) -> None:
        async with self._drain(after) as drain:
            await self._until_written(drain, after)

    async def _until_written(self, drain: Drain, after: int) -> None:
        """Until the sink says that it has the last event of the log."""
        newest = await asyncio.to_thread(self._newest)
        async with asyncio.timeout(self.patience):
            while f"last_sequence {newest}\n" not in self._progress.metrics():
                await asyncio.sleep(min(await drain.round(), 0.5))

    def _process(self, folder: Path, after: int) -> "_Process":
        key, config, port = folder / "drain.key", folder / "drain.toml", free_port()
        key.write_text(self.gateway.operator_key)
        config.write_text(
            f'after = {after}\n[gateway]\nurl = "{self.gateway.url}"\nkey = {{ file = "{key}" }}\n'
            f"[sink]\n{self.table()}[watch]\nport = {port}\n"
        )
        return _Process(config, folder / "drain.log", port)


class _DrainHere(Drain):
    """A drain in this process, with what it has to close."""

    def __init__(self, sink: Sink, client: AsyncClient, after: int, progress: DrainProgress) -> None:
        super().__init__(sink, client, after, progress)
        self._closes = (sink.close, client.close)

    async def __aenter__(self) -> Drain:
        return self

    async def __aexit__(self, *_: object) -> None:
        for close in self._closes:
            await close()


class _Process:
    """`signalpost-connect drain`, a process of its own."""

    def __init__(self, config: Path, log: Path, port: int) -> None:
        """`port` is the one of `[watch]`."""
        self._config = config
        self._log = log
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "_Process":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def log(self) -> str:
        return self._log.read_text()

    def last_sequence(self) -> int:
        """Up to which event this process has written; 0 if it has written none, or does not answer yet."""
        try:
            told = httpx.get(f"http://127.0.0.1:{self._port}/metrics").text
        except httpx.TransportError:
            return 0
        return int(told.partition("\nsignalpost_connect_last_sequence ")[2].partition("\n")[0])

    def start(self) -> None:
        with self._log.open("ab") as log:
            command: list[str | Path] = [sys.executable, "-m", "signalpost_connect", "drain", self._config]
            self._process = subprocess.Popen(command, stderr=log)  # noqa: S603 - of this package

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Ask it to end, as an operator does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait() == 0, self.log()
        self._process = None


class _closed:  # noqa: N801 - used like a function
    """Closes a sink at the end of a block, twice, which does no harm."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def __aenter__(self) -> Sink:
        return self._sink

    async def __aexit__(self, *_: object) -> None:
        await self._sink.close()
        await self._sink.close()


async def _cut_off(work: Awaitable[None], steps: int) -> None:
    """Let it come as far as so many steps of the loop."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _succeeds(work: Awaitable[Any]) -> bool:
    try:
        await work
    except SinkAway:
        return False
    return True


def entries(count: int) -> Sequence[Entry]:
    """Events of a log from the first one on, of four documents."""
    documents = [str(uuid.uuid4()) for _ in range(7)]
    made_at = "2026-01-01T00:00:00.000000+00:00"
    return [
        Entry(number, str(uuid.uuid4()), "documentUpdated", made_at, documents[number * number % 7], b'{"a": 1}')
        for number in range(1, count + 1)
    ]


def _by_document(events: Sequence[Entry] | Sequence[SinkMessage]) -> Mapping[str | None, Sequence[str]]:
    """The ids of each document's events, in the order in which they came first."""
    found = defaultdict[str | None, list[str]](list)
    for document, event in dict.fromkeys((each.document, each.id) for each in events):
        found[document].append(event)
    return found


def _line(document: str, state: int) -> Mapping[str, Any]:
    snapshot = Change(document, state, f"v{state}").snapshot or {}
    return {**snapshot, "externalId": document, "sourceVersion": state}
