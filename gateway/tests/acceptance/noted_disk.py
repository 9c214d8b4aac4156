"""`signalpost` that notes what it asks the system to keep. A program of its own: `noted_disk.py NOTES serve …`.

NOTES gets a line of JSON for each sync and each rename, with its paths, once it is done. What SQLite does by itself is
not in it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from signalpost.cli.main import main


class Disk:
    def __init__(self, notes: Path) -> None:
        self._notes = notes
        self._sync, self._rename = os.fsync, os.rename
        notes.touch()

    def sync(self, descriptor: int) -> None:
        self._sync(descriptor)
        self._note("sync", Path(f"/proc/self/fd/{descriptor}").readlink())

    def rename(self, old: Any, new: Any) -> None:
        self._rename(old, new)
        self._note("rename", old, new)

    def _note(self, *what: object) -> None:
        with self._notes.open("a") as notes:
            notes.write(json.dumps([str(each) for each in what]) + "\n")


if __name__ == "__main__":
    disk = Disk(Path(sys.argv.pop(1)))
    for name, noted in (("fsync", disk.sync), ("rename", disk.rename)):
        setattr(os, name, noted)
    main()
