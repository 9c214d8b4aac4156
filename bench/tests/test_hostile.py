"""The scene of hostile endpoints runs, and tells that they were there."""

import pytest

from signalpost_bench.child_process import RunFailed
from signalpost_bench.harness import Harness
from signalpost_bench.results import Size
from signalpost_bench.scenes import hostile
from signalpost_bench.workload import Workload


def test_a_small_run_delivers_everything_that_is_due_to_the_others_and_visits_all_that_are_bad() -> None:
    with Harness(Workload(documents=100), None, tls=False) as harness:
        rows = hostile.hostile(harness, Size(seconds=1.0, events=0, backlog=500), {})
    assert list(rows) == [hostile.ALONE, hostile.BESIDE, hostile.WELL]
    assert rows[hostile.ALONE].p99_ms
    assert rows[hostile.BESIDE].p99_ms
    assert rows[hostile.WELL].rate
    assert all(rows[hostile.WELL].more[hostile.attempts_at(how)] > 0 for how in hostile.BAD)


def test_a_run_in_which_nothing_was_sent_to_some_of_them_does_not_count() -> None:
    hostile.check_visited({"hole": 1, "drip": 1, "late": 1})
    with pytest.raises(RunFailed, match="that never end their answer, or that answer after"):
        hostile.check_visited({"hole": 1, "drip": 0})
