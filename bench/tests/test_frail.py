"""The sink's endpoints that are down at times: what is seen of them."""

import pytest

from signalpost_bench.flaky_endpoints import FLAP_SECONDS, STEP_SECONDS, Frail, Seen


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def frail(clock: Clock) -> Frail:
    return Frail(clock.now)


def test_what_comes_while_an_endpoint_is_down_is_counted(frail: Frail) -> None:
    frail.be("down", 0.0)
    assert [frail.is_down(number) for number in range(3)] == [True, True, True]
    assert frail.seen().wasted == 3
    frail.be("up", 0.0)
    assert not frail.is_down(0)
    assert frail.seen().wasted == 0


def test_each_is_up_as_long_as_it_is_down_and_they_do_not_change_together(frail: Frail, clock: Clock) -> None:
    frail.be("flapping", 0.0)
    seen = []
    for _ in range(40):
        seen.append([frail.is_down(number) for number in range(10)])
        clock.seconds += FLAP_SECONDS / 10
    for number in range(10):
        assert sum(down[number] for down in seen) == 20
    assert all(any(down) and not all(down) for down in seen)


def test_twice_as_many_at_once_in_each_step_are_within_bounds(frail: Frail, clock: Clock) -> None:
    for at_once in (1, 2, 4):
        for _ in range(at_once):
            frail.come(0)
        for _ in range(at_once):
            frail.answered(0)
        clock.seconds += STEP_SECONDS
    assert frail.seen() == Seen(0, [1, 2, 4], 0, clock.seconds - STEP_SECONDS)


def test_one_more_is_not(frail: Frail, clock: Clock) -> None:
    frail.come(0)
    frail.come(1)
    frail.come(0)
    assert frail.seen() == Seen(0, [2], 1, clock.seconds)
    frail.answered(0)
    clock.seconds += STEP_SECONDS
    frail.come(0)
    frail.come(0)
    assert frail.seen() == Seen(0, [2, 3], 2, clock.seconds)
