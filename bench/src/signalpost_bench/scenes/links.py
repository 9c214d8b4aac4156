"""What download links cost: two of the gateway's own in every event, against two that another system made."""

from msgspec.structs import replace

from signalpost_bench.harness import Harness
from signalpost_bench.results import Rows, Size
from signalpost_bench.scenes.throughput import published

IMPORTED = "engine alone, flat out, two imported links in each event"
OWN = "the same with two of its own, signed for each"


def links(harness: Harness, size: Size, _: Rows) -> Rows:
    """Both kinds of links are of the same length."""
    with harness.engine(replace(harness.workload, versions="imported")) as engine:
        imported = published(harness, engine, size.events)
    with harness.engine(replace(harness.workload, versions="own")) as engine:
        own = published(harness, engine, size.events)
    return {IMPORTED: imported, OWN: replace(own, ratio=(own.rate or 0) / (imported.rate or 1))}
