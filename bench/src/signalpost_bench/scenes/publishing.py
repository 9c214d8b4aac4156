"""Measures how long a change takes to be answered, by the number of subscriptions that want its event."""

import statistics
from contextlib import AbstractContextManager

from msgspec.structs import replace

from signalpost_bench.harness import EngineProcess, Harness
from signalpost_bench.results import Figures, Rows, Size
from signalpost_bench.workload import SECRET

MANY = 100
MAX_AT_ONCE = 256
"""Changes submitted together: one commit."""
MAX_BATCHES = 12
TO_ONE = "publishing to 1 subscription"
TO_MANY = f"publishing to {MANY} subscriptions, against to 1"


def publish(harness: Harness, size: Size, _: Rows) -> Rows:
    """Publish equal batches to one subscription and to a hundred in turns, each after all of the last was delivered."""
    at_once = min(MAX_AT_ONCE, size.events // 10)
    batches = max(1, min(MAX_BATCHES, size.events // at_once // 10))
    with _engine(harness, 1) as to_one, _engine(harness, MANY) as to_many:
        took = [(_batch(harness, to_one, 1, at_once), _batch(harness, to_many, MANY, at_once)) for _ in range(batches)]
    one, many = (statistics.median(seconds) / at_once for seconds in zip(*took, strict=True))
    return {TO_ONE: Figures(rate=1 / one), TO_MANY: Figures(rate=1 / many, ratio=many / one)}


def _engine(harness: Harness, subscriptions: int) -> AbstractContextManager[EngineProcess]:
    return harness.engine(replace(harness.workload, endpoints=subscriptions, fan_out=subscriptions))


def _batch(harness: Harness, engine: EngineProcess, subscriptions: int, at_once: int) -> float:
    """The seconds until a batch was answered. An untimed one goes before it, because this engine was idle until now."""
    harness.sink.ask("forget", secret=SECRET)
    seconds = 0.0
    for number in (1, 2):
        seconds = engine.ask("publish_at_once", events=at_once)
        harness.expect(at_once * subscriptions * number)
    harness.check(at_once * subscriptions * 2)
    return seconds
