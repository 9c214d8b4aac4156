"""Statistics of deliveries: attempts by outcome, by minute and by hour, for people to look at.

Nothing is counted when statistics are asked for. Attempts are added up in memory as they are recorded, and the sums are
written every few seconds: a crash loses those seconds of statistics, and no delivery.
"""

from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from signalpost.domain.delivery.outcome import UNCOUNTED
from signalpost.domain.objective import Tally
from signalpost.domain.timestamps import SECOND

LATENCY_BOUNDS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000)
"""Delivered attempts are counted by the lowest of these that they did not exceed; the last count is of all others."""
Step = Literal["minute", "hour"]
STEP_SECONDS: Final[Mapping[Step, int]] = {"minute": 60, "hour": 3_600}
KEPT_SECONDS: Final[Mapping[Step, int]] = {"minute": 48 * 3_600, "hour": 90 * 24 * 3_600}
"""How long the sums of each step are kept."""
WHOLE_TENANT: Final = 0
"""In place of a subscription's number: the sum of all subscriptions of a tenant."""

DELIVERED, FIRST_TRY, RETRIED, FAILED, LATENCY = range(5)
"""Where each count is. The latencies are from the last one on."""
ON_TIME: Final = LATENCY + len(LATENCY_BOUNDS_MS) + 1
"""Events that kept the objective that their subscription had, and behind it those that did not."""
LATE: Final = ON_TIME + 1
COUNTS: Final = LATE + 1
_BOUNDS_US: Final = [bound * 1_000 for bound in LATENCY_BOUNDS_MS]
_MINUTE: Final = 60 * SECOND


class RollupKey(NamedTuple):
    """What a sum is of."""

    step: Step
    start: int
    """When the minute or hour begins, seconds since the epoch."""
    tenant_id: int
    subscription_number: int
    """`WHOLE_TENANT` for all of the tenant's subscriptions."""


class CountedAttempt(Protocol):
    """What statistics have to know of an attempt."""

    @property
    def sequence(self) -> int: ...
    @property
    def started_at(self) -> int: ...
    @property
    def elapsed_us(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def run(self) -> int: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def on_time(self) -> bool | None: ...


Rollups = dict[RollupKey, list[int]]
"""Counts by what they are of."""


def add(
    rollups: Rollups,
    tenant_id: int,
    subscription_number: int,
    attempts: Iterable[CountedAttempt],
    given_up: Container[int],
) -> None:
    """Add attempts to the sums of a subscription's minutes. Attempts that do not count (C16) are left out. `given_up`
    has the sequences of deliveries that were given up."""
    minute, counts = -1, [0] * COUNTS
    for attempt in attempts:
        failure = attempt.failure
        if failure in UNCOUNTED:
            continue
        if (start := attempt.started_at // _MINUTE) != minute:
            minute = start
            key = RollupKey("minute", minute * 60, tenant_id, subscription_number)
            counts = rollups.setdefault(key, [0] * COUNTS)
        if attempt.on_time is not None:
            counts[ON_TIME if attempt.on_time else LATE] += 1
        if failure is not None:
            counts[FAILED if attempt.sequence in given_up else RETRIED] += 1
            continue
        counts[DELIVERED] += 1
        counts[LATENCY + bisect_left(_BOUNDS_US, attempt.elapsed_us)] += 1
        if attempt.number == 1 and attempt.run == 0:
            counts[FIRST_TRY] += 1


def with_sums(minutes: Rollups, shadows: Container[int] = ()) -> Rollups:
    """The minutes of subscriptions, with the hours and the tenants that they belong to. `shadows` has the numbers of
    those that are in no sum of their tenants."""
    sums: Rollups = {}
    for (_, start, tenant_id, number), counts in minutes.items():
        for step, seconds in STEP_SECONDS.items():
            for whose in (number,) if number in shadows else (number, WHOLE_TENANT):
                key = RollupKey(step, start - start % seconds, tenant_id, whose)
                before = sums.get(key)
                sums[key] = counts if before is None else [*map(int.__add__, before, counts)]
    return sums


def last_minutes(minutes: int, now: int) -> range:
    """When each of the last minutes began, this one included. `now` is µs since the epoch."""
    minute = now // _MINUTE * 60
    return range(minute - (minutes - 1) * 60, minute + 1, 60)


def total(rollups: Iterable[Sequence[int]]) -> list[int]:
    """The counts of several sums together."""
    summed = [0] * COUNTS
    for counts in rollups:
        summed = [*map(int.__add__, summed, counts)]
    return summed


def latencies(counts: Sequence[int]) -> Sequence[int]:
    """The delivered attempts by the bound that they did not exceed."""
    return counts[LATENCY:ON_TIME]


def tally(counts: Sequence[int]) -> Tally:
    """The events that kept their subscription's objective, and those that did not."""
    return Tally(counts[ON_TIME], counts[LATE])


def latency_ms(counts: Sequence[int], share: float) -> float | None:
    """The time within which this share of the delivered attempts took place, as far as the counts tell; None if
    nothing was delivered. Between two bounds it is taken to rise evenly; beyond the last it is the last."""
    by_bound = latencies(counts)
    wanted, seen = share * sum(by_bound), 0
    if not any(by_bound):
        return None
    for index, count in enumerate(by_bound[:-1]):
        if count and seen + count >= wanted:
            low = LATENCY_BOUNDS_MS[index - 1] if index else 0
            return round(low + (LATENCY_BOUNDS_MS[index] - low) * (wanted - seen) / count, 1)
        seen += count
    return float(LATENCY_BOUNDS_MS[-1])
