"""The figures that a scene measures, and how those of several runs are combined."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace


class Stall(Struct, frozen=True, kw_only=True):
    """The event loop of the measured process was away for `ms`: what it did meanwhile, as far as it can be told."""

    ms: float
    ran_ms: float
    """The loop's own thread ran on a core: a long callback."""
    collected_ms: float
    """Python's garbage collector ran, on whichever thread."""
    no_core_ms: float
    """The thread could have run and had no core: another process, or another thread of this one, had it."""
    most_no_core_ms: float
    """`no_core_ms` of the thread that waited longest: if it held the interpreter's lock, the loop waited for it."""
    at_s: float
    """When it ended, on the monotonic clock, which all processes of a machine share."""
    threads: dict[str, str]
    """Where each thread of the process was while it lasted."""


class Figures(Struct, frozen=True, kw_only=True):
    """One row of the table; None if a figure does not apply."""

    rate: float | None = None
    """Deliveries (or requests) a second."""
    ratio: float | None = None
    """This row's figure divided by that of the row, or by the number, that the title names."""
    cpu_us: float | None = None
    """CPU time of the measured process for each delivery or request."""
    memory_mb: float | None = None
    """The peak of the resident memory."""
    disk_bytes: float | None = None
    """Bytes on disk for each delivery."""
    wal_mb: float | None = None
    """The peak size of the WAL."""
    p50_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    worst_ms: float | None = None
    start_s: float | None = None
    """Seconds from the start of the process until it is ready."""
    more: dict[str, float] = {}
    """Figures that only this row has, by names that include the unit."""
    stalls: tuple[Stall, ...] = ()
    """The longest stalls, the longest first."""
    broken: tuple[str, ...] = ()
    """A sentence for each bound that this row exceeds. The run fails for them, after its table was shown."""


Rows = Mapping[str, Figures]
"""What a scene measured, by the title of each row."""

STALLS_KEPT = 3
OVERTAKEN = "overtaken"
"""The name in `more` of how many deliveries were overtaken by a later one of their document, as loose order allows."""


def longest(stalls: Iterable[Stall]) -> tuple[Stall, ...]:
    """The `STALLS_KEPT` longest stalls, the longest first."""
    return tuple(sorted(stalls, key=lambda stall: -stall.ms)[:STALLS_KEPT])


def longest_ms(stalls: Sequence[Stall]) -> float:
    """The length of the longest stall; 0 if there was none."""
    return stalls[0].ms if stalls else 0.0


MIN_P99_MS = 100.0
MIN_ARRIVALS_FOR_P99 = 500
"""A 99th percentile of fewer arrivals says nothing, and is not judged."""
_WORST = ("worst_ms", "memory_mb", "wal_mb")
"""Figures of which the worst run counts, and not the median."""


class Size(Struct, frozen=True):
    """How long a scene goes on."""

    seconds: float
    """How long a steady scene lasts."""
    events: int
    """How many events a scene makes that runs flat out."""
    backlog: int
    """How many events are in the database that the scene `backlog` builds."""


def median(runs: Sequence[Figures]) -> Figures:
    """The runs as one row: the median of each figure, but the greatest of worst latency, memory and WAL."""

    def middle(name: str) -> float | None:
        values = [value for run in runs if (value := getattr(run, name)) is not None]
        return (max(values) if name in _WORST else statistics.median(values)) if values else None

    figures = {name: middle(name) for name in Figures.__struct_fields__ if name not in ("more", "stalls", "broken")}
    more = {name: statistics.median(run.more[name] for run in runs if name in run.more) for name in runs[0].more}
    stalls = longest(stall for run in runs for stall in run.stalls)
    broken = tuple(sentence for run in runs for sentence in run.broken)
    return Figures(**figures, more=more, stalls=stalls, broken=broken)


def latencies(took_ms: Sequence[float]) -> Figures:
    """The figures of a distribution."""
    ascending = sorted(took_ms)
    return Figures(
        p50_ms=share(ascending, 0.5),
        p99_ms=share(ascending, 0.99),
        p999_ms=share(ascending, 0.999),
        worst_ms=ascending[-1],
    )


def beside(alone: Figures, took_ms: Sequence[float], what: str) -> Figures:
    """The latencies beside `what`, compared with those alone: the p99 may be twice what it was, or `MIN_P99_MS` if that
    is more."""
    found = latencies(took_ms)
    before, now = alone.p99_ms or 0.0, found.p99_ms or 0.0
    most = max(2 * before, MIN_P99_MS)
    broken = (
        (f"beside {what} others had a p99 of {now:.1f} ms, and at most {most:.1f} ms are allowed",)
        if now > most and len(took_ms) >= MIN_ARRIVALS_FOR_P99
        else ()
    )
    return replace(found, ratio=now / (before or 1.0), broken=broken)


def share(ascending: Sequence[float], of: float) -> float:
    """The quantile: the value that this share of the values does not exceed."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * of))]
