"""Watches a measured process and its database from outside, so that neither has more to do for being watched."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

EVERY_SECONDS = 0.05
MB = 1e6


class Spent(Struct, frozen=True):
    """What a PostgreSQL had spent at a moment."""

    lsn: str
    """How far its write-ahead log was."""
    cpu: float | None
    """Seconds of all its processes so far."""


class Usage(Struct, frozen=True):
    cpu: float
    """Seconds so far, of all its threads and of its children."""
    of_children: float
    """How many of these seconds were of children that run."""
    memory: int
    """The most bytes that were ever resident."""
    disk: int
    """Bytes of the database's files, if that is SQLite."""
    server: Spent | None
    """None for SQLite."""


class ResourceMonitor:
    """Looks twenty times a second, until it is stopped."""

    def __init__(self, pid: int, folder: Path, spent: Callable[[], Spent | None] = lambda: None) -> None:
        """`spent` says what the database's server has spent."""
        self._spent = spent
        self._pid = pid
        self._process = Path(f"/proc/{pid}")
        self._folder = folder
        self.wal_most = 0
        """The largest size of the write-ahead log so far, in bytes."""
        self.resident: list[tuple[float, int]] = []
        """Seconds of the monotonic clock, and bytes."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def usage(self) -> Usage:
        cpu, of_children = cpu_seconds(self._pid), sum(map(cpu_seconds, children_of(self._pid)))
        return Usage(cpu, of_children, self._status("VmHWM"), bytes_in(self._folder), self._spent())

    def forget(self) -> None:
        """Begin again with what was the most."""
        self.wal_most = 0
        self.resident.clear()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(EVERY_SECONDS):
            try:
                self.resident.append((time.monotonic(), self._status("VmRSS")))
                self.wal_most = max([self.wal_most, *(wal.stat().st_size for wal in self._folder.glob("*-wal"))])
            except (OSError, IndexError):
                pass  # the process has ended, or a file was removed between two looks

    def _status(self, name: str) -> int:
        return int((self._process / "status").read_text().split(f"{name}:")[1].split()[0]) * 1024


def children_of(pid: int) -> list[int]:
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def cpu_seconds(pid: int) -> float:
    """What a process, its children, and those of them that have ended have used so far."""
    ticks = 0
    for each in (pid, *children_of(pid)):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rsplit(") ", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def bytes_in(folder: Path) -> int:
    """What the files of a folder take on disk."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
