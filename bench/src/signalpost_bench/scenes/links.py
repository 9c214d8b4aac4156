"""What download links cost: two of the gateway's own in every event, against two that another system made."""

from msgspec.structs import replace

from signalpost_bench.harness import Stage
from signalpost_bench.results import Rows, Size
from signalpost_bench.scenes.flat import published

IMPORTED = "engine alone, flat out, two imported links in each event"
OWN = "the same with two of its own, signed for each"


def links(stage: Stage, size: Size, _: Rows) -> Rows:
    """Both of the same length."""
    with stage.engine(replace(stage.workload, versions="imported")) as engine:
        imported = published(stage, engine, size.events)
    with stage.engine(replace(stage.workload, versions="own")) as engine:
        own = published(stage, engine, size.events)
    return {IMPORTED: imported, OWN: replace(own, ratio=(own.rate or 0) / (imported.rate or 1))}
