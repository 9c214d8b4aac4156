"""What must come to a date or a number is tried with specimens when it is saved."""

import pytest
from gateway.tests.domain.language.subjects import subject

from signalpost.domain.checks import Bad
from signalpost.domain.language.templates import read_template
from signalpost.domain.language.typed_templates import A_DAY, A_MOMENT, A_NUMBER, WantedType, checked_to_be

DAY = "Write a day without a time here, such as 2027-01-31 or {{ document.expiryDate | date }}."
MOMENT = "Write a date or a timestamp here, such as 2027-01-31 or {{ document.expiryDate | date }}."
NUMBER = "Write a number here, such as 1234.5 or {{ document.contractValue }}."


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (A_DAY, ""),
        (A_DAY, " 2027-01-31 "),
        (A_DAY, "{{ document.expiryDate | days: -30 | date }}"),
        (A_DAY, "{{ document.executedAt | day: 'Australia/Sydney' }}"),
        (A_DAY, "{{ document.executedAt | date | default: '2027-01-31' }}"),
        (A_DAY, "{{ document.expiryDate | date: '%Y-%m-%d' }}"),
        (A_DAY, "{{ document.type | choose: 'NDA', '2027-01-31', '2028-01-31' }}"),
        (A_DAY, "{{ before.expiryDate | date }}"),
        (A_DAY, "{{ document.additionalFacts['go live'] }}"),
        (A_MOMENT, "{{ document.expiryDate }}"),
        (A_MOMENT, "{{ document.expiryDate | date }}T09:00:00+10:00"),
        (A_MOMENT, "{{ event.createdAt | days: 1 }}"),
        (A_NUMBER, "12.5"),
        (A_NUMBER, "{{ document.contractValue }}"),
        (A_NUMBER, "{{ document.contractValue | text }}"),
        (A_NUMBER, "{{ document.contractValue | default: 0 }}"),
        (A_NUMBER, "{{ document.additionalFacts.seats | number }}"),
        (A_NUMBER, "{{ document.type | choose: 'NDA', 1, 2 }}"),
        (A_NUMBER, "{{ document.status | choose: 'paused', 1 }}"),
    ],
)
def test_what_comes_to_what_is_wanted_is_taken_as_it_is(wanted: WantedType, text: str) -> None:
    assert checked_to_be(wanted)(text) == text


@pytest.mark.parametrize(
    ("wanted", "text", "detail"),
    [
        (A_DAY, "soon", DAY),
        (A_DAY, "2027-02-30", DAY),
        (A_DAY, "{{ document.title }}", f"At 1: This can become 'Service Agreement'. {DAY}"),
        (A_DAY, "  {{ document.contractValue }}", f"At 3: This can become '  12500.5'. {DAY}"),
        (A_DAY, "{{ document.expiryDate }}", f"At 1: This can become '2027-01-31T13:00:00+00:00'. {DAY}"),
        (A_DAY, "{{ document.executedAt | date | default: 'soon' }}", f"At 1: This can become 'soon'. {DAY}"),
        (A_DAY, "{{ document.expiryDate | date: '%d.%m.%Y' }}", f"At 1: This can become '31.01.2027'. {DAY}"),
        (A_DAY, "{{ document }}", f"At 1: This can become an object. {DAY}"),
        (A_DAY, "{{ made.url }}", f"At 1: This can become 'Service Agreement'. {DAY}"),
        (A_MOMENT, "2027-01-31T09:00:00", MOMENT),
        (A_MOMENT, "on {{ document.expiryDate | date }}", f"At 4: This can become 'on 2027-01-31'. {MOMENT}"),
        (
            A_MOMENT,
            "{{ document.startDate }}T09:00:00Z",
            f"At 1: This can become '2027-01-31T13:00:00+00:00T09:00:00Z'. {MOMENT}",
        ),
        (A_NUMBER, "", NUMBER),
        (A_NUMBER, "1e5", NUMBER),
        (A_NUMBER, "{{ document.title }}", f"At 1: This can become 'Service Agreement'. {NUMBER}"),
        (A_NUMBER, "{{ document.contractValue | money }}", f"At 1: This can become '12,500.50'. {NUMBER}"),
        (A_NUMBER, "{{ document.contractValue | default: 'none' }}", f"At 1: This can become 'none'. {NUMBER}"),
        (A_NUMBER, "{{ document.titel }}", "At 13: There is no document.titel; did you mean title?"),
    ],
)
def test_what_can_come_to_something_else_is_refused_with_its_place_and_a_hint(
    wanted: WantedType, text: str, detail: str
) -> None:
    with pytest.raises(Bad) as refused:
        checked_to_be(wanted)(text)
    assert refused.value.detail == detail


def test_a_day_without_a_format_is_a_date_for_the_filters_that_follow() -> None:
    template = read_template("{{ document.expiryDate | date | days: 1 }}")
    assert template.text(subject(expiry_date="2027-01-31T13:00:00+00:00"), str) == "2027-02-01"
