"""C4: how points in time look on the wire."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.timestamps import (
    format_timestamp,
    normalise_date_or_timestamp,
    normalise_timestamp,
    parse_timestamp,
    readable,
)

LAST = 253_402_300_799_999_999
"""The last microsecond of the year 9999."""
MOMENTS = st.integers(0, LAST)
ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(MOMENTS)
def test_the_gateways_own_times_have_six_digits_and_utc_as_an_offset(at: int) -> None:
    """C4"""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", format_timestamp(at))


@given(MOMENTS)
def test_people_read_a_moment_to_the_minute(at: int) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", readable(at))


@given(MOMENTS)
def test_reading_is_the_inverse_of_writing(at: int) -> None:
    assert parse_timestamp(format_timestamp(at)) == at


@given(st.lists(MOMENTS, min_size=2, max_size=2))
def test_texts_sort_as_the_moments_do(two: list[int]) -> None:
    """C5: a receiver may sort by the text."""
    first, second = two
    assert (format_timestamp(first) < format_timestamp(second)) == (first < second)


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), ZONES, st.integers(0, 6))  # noqa: DTZ001
def test_a_timestamp_is_converted_to_utc_and_keeps_its_precision(local: datetime, zone: timezone, digits: int) -> None:
    """C4"""
    fraction = f"{local.microsecond:06d}"[:digits]
    offset = local.replace(tzinfo=zone).isoformat(timespec="microseconds")[26:32]
    given_text = local.isoformat(timespec="seconds")[:19] + (f".{fraction}" if digits else "") + offset
    moment = local.replace(microsecond=int(fraction.ljust(6, "0")), tzinfo=zone).astimezone(UTC)
    expected = moment.strftime("%m-%dT%H:%M:%S") + (f".{fraction}" if digits else "")
    assert normalise_timestamp(given_text) == f"{moment.year:04d}-{expected}+00:00"
    assert parse_timestamp(normalise_timestamp(given_text)) == parse_timestamp(given_text)


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), ZONES)  # noqa: DTZ001
def test_what_is_normal_already_stays_as_it_is(local: datetime, zone: timezone) -> None:
    once = normalise_date_or_timestamp(local.replace(tzinfo=zone).isoformat(timespec="microseconds")[:32])
    assert normalise_date_or_timestamp(once) == once


@given(st.dates())
def test_a_plain_date_stays_a_plain_date(day: object) -> None:
    """C4"""
    assert normalise_date_or_timestamp(str(day)) == str(day)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("2021-11-25", "2021-11-25"),
        ("2021-11-27T13:00:00+00:00", "2021-11-27T13:00:00+00:00"),
        ("2021-11-27T13:00:00Z", "2021-11-27T13:00:00+00:00"),
        ("2021-11-27T13:00:00-00:00", "2021-11-27T13:00:00+00:00"),
        ("2021-11-27T13:00:00.5Z", "2021-11-27T13:00:00.5+00:00"),
        ("2021-11-27T13:00:00.000Z", "2021-11-27T13:00:00.000+00:00"),
        ("2021-12-31T23:30:00-05:45", "2022-01-01T05:15:00+00:00"),
        ("2021-01-01T00:00:00+23:59", "2020-12-31T00:01:00+00:00"),
    ],
)
def test_dates_and_timestamps_of_people(given_text: str, expected: str) -> None:
    """C4"""
    assert normalise_date_or_timestamp(given_text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2021",
        "2021-11",
        "20211125",
        "2021-W47-4",
        "2021-02-29",
        "2021-13-01",
        "0000-01-01",
        "2021-11-25 ",
        "2021-11-25\n",
        "٢٠٢١-١١-٢٥",
        "2021-11-27T13:00:00",
        "2021-11-27T13:00Z",
        "2021-11-27 13:00:00Z",
        "2021-11-27t13:00:00z",
        "2021-11-27T13:00:00.Z",
        "2021-11-27T13:00:00,5Z",
        "2021-11-27T13:00:00.1234567Z",
        "2021-11-27T13:00:00+0000",
        "2021-11-27T13:00:00+00",
        "2021-11-27T13:00:00+00:00:00",
        "2021-11-27T13:00:00+24:00",
        "2021-11-27T13:00:00+00:60",
        "2021-11-27T13:00:00+05:99",
        "2021-11-27T24:00:00Z",
        "2021-11-27T13:60:00Z",
        "2021-11-27T13:00:60Z",
        "2021-11-27T13:00:00Z\n",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_date_and_no_timestamp_is_refused_with_a_sentence(text: str) -> None:
    """C4"""
    with pytest.raises(ValueError, match=r"\.$"):
        normalise_date_or_timestamp(text)


@pytest.mark.parametrize("read", [normalise_timestamp, parse_timestamp])
def test_a_plain_date_is_no_timestamp(read: object) -> None:
    assert callable(read)
    with pytest.raises(ValueError):
        read("2021-11-25")


@given(st.text())
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    try:
        normalised = normalise_date_or_timestamp(text)
    except ValueError:
        return
    assert normalise_date_or_timestamp(normalised) == normalised
