"""The one writer: it groups the jobs that arrive during a commit into the next commit.

A job is a function of the connection. All jobs of a group are run in one transaction and are durable together when
their futures resolve. If a group fails, nothing of it was written; its jobs are then run one by one, so that a faulty
job fails alone. An I/O error of the disk, also one while the WAL is copied back, ends the writer: what the system says
after a failed sync cannot be trusted, so everything from then on is refused and `on_broken` is told. A disk that is
full is no such error: nothing was written, and it may be tried again.

The WAL. Automatic checkpoints would stall the commit that crosses the threshold, and RESTART and TRUNCATE hold the
writer's lock. So a thread of its own copies pages back with PASSIVE as soon as `CHECKPOINT_AFTER` pages have gathered;
writers go on meanwhile. A WAL only starts over when all of it was copied at the moment of a write, which under steady
load never happens by itself: above `START_OVER_AFTER` pages the writer makes the last, short PASSIVE pass itself,
between two transactions, once the thread has left it little to do.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor, Future
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import apsw

from signalpost.domain.errors import DiskNearlyFull, OutcomeUnknown, Stopping, Unavailable
from signalpost.runtime.logger import log
from signalpost.store.sqlite.connect import is_shortage
from signalpost.store.sqlite.statements import found_by
from signalpost.store.statements import Row, Statement

CHECKPOINT_AFTER = 1_000
START_OVER_AFTER = 8_000
SHORT_PASS = 2_000
"""How many pages of 4 KiB the writer copies back itself, in a few milliseconds."""

P = ParamSpec("P")
T = TypeVar("T")
Job = Callable[[apsw.Connection], Any]
Outcome = tuple[Any, BaseException | None]
"""What a job returned, and what it raised instead."""


class Writer:
    def __init__(
        self,
        connection: apsw.Connection,
        checkpoint_connection: apsw.Connection,
        executor: Executor,
        checkpoint_executor: Executor,
        on_broken: Callable[[BaseException], None],
    ) -> None:
        self._connection = connection
        self._checkpoint_connection = checkpoint_connection
        self._executor = executor
        self._checkpoint_executor = checkpoint_executor
        self._on_broken = on_broken
        self._broken = False
        self._checkpoints_fail = False
        self._closed = False
        self._jobs: list[tuple[Job, asyncio.Future[Any]]] = []
        self._writing: Future[list[Outcome]] | None = None
        """The group that is on the thread."""
        self._checkpointing: asyncio.Task[None] | None = None
        self._wal_pages = 0
        self._copied_pages = 0
        connection.set_wal_hook(self._note_wal_pages)

    async def run(self, job: Callable[[apsw.Connection], T]) -> T:
        """The job's result, once its transaction is durable. Raises Unavailable, or what the job raised."""
        if self._broken:
            raise _failed()
        if self._closed:
            raise Stopping
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.append((job, future))
        if self._writing is None:
            self._begin_group()
        return await future

    async def all(self, _tenant_id: int | None, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `RowWriter`. Every tenant's rows are in the same file."""
        return await self.run(lambda connection: [found_by(connection, each) for each in statements])

    async def alone(self, job: Callable[[apsw.Connection], T]) -> T:
        """The result of a job between two transactions, which begins and ends none that others could be in. Raises
        Unavailable, or what the job raised."""
        if self._broken:
            raise _failed()
        if self._closed:
            raise Stopping
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, job, self._connection)
        except apsw.IOError as error:
            self._break(error)
            raise _failed() from None
        except apsw.Error as error:
            raise _as_told(error) from None

    async def close(self) -> None:
        """Finish what was asked, and let SQLite copy the WAL back, which it does as the last connection closes."""
        self._closed = True
        while self._writing is not None:
            await asyncio.wait([asyncio.wrap_future(self._writing)])
        if self._checkpointing is not None:
            await asyncio.wait([self._checkpointing])
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._checkpoint_executor, self._checkpoint_connection.close)
        try:
            await loop.run_in_executor(self._executor, self._connection.close)
        except apsw.Error as error:
            log.warning(
                "the write-ahead log could not be copied into the database; the next start does it", error=str(error)
            )

    def _begin_group(self) -> None:
        """Give the thread everything that was asked so far. It tells the loop of the end by itself: each task or future
        in between would cost a change one more round of the loop, and a round is as long as what others do in it."""
        loop = asyncio.get_running_loop()
        group, self._jobs = self._jobs, []
        self._writing = self._executor.submit(self._transact, [job for job, _ in group])
        futures = [future for _, future in group]
        self._writing.add_done_callback(lambda done: loop.call_soon_threadsafe(self._end_group, futures, done.result()))

    def _end_group(self, futures: list[asyncio.Future[Any]], outcomes: list[Outcome]) -> None:
        for future, (result, error) in zip(futures, outcomes, strict=True):
            if future.cancelled():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        self._checkpoint_if_needed()
        self._writing = None
        if self._jobs:
            self._begin_group()

    def _transact(self, jobs: list[Job]) -> list[Outcome]:
        if self._broken:
            return [(None, _failed()) for _ in jobs]
        try:
            results = self._commit(jobs)
        except Exception as error:
            if isinstance(error, apsw.IOError) and not is_shortage(error):
                self._break(error)
                unknown = OutcomeUnknown("The disk failed during the commit. Repeat with the same Idempotency-Key.")
                return [(None, unknown) for _ in jobs]
            if len(jobs) == 1:
                return [(None, _as_told(error))]
            return [outcome for job in jobs for outcome in self._transact([job])]
        self._start_over_if_needed()
        return [(result, None) for result in results]

    def _commit(self, jobs: list[Job]) -> list[Any]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = [job(connection) for job in jobs]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _break(self, error: BaseException) -> None:
        """Refuse everything from now on. This runs on the thread that met the error, so that nothing is answered in
        between."""
        if not self._broken:
            self._broken = True
            self._on_broken(error)

    # --- Checkpoints --------------------------------------------------------------------------------------------------

    def _note_wal_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages < self._wal_pages:
            self._copied_pages = 0
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint_if_needed(self) -> None:
        if self._checkpointing is None and self._wal_pages - self._copied_pages >= CHECKPOINT_AFTER:
            self._checkpointing = asyncio.create_task(self._checkpoint())

    async def _checkpoint(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._checkpoint_executor, self._copy_back, self._checkpoint_connection
            )
        finally:
            self._checkpointing = None

    def _copy_back(self, connection: apsw.Connection) -> None:
        try:
            pages, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            return  # the other thread is at it
        except apsw.IOError as error:
            self._break(error)
            return
        except apsw.Error as error:
            if not self._checkpoints_fail:
                self._checkpoints_fail = True
                log.warning("the write-ahead log cannot be copied into the database; trying again", error=str(error))
            return
        self._checkpoints_fail = False
        if pages >= 0:
            self._copied_pages = copied

    def _start_over_if_needed(self) -> None:
        """Copy the rest of the WAL back, on the writer's thread, so that the next write begins the WAL again."""
        if self._wal_pages >= START_OVER_AFTER and self._wal_pages - self._copied_pages <= SHORT_PASS:
            self._copy_back(self._connection)


def _failed() -> Unavailable:
    return Unavailable("The disk failed; Signalpost is stopping.")


def _as_told(error: Exception) -> Exception:
    if isinstance(error, apsw.Error) and is_shortage(error):
        return DiskNearlyFull()
    if isinstance(error, apsw.BusyError):
        return Unavailable("The database is in use by another program: nothing was changed.")
    return error


class HasWriter(Protocol):
    _writer: Writer


S = TypeVar("S", bound=HasWriter)


def writing(
    change: Callable[Concatenate[S, apsw.Connection, P], T],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """An asynchronous method of one that holds SQL. The method gets the writer's connection, inside its transaction, as
    its first argument; the caller awaits it without one, and has its result once that is durable."""

    @wraps(change)
    async def write(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._writer.run(lambda connection: change(self, connection, *args, **kwargs))

    return write
