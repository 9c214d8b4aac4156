"""What a world is like. Its plan is drawn from its seed, before anything happens in it."""

from random import Random
from typing import NamedTuple

from gateway.tests.simulation.receivers import BEHAVIOURS

from signalpost.domain.delivery.lane_bounds import BOUNDS, Bounds
from signalpost.sharing.slots import DEFAULTS, Limits

SMALL = Bounds(max_open=6, max_open_per_document=2, max_exceptions=8, retries_kept=2, retries_loaded=3, replays_below=3)
"""The bounds of a lane that keeps next to nothing in memory, so that a small world meets what a large one does."""

REST_AFTER = (0.5, 5.0, 300.0)
"""Seconds after which lanes rest."""


class Plan(NamedTuple):
    """The size of a world, and the habits of those in it."""

    tenants: int
    endpoints: tuple[str, ...]
    """How each endpoint behaves at first; see `BEHAVIOURS`."""
    writes_most: int
    documents_most: int
    bursts: tuple[int, ...]
    pauses: tuple[float, ...]
    """The seconds between two things that a client does."""
    owners: int
    writers: int
    processes: int
    """How many processes something happens to, before the one in which all is well."""
    cache_bytes: int
    commit_seconds: float
    """About how long a commit takes."""
    bounds: Bounds
    limits: Limits
    facts: int
    """How many additional facts of 4 KB each document has: a few fill the WAL."""
    days: int
    """After how many days the retention takes events, and a subscription that only fails is disabled."""
    downtimes: tuple[float, ...]
    """The seconds between a process and the next."""

    @property
    def rest_after(self) -> float:
        """After how many seconds without anything to do a lane rests. It follows from all else, so that a seed's world
        is as it was before lanes rested."""
        return Random(repr(self)).choice(REST_AFTER)


def draw(random: Random) -> Plan:
    shape = random.random()
    if shape < 0.06:
        endpoints = (*random.choices(("dead", "slow", "broken"), k=random.randrange(20, 45)), "well", "well")
    elif shape < 0.3:
        endpoints = ("well",) * random.randrange(1, 4)
    else:
        endpoints = tuple(random.choices(tuple(BEHAVIOURS), k=random.randrange(1, 9)))
    leaps = random.random() < 0.2
    return Plan(
        tenants=random.choice((1, 1, 1, 2, 3)),
        endpoints=endpoints,
        writes_most=random.choice((20, 60, 100, 200, 400)) if len(endpoints) < 12 else 30,
        documents_most=random.choice((1, 3, 12, 40)),
        bursts=random.choice(((1,), (1, 2, 5), (1, 8, 30))),
        pauses=random.choice(((0.001, 0.02), (0.001, 0.02, 0.5), (0.02, 0.5, 12.0), (0.5, 12.0, 70.0))),
        owners=random.choice((0, 1, 1, 2, 3)),
        writers=random.choice((1, 2, 4)),
        processes=random.choice((0, 1, 2, 3, 3, 4, 5)),
        cache_bytes=random.choice((1, 3_000, 20_000, 64_000_000)),
        commit_seconds=random.choice((0.0002, 0.002, 0.02)),
        bounds=random.choice((BOUNDS, SMALL)),
        limits=random.choice((DEFAULTS, DEFAULTS, Limits(process=32, tenant=16, endpoint=8), Limits(process=8))),
        facts=random.choice((0,) * 15 + (8,)),
        days=1 if leaps else 30,
        downtimes=(1.0, 3_600.0, 40_000.0, 130_000.0) if leaps else (0.0, 0.0, 1.0, 50.0, 3_600.0),
    )
