"""The scene of hostile endpoints runs."""

from signalpost.bench.measured import Size
from signalpost.bench.scenes import hostile
from signalpost.bench.stage import Stage
from signalpost.bench.workload import Workload


def test_a_small_run_delivers_everything_that_is_due_to_the_others() -> None:
    with Stage(Workload(documents=100), None, tls=False) as stage:
        rows = hostile.hostile(stage, Size(seconds=1.0, events=0, backlog=500), {})
    assert list(rows) == [hostile.ALONE, hostile.BESIDE]
    assert all(row.p99_ms for row in rows.values())
