"""Whether the removal of what is too old holds anybody up."""

import time

from msgspec.structs import replace

from signalpost_bench import aged_database
from signalpost_bench.child_process import PartFailed
from signalpost_bench.harness import Stage
from signalpost_bench.results import Rows, Size
from signalpost_bench.scenes.catch_up import LIVE, MAX_SECONDS, live_lane

ALONE = "live lane, nothing to remove"
BESIDE = "live lane, while the retention removes what is too old"


def retention(stage: Stage, size: Size, _: Rows) -> Rows:
    """All of a used database is older than the retention: events, an attempt for each, parked and failed deliveries."""
    with stage.folder() as made:
        folder = made / "old"
        aged_database.build_database(folder, size.backlog, stage.workload, age=2 * aged_database.MONTH)
        aged_database.deliver_all(folder, size.backlog)
        aged_database.forget_cached(folder)  # nobody has read for long what is too old
        with stage.engine(stage.workload, folder=folder) as engine:
            engine.ask("add_live", url=stage.url + LIVE)
            alone = live_lane(stage, engine, 0, "create_at_rate", size.seconds)
            began = time.monotonic()
            beside = live_lane(stage, engine, 0, "remove_old", MAX_SECONDS)
            seconds = time.monotonic() - began
            if engine.ask("floor") != size.backlog + 1:
                raise PartFailed("the retention did not remove all that is too old")
    removed = {"events removed": float(size.backlog), "a second": size.backlog / seconds}
    return {ALONE: alone, BESIDE: replace(beside, more=beside.more | removed)}
