"""What placeholders bring, and what is said about a template that cannot be read or filled in."""

import re
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from gateway.tests.domain.language.subjects import DOCUMENT, json_of, subject, subjects
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.checks import Bad
from signalpost.domain.language import names
from signalpost.domain.language.template_filters import DIRECTIVES, FILTERS, TemplateError
from signalpost.domain.language.templates import (
    MAX_CHARACTERS,
    MAX_FILLED_CHARACTERS,
    MAX_FILTERS,
    MAX_PLACEHOLDERS,
    read_template,
)

CENTRE = 'document.additionalFacts["cost centre"]'


def plain(text: str) -> str:
    return text


def text_of(template: str, *, to: names.Subject | None = None) -> str:
    return read_template(template).text(to or subject(), plain)


def value_of(template: str, *, to: names.Subject | None = None) -> Any:
    return read_template(template).value(to or subject(), plain)


def error_of(template: Any) -> str:
    with pytest.raises(Bad) as caught:
        read_template(template)
    return caught.value.detail


def failure_of(template: str, *, to: names.Subject | None = None) -> str:
    with pytest.raises(TemplateError) as caught:
        text_of(template, to=to)
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("no placeholder, {one brace} and } }}", "no placeholder, {one brace} and } }}"),
        ("{{document.status}}", "approved"),
        ("It is {{ document.status }}, it was {{ before.status }}.", "It is approved, it was approved."),
        ("{{ document.contractValue }}", "12500.5"),
        ("[{{ document.referenceId }}]", "[]"),
        ("{{ document.latestVersion.number }}", "7.1"),
        ("{{ document.publishedVersion.number }}|", "|"),
        (f"{{{{ {CENTRE} }}}}", "42"),
        ("{{ document.additionalFacts['cost centre'] }}", "42"),
        ("{{ document.additionalFacts.seats }}/{{ document.additionalFacts.share }}", "120/0.25"),
        ("{{ document.additionalFacts.renews }}", "true"),
        ("{{ event.type }} {{ event.id | truncate: 9 }}", "documentUpdated 8cfa669c…"),
        ("{{ made.url }}", "https://example.com/made"),
        ("{{ made.nothing | default: '-' }}", "-"),
        ('{{ "{{" }} and {{ "}}" }}', "{{ and }}"),
        ("{{ 'it\\'s' | upper }}", "IT'S"),
        ('{{ document.referenceId | default: "none" }}', "none"),
        ('{{ document.title | default: "none" }}', "Service Agreement for Company A"),
        ("{{ document.additionalFacts.note | default: 0 }}", "0"),
        ('{{ document.executedAt | days: 3 | date: "%d" | default: "not signed" }}', "not signed"),
        ("{{ document.status | upper }}", "APPROVED"),
        ("{{ document.title | lower | truncate: 10 }}", "service a…"),
        ("{{ document.status | truncate: 8 }}", "approved"),
        ("{{ document.additionalFacts.seats | truncate: 2 }}", "1…"),
        ("{{ document.contractValue | money }}", "12,500.50"),
        ('{{ document.contractValue | money: "AUD" }}', "AUD 12,500.50"),
        (f"{{{{ {CENTRE} | money }}}}", "42.00"),
        (f"{{{{ {CENTRE} | number | money: '€' }}}}", "€ 42.00"),
        ('{{ document.status | choose: "executed", "Won", "Open" }}', "Open"),
        ('{{ document.status | choose: "approved", 3, "executed", 5 }}', "3"),
        ('{{ document.additionalFacts.seats | choose: 120, "many", "few" }}', "many"),
        ('{{ document.additionalFacts.renews | choose: "true", "renews", "ends" }}', "renews"),
        ("{{ document.startDate | date }}", "2026-02-01"),
        ("{{ document.expiryDate | date }}", "2027-01-31"),
        ('{{ document.expiryDate | day: "Australia/Sydney" }}', "2027-02-01"),
        ('{{ document.expiryDate | day: "America/New_York" | days: -30 | date: "%d.%m.%Y" }}', "01.01.2027"),
        ('{{ document.startDate | day: "Australia/Sydney" }}', "2026-02-01"),
        ("{{ document.expiryDate | day }}", "2027-01-31"),
        ("{{ document.startDate | days: -1 }}", "2026-01-31"),
        ("{{ document.expiryDate | days: 1 }}", "2027-02-01T13:00:00+00:00"),
        ('{{ document.expiryDate | days: -30 | date: "%d.%m.%Y" }}', "01.01.2027"),
        (
            '{{ document.expiryDate | date: "%A %a %e %B %b %y, %H:%M:%S, 100%%" }}',
            "Sunday Sun 31 January Jan 27, 13:00:00, 100%",
        ),
        ('{{ document.startDate | date: "%H" }}', "00"),
        ("{{ document.additionalFacts.day | days: 1 }}", "2026-03-02"),
        ('{{ document.expiryDate | default: "2030-01-01" | days: 1 | date }}', "2027-02-01"),
        ("{{ document.contractValue | text | truncate: 3 }}", "12…"),
    ],
)
def test_a_template_is_filled_in(template: str, text: str) -> None:
    assert text_of(template, to=subject(made={"url": "https://example.com/made"})) == text


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ document.contractValue }}", 12500.5),
        ("{{ document.additionalFacts.seats }}", 120),
        ("{{ document.additionalFacts.renews }}", True),
        ("{{ document.referenceId }}", None),
        ("{{ document.additionalFacts.note }}", ""),
        ("{{ document.referenceId | default: 7 }}", 7),
        (f"{{{{ {CENTRE} | number }}}}", 42),
        ("{{ '1.50' | number }}", 1.5),
        ("{{ document.contractValue | text }}", "12500.5"),
        ("{{ document.latestVersion }}", {"number": "7.1", "downloadUrl": "https://example.com/7.1"}),
        ("{{ document }}", json_of(DOCUMENT)),
        ("{{ event }}", subject().event),
        (" {{ document.contractValue }}", " 12500.5"),
        ("{{ document.contractValue }}{{ document.referenceId }}", "12500.5"),
    ],
)
def test_a_placeholder_that_stands_alone_keeps_its_type(template: str, value: Any) -> None:
    found = value_of(template)
    assert found == value
    assert type(found) is type(value)


def test_what_placeholders_bring_is_escaped_and_the_templates_own_text_is_not() -> None:
    def escape(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;")

    template = read_template("<b> & {{ document.counterpartyName }}")
    assert template.text(subject(), escape) == "<b> & Company &lt;A> &amp; Sons"
    assert read_template("{{ document.counterpartyName }}").value(subject(), escape) == "Company &lt;A> &amp; Sons"
    assert read_template("{{ document }}").value(subject(), escape)["counterpartyName"] == "Company &lt;A> &amp; Sons"


def test_money_is_exact_and_rounds_halves_away_from_zero() -> None:
    for value, text in ((0.07, "0.07"), (9_999_999_999_999.99, "9,999,999,999,999.99"), (-1234.5, "-1,234.50")):
        assert text_of("{{ document.contractValue | money }}", to=subject(contract_value=value)) == text
    for value, text in ((2.675, "2.68"), (0.125, "0.13"), (-0.125, "-0.13"), (1e15, "1,000,000,000,000,000.00")):
        assert text_of("{{ document.additionalFacts.x | money }}", to=subject(additional_facts={"x": value})) == text


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("12345 {{ document.titel }}", "At 19: There is no document.titel; did you mean title?"),
        ("{{ title }}", "At 4: There is no title; did you mean document.title?"),
        ("{{ document.additionalFact.x }}", "did you mean additionalFacts?"),
        ("{{ document.additionalFacts.cost centre }}", "At 34: Here | and a filter can come, or }}"),
        ("{{ document.additionalFacts[cost] }}", 'At 28: Write .word or ["any text"] here.'),
        ('{{ document.additionalFacts["x] }}', "At 28: Write"),
        ("{{ before }}", "At 4: Say which one after before, as in before.status."),
        ("{{ made }}", "At 4: Say which one after made, as in made.url."),
        ("{{ made.a.b }}", "There is nothing below made.a."),
        ("{{ }}", "At 4: A name is missing, such as document.title."),
        ("a {{ document.title", "At 3: This placeholder has no end: write }} after it."),
        ("a {{ document.title }", "At 21: Here | and a filter can come"),
        ("{{ document.title + 1 }}", "At 19: Here |"),
        ("{{ document.title | }}", "At 21: A filter is missing; there are default, text"),
        ("{{ document.title | uper }}", "At 21: There is no filter uper; did you mean upper?"),
        ('{{ document.title | default("x") }}', 'At 28: Arguments come after a colon: default: "none".'),
        ("{{ document.title | default }}", 'default is written like this: default: "none".'),
        ("{{ document.title | upper: 1 }}", "At 26: upper is written like this: upper."),
        ("{{ document.title | default: none }}", "At 30: An argument is a number, or a text in quotes"),
        ('{{ document.title | default: "x }}', "At 30: This quote has no end."),
        ("{{ document.title | truncate: 1.5 }}", "This must be a whole number from 1 to 4096"),
        ("{{ document.title | truncate: 0 }}", "This must be a whole number"),
        ("{{ document.title | truncate: 1.2.3 }}", "At 31: An argument is a number"),
        ('{{ document.title | truncate: "8" }}', "without quotes"),
        (
            "{{ document.title | money }}",
            "At 21: money cannot take what comes before it: document.title is a text there.",
        ),
        ("{{ document.title | days: 1 }}", "days cannot take what comes before it"),
        ("{{ document.contractValue | upper }}", "document.contractValue is a number there."),
        ("{{ document.contractValue | money | money }}", "document.contractValue is a text there."),
        ('{{ document.startDate | day: "Mars/Base" }}', "At 28: This machine knows no time zone 'Mars/Base';"),
        ('{{ document.startDate | day: "../../etc/passwd" }}', "This machine knows no time zone"),
        ('{{ document.startDate | day: "Australia" }}', "This machine knows no time zone"),
        ("{{ document.startDate | days: 99999 }}", "from -36525 to 36525"),
        ('{{ document.startDate | date: "%d %Q" }}', "A date has no %Q; it has %d"),
        ('{{ document.startDate | date: "100%" }}', "A date has no %; it has"),
        ('{{ document.contractValue | money: "" }}', "This must be a text of 1 to 8 characters"),
        ('{{ document.status | choose: "x" }}', "choose is written like this"),
        ('{{ document.status | choose: "exceuted", "a" }}', "no status 'exceuted'; did you mean executed?"),
        ("x {{ document }}", "document is an object and cannot stand within a text"),
        ("{{ document | upper }}", "document is an object there."),
        ("{{ document.additionalFacts | default: 1 }}", "is an object there."),
        ("a\x00", "U+0000"),
        (7, "This must be a string."),
        ("x" * (MAX_CHARACTERS + 1), "4096 characters"),
        ("{{ document.title }}" * (MAX_PLACEHOLDERS + 1), "at most 64 placeholders"),
        ("{{ document.title" + " | upper" * (MAX_FILTERS + 1) + " }}", "at most 8 filters"),
    ],
)
def test_what_is_wrong_with_a_template_is_said_with_its_place(template: Any, sentence: str) -> None:
    assert sentence in error_of(template)


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            "{{ document.additionalFacts.day | number }}",
            "document.additionalFacts.day: '2026-03-01' is not a number; write it like 1234.5.",
        ),
        (
            "{{ document.additionalFacts.seats | days: 1 }}",
            "document.additionalFacts.seats: 120 is not a date; write it like 2026-01-31.",
        ),
        (
            '{{ document.status | choose: "executed", "Won" }}',
            "document.status: choose has no text for 'approved'; add a last value for all others.",
        ),
        (
            "{{ '0001-01-01' | default: 1 | days: -1 }}",
            "the text: -1 days from 0001-01-01 is outside the calendar.",
        ),
        (
            "{{ '9999-12-31T23:59:59Z' | default: 1 | day: 'Asia/Tokyo' }}",
            "the text: 9999-12-31T23:59:59+00:00 is outside the calendar in that time zone.",
        ),
    ],
)
def test_what_cannot_be_filled_in_says_why(template: str, sentence: str) -> None:
    assert failure_of(template) == sentence


def test_the_bounds_are_what_still_passes() -> None:
    assert text_of("{{ document.status }}" * MAX_PLACEHOLDERS) == "approved" * MAX_PLACEHOLDERS
    assert text_of("{{ document.status" + " | upper" * MAX_FILTERS + "}}") == "APPROVED"
    assert text_of("x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS
    long = subject(additional_facts={"x": "y" * 4096})
    assert len(text_of("{{ document.additionalFacts.x }}" * 16, to=long)) == MAX_FILLED_CHARACTERS
    assert failure_of("{{ document.additionalFacts.x }}" * 17, to=long) == (
        "This comes to 69632 characters; at most 65536 are sent."
    )


# --- Laws -------------------------------------------------------------------------------------------------------------

PLACES = [
    "document.title", "document.status", "document.contractValue", "document.expiryDate", "document.referenceId",
    "before.title", "before.expiryDate", "event.createdAt", "made.url", CENTRE, 'document.additionalFacts["día"]',
    "document.additionalFacts.seats", '"a text"',
]  # fmt: skip
USES = [each.usage for each in FILTERS.values()] + ["date", "money", "default: 7", "days: 40000", 'choose: "a", 1']


@given(st.sampled_from(PLACES), st.lists(st.sampled_from(USES), max_size=4), subjects())
def test_a_template_that_can_be_read_is_filled_in_or_fails_with_a_sentence(
    place: str, filters: list[str], to: names.Subject
) -> None:
    said = ""
    try:
        template = read_template(f"{{{{ {' | '.join([place, *filters])} }}}}")
        alone, within = template.value(to, plain), template.text(to, plain)
    except Bad as bad:
        said = bad.detail
    except TemplateError as error:
        said = f"At 1: {error}"
    else:
        assert alone is None or isinstance(alone, str | int | float)
        assert isinstance(within, str)
    assert re.fullmatch(r"(At \d+: .+[.?])?", said, re.DOTALL)


@given(st.text(max_size=60).filter(lambda text: "\x00" not in text and "{{" not in text), subjects())
def test_a_text_without_a_placeholder_stays_as_it_is(text: str, to: names.Subject) -> None:
    assert text_of(text, to=to) == text


@given(st.lists(st.sampled_from(["a", " ", "{{ document.title }}", "{{ document.status | upper }}"]), max_size=8))
def test_two_templates_side_by_side_make_what_each_makes(parts: list[str]) -> None:
    assert text_of("".join(parts)) == "".join(map(text_of, parts))


@given(st.text(alphabet="\"'\\ab{}|:.\n", max_size=12))
def test_any_text_can_be_quoted(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert text_of(f'{{{{ "{quoted}" }}}}') == text


@given(st.text(alphabet="{}|:., \"'documentilfs-1%[]", max_size=60) | st.text(max_size=30))
def test_whatever_is_sent_as_a_template_is_taken_or_refused(text: str) -> None:
    with suppress(Bad):
        assert read_template(text).placeholders <= text.count("{{")


@given(st.lists(st.sampled_from([*DIRECTIVES, " ", "x"]), min_size=1, max_size=6))
def test_dates_are_written_as_the_calendar_writes_them(form: list[str]) -> None:
    at = datetime.fromisoformat(str(DOCUMENT.expiry_date))
    expected = at.strftime("".join(form).replace("%e", str(at.day)))
    assert text_of(f'{{{{ document.expiryDate | date: "{"".join(form)}" }}}}') == expected
