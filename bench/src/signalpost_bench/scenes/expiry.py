"""Whether signature requests that expire together hold anybody up."""

from signalpost_bench.harness import Stage
from signalpost_bench.results import Rows, Size
from signalpost_bench.scenes.catch_up import LIVE, MAX_SECONDS, live_lane
from signalpost_bench.workload import SECRET

ASKED_A_SECOND = 2_000
"""So many are asked for even where the machine is slow."""
LEAST_SECONDS = 3.0
ALONE = "live lane, nothing expires"
BESIDE = "live lane, while every document's signature request expires"


def expiry(stage: Stage, size: Size, _: Rows) -> Rows:
    """Each expiry is a change with an event, which the workload's subscriptions get."""
    documents = stage.workload.documents
    due = documents * stage.workload.fan_out
    with stage.engine(stage.workload) as engine:
        engine.ask("add_live", url=stage.url + LIVE)
        alone = live_lane(stage, engine, 0, "create_at_rate", size.seconds)
        stage.sink.ask("forget", secret=SECRET)
        engine.ask("ask_to_sign", seconds=LEAST_SECONDS + documents / ASKED_A_SECOND)
        stage.expect(due)
        return {ALONE: alone, BESIDE: live_lane(stage, engine, due, "expire", MAX_SECONDS)}
