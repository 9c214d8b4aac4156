"""Objectives: what may be one, what is left of an error budget, and when it burns."""

from typing import Any

import pytest

from signalpost.domain.body import check_of
from signalpost.domain.checks import Bad, Several
from signalpost.domain.objective import (
    MIN_LATE,
    Objective,
    Tally,
    burn_rate,
    error_budget,
    is_burning,
)

NINETY_NINE = Objective(share=0.99, within=60)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("within", [1, 60, 86_400])
def test_an_objective_is_a_share_and_a_time(share: float, within: int) -> None:
    assert check_of(Objective)({"share": share, "within": within}) == Objective(share=share, within=within)


@pytest.mark.parametrize(
    ("member", "value"),
    [("share", each) for each in (0, 0.49, 1, 1.0, 0.99999, 99, -1, "0.99", None, True, float("nan"))]
    + [("within", each) for each in (0, -1, 0.5, 86_401, "60", None, True)],
)
def test_an_objective_that_cannot_be_is_refused_by_its_member(member: str, value: Any) -> None:
    with pytest.raises((Bad, Several)) as refused:
        check_of(Objective)({"share": 0.99, "within": 60, member: value})
    assert isinstance(refused.value, Several)
    assert [bad.below for bad in refused.value.bads] == [(member,)]


@pytest.mark.parametrize(
    ("tally", "budget"),
    [
        (Tally(0, 0), (None, 0.0, 1.0)),
        (Tally(1000, 0), (1.0, pytest.approx(10), 1.0)),
        (Tally(995, 5), (0.995, pytest.approx(10), pytest.approx(0.5))),
        (Tally(990, 10), (0.99, pytest.approx(10), pytest.approx(0))),
        (Tally(970, 30), (0.97, pytest.approx(10), pytest.approx(-2))),
        (Tally(0, 1), (0.0, pytest.approx(0.01), pytest.approx(-99))),
    ],
)
def test_the_budget_is_the_share_that_may_be_late(tally: Tally, budget: tuple[Any, Any, Any]) -> None:
    assert error_budget(NINETY_NINE, tally) == budget


def test_a_rate_of_one_uses_the_budget_up_exactly() -> None:
    assert burn_rate(NINETY_NINE, Tally(99, 1)) == pytest.approx(1)
    assert burn_rate(NINETY_NINE, Tally(0, 0)) == 0


@pytest.mark.parametrize(
    ("hour", "minutes", "burns"),
    [
        (Tally(80, 20), Tally(8, 2), True),
        (Tally(80, 20), Tally(10, 0), False),  # it is over
        (Tally(990, 10), Tally(0, 10), False),  # it has only begun
        (Tally(850, 150), Tally(85, 15), True),
        (Tally(860, 140), Tally(86, 14), False),  # slowly
        (Tally(0, MIN_LATE - 1), Tally(0, MIN_LATE - 1), False),  # too few to tell
        (Tally(0, MIN_LATE), Tally(0, MIN_LATE), True),
        (Tally(0, 0), Tally(0, 0), False),
        (Tally(0, 9), Tally(0, 0), False),
    ],
)
def test_a_budget_burns_if_an_hour_and_its_last_minutes_say_so(hour: Tally, minutes: Tally, *, burns: bool) -> None:
    assert is_burning(NINETY_NINE, hour, minutes) is burns


def test_a_low_objective_burns_too() -> None:
    half = Objective(share=0.5, within=60)
    assert is_burning(half, Tally(0, 100), Tally(0, 10))
    assert not is_burning(half, Tally(20, 80), Tally(0, 10))
