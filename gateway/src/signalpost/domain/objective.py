"""What a subscription promises: a share of its events within so many seconds. And what is left of the rest.

An event counts once, when its first run ends: on time if it was delivered within the seconds, late if it was delivered
after them or given up. Time begins when the event is due: at its making, or at the end of the subscription's delay.
What waits is not counted yet, and a skip, a replay and a test never are.

The error budget is the share that may be late, of the events of the last 30 days. It burns at a rate of 1 if so many
are late that it lasts exactly as long.
"""

from typing import Annotated, Final, NamedTuple

from msgspec import Meta

from signalpost.domain.body import Body

WINDOW_DAYS: Final = 30
"""The days of which the error budget is a share."""
FAST_BURN: Final = 14.4
"""The rate at which 2 % of the budget are gone within an hour."""
MIN_LATE: Final = 5
"""Fewer late events in an hour burn nothing, whatever their share: on a quiet subscription one is a large one."""


class Objective(Body, frozen=True, kw_only=True):
    """The share of events that are to arrive within some seconds."""

    share: Annotated[
        float,
        Meta(
            ge=0.5,
            le=0.9999,
            description="The share of events that are to arrive in time, such as 0.99. It cannot be 1: the rest is the "
            "error budget.",
        ),
    ]
    within: Annotated[
        int, Meta(ge=1, le=86_400, description="Seconds from an event, or from the end of its delay, to its delivery.")
    ]


class Tally(NamedTuple):
    """How many events of a time arrived in time, and how many did not."""

    on_time: int
    late: int

    @property
    def ended(self) -> int:
        """How many were delivered or given up."""
        return self.on_time + self.late


class ErrorBudget(NamedTuple):
    """How much of an objective's error budget is used."""

    achieved: float | None
    """The share that arrived in time; None if no event ended."""
    allowed: float
    """How many of the events may be late."""
    left: float
    """The part of the budget that is left: 1 if no event was late, 0 if as many were as may be; below 0 if more."""


def error_budget(objective: Objective, tally: Tally) -> ErrorBudget:
    """The budget of the window in which these events ended."""
    allowed = tally.ended * (1 - objective.share)
    if not tally.ended:
        return ErrorBudget(None, 0.0, 1.0)
    return ErrorBudget(tally.on_time / tally.ended, allowed, 1 - tally.late / allowed)


def burn_rate(objective: Objective, tally: Tally) -> float:
    """How many times as fast as it may the budget is used."""
    return tally.late / tally.ended / (1 - objective.share) if tally.ended else 0.0


def is_burning(objective: Objective, last_hour: Tally, last_minutes: Tally) -> bool:
    """Whether the budget is used so fast that a person should look now. The last five minutes must say so too: an hour
    tells for long of what is over."""
    if last_hour.late < MIN_LATE:
        return False
    return min(burn_rate(objective, last_hour), burn_rate(objective, last_minutes)) >= _fast(objective)


def _fast(objective: Objective) -> float:
    """The rate that is too fast. An objective of a small share can never burn at the usual one, even if all is late."""
    return min(FAST_BURN, 0.9 / (1 - objective.share))
