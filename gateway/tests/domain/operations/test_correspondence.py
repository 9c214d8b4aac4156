"""What contacts are told: which news follow from what is so and what they know, and what a mail says."""

import pytest
from msgspec.structs import replace

from signalpost.domain.operations.conditions import ConditionRow
from signalpost.domain.operations.correspondence import (
    APART,
    KINDS_TOLD,
    MAX_NAME_CHARACTERS,
    OVER,
    PAUSED,
    READ,
    UNREAD,
    WORDINGS,
    Correspondence,
    News,
    Trouble,
    mail_key,
    news_of,
    subject_of,
    text_of,
    trouble_of,
)
from signalpost.domain.operations.kinds import Severity
from signalpost.domain.timestamps import DAY, HOUR, format_timestamp, parse_timestamp

FAILING, SOON, DISABLED = "subscriptionFailing", "subscriptionDisablingSoon", "subscriptionDisabled"
NOW = parse_timestamp("2026-11-30T09:12:44.000000+00:00")
LINK = "https://gateway.example/unsubscribe/token"


def condition(kind: str, *, since: int = NOW - 2 * HOUR, absent_since: int | None = None) -> ConditionRow:
    return ConditionRow(
        number=1, id="c", tenant_id=1, kind=kind, subject="s", name="Mine", detail="10.1.2.3 refused",
        severity=Severity.WARNING, since=since, opened_at=since, absent_since=absent_since,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("conditions", "kind", "is_open"),
    [
        ([condition(FAILING)], FAILING, {FAILING}),
        ([condition(FAILING, since=NOW - HOUR + 1)], None, {FAILING}),
        ([condition(FAILING, absent_since=NOW - 1)], None, {FAILING}),
        ([condition(FAILING), condition(SOON)], SOON, {FAILING, SOON}),
        ([condition(DISABLED, since=NOW)], DISABLED, {DISABLED}),
        ([condition(UNREAD, since=NOW)], UNREAD, {UNREAD}),
        ([condition(FAILING), condition(DISABLED, absent_since=NOW - 1)], FAILING, {FAILING, DISABLED}),
    ],
)
def test_trouble_is_the_gravest_of_what_is_there_for_long_enough(
    conditions: list[ConditionRow], kind: str | None, is_open: set[str]
) -> None:
    found = trouble_of({each.kind: each for each in conditions}, NOW)
    assert (found.kind, {*found.open}) == (kind, is_open)


@pytest.mark.parametrize("kind", ["subscriptionHeld", "backlogOld", "diskLow", "deliveriesGivenUp"])
def test_what_concerns_operators_alone_is_no_trouble_of_a_customer(kind: str) -> None:
    assert kind not in KINDS_TOLD


def trouble(kind: str | None, *also: str) -> Trouble:
    return Trouble(frozenset({*also, kind} - {None}), kind, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "now", "is_paused", "news"),
    [
        (None, None, False, None),
        (None, None, True, None),
        (None, trouble(FAILING), False, FAILING),
        (None, trouble(None, FAILING), False, None),  # not for an hour yet
        (FAILING, trouble(FAILING), False, None),
        (FAILING, trouble(None, FAILING), False, None),  # away for a moment
        (FAILING, trouble(SOON, FAILING), False, SOON),
        (SOON, trouble(FAILING, SOON), False, None),  # away for a moment
        (SOON, trouble(FAILING), False, FAILING),
        (SOON, trouble(DISABLED), False, DISABLED),
        (DISABLED, trouble(None, FAILING), False, None),  # resumed; whether it works is not known yet
        (DISABLED, trouble(FAILING), False, FAILING),
        (FAILING, None, False, OVER),
        (DISABLED, None, False, OVER),
        (FAILING, None, True, PAUSED),
        (None, trouble(UNREAD), False, UNREAD),
        (UNREAD, None, False, READ),
        (UNREAD, None, True, PAUSED),
    ],
)
def test_news_are_what_became_worse_or_is_over(
    known: str | None, now: Trouble | None, is_paused: bool, news: str | None
) -> None:
    assert news_of(known, now, is_paused=is_paused) == news


def test_a_mail_says_what_is_so_since_when_and_how_to_get_no_more() -> None:
    news = [News(FAILING, "Acme", NOW)]
    assert subject_of(news) == "Nothing arrives at Acme"
    assert text_of(news, LINK) == (
        "Nothing that is sent arrives at this subscription:\n"
        "- Acme, since 2026-11-30 09:12 UTC\n\n"
        "What is not delivered is kept for a while, and can be sent again.\n\n"
        "You get this because your address is given as a contact, and at most one such mail in fifteen minutes. "
        "To get no more of them:\n"
        "https://gateway.example/unsubscribe/token"
    )


def test_a_mail_says_until_when_there_is_time() -> None:
    assert "- Acme, at 2026-12-01 09:12 UTC\n" in text_of([News(SOON, "Acme", NOW)], LINK)
    assert format_timestamp(NOW + DAY) == "2026-12-01T09:12:44.000000+00:00"


def test_the_gravest_is_in_the_subject_and_comes_first() -> None:
    news = [News(OVER, "a", 0), News(FAILING, "b", NOW), News(DISABLED, "c", NOW), News(DISABLED, "d", NOW)]
    assert subject_of(news) == "2 subscriptions were disabled, and news of 2 more"
    text = text_of(news, LINK)
    assert text.index("- c,") < text.index("- d,") < text.index("- b,") < text.index("- a\n")


def test_a_mail_names_twenty_of_all_and_counts_the_others() -> None:
    news = [News(DISABLED, f"d{each}", NOW) for each in range(15)]
    news += [News(FAILING, f"f{each}", NOW) for each in range(1_000)] + [News(OVER, f"o{each}", 0) for each in range(3)]
    lines = [line for line in text_of(news, LINK).splitlines() if line.startswith("- ")]
    assert sum(", " in line for line in lines[:20]) == 20
    assert lines[20:] == ["- and 995 more", "- 3 of them"]


@pytest.mark.parametrize("what", WORDINGS)
def test_every_wording_is_whole_for_one_and_for_several(what: str) -> None:
    for count in (1, 2):
        news = [News(what, f"Number {each}", NOW) for each in range(count)]
        said = f"{subject_of(news)}\n{text_of(news, LINK)}"
        assert "{" not in said
        assert ("Number 0" if count == 1 else "2 subscriptions") in subject_of(news)


def test_a_name_is_cut_and_on_one_line_so_that_nobody_writes_letters_with_it() -> None:
    name = "Buy now\r\n\r\nhttps://evil.example " + "x" * 500
    [line] = [line for line in text_of([News(OVER, name, 0)], LINK).splitlines() if line.startswith("- ")]
    assert line.startswith("- Buy now https://evil.example x")
    assert len(line) == 2 + MAX_NAME_CHARACTERS
    assert "\n" not in subject_of([News(OVER, name, 0)])


def test_a_name_that_is_a_url_is_told_without_what_may_be_a_secret_in_it() -> None:
    said = text_of([News(OVER, "https://hooks.example/a?token=s3cret", 0)], LINK)
    assert "https://hooks.example/a?token=***" in said
    assert "s3cret" not in said


def test_a_mail_that_is_sent_again_has_its_key_and_every_other_one_its_own() -> None:
    row = Correspondence(
        number=1, id="0b4c7d52-93f4-5a0e-8c1d-6a7f2e9b1d44", tenant_id=-2, opened_at=1, begun_at=1, told_at=None
    )
    keys = {
        mail_key(row, "a"),
        mail_key(row, "b"),
        mail_key(replace(row, told_at=5), "a"),
        mail_key(replace(row, opened_at=7), "a"),
        mail_key(replace(row, id="1b4c7d52-93f4-5a0e-8c1d-6a7f2e9b1d44"), "a"),
    }
    assert len(keys) == 5
    assert mail_key(replace(row, begun_at=9), "a") == mail_key(row, "a")


@pytest.mark.parametrize(
    ("ago", "is_due"),
    [
        (0, False),
        (APART - 1, False),
        (APART, True),
        (1 - APART, False),  # of two nodes, the other one's clock is ahead
        (-APART, True),
        (-300 * DAY, True),
    ],
)
def test_the_next_mail_is_due_after_fifteen_minutes_and_does_not_wait_for_a_clock_that_was_far_ahead(
    ago: int, *, is_due: bool
) -> None:
    row = Correspondence(number=1, id="c", tenant_id=1, opened_at=NOW - ago, begun_at=NOW - ago)
    assert row.is_due(NOW) == is_due
