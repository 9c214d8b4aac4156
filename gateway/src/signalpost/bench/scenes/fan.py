"""What publishing costs by how many subscriptions want what is published, up to the answer."""

import statistics

from msgspec.structs import replace

from signalpost.bench.measured import Measured, Rows, Size
from signalpost.bench.stage import EngineProcess, Stage
from signalpost.bench.workload import SECRET

MANY = 100
AT_ONCE_MOST = 256
"""Changes submitted together: one commit."""
BATCHES_MOST = 12
TO_ONE = "publishing to 1 subscription"
TO_MANY = f"publishing to {MANY} subscriptions, against to 1"


def publish(stage: Stage, size: Size, _: Rows) -> Rows:
    """Equal batches to one subscription and to a hundred, each batch once all of the one before was delivered."""
    to_one, to_many = (_each(stage, size, subscriptions) for subscriptions in (1, MANY))
    return {
        TO_ONE: Measured(rate=1 / to_one),
        TO_MANY: Measured(rate=1 / to_many, ratio=to_many / to_one),
    }


def _each(stage: Stage, size: Size, subscriptions: int) -> float:
    """The seconds of each change until all of its batch is answered, the median over the batches."""
    at_once = min(AT_ONCE_MOST, size.events // 10)
    batches = max(1, min(BATCHES_MOST, size.events // at_once // 10))
    workload = replace(stage.workload, endpoints=subscriptions, fan_out=subscriptions)
    with stage.engine(workload) as engine:
        stage.sink.ask("forget", secret=SECRET)
        seconds = [_batch(stage, engine, subscriptions, at_once, number) for number in range(1, batches + 2)]
        stage.check(at_once * subscriptions * (batches + 1))
    return statistics.median(seconds[1:]) / at_once


def _batch(stage: Stage, engine: EngineProcess, subscriptions: int, at_once: int, number: int) -> float:
    seconds: float = engine.ask("publish_at_once", events=at_once)
    stage.expect(at_once * subscriptions * number)
    return seconds
