"""The laws of `totality` on bytes and headers that Hypothesis makes up; `make fuzz-receiver` has libFuzzer do it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receiver.tests.requests import NOW, compact, event_body
from receiver.tests.totality import EVENT_ID, assert_forged, assert_signed

from signalpost_receiver import DOCUMENT_KEYS, ENVELOPE_KEYS

BODY = event_body()
NAMES = st.sampled_from(
    [
        "plexus-webhook-signature",
        "plexus-webhook-signature-alternate",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "signalpost-attempt",
        "signalpost-sequence",
    ]
)
VALUES = (
    st.from_regex(r"([0-9a-f]{128}|(v1,[A-Za-z0-9+/]{43}= ?){1,3}|[0-9]{1,13})", fullmatch=True)
    | st.sampled_from([str(NOW), EVENT_ID])
    | st.text()
)
ODD = st.none() | st.integers() | st.binary() | st.lists(VALUES) | st.tuples(VALUES, VALUES)
CONTAINERS = (
    st.dictionaries(NAMES | st.text(), VALUES)
    | st.dictionaries(NAMES | st.binary(), VALUES | ODD)
    | st.lists(st.tuples(NAMES | st.text(), VALUES | ODD))
    | st.lists(st.tuples(NAMES.map(str.encode), st.binary()))
    | st.lists(st.tuples(NAMES, VALUES, VALUES) | VALUES | ODD)
    | ODD
)


@given(body=st.binary() | st.just(BODY), headers=CONTAINERS)
def test_c19_c20_nothing_forged_passes_and_every_error_is_expected(body: bytes, headers: Any) -> None:
    assert_forged(body, headers)


@pytest.mark.parametrize("body", [None, 5, "text", {"id": "x"}, ["a"], object()])
def test_a_body_that_was_parsed_is_told_from_one_that_was_forged(body: Any) -> None:
    assert_forged(body, {})


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """An event with a part replaced, left out or repeated."""
    start = draw(st.integers(0, len(BODY)))
    end = draw(st.integers(start, min(len(BODY), start + 40)))
    part = BODY[start:end]
    tokens = st.sampled_from([b"", b"null", b"1e400", b"-0", b'"\\ud83c"', b"[[", b"{}", b"NaN", b'"a":1,', part * 2])
    return BODY[:start] + draw(tokens | st.binary(max_size=20)) + BODY[end:]


@settings(max_examples=400)
@given(body=spoilt() | st.binary(), page_only=st.booleans())
def test_c13_a_signed_body_is_a_sound_event_or_refused(body: bytes, *, page_only: bool) -> None:
    assert_signed(body, page_only=page_only)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False).map(float)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(ENVELOPE_KEYS), inner),
    max_leaves=8,
)


@given(name=st.sampled_from(ENVELOPE_KEYS + DOCUMENT_KEYS), value=JSON)
def test_c1_c7_an_attribute_of_any_kind_is_read_or_refused(name: str, value: object) -> None:
    event = json.loads(BODY)
    (event if name in ENVELOPE_KEYS else event["data"]["document"])[name] = value
    assert_signed(compact(event), page_only=False)
