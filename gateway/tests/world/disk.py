"""A disk that keeps what was synced, and of everything else only what it likes.

The files are real ones, in memory, so that SQLite finds its shared memory beside them. Every write and sync goes
through this module. For each file it knows what was synced (`synced`) and what was written since (`pending`). After a
crash of the process both are there, because the operating system has them. After a power cut the disk has what was
synced, and any sectors of the rest: none, some, or all.

`gate` is called before each write, sync and truncation, and may raise the error that the disk reports then. A `dead`
disk takes nothing more: the process that used it has ended, and what is left of its code reaches no file.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import apsw

SECTOR = 512
VFS = "simulated"


class Image(NamedTuple):
    """The contents of a disk, from which the next process starts."""

    database: bytes
    wal: bytes

    def write(self, database: Path) -> None:
        database.write_bytes(self.database)
        if self.wal:
            database.with_name(f"{database.name}-wal").write_bytes(self.wal)


class _Content:
    """What one file holds: the synced bytes, and the writes since."""

    def __init__(self, data: bytes) -> None:
        self.synced = bytearray(data)
        self.pending: list[tuple[int, bytes | None]] = []
        """Each write as its offset and its bytes; a truncation as the new size and None."""

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.synced, offset, data)
        self.pending.clear()

    def after_power_cut(self, random: Random, kept: float) -> bytes:
        content = bytearray(self.synced)
        for offset, data in self.pending:
            if data is None:
                if random.random() < kept:
                    _apply(content, offset, None)
                continue
            for start in range(0, len(data), SECTOR):
                if random.random() < kept:
                    _apply(content, offset + start, data[start : start + SECTOR])
        return bytes(content)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Disk:
    """The disk on which one database lies."""

    def __init__(self, database: Path, gate: Callable[[str, str, bool], None]) -> None:
        """`gate` is called with the operation (write, sync), the file (db, wal, or another ending), and whether the
        file would grow."""
        self.database = database
        self.gate = gate
        self.dead = False
        self._contents: dict[str, _Content] = {}
        _disks[str(database)] = self

    def image(self, random: Random | None = None, kept: float = 0.0) -> Image:
        """The contents that are left: all that was written or, after a power cut (`random` given), what was synced and
        each of the other sectors with the chance `kept`."""
        return Image(self._left("", random, kept), self._left("-wal", random, kept))

    def _left(self, ending: str, random: Random | None, kept: float) -> bytes:
        path = self.database.with_name(f"{self.database.name}{ending}")
        if random is None:
            return path.read_bytes() if path.exists() else b""
        content = self._contents.get(str(path))
        return content.after_power_cut(random, kept) if content is not None else b""

    def forget(self) -> None:
        """Remove the files. No connection to them may be open."""
        _disks.pop(str(self.database), None)
        for ending in ("", "-wal", "-shm", "-journal"):
            self.database.with_name(f"{self.database.name}{ending}").unlink(missing_ok=True)

    # --- What SQLite does ---------------------------------------------------------------------------------------------

    def content(self, path: str) -> _Content:
        found = self._contents.get(path)
        if found is None:
            file = Path(path)
            found = self._contents[path] = _Content(file.read_bytes() if file.exists() else b"")
        return found

    def deleted(self, path: str) -> None:
        self._contents.pop(path, None)


_disks: dict[str, Disk] = {}


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, path: str, name: Any, flags: Any) -> None:
        self._disk = disk
        self._content = disk.content(path)  # before SQLite makes the file
        self._kind = path.removeprefix(str(disk.database)).removeprefix("-") or "db"
        self._size = len(self._content.synced)
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        end = offset + len(data)
        self._pass("write", grows=end > self._size)
        super().xWrite(data, offset)
        self._content.pending.append((offset, bytes(data)))
        self._size = max(self._size, end)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._pass("write", grows=False)
        super().xTruncate(size)
        self._content.pending.append((size, None))
        self._size = size

    def xSync(self, flags: int) -> None:  # noqa: N802
        try:
            self._pass("sync", grows=False)
        except apsw.Error:
            if not self._disk.dead:
                self._content.pending.clear()  # the system calls these pages clean now, and never writes them
            raise
        self._content.sync()

    def _pass(self, operation: str, *, grows: bool) -> None:
        if self._disk.dead:
            raise apsw.IOError
        self._disk.gate(operation, self._kind, grows)


class _Vfs(apsw.VFS):
    def __init__(self) -> None:
        super().__init__(VFS, "unix")

    def xOpen(self, name: Any, flags: Any) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        for database, disk in _disks.items():
            if path is not None and path.startswith(database):
                return _File(disk, path, name, flags)
        return apsw.VFSFile("unix", name, flags)  # SQLite's own temporary ones

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        for database, disk in _disks.items():
            if filename.startswith(database):
                if disk.dead:
                    raise apsw.IOError
                disk.deleted(filename)
        super().xDelete(filename, syncdir)


_vfs = _Vfs()
"""Registered for the life of this process."""
