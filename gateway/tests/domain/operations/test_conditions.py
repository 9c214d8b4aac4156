"""Which conditions open and close, and when people are told of them."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from signalpost.domain.operations.conditions import (
    MOST_TOLD,
    TOLD_AGAIN_AFTER,
    ConditionRow,
    Fact,
    NoticeTerms,
    What,
    compare,
    id_of,
    to_be_told,
)
from signalpost.domain.operations.kinds import KINDS, About, Severity
from signalpost.domain.timestamps import DAY, HOUR, MINUTE, SECOND

GATHERED_FOR = KINDS["subscriptionFailing"].gathers_for
NOW = 1_790_000_000 * SECOND
TERMS = NoticeTerms()
FAILING = "subscriptionFailing"


def fact(subject: str = "a", kind: str = FAILING, since: int = NOW, severity: Severity | None = None) -> Fact:
    return Fact(kind=kind, tenant_id=1, subject=subject, name=subject, since=since, severity=severity)


def condition(
    subject: str = "a",
    kind: str = FAILING,
    *,
    opened_at: int = NOW,
    told_at: int | None = None,
    absent_since: int | None = None,
    muted_until: int | None = None,
) -> ConditionRow:
    return ConditionRow(
        number=ord(subject[0]),
        id=id_of((kind, 1, subject)),
        tenant_id=1,
        kind=kind,
        subject=subject,
        name=subject,
        detail="",
        severity=KINDS[kind].severity,
        since=opened_at,
        opened_at=opened_at,
        told_at=told_at,
        absent_since=absent_since,
        muted_until=muted_until,
    )


def told(known: Iterable[ConditionRow], now: int) -> list[tuple[What, str, int]]:
    return [(each.what, each.kind, len(each.ids)) for each in to_be_told([*known], now, TERMS)]


# --- What a look finds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        (FAILING, TERMS.after),
        ("subscriptionHeld", TERMS.after),
        ("backlogOld", 5 * MINUTE),
        ("subscriptionDisabled", 0),
        ("refusesDocuments", 0),
        ("deliveriesGivenUp", 0),
    ],
)
def test_a_condition_opens_once_its_fact_has_lasted_for_as_long_as_its_kind_says(kind: str, after: int) -> None:
    facts = [fact(kind=kind)]
    assert compare([], facts, lambda _: True, NOW + after, TERMS).opened == facts
    if after:
        assert compare([], facts, lambda _: True, NOW + after - 1, TERMS).opened == []


def test_a_fact_that_goes_away_before_that_is_none_at_all() -> None:
    assert compare([], [], lambda _: True, NOW, TERMS) == ([], [], [])


def test_what_is_open_opens_no_second_time() -> None:
    assert compare([condition()], [fact()], lambda _: True, NOW + DAY, TERMS) == ([], [], [])


def test_only_one_who_would_see_a_fact_can_say_that_it_is_away() -> None:
    known = [condition("a"), condition("b")]
    gone = compare(known, [], lambda row: row.subject == "b", NOW, TERMS).gone
    assert [row.subject for row in gone] == ["b"]


def test_a_fact_that_comes_back_goes_on_however_short_it_has_lasted() -> None:
    away = condition(absent_since=NOW)
    assert compare([away], [fact(since=NOW)], lambda _: True, NOW, TERMS).back == [(away, fact(since=NOW))]


def test_a_fact_that_gets_worse_is_written_and_one_that_gets_better_is_not() -> None:
    known = condition(kind="retentionNear")
    worse, better = (fact(kind="retentionNear", severity=each) for each in (Severity.CRITICAL, Severity.INFO))
    assert compare([known], [worse], lambda _: True, NOW, TERMS).back == [(known, worse)]
    assert compare([known], [better], lambda _: True, NOW, TERMS).back == []


# --- What is to be told -----------------------------------------------------------------------------------------------


def test_conditions_of_a_kind_that_open_together_are_told_together() -> None:
    known = [condition("a"), condition("b", opened_at=NOW + 20 * SECOND), condition("c", "subscriptionDisabled")]
    assert told(known, NOW + GATHERED_FOR - 1) == []
    assert told(known, NOW + GATHERED_FOR) == [(What.OPENED, "subscriptionDisabled", 1), (What.OPENED, FAILING, 2)]


def test_what_there_can_be_one_of_is_told_at_once() -> None:
    assert told([condition(kind="partitionsMissing")], NOW) == [(What.OPENED, "partitionsMissing", 1)]


def test_what_opens_soon_after_its_kind_was_told_of_waits_for_others() -> None:
    known = [condition("a", told_at=NOW), condition("b", opened_at=NOW)]
    assert told(known, NOW + TOLD_AGAIN_AFTER - 1) == []
    assert told(known, NOW + TOLD_AGAIN_AFTER) == [(What.OPENED, FAILING, 1)]


def test_what_went_away_before_it_was_told_is_not_told_as_opened() -> None:
    assert told([condition(absent_since=NOW)], NOW + GATHERED_FOR) == []


def test_a_condition_closes_once_its_fact_was_away_for_ten_minutes() -> None:
    known = [condition(told_at=NOW, absent_since=NOW)]
    assert told(known, NOW + 10 * MINUTE - 1) == []
    assert told(known, NOW + 10 * MINUTE) == [(What.CLOSED, FAILING, 1)]


def test_those_that_close_wait_for_others_that_are_about_to_but_not_for_long() -> None:
    first = condition("a", told_at=NOW, absent_since=NOW)
    following = [condition("b", told_at=NOW, absent_since=NOW + MINUTE), condition("c", told_at=NOW)]
    assert told([first, *following], NOW + 10 * MINUTE) == []
    assert told([first, *following], NOW + 11 * MINUTE) == [(What.CLOSED, FAILING, 2)]
    late = condition("b", told_at=NOW, absent_since=NOW + 9 * MINUTE)
    assert told([first, late], NOW + 10 * MINUTE + TOLD_AGAIN_AFTER) == [(What.CLOSED, FAILING, 1)]


def test_nothing_waits_for_a_clock_that_was_ahead() -> None:
    ahead = NOW + DAY
    assert told([condition(opened_at=ahead)], NOW) == [(What.OPENED, FAILING, 1)]
    known, new = condition("a", told_at=ahead), condition("b")
    assert told([known, new], NOW + GATHERED_FOR - 1) == []
    assert told([known, new], NOW + GATHERED_FOR) == [(What.OPENED, FAILING, 1)]
    assert told([known, replace(new, told_at=NOW), condition("c")], NOW + TOLD_AGAIN_AFTER - 1) == []
    over = condition(told_at=NOW, absent_since=ahead)
    assert told([over], NOW) == [(What.CLOSED, FAILING, 1)]
    away = condition("b", told_at=NOW, absent_since=NOW)
    assert told([over, away], NOW) == [(What.CLOSED, FAILING, 1)]


def test_people_are_reminded_after_a_day_of_all_that_goes_on() -> None:
    known = [condition("a", told_at=NOW), condition("b", told_at=NOW + DAY // 2), condition("c", told_at=NOW)]
    known[2] = replace(known[2], muted_until=NOW + 2 * DAY)
    assert told(known, NOW + DAY - 1) == []
    assert told(known, NOW + DAY) == [(What.STILL, FAILING, 2)]


def days_of_reminders(known: ConditionRow, days: int) -> list[int]:
    """After how many days people are reminded of a condition that goes on."""
    found = []
    for day in range(1, days + 1):
        if told([known], NOW + day * DAY):
            found.append(day)
            known = replace(known, told_at=NOW + day * DAY)
    return found


def test_the_longer_something_goes_on_the_less_often_people_are_reminded_of_it() -> None:
    assert days_of_reminders(condition(told_at=NOW), 28) == [1, 3, 7, 14, 21, 28]


def test_of_what_is_critical_people_are_reminded_each_day() -> None:
    assert days_of_reminders(condition(kind="subscriptionDisabled", told_at=NOW), 5) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("ahead", [-365 * DAY, 365 * DAY])
def test_no_reminder_waits_for_longer_than_a_week_because_a_clock_was_set(ahead: int) -> None:
    known = condition(opened_at=NOW + ahead, told_at=NOW)
    assert told([known], NOW + 7 * DAY) == [(What.STILL, FAILING, 1)]


def test_what_has_become_worse_is_told_again_at_once() -> None:
    assert told([condition(kind="retentionNear", told_at=0)], NOW) == [(What.STILL, "retentionNear", 1)]


def test_reminders_of_more_than_one_notice_tells_of_come_to_an_end() -> None:
    known = {
        each.id: each
        for each in (
            replace(condition(told_at=NOW), number=number, id=str(number)) for number in range(2 * MOST_TOLD + 1)
        )
    }
    counts = []
    for at in range(NOW + DAY, NOW + DAY + MINUTE, 10 * SECOND):
        for telling in to_be_told([*known.values()], at, TERMS):
            counts.append(len(telling.ids))
            known.update((each, replace(known[each], told_at=at)) for each in telling.ids)
    assert counts == [MOST_TOLD] * 3
    assert all(each.told_at != NOW for each in known.values())


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if not kind.reminds])
def test_of_some_kinds_people_are_not_reminded(kind: str) -> None:
    assert told([condition(kind=kind, told_at=NOW)], NOW + 7 * DAY) == []


def test_what_was_given_up_waits_for_what_failed_with_it_and_is_tried_later() -> None:
    known = [condition("a", "deliveriesGivenUp"), condition("b", "deliveriesGivenUp", opened_at=NOW + 4 * MINUTE)]
    assert told(known, NOW + 5 * MINUTE - 1) == []
    assert told(known, NOW + 5 * MINUTE) == [(What.OPENED, "deliveriesGivenUp", 2)]


def test_nobody_is_told_of_what_is_muted_but_that_it_closed() -> None:
    until = NOW + 8 * DAY
    assert (
        told([condition("a", muted_until=until), condition("b", told_at=NOW, muted_until=until)], NOW + 7 * DAY) == []
    )
    closing = condition(told_at=NOW, muted_until=until, absent_since=NOW)
    assert told([closing], NOW + DAY) == [(What.CLOSED, FAILING, 1)]
    assert told([condition(muted_until=NOW)], NOW + GATHERED_FOR) == [(What.OPENED, FAILING, 1)]


# --- The table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_says_what_opened_and_closed_of_one_and_of_several(name: str) -> None:
    kind = KINDS[name]
    for one, several in (kind.opened, kind.closed):
        assert "{name}" in one
        assert one.endswith(".")
        assert (several == "") == (kind.about is About.GATEWAY)
        assert not several or ("{count}" in several and several.endswith("."))


def test_what_closes_is_told_before_what_opens_so_that_nothing_is_resolved_that_people_were_just_told_of() -> None:
    over = condition("a", opened_at=NOW - 2 * HOUR, told_at=NOW - 2 * HOUR, absent_since=NOW - HOUR)
    new = condition("b", opened_at=NOW - MINUTE)
    closed, opened = to_be_told([over, new], NOW, TERMS)
    assert (closed.what, closed.ids) == (What.CLOSED, (over.id,))
    assert (opened.what, opened.ids) == (What.OPENED, (new.id,))
