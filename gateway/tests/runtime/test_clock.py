"""A clock that follows a database's: it takes its time over at first, and then never jumps."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.timestamps import SECOND
from signalpost.runtime.clock import MAX_ADJUSTED_AT_ONCE, MAX_ADJUSTMENT, DatabaseClock

START = 1_800_000_000 * SECOND
HOUR = 3_600 * SECOND


class Machine:
    """A machine whose own clock may be wrong."""

    def __init__(self, wrong_by: int = 0) -> None:
        self.now = 5 * SECOND
        self.clock = DatabaseClock(lambda: self.now, lambda: START + self.now + wrong_by)

    def true(self, wrong_by: int = 0) -> int:
        """What a database says whose clock is wrong by so much."""
        return START + self.now + wrong_by

    def beat(self, database_is_wrong_by: int = 0, took: int = 2_000, seconds: float = 2.0) -> None:
        self.now += round(seconds * SECOND)
        self.clock.hear(self.true(database_is_wrong_by) - took // 2, took)


@pytest.mark.parametrize("wrong_by", [-HOUR, 0, HOUR])
def test_nodes_whose_clocks_differ_have_the_same_time_from_their_first_beat_on(wrong_by: int) -> None:
    machine = Machine(wrong_by)
    machine.clock.steady()
    machine.beat()
    assert machine.clock.steady() == machine.clock.wall() == machine.true()


@pytest.mark.parametrize("answered_after", [0, 0.5, 1])
def test_a_machine_that_is_right_stays_right_however_long_its_first_beat_takes(answered_after: float) -> None:
    """The database may have looked at its clock at any moment of the beat."""
    machine, took = Machine(), 3 * SECOND
    machine.now += took
    machine.clock.hear(machine.true() - round(took * answered_after), took)
    assert machine.clock.steady() == machine.true()


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_database_whose_clock_is_set_moves_no_due_time(step: int) -> None:
    """A standby with another clock took its place, for instance."""
    machine = Machine()
    machine.beat()
    before = machine.clock.steady()
    for _ in range(50):
        machine.beat(step)
    passed = machine.clock.steady() - before
    assert abs(passed - 100 * SECOND) <= 100 * SECOND * MAX_ADJUSTMENT
    assert abs(machine.clock.steady() - machine.true()) == pytest.approx(100 * SECOND * MAX_ADJUSTMENT, rel=0.1)


def test_a_clock_that_drifts_is_kept_near_the_databases() -> None:
    machine = Machine()
    machine.beat()
    for beat in range(2_000):
        drift = beat * 200  # µs: 100 ppm, a common crystal's
        machine.beat(drift)
        assert abs(machine.clock.steady() - machine.true(drift)) <= 2_000


def test_after_an_outage_it_is_not_adjusted_for_all_of_it_at_once() -> None:
    machine = Machine()
    machine.beat()
    machine.beat(HOUR, seconds=7_200)
    assert machine.clock.steady() - machine.true() == MAX_ADJUSTED_AT_ONCE


def test_an_answer_that_took_long_says_nothing() -> None:
    machine = Machine()
    machine.beat()
    machine.beat(HOUR, took=5 * SECOND)
    assert machine.clock.steady() == machine.true()


@given(st.lists(st.tuples(st.integers(-HOUR, HOUR), st.integers(0, 3 * SECOND), st.floats(0, 30)), max_size=20))
def test_it_never_goes_back(beats: list[tuple[int, int, float]]) -> None:
    machine = Machine()
    machine.beat()
    seen = [machine.clock.steady()]
    for wrong_by, took, seconds in beats:
        machine.beat(wrong_by, took, seconds)
        seen.append(machine.clock.steady())
    assert all(earlier <= later for earlier, later in pairwise(seen))
