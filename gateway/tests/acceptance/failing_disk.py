"""`signalpost` on a disk that fails when it is told to. A program of its own: `failing_disk.py TRIGGER serve …`.

As soon as the file TRIGGER is there, what it says fails with an I/O error: an operation on a kind of file, `sync -wal`.
"""

import sys
from pathlib import Path
from typing import Any

import apsw

from signalpost.cli.main import main

TRIGGER = Path(sys.argv.pop(1))


class Disk(apsw.VFS):
    """The system's files, as the default for every connection of the process."""

    def __init__(self) -> None:
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: Any) -> "File":  # noqa: N802
        return File(name, flags)


class File(apsw.VFSFile):
    def __init__(self, name: Any, flags: Any) -> None:
        super().__init__("unix", name, flags)
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)

    def _check(self, operation: str) -> None:
        if TRIGGER.exists():
            failing, ending = TRIGGER.read_text().split()
            if failing == operation and self._name.endswith(ending):
                raise apsw.IOError

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._check("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._check("sync")
        super().xSync(flags)


if __name__ == "__main__":
    disk = Disk()
    main()
