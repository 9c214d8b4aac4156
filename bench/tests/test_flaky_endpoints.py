"""The sink's endpoints that are down at times: what is seen of them."""

import pytest

from signalpost_bench.flaky_endpoints import FLAP_SECONDS, STEP_SECONDS, EndpointCounts, FlakyEndpoints


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flaky(clock: Clock) -> FlakyEndpoints:
    return FlakyEndpoints(clock.now)


def test_what_comes_while_an_endpoint_is_down_is_counted(flaky: FlakyEndpoints) -> None:
    flaky.be("down", 0.0)
    assert [flaky.is_down(number) for number in range(3)] == [True, True, True]
    assert flaky.seen().wasted == 3
    flaky.be("up", 0.0)
    assert not flaky.is_down(0)
    assert flaky.seen().wasted == 0


def test_each_is_up_as_long_as_it_is_down_and_they_do_not_change_together(flaky: FlakyEndpoints, clock: Clock) -> None:
    flaky.be("flapping", 0.0)
    seen = []
    for _ in range(40):
        seen.append([flaky.is_down(number) for number in range(10)])
        clock.seconds += FLAP_SECONDS / 10
    for number in range(10):
        assert sum(down[number] for down in seen) == 20
    assert all(any(down) and not all(down) for down in seen)


def test_twice_as_many_at_once_in_each_step_are_within_bounds(flaky: FlakyEndpoints, clock: Clock) -> None:
    for at_once in (1, 2, 4):
        for _ in range(at_once):
            flaky.come(0)
        for _ in range(at_once):
            flaky.answered(0)
        clock.seconds += STEP_SECONDS
    assert flaky.seen() == EndpointCounts(0, [1, 2, 4], 0, clock.seconds - STEP_SECONDS)


def test_one_more_is_not(flaky: FlakyEndpoints, clock: Clock) -> None:
    flaky.come(0)
    flaky.come(1)
    flaky.come(0)
    assert flaky.seen() == EndpointCounts(0, [2], 1, clock.seconds)
    flaky.answered(0)
    clock.seconds += STEP_SECONDS
    flaky.come(0)
    flaky.come(0)
    assert flaky.seen() == EndpointCounts(0, [2, 3], 2, clock.seconds)
