"""What pages of a database hold besides their content: copies of rows that were moved to other pages.

SQLite overwrites what it removes (`secure_delete`), but where it moves rows between the pages of a tree it leaves their
bytes behind in the unused middle of the page that they came from. Nothing reads them, and a later row overwrites them,
or none ever does. After an erasure they are overwritten with zeros in the file itself.

That is sound while no one writes and all that was written is in the file: the WAL is copied back and cut off, the
writer holds the lock and has let go of its cache, and readers never write what they cached. Only the unused middle of
pages is written, so a power cut in between harms nothing. The file is opened through SQLite's own VFS, because closing
it any other way would drop the locks that this process has on it.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from signalpost.domain.errors import Unavailable
from signalpost.store.sqlite.connect import BUSY_TIMEOUT_MS
from signalpost.store.sqlite.writer import Writer

_INTERIOR: Final = (2, 5)
_LEAF: Final = (10, 13)
_FILE_HEADER: Final = 100
"""Bytes at the start of the first page."""
_MAX_PAGES: Final = 2**25
"""Beyond that (128 GiB), a page of a long row could begin like one of a tree."""
_PATIENCE_MS: Final = 20
_AT_ONCE: Final = 256
"""Pages that are read at a time."""


async def overwrite(writer: Writer, path: Path) -> None:
    """Raises Unavailable if readers or another program are in the way; it may be tried again."""
    await writer.alone(_cut_wal)
    suspects = await asyncio.to_thread(_with_slack, path)
    if suspects:
        await writer.alone(lambda connection: _overwrite(connection, path, suspects))


def _cut_wal(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(_PATIENCE_MS)  # whoever wants to write waits meanwhile
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        raise Unavailable("The database is being read, so its write-ahead log cannot be truncated now.") from None
    finally:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)


def _overwrite(connection: apsw.Connection, path: Path, suspects: list[int]) -> None:
    _cut_wal(connection)
    connection.pragma("shrink_memory")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            raise Unavailable("The database was written meanwhile.")
        with _Pages(path, apsw.SQLITE_OPEN_READWRITE) as pages:
            for number in suspects:
                start, end = _slack(page := pages.read(number), number)
                if any(page[start:end]):
                    pages.write(number, start, bytes(end - start))
            pages.sync()
    finally:
        connection.execute("ROLLBACK")


def _with_slack(path: Path) -> list[int]:
    """The numbers of pages that have something in their unused middle. Others may write meanwhile, so this is not the
    last word."""
    with _Pages(path, apsw.SQLITE_OPEN_READONLY) as pages:
        return [number for number, page in pages.all() if any(page[slice(*_slack(page, number))])]


def _slack(page: bytes, number: int) -> tuple[int, int]:
    """Where the unused middle of a page begins and ends: between the pointers to its cells and the cells. There is none
    where a page belongs to no tree."""
    header = _FILE_HEADER if number == 1 else 0
    kind = page[header] if page else 0
    if kind not in (*_INTERIOR, *_LEAF):
        return 0, 0
    cells = int.from_bytes(page[header + 3 : header + 5], "big")
    start = header + (12 if kind in _INTERIOR else 8) + 2 * cells
    end = int.from_bytes(page[header + 5 : header + 7], "big") or 65_536
    return (start, end) if start < end <= len(page) else (0, 0)


class _Pages:
    """The pages of a database file, by their numbers from 1 on."""

    def __init__(self, path: Path, flags: int) -> None:
        self._file = apsw.VFSFile("", str(path), [flags | apsw.SQLITE_OPEN_MAIN_DB, 0])
        header = self._file.xRead(_FILE_HEADER, 0)
        self._size = int.from_bytes(header[16:18], "big")
        self._size = 65_536 if self._size == 1 else self._size
        self._count = min(self._file.xFileSize() // self._size, _MAX_PAGES)

    def __enter__(self) -> "_Pages":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.xClose()

    def read(self, number: int) -> bytes:
        return self._file.xRead(self._size, (number - 1) * self._size)

    def all(self) -> Iterator[tuple[int, bytes]]:
        for first in range(1, self._count + 1, _AT_ONCE):
            number_read = min(_AT_ONCE, self._count + 1 - first)
            part = self._file.xRead(number_read * self._size, (first - 1) * self._size)
            for index in range(number_read):
                yield first + index, part[index * self._size : (index + 1) * self._size]

    def write(self, number: int, start: int, data: bytes) -> None:
        self._file.xWrite(data, (number - 1) * self._size + start)

    def sync(self) -> None:
        self._file.xSync(apsw.SQLITE_SYNC_FULL)
