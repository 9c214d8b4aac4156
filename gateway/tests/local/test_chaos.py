"""The trouble that `listen --chaos` makes."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.local.chaos import MAX_DELAY_S, MIN_DELAY_S, Chaos, ChaosFault, ChaosSigning, PlannedRequest

EVENTS = list(range(300))


def played(*troubles: ChaosFault, seed: int = 1) -> list[PlannedRequest[int]]:
    chaos: Chaos[int] = Chaos(troubles, random.Random(seed).random)
    return [planned for event in EVENTS for planned in chaos.plan(event)] + chaos.flush()


def test_without_trouble_every_event_is_sent_once_in_order() -> None:
    assert played() == [PlannedRequest(event) for event in EVENTS]


def test_duplicates_come_again_as_a_second_attempt() -> None:
    sent = played(ChaosFault.DUPLICATE)
    assert set(Counter(planned.entry for planned in sent).values()) == {1, 2}
    assert [planned.entry for planned in sent] == sorted(planned.entry for planned in sent)
    assert {planned.attempt for planned in sent if planned.note} == {2}


def test_reordered_events_come_after_the_one_that_follows_them() -> None:
    sent = [planned.entry for planned in played(ChaosFault.REORDER)]
    assert sorted(sent) == EVENTS
    assert max(abs(event - at) for at, event in enumerate(sent)) == 1


def test_an_event_that_is_held_back_is_sent_when_nothing_follows() -> None:
    chaos: Chaos[int] = Chaos([ChaosFault.REORDER], lambda: 0.0)
    assert chaos.plan(1) == []
    assert [planned.entry for planned in chaos.flush()] == [1]
    assert chaos.flush() == []


def test_dropped_events_are_missing_and_nothing_else_changes() -> None:
    planned = played(ChaosFault.DROP)
    dropped = {each.entry for each in planned if each.is_dropped}
    assert 0 < len(dropped) < len(EVENTS)
    assert [each for each in planned if not each.is_dropped] == [PlannedRequest(e) for e in EVENTS if e not in dropped]
    assert {each.note for each in planned if each.is_dropped} == {"dropped"}


def test_delays_are_seconds() -> None:
    delays = [planned.delay_s for planned in played(ChaosFault.DELAY) if planned.delay_s]
    assert delays
    assert all(MIN_DELAY_S <= delay <= MAX_DELAY_S for delay in delays)


def test_a_forged_request_precedes_the_genuine_one() -> None:
    sent = played(ChaosFault.FORGE)
    forged = [at for at, planned in enumerate(sent) if planned.signing is ChaosSigning.FORGED]
    assert forged
    assert all(sent[at + 1] == PlannedRequest(sent[at].entry) for at in forged)


def test_a_rotation_meets_receivers_of_either_secret() -> None:
    """C21"""
    assert Counter(planned.signing for planned in played(ChaosFault.ROTATE)) == {
        ChaosSigning.OLD: 150,
        ChaosSigning.NEW: 150,
    }


@given(st.sets(st.sampled_from(sorted(set(ChaosFault) - {ChaosFault.DROP}))), st.integers(0, 10_000))
def test_whatever_the_trouble_but_a_drop_every_event_is_sent_genuinely(troubles: set[ChaosFault], seed: int) -> None:
    genuine = [planned.entry for planned in played(*troubles, seed=seed) if planned.signing is not ChaosSigning.FORGED]
    assert sorted(set(genuine)) == EVENTS


@pytest.mark.parametrize("seed", range(3))
def test_the_same_chance_makes_the_same_trouble(seed: int) -> None:
    assert played(*ChaosFault, seed=seed) == played(*ChaosFault, seed=seed)
