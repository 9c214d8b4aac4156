"""Trace contexts: which headers name one, which of them an event keeps, and the ids of our own spans."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.event import event_id
from signalpost.domain.trace_context import (
    NO_SPAN,
    NOT_TRACED,
    asked_within,
    header_of,
    is_sampled,
    kept_with,
    parse,
    span_of,
    trace_of,
    trace_of_event,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"
CONTEXT = bytes.fromhex(TRACE + SPAN + "01")
UNSAMPLED = bytes.fromhex(TRACE + SPAN + "00")
EVENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"


def test_a_header_names_a_trace_a_span_and_whether_it_is_sampled() -> None:
    assert parse(HEADER) == CONTEXT
    assert parse(f"00-{TRACE}-{SPAN}-00") == UNSAMPLED
    assert is_sampled(CONTEXT)
    assert not is_sampled(UNSAMPLED)
    assert not is_sampled(NOT_TRACED)


def test_of_the_flags_those_are_kept_that_have_a_meaning() -> None:
    assert parse(f"00-{TRACE}-{SPAN}-ff")[24] == 3
    assert parse(f"00-{TRACE}-{SPAN}-fe")[24] == 2


def test_of_a_later_version_that_is_read_which_is_known() -> None:
    assert parse(f"01-{TRACE}-{SPAN}-01") == CONTEXT
    assert parse(f"cc-{TRACE}-{SPAN}-01-what-comes-then") == CONTEXT


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        HEADER[:-1],
        HEADER + "0",
        HEADER + "-",
        HEADER + "-00",
        HEADER + "\n",
        " " + HEADER,
        HEADER.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"0x-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01.then",
        f"{HEADER}, {HEADER}",
        f"00-{TRACE}-{SPAN}-०१",
        f"00-{'٠' * 31}1-{SPAN}-01",
        "00-" + "a" * 100_000,
        "\0" * 55,
    ],
)
def test_what_is_no_trace_context_is_ignored(header: str | None) -> None:
    assert parse(header) == NOT_TRACED


@given(st.text(max_size=80))
def test_no_text_whatever_is_an_error(text: str) -> None:
    assert len(parse(text)) in (0, 25)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8))
def test_a_header_that_is_made_is_read_again(trace: bytes, span: bytes) -> None:
    expected = trace + span + b"\1" if any(trace) and any(span) else NOT_TRACED
    assert parse(header_of(trace, span)) == expected


# --- What an event keeps ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_whoever_names_a_trace_decides_whether_it_is_sampled(ratio: float) -> None:
    assert kept_with(CONTEXT, EVENT, ratio) == CONTEXT
    assert kept_with(UNSAMPLED, EVENT, ratio) == NOT_TRACED


def test_a_share_of_the_events_that_no_one_traces_is_traced_under_their_own_ids() -> None:
    random = Random(1)
    events = [event_id(1_700_000_000_000_000 + number, random.getrandbits(62)) for number in range(4_000)]
    traced = [event for event in events if kept_with(NOT_TRACED, event, 0.25)]
    assert 900 < len(traced) < 1_100
    assert not any(kept_with(NOT_TRACED, event, 0.0) for event in events)
    for event in events:
        assert kept_with(NOT_TRACED, event, 1.0) == trace_of_event(event) + NO_SPAN + b"\3"
        assert trace_of_event(event).hex() == event.replace("-", "")


def test_the_same_events_are_traced_wherever_that_is_decided_and_more_of_them_if_more_are_wanted() -> None:
    random = Random(2)
    events = [event_id(1_700_000_000_000_000 + number, random.getrandbits(62)) for number in range(500)]
    few, many = ({event for event in events if kept_with(NOT_TRACED, event, ratio)} for ratio in (0.1, 0.3))
    assert few < many


def test_a_span_of_ours_that_asks_for_an_event_stands_in_its_context() -> None:
    ours = bytes.fromhex("1111111111111111")
    assert asked_within(CONTEXT, ours) == CONTEXT[:16] + ours + b"\1"
    assert kept_with(asked_within(NOT_TRACED, ours), EVENT, 1.0) == trace_of_event(EVENT) + ours + b"\3"
    assert kept_with(asked_within(NOT_TRACED, ours), EVENT, 0.0) == NOT_TRACED
    assert kept_with(asked_within(UNSAMPLED, ours), EVENT, 1.0) == NOT_TRACED


# --- Our own ids ------------------------------------------------------------------------------------------------------


def test_ids_follow_from_what_a_span_is_about() -> None:
    about = [(EVENT,), (EVENT, "s"), (EVENT, "s", 0, 1), (EVENT, "s", 1, 0), (EVENT, "s", 0, 11), (EVENT, "s", 1, 1)]
    assert [span_of(*each) for each in about] == [span_of(*each) for each in about]
    assert len({span_of(*each) for each in about}) == len(about)
    assert {len(span_of(*each)) for each in about} == {8}
    assert len({trace_of(*each) for each in about}) == len(about)
    assert {len(trace_of(*each)) for each in about} == {16}
