"""Statements that are sent to PostgreSQL together and waited for once: libpq's pipeline mode.

psycopg has pipelines too, but gives each statement a cursor, which finds out anew how its parameters are sent and its
columns are read, and sends and waits for each on its own: that cost twice as much. What is used of it here is its way
to libpq (`pq`), its reading of columns, and its errors.
"""

import asyncio
import select
from collections.abc import Iterable, Sequence
from itertools import count
from struct import error as struct_error
from struct import pack
from typing import Any, Final, Self

import psycopg
from psycopg.adapt import AdaptersMap, Buffer, Loader, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from signalpost.store.postgres.columns import Column, numbers

MAX_PREPARED: Final = 1_000
"""More statements than there are."""
READS_IN_A_ROW: Final = 8
"""How often libpq reads, some 8 to 64 KiB each, before others have their turn at the event loop."""


class _UuidLoader(Loader):
    """Ids are strings everywhere else."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        text = bytes(data).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_ADAPTERS: Final = AdaptersMap(psycopg.adapters)
_ADAPTERS.register_loader("uuid", _UuidLoader)


class Pipeline:
    """What is asked on a connection, by one task at a time."""

    def __init__(self, libpq: PGconn) -> None:
        self._libpq = libpq
        self._reader = Transformer(_ADAPTERS)
        self._watch = _Watch(libpq.socket)
        self._prepared: dict[tuple[str, tuple[int, ...]], bytes] = {}
        """The names of what the server has prepared, by statement and types of its parameters."""
        self.prepares = False
        """Whether the server is to prepare each statement when it comes for the first time."""

    async def ask(self, statements: Iterable[tuple[str, Sequence[Any]]]) -> list[list[tuple[Any, ...]]]:
        """The rows of each statement; no rows for one that returns none. Raises psycopg's Error of the first that
        failed. After any error, the connection is good for nothing but to be closed."""
        self._libpq.enter_pipeline_mode()
        are_wanted = [is_wanted for statement in statements for is_wanted in self._send(*statement)]
        self._libpq.pipeline_sync()
        results = await self._results()
        self._libpq.exit_pipeline_mode()
        return [self._rows(result) for result, is_wanted in zip(results, are_wanted, strict=True) if is_wanted]

    def _send(self, sql: str, parameters: Sequence[Any]) -> tuple[bool, ...]:
        """Send a statement. Returns for each result that will come whether it is the statement's own."""
        packed = [_packed(parameter) for parameter in parameters]
        types = tuple(type_oid for type_oid, _ in packed)
        values = [value for _, value in packed]
        formats = [Format.BINARY] * len(values)
        name = self._prepared.get((sql, types))
        if name is not None:
            self._libpq.send_query_prepared(name, values, formats, Format.BINARY)
            return (True,)
        if not self.prepares or len(self._prepared) == MAX_PREPARED:
            self._libpq.send_query_params(sql.encode(), values, types, formats, Format.BINARY)
            return (True,)
        name = self._prepared[sql, types] = b"s%d" % len(self._prepared)
        self._libpq.send_prepare(name, sql.encode(), types)
        self._libpq.send_query_prepared(name, values, formats, Format.BINARY)
        return (False, True)

    async def _results(self) -> list[PGresult]:
        """The results of all that was sent."""
        found: list[PGresult] = []
        with self._watch as watch:
            await watch.ready(to_write=self._libpq.flush() != 0)
            for reads in count(1):
                self._read(found)
                if self._take(found):
                    break
                if not watch.has_more():
                    await watch.ready(to_write=self._libpq.flush() != 0)
                elif reads % READS_IN_A_ROW == 0:
                    await asyncio.sleep(0)
        return found

    def _read(self, found: list[PGresult]) -> None:
        """Read what has come. Raises psycopg's Error if the connection is lost: what the server said last, if it
        said why."""
        try:
            self._libpq.consume_input()
        except psycopg.OperationalError:
            try:
                self._take(found)
            except psycopg.Error as said:
                if said.sqlstate is not None:
                    raise said from None
            raise

    def _take(self, found: list[PGresult]) -> bool:
        """Add the results that have come. Returns whether these are all. Raises psycopg's Error."""
        while not self._libpq.is_busy():
            result = self._libpq.get_result()
            if result is None:  # after the result of each statement
                if self._libpq.status == ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection is lost")
            elif result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return True
            else:
                found.append(result)
        return False

    def _rows(self, result: PGresult) -> list[tuple[Any, ...]]:
        if result.status != ExecStatus.TUPLES_OK:
            return []
        self._reader.set_pgresult(result)
        return self._reader.load_rows(0, result.ntuples, tuple)


def _packed(parameter: Any) -> tuple[int, bytes | None]:
    """The type of a parameter, and its value in PostgreSQL's binary form. Raises psycopg's DataError if a number
    does not fit."""
    if isinstance(parameter, Column):
        return parameter
    if parameter is None:
        return 0, None
    if isinstance(parameter, bool):
        return 16, pack(">?", parameter)
    if isinstance(parameter, int):
        try:
            return 20, pack(">q", parameter)
        except struct_error:
            raise psycopg.DataError("a number is out of range") from None
    if isinstance(parameter, str):
        return 25, parameter.encode()
    if isinstance(parameter, bytes):
        return 17, parameter
    if isinstance(parameter, list):
        return numbers(parameter)
    raise TypeError(f"a {type(parameter).__name__} is no parameter")


class _Watch:
    """Watches a socket while an answer comes in.

    libpq reads some of what is there at a time. No one may wait for the rest: uvloop tells once that a socket has an
    error, and then watches it no more, although what came before the error is still to be read. So a server that said
    why it ends, and was gone, would be waited for until the time is up.
    """

    def __init__(self, socket: int) -> None:
        self._socket = socket
        self._unread = select.poll()
        self._unread.register(socket, select.POLLIN)

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._is_writing = False
        self._loop.add_reader(self._socket, self._tell)
        return self

    def __exit__(self, *_: object) -> None:
        # Where the connection is lost, libpq has just closed the socket. If another one has its number since, this loop
        # does not watch that yet.
        self._loop.remove_reader(self._socket)
        if self._is_writing:
            self._loop.remove_writer(self._socket)

    def has_more(self) -> bool:
        """Whether there is something to read, be it an end or an error."""
        return bool(self._unread.poll(0))

    async def ready(self, *, to_write: bool) -> None:
        """Wait until there is something to read or, if so wanted, room to write."""
        if to_write != self._is_writing:
            self._is_writing = to_write
            if to_write:
                self._loop.add_writer(self._socket, self._tell)
            else:
                self._loop.remove_writer(self._socket)
        self._waiter = self._loop.create_future()
        await self._waiter

    def _tell(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
