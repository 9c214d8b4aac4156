"""Which subscriptions need a person: those that nothing reaches first, and none for one failure of a moment ago."""

from typing import Any

import pytest

from signalpost.domain.delivery.attention import FAILS_FOR, Need, Standing, attention, need_of, rank_of
from signalpost.domain.timestamps import SECOND, format_timestamp

NOW = 1_764_064_800 * SECOND
A_MOMENT = NOW - 5 * SECOND
LONG = NOW - FAILS_FOR


@pytest.mark.parametrize(
    ("known", "need", "words"),
    [
        ({}, None, ""),
        ({"failing_since": A_MOMENT, "waiting": 3}, None, ""),
        ({"status": "paused", "failing_since": LONG, "failed": 9}, None, ""),
        ({"lag": 999}, None, ""),
        ({"lag": 1_000}, Need.BEHIND, "1,000 are yet to be sent"),
        ({"failed": 1}, Need.GIVEN_UP, "It is well now. 1 event was given up. A replay"),
        ({"failed": 1, "failing_since": A_MOMENT}, Need.GIVEN_UP, "Its last attempt failed. 1 event was given up."),
        ({"lost": 2, "failed": 1}, Need.LOST, "1 event was given up, 2 events were lost to the retention"),
        (
            {"failing_since": LONG, "waiting": 1_284, "failed": 31, "last_error": "It answered 401."},
            Need.FAILING,
            "It answered 401. 1,284 events wait, 31 events were given up.",
        ),
        ({"failing_since": A_MOMENT, "breaker_is_open": True, "lag": 1}, Need.FAILING, "1 event waits."),
        ({"trouble": "Connect it again.", "failing_since": LONG}, Need.HELD, "Connect it again."),
        (
            {"status": "disabled", "disabled_at": LONG, "waiting": 9_412},
            Need.DISABLED,
            "Its endpoint had failed for days. 9,412 events wait.",
        ),
        ({"status": "disabled", "disabled_because": "The vendor said no."}, Need.DISABLED, "The vendor said no."),
        (
            {"status": "disabled", "waiting": 2, "kept_until": NOW + SECOND},
            Need.DISABLED,
            f"2 events wait. The oldest of them is kept until {format_timestamp(NOW + SECOND)}.",
        ),
        (
            {"status": "disabled", "waiting": 2, "kept_until": NOW},
            Need.DISABLED,
            "2 events wait. The retention removes the oldest of them now.",
        ),
        ({"lag": 1_000, "waits_since": LONG}, Need.BEHIND, f"The oldest was made at {format_timestamp(LONG)}."),
    ],
)
def test_a_subscription_needs_somebody(known: dict[str, Any], need: Need | None, words: str) -> None:
    found = attention(Standing(**{"status": "active", **known}), NOW)
    assert (found and found.need) == need
    if found is not None:
        assert words in found.sentence
        assert found.sentence.endswith(".")


def test_what_nothing_reaches_comes_first_and_what_more_events_wait_for() -> None:
    standings = [
        Standing(status="active", failing_since=LONG, waiting=10),
        Standing(status="active", failing_since=LONG, waiting=9, failed=1),
        Standing(status="active", failing_since=LONG, waiting=1),
        Standing(status="disabled", waiting=1_000_000),
        Standing(status="active", failed=1_000_000),
    ]
    found = [(each, need_of(each, NOW)) for each in standings]
    ranks = [rank_of(need, each) for each, need in found if need is not None]
    assert len(ranks) == len(standings)
    assert ranks == sorted(ranks)
