"""Statistics: attempts are added up by minute, minutes into hours and tenants, and times are read off the counts."""

from random import Random

import pytest

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.stats import (
    COUNTS,
    DELIVERED,
    FAILED,
    FIRST_TRY,
    LATENCY,
    RETRIED,
    WHOLE_TENANT,
    RollupKey,
    Rollups,
    add,
    latencies,
    latency_ms,
    tally,
    total,
    with_sums,
)
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.deliveries import AttemptRow

HOUR = 1_764_064_800
"""An hour begins then, seconds since the epoch."""


def attempt(
    second: int,
    failure: Failure | None = None,
    *,
    number: int = 1,
    run: int = 0,
    ms: float = 1,
    on_time: bool | None = None,
) -> AttemptRow:
    at = (HOUR + second) * SECOND
    return AttemptRow(second, at, round(ms * 1000), number, run, True, None, failure, "", b"", on_time=on_time)


def test_attempts_are_added_up_by_minute_and_those_that_do_not_count_are_left_out() -> None:
    rollups: Rollups = {}
    attempts = [
        attempt(1), attempt(2, number=2), attempt(3, run=1), attempt(4, Failure.STATUS), attempt(59, Failure.TIMEOUT),
        attempt(60, Failure.INTERRUPTED), attempt(61, Failure.SKIPPED), attempt(119, ms=6000),
    ]  # fmt: skip
    add(rollups, 1, 7, attempts, {59})
    add(rollups, 1, 7, [attempt(5, ms=5.001)], ())
    first, second = RollupKey("minute", HOUR, 1, 7), RollupKey("minute", HOUR + 60, 1, 7)
    assert rollups.keys() == {first, second}
    assert rollups[first][:LATENCY] == [4, 2, 1, 1]
    assert latencies(rollups[first]) == [3, 1, *[0] * 9]
    assert (rollups[second][DELIVERED], latencies(rollups[second])[-1]) == (1, 1)


def test_events_that_end_are_counted_by_whether_they_kept_the_objective() -> None:
    rollups: Rollups = {}
    add(
        rollups, 1, 7,
        [
            attempt(1, on_time=True), attempt(2, on_time=False), attempt(3), attempt(4, Failure.STATUS),
            attempt(5, Failure.STATUS, on_time=False),
        ],
        {5},
    )  # fmt: skip
    [counts] = rollups.values()
    assert tally(counts) == (1, 2)
    assert sum(latencies(counts)) == 3


def test_minutes_are_summed_into_hours_and_tenants_and_none_is_counted_twice() -> None:
    random, minutes = Random(3), Rollups()
    for _ in range(200):
        failure = random.choice([None, Failure.STATUS])
        tenant, number = random.choice([(1, 1), (1, 2), (2, 3)])
        add(minutes, tenant, number, [attempt(random.randrange(7200), failure)], ())
    before = {key: list(counts) for key, counts in minutes.items()}
    sums = with_sums(minutes)
    assert minutes == before, "what was given is not changed"
    for step in ("minute", "hour"):
        for of_tenants in (True, False):
            chosen = [c for (s, _, _, n), c in sums.items() if s == step and (n == WHOLE_TENANT) is of_tenants]
            assert total(chosen) == total(minutes.values())
    assert {key.start % 3600 for key in sums if key.step == "hour"} == {0}
    assert sums[RollupKey("hour", HOUR, 2, 3)] == sums[RollupKey("hour", HOUR, 2, WHOLE_TENANT)]


def counts_of(*ms: float) -> list[int]:
    rollups: Rollups = {}
    add(rollups, 1, 1, [attempt(0, ms=each) for each in ms], ())
    return total(rollups.values())


@pytest.mark.parametrize(
    ("times", "share", "expected"),
    [
        ((), 0.5, None),
        ((3,), 0.5, 2.5),
        ((3,), 0.99, 5.0),
        ((7, 7, 7, 7), 0.5, 7.5),
        ((1, 1, 1, 200), 0.5, 3.3),
        ((1, 1, 1, 200), 0.99, 244.0),
        ((6000, 9000), 0.5, 5000.0),
    ],
)
def test_times_are_read_off_the_counts(times: tuple[float, ...], share: float, expected: float | None) -> None:
    assert latency_ms(counts_of(*times), share) == expected


def test_nothing_adds_up_to_nothing() -> None:
    assert total([]) == [0] * COUNTS
    assert {DELIVERED, FIRST_TRY, RETRIED, FAILED} == set(range(LATENCY))
