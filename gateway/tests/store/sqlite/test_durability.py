"""What was answered is kept: through crashes, full disks and failing ones; and the WAL stays bounded."""

import asyncio
import contextlib
import errno
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from gateway.tests.patience import PATIENCE
from msgspec.structs import replace

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import BatchContext
from signalpost.commands.command import CompletedCommand, OrderedLines
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import DiskNearlyFull, OutcomeUnknown, Unavailable
from signalpost.domain.event import Event
from signalpost.store.sqlite.store import Executors, SqliteStore, thread_executors
from signalpost.store.sqlite.writer import SHORT_PASS, START_OVER_AFTER
from signalpost.store.store import Store
from signalpost.store.vault import MasterKeys

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

LINKS = Links(b"", "")
START = 1_700_000_000_000_000
CRASHING = """
import asyncio, json, os, sys
from pathlib import Path
from random import Random
from signalpost.commands.batch import BatchContext
from signalpost.commands.documents import CreateDocument
from signalpost.domain.documents.bodies import NewDocument
from signalpost.domain.documents.links import Links
from signalpost.store.sqlite.store import Executors, SqliteStore, thread_executors
from signalpost.store.sqlite.writer import SHORT_PASS, START_OVER_AFTER
from signalpost.store.vault import MasterKeys

async def main():
    store = SqliteStore(Path(sys.argv[1]), MasterKeys([bytes(32)]),
                        BatchContext(Links(b"", ""), repr, Random(1).getrandbits),
                        lambda: 1_700_000_000_000_000, thread_executors(), print)
    new = NewDocument(type="NDA", title="x" * 400, owner_email="o@x", author_email="a@x")
    async def client(number):
        for n in range(100):
            identity = f"00000000-0000-4000-8000-{number:04d}{n:08d}"
            published = await store.publish([CreateDocument(
                tenant_id=1, document_id=identity, new=new, source_app="app")])
            print(published.events[0].sequence, published.events[0].id, flush=True)
            if published.events[0].sequence >= int(sys.argv[2]):
                os._exit(9)
    await asyncio.gather(*(client(number) for number in range(8)))

asyncio.run(main())
"""


def opened(
    path: Path,
    vfs: str | None = None,
    broken: list[BaseException] | None = None,
    executors: Executors | None = None,
) -> SqliteStore:
    told = [] if broken is None else broken
    return SqliteStore(
        path,
        MasterKeys([bytes(32)]),
        BatchContext(LINKS, kept_answers(LINKS), Random(2).getrandbits),
        lambda: START,
        executors or thread_executors(),
        told.append,
        vfs,
    )


async def _log(store: Store) -> list[Event]:
    """All of it, page by page."""
    events: list[Event] = []
    while page := (await store.log.after(1, len(events), 10_000)).events:
        events += page
    return events


@pytest.mark.parametrize("after", [1, 40, 300])
def test_a_crash_right_after_the_answer_loses_nothing_that_was_answered(tmp_path: Path, after: int) -> None:
    database = tmp_path / "signalpost.db"
    ran = subprocess.run(
        [sys.executable, "-c", CRASHING, str(database), str(after)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 9, ran.stderr
    answered = [line.split() for line in ran.stdout.splitlines()]
    assert len(answered) >= after

    async def read() -> None:
        store = opened(database)
        events = {event.sequence: event.id for event in await _log(store)}
        assert sorted(events) == list(range(1, len(events) + 1))
        assert all(events[int(sequence)] == identity for sequence, identity in answered)
        [tenant] = [each for each in await store.access.tenants() if each.id > 0]
        assert tenant.last_sequence == len(events)
        await store.close()

    asyncio.run(read())


def test_after_a_clean_stop_the_database_file_alone_has_everything(play: "Play", tmp_path: Path) -> None:
    """A copy that is made of it then needs no WAL beside it."""

    async def scenario(shop: "Shop") -> None:
        await shop.fill(20)

    play(scenario)
    copy = tmp_path / "copy" / "signalpost.db"
    copy.parent.mkdir()
    shutil.copyfile(tmp_path / "signalpost.db", copy)
    connection = apsw.Connection(str(copy))
    assert connection.execute("SELECT count(*) FROM event").fetchall() == [(20,)]
    connection.close()


def test_what_is_asked_while_it_closes_is_finished_or_refused(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        asked = [asyncio.create_task(shop.publish(make.create(n))) for n in range(20)]
        await asyncio.sleep(0)
        await shop.store.close()
        outcomes = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), PATIENCE)
        with pytest.raises(Unavailable):
            await asyncio.wait_for(shop.publish(make.create(99)), PATIENCE)
        await shop.open()
        kept = [event.id for event in (await shop.store.log.after(1, 0, 100)).events]
        answered = [one.events[0].id for one in outcomes if not isinstance(one, BaseException)]
        assert kept == answered
        assert all(isinstance(one, Unavailable) for one in outcomes if isinstance(one, BaseException))

    play(scenario)


# --- Failing disks ----------------------------------------------------------------------------------------------------


class Disk(apsw.VFS):
    """The system's files, failing at will. Not a stand-in for the store: SQLite runs on it as it does on a disk."""

    def __init__(self) -> None:
        self.failure: int | None = None
        self.full_after: int | None = None
        """After how many more syncs of a WAL the disk is full."""
        self.operation = ""
        """What fails: read, write, sync, or (empty) the last two."""
        self.only = ""
        """What its file's name must end with."""
        self.thread = ""
        """What its thread's name must begin with."""
        super().__init__("failing", "unix")

    def xOpen(self, name: Any, flags: Any) -> "DiskFile":  # noqa: N802
        return DiskFile(self, name, flags)


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: Any) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)

    def _check(self, operation: str) -> None:
        disk, thread = self._disk, threading.current_thread().name
        if operation not in (disk.operation or "write sync"):
            return
        if disk.failure is not None and self._name.endswith(disk.only) and thread.startswith(disk.thread):
            if disk.failure == errno.ENOSPC:
                raise apsw.FullError
            raise apsw.IOError if disk.failure == errno.EIO else apsw.exception_for(disk.failure)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._check("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._check("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        disk = self._disk
        if disk.failure != errno.ENOSPC:
            self._check("sync")
        super().xSync(flags)
        if disk.full_after is not None and self._name.endswith("-wal"):
            disk.full_after -= 1
            if disk.full_after == 0:
                disk.full_after, disk.failure = None, errno.ENOSPC


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.unregister()


def test_a_full_disk_changes_nothing_and_ends_with_the_shortage(
    disk: Disk, tmp_path: Path, make: "type[Tools]"
) -> None:
    async def scenario() -> None:
        broken: list[BaseException] = []
        store = opened(tmp_path / "signalpost.db", "failing", broken)
        await store.publish([make.create(1)])
        disk.only, disk.failure = "-wal", errno.ENOSPC
        with pytest.raises(DiskNearlyFull) as caught:
            await store.publish([make.create(2), make.create(3)])
        assert caught.value.retry_after > 1
        assert [e.sequence for e in (await store.log.after(1, 0, 10)).events] == [1]
        disk.failure = None
        published = await store.publish([make.create(2)])
        assert [event.sequence for event in published.events] == [2]
        assert broken == []
        await store.close()

    asyncio.run(scenario())


def test_where_the_disk_fills_up_while_a_refused_batch_is_halved_each_is_told_what_became_of_it(
    disk: Disk, tmp_path: Path, make: "type[Tools]"
) -> None:
    """One was committed already: a client that is told that nothing was changed would make it twice."""

    async def scenario() -> None:
        store = opened(tmp_path / "signalpost.db", "failing")
        await store.publish([make.create(1)])
        disk.only, disk.full_after = "-wal", 1
        guilty = make.put(7, 2**70)
        lines = OrderedLines()
        published = await store.publish([make.create(2), guilty, replace(make.put(3, 1), lines=lines), make.create(4)])
        made, defect, third, fourth = published.results
        assert lines.must_be_repeated
        assert isinstance(made, CompletedCommand)
        assert not isinstance(defect, CompletedCommand | Unavailable)
        assert isinstance(third, Unavailable)
        assert isinstance(fourth, Unavailable)
        kept = (await store.log.after(1, 0, 10)).events
        assert kept[1:] == list(published.events)
        disk.failure = None
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_failing_disk_is_told_once_and_nothing_more_is_promised(
    disk: Disk, tmp_path: Path, make: "type[Tools]", operation: str
) -> None:
    async def scenario() -> None:
        broken: list[BaseException] = []
        store = opened(tmp_path / "signalpost.db", "failing", broken)
        await store.publish([make.create(1)])
        disk.only, disk.operation, disk.failure = "-wal", operation, errno.EIO
        with pytest.raises(OutcomeUnknown):
            await store.publish([make.create(2)])
        assert len(broken) == 1
        disk.failure = None
        with pytest.raises(Unavailable):
            await store.publish([make.create(3)])
        assert len(broken) == 1
        await store.close()
        again = opened(tmp_path / "signalpost.db")
        kept = [event.sequence for event in (await again.log.after(1, 0, 10)).events]
        assert kept in ([1], [1, 2])
        await again.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_disk_that_fails_while_the_wal_is_copied_back_ends_it_too(
    disk: Disk, tmp_path: Path, make: "type[Tools]", operation: str
) -> None:
    """What the system says of a file whose sync failed once cannot be trusted. What was answered is in the WAL."""

    async def scenario() -> None:
        writing = _Writing(disk, tmp_path / "signalpost.db", make)
        disk.only, disk.thread, disk.operation, disk.failure = ".db", "checkpoint", operation, errno.EIO
        await writing.until(lambda: bool(writing.broken))
        await writing.end()

    asyncio.run(scenario())


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_disk_that_fails_while_the_writer_copies_the_last_of_the_wal_back_ends_it_too(
    disk: Disk, tmp_path: Path, make: "type[Tools]", operation: str
) -> None:
    async def scenario() -> None:
        writing = _Writing(disk, tmp_path / "signalpost.db", make)
        disk.only, disk.thread, disk.operation, disk.failure = ".db", "writer", operation, errno.EIO
        with writing.no_copies():
            await writing.until(lambda: writing.wal_pages() > START_OVER_AFTER - SHORT_PASS)
            reader = writing.reader()  # nothing later than what it sees is copied back
            await writing.more()
        await writing.until_copied()
        reader.close()
        with writing.no_copies():
            await writing.until(lambda: bool(writing.broken))
        await writing.end()

    asyncio.run(scenario())


class _Writing:
    """One who writes large documents, 25 at a time, while the disk may fail."""

    def __init__(self, disk: Disk, path: Path, make: "type[Tools]") -> None:
        self.broken: list[BaseException] = []
        self._disk, self._path, self._make = disk, path, make
        self._executors = thread_executors()
        self._store = opened(path, "failing", self.broken, self._executors)
        self._answered = 0

    @contextlib.contextmanager
    def no_copies(self) -> Iterator[None]:
        """The thread that copies the WAL back is kept from it."""
        ended = threading.Event()
        self._executors.checkpoint.submit(ended.wait)
        try:
            yield
        finally:
            ended.set()

    async def until_copied(self) -> None:
        await asyncio.wait_for(asyncio.wrap_future(self._executors.checkpoint.submit(lambda: None)), PATIENCE)

    def reader(self) -> apsw.Connection:
        reading = apsw.Connection(str(self._path))
        reading.execute("BEGIN; SELECT count(*) FROM document").fetchall()
        return reading

    def wal_pages(self) -> int:
        return Path(f"{self._path}-wal").stat().st_size // 4_120

    async def until(self, happened: Callable[[], bool]) -> None:
        with contextlib.suppress(Unavailable):  # the other thread may meet the failure while this one asks
            while not happened():
                assert self._answered < 3_000
                await self.more()

    async def more(self) -> None:
        some = range(self._answered, self._answered + 25)
        batch = [self._make.put(n, None, "x" * 20_000 + str(n)) for n in some]
        self._answered += len((await asyncio.wait_for(self._store.publish(batch), PATIENCE)).results)

    async def end(self) -> None:
        """Nothing more is promised, it was told once, and everything that was answered is there afterwards."""
        self._disk.failure = None
        with pytest.raises(Unavailable):
            await self._store.publish([self._make.create(9999)])
        assert len(self.broken) == 1
        await self._store.close()
        again = opened(self._path)
        assert len(await _log(again)) >= self._answered
        await again.close()


def test_a_disk_that_cannot_be_read_for_a_while_is_read_again_afterwards(
    disk: Disk, tmp_path: Path, make: "type[Tools]"
) -> None:
    async def scenario() -> None:
        broken: list[BaseException] = []
        store = opened(tmp_path / "signalpost.db", "failing", broken)
        await store.publish([make.put(n, None, "x" * 20_000) for n in range(60)])  # too few for a checkpoint
        disk.only, disk.thread, disk.operation, disk.failure = "-wal", "reader", "read", errno.EIO
        for _ in range(3):
            with pytest.raises(Unavailable):
                await store.log.after(1, 0, 100)
        disk.failure = None
        assert len((await store.log.after(1, 0, 100)).events) == 60
        assert broken == []
        await store.close()

    asyncio.run(scenario())


def test_a_disk_without_room_for_the_index_of_the_wal_is_full_and_did_not_fail(
    disk: Disk, tmp_path: Path, make: "type[Tools]"
) -> None:
    async def scenario() -> None:
        broken: list[BaseException] = []
        store = opened(tmp_path / "signalpost.db", "failing", broken)
        disk.only, disk.failure = "-wal", apsw.SQLITE_IOERR_SHMSIZE
        with pytest.raises(DiskNearlyFull):
            await store.publish([make.create(1)])
        disk.failure = None
        await store.publish([make.create(1)])
        assert broken == []
        await store.close()

    asyncio.run(scenario())


# --- The WAL ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_wal_stays_bounded_while_others_read(play: "Play", make: "type[Tools]", tmp_path: Path) -> None:
    count, clients = 4_480, 64  # which are 85 MiB of WAL, because each event is long

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        wal = tmp_path / "signalpost.db-wal"
        largest = 0
        done = asyncio.Event()

        async def publish(client: int) -> None:
            nonlocal largest
            for n in range(count // clients):
                await shop.publish(make.put(client * 10_000 + n, None, "x" * 8_000))
                if n % 16 == 0:
                    largest = max(largest, wal.stat().st_size)

        async def read() -> None:
            after = 0
            while not done.is_set():
                page = (await shop.store.log.after(1, after, 256)).events
                after = page[-1].sequence if page else 0
                await shop.listed(subscription, limit=50, status="failed")

        readers = [asyncio.create_task(read()) for _ in range(2)]
        await asyncio.gather(*(publish(client) for client in range(clients)))
        done.set()
        await asyncio.gather(*readers)
        assert len(await _log(shop.store)) == count // clients * clients
        assert largest < 60 * 1024 * 1024

    play(scenario)


def test_a_result_carries_the_row_that_was_written(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        done = await shop.do(make.create(1))
        assert isinstance(done, CompletedCommand)
        assert done.result.row == await shop.store.documents.get(1, make.document_id(1))

    play(scenario)
