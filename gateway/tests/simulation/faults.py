"""What goes wrong in a process: how it ends, and what its disk and its clock do meanwhile. Counts what did.

Each life of a process has one `Doom`, drawn before it begins. Its moments are turns of the event loop, seconds, or
operations of the disk, so that a crash comes at any await, write and sync.
"""

from collections import Counter
from random import Random
from typing import NamedTuple

import apsw
from gateway.tests.simulation.disk import Disk


class Doom(NamedTuple):
    """How one process ends, and what happens before."""

    how: str
    """turns, seconds, write, sync, disk error, sync error, stop, replaced."""
    after: float
    """So many of them; of `stop` and `replaced`, seconds."""
    power_cut: float | None
    """The share of the unsynced sectors that is left, where the power goes with it."""
    full: tuple[float, float] | None
    """From when to when the disk is full, seconds."""
    clock_steps: tuple[tuple[float, int], ...]
    """When, and by how many seconds the wall clock is set."""
    stalls: float
    """The chance that a work of the disk takes long."""
    unreadable: tuple[float, float] | None
    """From when to when the log cannot be read, nor a lane recorded, seconds."""


HEALTHY = Doom("stop", float("inf"), None, None, (), 0.0, None)
HOWS = {
    "turns": 5, "seconds": 3, "write": 3, "sync": 4, "disk error": 1, "sync error": 2, "stop": 2, "replaced": 1.5,
}  # fmt: skip
"""How a process may end, and how often it does."""


def draw(random: Random) -> Doom:
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
    return Doom(
        how=how,
        after=after,
        power_cut=random.choice((0.0, 0.5, 0.9)) if loses_power else None,
        full=full,
        clock_steps=steps,
        stalls=random.choice((0.0, 0.0, 0.05)),
        unreadable=(begin, begin + random.choice((0.1, 3.0))) if random.random() < 0.15 else None,
    )


class Faults:
    """What a life's disk does, as its doom says."""

    def __init__(self, doom: Doom, random: Random, counts: Counter[str]) -> None:
        self._doom = doom
        self._random = random
        self._counts = counts
        self.operations = 0
        self.syncs = 0
        self.is_full = False
        self.disk: Disk | None = None
        self.last_trouble = 0.0
        self.failed_operation = False
        self._after_next_sync = False

    def gate(self, operation: str, kind: str, grows: bool) -> None:
        """Asked before each operation of the disk."""
        self.operations += 1
        doom = self._doom
        if operation == "sync":
            self.syncs += 1
        reached = self.syncs if doom.how in ("sync", "sync error") else self.operations
        if (
            doom.how in ("write", "sync", "disk error", "sync error")
            and reached >= doom.after
            and not self.failed_operation
        ):
            self._fail(f"{operation} of {kind}")
        if self.is_full and grows and kind == "wal":
            self._counts["disk full"] += 1
            raise apsw.FullError

    def _fail(self, where: str) -> None:
        self.failed_operation = True
        assert self.disk is not None
        if self._doom.how in ("disk error", "sync error"):
            self._counts[f"disk error at {where}"] += 1
        else:
            self._counts[f"crash at {where}"] += 1
            self.disk.dead = True
        raise apsw.IOError
