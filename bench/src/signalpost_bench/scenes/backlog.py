"""Whether what lies in the database slows anybody down: a long log behind a paused subscription, waiting and failed
deliveries by the hundred thousand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from signalpost_bench import aged_database
from signalpost_bench.harness import Harness
from signalpost_bench.resource_monitor import MB
from signalpost_bench.results import Figures, Rows, Size
from signalpost_bench.scenes.throughput import ENGINE, published
from signalpost_bench.workload import SECRET

WAITING = 10
"""Events that the live subscription has yet to get when the gateway starts."""
BESIDE = "engine alone, beside a backlog, against flat out"
COLD = "a gateway's start with a backlog, nothing cached"
LIVE = "/live"


def backlog(harness: Harness, size: Size, earlier: Rows) -> Rows:
    """The other lanes' rate, and what a start takes when the disk has to be read."""
    with _database(harness, size.backlog) as folder:
        aged_database.point(folder, harness.url, "paused", 0)
        with harness.engine(harness.workload, folder=folder) as engine:
            beside = published(harness, engine, size.events)
        cold = _start(harness, folder)
    lies = {
        "events behind": float(size.backlog),
        "awaiting retry or failed": float(aged_database.exceptions_of(size.backlog)),
    }
    return {
        BESIDE: replace(beside, ratio=(beside.rate or 0) / (earlier[ENGINE].rate or 1), more=beside.more | lies),
        COLD: cold,
    }


def _start(harness: Harness, folder: Path) -> Figures:
    """Seconds until the gateway is ready, and until the first event that waits for the live subscription arrives."""
    aged_database.point(folder, harness.url + LIVE, "active", WAITING)
    aged_database.forget_cached(folder)
    harness.sink.ask("forget", secret=SECRET, timed=LIVE)
    with harness.gateway(folder) as gateway:
        harness.expect(WAITING)
        found = harness.check(WAITING)
        memory = gateway.monitor.usage().memory
    first = min(at for _, at in found["arrived"])
    return Figures(
        start_s=gateway.start_seconds,
        memory_mb=memory / MB,
        more={"first delivery s": (first - gateway.began) / 1e9},
    )


@contextmanager
def _database(harness: Harness, events: int) -> Iterator[Path]:
    """The database's folder: the one that the user named, if it is kept, or else one that goes with the scene."""
    if harness.place is not None:
        folder = harness.place / f"backlog-{events}-{harness.workload.payload}"
        if not folder.exists():
            aged_database.build_database(folder, events, harness.workload)
        yield folder
        return
    with harness.folder() as made:
        aged_database.build_database(made / "backlog", events, harness.workload)
        yield made / "backlog"
