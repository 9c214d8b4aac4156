"""Whether signature requests that expire together hold anybody up."""

from signalpost_bench.harness import Harness
from signalpost_bench.results import Rows, Size
from signalpost_bench.scenes.catch_up import LIVE, MAX_SECONDS, live_lane
from signalpost_bench.workload import SECRET

ASKED_A_SECOND = 2_000
"""How many expiries are asked for, however slow the machine is."""
LEAST_SECONDS = 3.0
ALONE = "live lane, nothing expires"
BESIDE = "live lane, while every document's signature request expires"


def expiry(harness: Harness, size: Size, _: Rows) -> Rows:
    """Let many requests expire together. Each expiry is a change whose event the workload's subscriptions get."""
    documents = harness.workload.documents
    due = documents * harness.workload.fan_out
    with harness.engine(harness.workload) as engine:
        engine.ask("add_live", url=harness.url + LIVE)
        alone = live_lane(harness, engine, 0, "create_at_rate", size.seconds)
        harness.sink.ask("forget", secret=SECRET)
        engine.ask("ask_to_sign", seconds=LEAST_SECONDS + documents / ASKED_A_SECOND)
        harness.expect(due)
        return {ALONE: alone, BESIDE: live_lane(harness, engine, due, "expire", MAX_SECONDS)}
