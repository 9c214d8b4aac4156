"""What goes wrong in one process: how it ends, and what its disk, its store and its clock do until then.

Each process has one `CrashPlan`, drawn before it starts. Its moments are turns of the event loop, seconds, or
operations of the disk, so that a crash may come at any await, any write and any sync. `DiskFaults` and
`PlannedStoreFaults` carry it out, and count what happened.
"""

from collections import Counter
from random import Random
from typing import NamedTuple

import apsw
from gateway.tests.world.disk import Disk
from gateway.tests.world.store import Operation, StoreFaults
from gateway.tests.world.virtual_time import VirtualTime

from signalpost.domain.errors import Unavailable


class CrashPlan(NamedTuple):
    """How one process ends, and what happens before."""

    how: str
    """One of: turns, seconds, write, sync, disk error, sync error, stop, replaced."""
    after: float
    """After how many turns, writes or syncs it ends; for a stop or a replacement, after how many seconds."""
    power_cut: float | None
    """Where the power fails with the process: the share of the unsynced sectors that is left."""
    full: tuple[float, float] | None
    """From when to when the disk is full, in seconds since the start."""
    clock_steps: tuple[tuple[float, int], ...]
    """When the wall clock is set, in seconds since the start, and by how many seconds."""
    stalls: float
    """The chance that a piece of the disk's work takes long."""
    unreadable: tuple[float, float] | None
    """From when to when reads of the log and records of lanes fail, in seconds since the start."""


HEALTHY = CrashPlan("stop", float("inf"), None, None, (), 0.0, None)
HOWS = {
    "turns": 5, "seconds": 3, "write": 3, "sync": 4, "disk error": 1, "sync error": 2, "stop": 2, "replaced": 1.5,
}  # fmt: skip
"""The ways in which a process may end, and how often each is drawn."""
DISK_ERRORS = ("disk error", "sync error")
AT_OPERATIONS = ("write", "sync", *DISK_ERRORS)


def draw(random: Random) -> CrashPlan:
    how = random.choices(tuple(HOWS), tuple(HOWS.values()))[0]
    after: float = {
        "turns": random.randrange(1, random.choice((30, 300, 3_000))),
        "write": random.randrange(1, random.choice((30, 300, 2_000))),
        "sync": random.randrange(1, random.choice((10, 60, 300))),
        "disk error": random.randrange(1, random.choice((60, 600, 3_000))),
        "sync error": random.randrange(1, random.choice((10, 60, 300))),
    }.get(how, random.uniform(0, random.choice((0.2, 3.0, 90.0, 400.0))))
    begin = random.uniform(0, 20)
    full = (begin, begin + random.choice((0.05, 1.0, 30.0))) if random.random() < 0.15 else None
    begin = random.uniform(0, 20)
    steps = tuple(
        (random.uniform(0, 100), random.choice((-3_600, -60, -1, 1, 60, 3_600)))
        for _ in range(random.choice((0, 0, 0, 1, 3)))
    )
    loses_power = how not in ("stop", "replaced") and random.random() < 0.4
    return CrashPlan(
        how=how,
        after=after,
        power_cut=random.choice((0.0, 0.5, 0.9)) if loses_power else None,
        full=full,
        clock_steps=steps,
        stalls=random.choice((0.0, 0.0, 0.05)),
        unreadable=(begin, begin + random.choice((0.1, 3.0))) if random.random() < 0.15 else None,
    )


class DiskFaults:
    """Fails the operations of a process's disk as its crash plan says."""

    def __init__(self, crash_plan: CrashPlan, disk: Disk, counts: Counter[str]) -> None:
        self._crash_plan = crash_plan
        self._disk = disk
        self._counts = counts
        self._operations = 0
        self.syncs = 0
        self.is_full = False
        self._has_failed = False
        disk.gate = self._gate

    def _gate(self, operation: str, kind: str, grows: bool) -> None:
        """Called before each operation of the disk; see `Disk`."""
        self._operations += 1
        self.syncs += operation == "sync"
        plan = self._crash_plan
        reached = self.syncs if plan.how in ("sync", "sync error") else self._operations
        if plan.how in AT_OPERATIONS and reached >= plan.after and not self._has_failed:
            self._fail(f"{operation} of {kind}")
        if self.is_full and grows and kind == "wal":
            self._counts["disk full"] += 1
            raise apsw.FullError

    def _fail(self, where: str) -> None:
        self._has_failed = True
        if self._crash_plan.how in DISK_ERRORS:
            self._counts[f"disk error at {where}"] += 1
        else:
            self._counts[f"crash at {where}"] += 1
            self._disk.dead = True
        raise apsw.IOError


UNREADABLE = (Operation.RECORD, Operation.PAGE, Operation.BODIES, Operation.LANES)
"""What may fail while the store is unreadable."""


class SimulatedError(Exception):
    """An error that no one foresaw."""

    def __str__(self) -> str:
        return "SimulatedError"


class PlannedStoreFaults(StoreFaults):
    """Fails reads and records of a process's store as its crash plan says."""

    def __init__(self, crash_plan: CrashPlan, random: Random, time: VirtualTime, counts: Counter[str]) -> None:
        self._random = random
        self._time = time
        self._counts = counts
        self._began_at = time.now
        # Not at the start: a process that cannot read its store does not start.
        self._window = crash_plan.unreadable and (max(0.1, crash_plan.unreadable[0]), crash_plan.unreadable[1])

    async def before(self, operation: Operation) -> None:
        if operation not in UNREADABLE or self._window is None:
            return
        age = self._time.now - self._began_at
        if self._window[0] <= age < self._window[1] and self._random.random() < 0.5:
            self._counts[f"error: {operation}"] += 1
            raise self._random.choice((Unavailable("busy"), SimulatedError(operation)))
