"""Whether the removal of what is too old holds anybody up."""

from msgspec.structs import replace

from signalpost_bench import aged_database
from signalpost_bench.child_process import RunFailed
from signalpost_bench.harness import Harness
from signalpost_bench.results import Rows, Size
from signalpost_bench.scenes.catch_up import LIVE, MAX_SECONDS, live_lane

ALONE = "live lane, nothing to remove"
BESIDE = "live lane, while the retention removes what is too old"


def retention(harness: Harness, size: Size, _: Rows) -> Rows:
    """Everything in a used database is older than the retention: events, an attempt of each, retries and failures."""
    with harness.folder() as made:
        folder = made / "old"
        aged_database.build_database(folder, size.backlog, harness.workload, age_us=2 * aged_database.MONTH_US)
        aged_database.deliver_all(folder, size.backlog)
        aged_database.forget_cached(folder)  # what is too old has not been read for long
        with harness.engine(harness.workload, folder=folder) as engine:
            engine.ask("add_live", url=harness.url + LIVE)
            alone = live_lane(harness, engine, 0, "create_at_rate", size.seconds)
            beside = live_lane(harness, engine, 0, "remove_old", MAX_SECONDS, up_to=size.backlog)
            if engine.ask("oldest") != size.backlog + 1:
                raise RunFailed("the retention did not remove all that is too old")
            seconds = engine.ask("removal_seconds")
    removed = {"events removed": float(size.backlog), "a second": size.backlog / seconds}
    return {ALONE: alone, BESIDE: replace(beside, more=beside.more | removed)}
