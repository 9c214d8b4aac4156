"""The scene of hostile endpoints: it runs, and its bound is held."""

import pytest

from signalpost.bench.measured import Size
from signalpost.bench.parts import PartFailed
from signalpost.bench.scenes import hostile
from signalpost.bench.stage import Stage
from signalpost.bench.workload import Workload


@pytest.mark.parametrize(("alone", "beside"), [(2.0, 100.0), (80.0, 160.0)])
def test_twice_what_it_was_or_a_tenth_of_a_second_is_allowed(alone: float, beside: float) -> None:
    hostile.judge(alone, beside)


@pytest.mark.parametrize(("alone", "beside"), [(2.0, 100.1), (80.0, 160.1)])
def test_more_fails_the_run(alone: float, beside: float) -> None:
    with pytest.raises(PartFailed, match="the other tenant's p99"):
        hostile.judge(alone, beside)


def test_a_small_run_delivers_everything_that_is_due_to_the_others() -> None:
    with Stage(Workload(documents=100), None, tls=False) as stage:
        rows = hostile.hostile(stage, Size(seconds=1.0, events=0, backlog=500), {})
    assert list(rows) == [hostile.ALONE, hostile.BESIDE]
    assert all(row.p99_ms for row in rows.values())
