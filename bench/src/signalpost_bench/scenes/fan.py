"""What publishing costs by how many subscriptions want what is published, up to the answer."""

import statistics
from contextlib import AbstractContextManager

from msgspec.structs import replace

from signalpost_bench.harness import EngineProcess, Stage
from signalpost_bench.results import Measured, Rows, Size
from signalpost_bench.workload import SECRET

MANY = 100
MAX_AT_ONCE = 256
"""Changes submitted together: one commit."""
MAX_BATCHES = 12
TO_ONE = "publishing to 1 subscription"
TO_MANY = f"publishing to {MANY} subscriptions, against to 1"


def publish(stage: Stage, size: Size, _: Rows) -> Rows:
    """Equal batches to one subscription and to a hundred in turns, each once all of the one before was delivered."""
    at_once = min(MAX_AT_ONCE, size.events // 10)
    batches = max(1, min(MAX_BATCHES, size.events // at_once // 10))
    with _engine(stage, 1) as to_one, _engine(stage, MANY) as to_many:
        took = [(_batch(stage, to_one, 1, at_once), _batch(stage, to_many, MANY, at_once)) for _ in range(batches)]
    one, many = (statistics.median(seconds) / at_once for seconds in zip(*took, strict=True))
    return {TO_ONE: Measured(rate=1 / one), TO_MANY: Measured(rate=1 / many, ratio=many / one)}


def _engine(stage: Stage, subscriptions: int) -> AbstractContextManager[EngineProcess]:
    return stage.engine(replace(stage.workload, endpoints=subscriptions, fan_out=subscriptions))


def _batch(stage: Stage, engine: EngineProcess, subscriptions: int, at_once: int) -> float:
    """The seconds until all of a batch was answered, right after one that nobody timed: this engine was just idle."""
    stage.sink.ask("forget", secret=SECRET)
    seconds = 0.0
    for number in (1, 2):
        seconds = engine.ask("publish_at_once", events=at_once)
        stage.expect(at_once * subscriptions * number)
    stage.check(at_once * subscriptions * 2)
    return seconds
