"""The checks of single fields, and how all that is wrong is told at once."""

import json
import math
import re
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import field

from signalpost.domain import checks
from signalpost.domain.body import Body, check_of, read
from signalpost.domain.checks import Bad, Check, Several, pointer
from signalpost.domain.documents.bodies import Facts, FactsPatch
from signalpost.domain.endpoint import Headers
from signalpost.domain.errors import Invalid
from signalpost.domain.fields import Email, GivenDateOrTimestamp, GivenTimestamp, Money, Text, Uuid

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
email, uuid, money = check_of(Email), check_of(Uuid), check_of(Money)
timestamp, date_or_timestamp = check_of(GivenTimestamp), check_of(GivenDateOrTimestamp)
CHECKS: list[Check] = [
    checks.plain_text,
    email,
    uuid,
    date_or_timestamp,
    timestamp,
    money,
    checks.truth,
    checks.one_of(("a", "b")),
    checks.whole_number(1, 10),
    checks.nullable(money),
]


def code_of(check: Check, value: Any) -> str:
    with pytest.raises(Bad) as caught:
        check(value)
    assert caught.value.detail.endswith(".")
    return caught.value.code


# --- Texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a", "x" * 512, "😀" * 512, "\x01\x1f\x7f", " ", "a\nb"])
def test_texts_of_1_to_512_characters_are_taken_as_they_are(text: str) -> None:
    assert checks.plain_text(text) == text


@pytest.mark.parametrize("text", ["", "x" * 513, "😀" * 513])
def test_texts_that_are_too_short_or_too_long_are_refused(text: str) -> None:
    assert code_of(checks.plain_text, text) == "wrong_length"


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "a\udfffb", "\udc00\ud800"])
def test_u0000_and_lone_surrogates_are_refused(text: str) -> None:
    assert code_of(checks.plain_text, text) == "forbidden_character"


@given(st.text(min_size=1, max_size=512))
def test_what_is_taken_can_be_sent_as_utf_8(text: str) -> None:
    """C13"""
    try:
        taken = checks.plain_text(text)
    except Bad:
        assert "\x00" in text
    else:
        assert taken.encode().decode() == text


@pytest.mark.parametrize("address", ["a@b", "owner@example.com", "ü@ö.de", "a+b@c.d"])
def test_addresses(address: str) -> None:
    assert email(address) == address


@pytest.mark.parametrize("address", ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a\x00@b", "x" * 512 + "@b"])
def test_what_is_no_address(address: str) -> None:
    assert code_of(email, address) in {"not_an_email", "wrong_length", "forbidden_character"}


@given(st.uuids())
def test_uuids_are_kept_in_lower_case(identity: object) -> None:
    """C8"""
    assert uuid(str(identity).upper()) == str(identity)


@pytest.mark.parametrize(
    "text", ["", "d24c0644", "{d24c0644-1d31-47fa-960e-b0cc8b4f136c}", "d24c06441d3147fa960eb0cc8b4f136c", None, 1]
)
def test_what_is_no_uuid(text: Any) -> None:
    assert code_of(uuid, text) in {"not_a_uuid", "wrong_type"}


def test_no_character_beyond_ascii_passes_as_a_hexadecimal_digit() -> None:
    rest = "24c0644-1d31-47fa-960e-b0cc8b4f136c"
    passed = []
    for code in range(0x80, 0x30000):
        if not 0xD800 <= code <= 0xDFFF:
            try:
                uuid(chr(code) + rest)
            except Bad:
                continue
            passed.append(code)
    assert passed == []


# --- Amounts ----------------------------------------------------------------------------------------------------------


@given(st.integers(-(10**15), 10**15))
def test_amounts_of_two_decimals_up_to_10_13_are_exact_on_the_wire(cents: int) -> None:
    """C8: as a number with a decimal point, and exactly the one that was given."""
    exact = Decimal(cents) / 100
    taken = money(json.loads(str(exact)))
    written = msgspec.json.encode(taken).decode()
    assert re.fullmatch(r"-?\d+\.\d{1,2}", written)
    assert Decimal(written) == exact


@given(st.integers(-(10**13), 10**13))
def test_whole_amounts_get_their_decimal_point(amount: int) -> None:
    """C8"""
    assert msgspec.json.encode(money(amount)).decode() == f"{amount}.0"


def test_there_is_no_negative_zero() -> None:
    assert math.copysign(1, money(-0.0)) == 1


@given(st.integers(-(10**12), 10**12).filter(lambda tenths_of_a_cent: tenths_of_a_cent % 10 != 0))
def test_a_third_decimal_is_refused(tenths_of_a_cent: int) -> None:
    """C8"""
    assert code_of(money, float(Decimal(tenths_of_a_cent) / 1000)) == "too_many_decimals"


@pytest.mark.parametrize(
    "amount", [1e13 + 0.01, -1e13 - 0.01, 10**13 + 1, 10**400, 1e300, math.inf, -math.inf, math.nan]
)
def test_amounts_beyond_10_13_are_refused(amount: float) -> None:
    assert code_of(money, amount) == "out_of_range"


@pytest.mark.parametrize("value", ["1", True, None, [], {}])
def test_what_is_no_amount(value: Any) -> None:
    assert code_of(money, value) == "wrong_type"


# --- Numbers and truth ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [10, 10.0])
def test_a_whole_number_is_whole_however_it_is_written(value: Any) -> None:
    taken = checks.whole_number(0, 10)(value)
    assert (taken, type(taken)) == (10, int)


@pytest.mark.parametrize("value", [True, 1.5, math.inf, math.nan, "1", None])
def test_what_is_no_whole_number(value: Any) -> None:
    assert code_of(checks.whole_number(0, 9), value) == "wrong_type"


@given(st.integers())
def test_whole_numbers_lie_within_their_bounds(value: int) -> None:
    check = checks.whole_number(-3, 9)
    if -3 <= value <= 9:
        assert check(value) == value
    else:
        assert code_of(check, value) == "out_of_range"


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_only_true_and_false_are_truth(value: Any) -> None:
    assert code_of(checks.truth, value) == "wrong_type"


@given(ANY_JSON, st.sampled_from(CHECKS))
def test_whatever_is_sent_is_taken_or_refused(value: Any, check: Check) -> None:
    with suppress(Bad):
        check(value)


@given(ANY_JSON, st.sampled_from(CHECKS))
def test_what_was_taken_once_is_taken_again_as_it_is(value: Any, check: Check) -> None:
    try:
        taken = check(value)
    except Bad:
        return
    assert check(taken) == taken


# --- Several at once --------------------------------------------------------------------------------------------------


class Sample(Body, frozen=True, kw_only=True):
    a: Money
    b: bool = False
    c: Text


def test_every_bad_unknown_and_missing_field_is_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        read(Sample, {"a": "x", "b": 1, "d": 1, "e": 2})
    assert {(error.pointer, error.code) for error in caught.value.errors} == {
        ("/a", "wrong_type"),
        ("/b", "wrong_type"),
        ("/d", "unknown_field"),
        ("/e", "unknown_field"),
        ("/c", "required"),
    }


@pytest.mark.parametrize("check", [check_of(Facts), check_of(FactsPatch), check_of(Headers)])
def test_with_as_many_wrong_as_can_be_named_the_rest_is_not_looked_at(check: Check) -> None:
    """A body of the limit has room for a hundred thousand: they would hold everybody up."""
    wrong: dict[str, Any] = {str(number): [] for number in range(1000)}
    with pytest.raises(Invalid) as caught:
        read(Sample, wrong)
    assert [error.pointer for error in caught.value.errors] == [*(f"/{name}" for name in range(100)), "/a", "/c"]
    with pytest.raises(Several) as several:
        check(wrong)
    assert [bad.below for bad in several.value.bads if bad.below] == [(str(name),) for name in range(100)]


@pytest.mark.parametrize("value", [None, 1, "a", [], [{}], True])
def test_what_is_no_object_is_refused_as_a_whole(value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        read(Sample, value)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("", "wrong_type")]


class NeedsMuch(Body, frozen=True, kw_only=True):
    """A body that no caller sends by chance."""

    needed: Text = field(name="needed!")


@given(st.dictionaries(st.text(st.characters()), ANY_JSON, max_size=5))
def test_a_refusal_can_always_be_shown_as_json(value: dict[str, Any]) -> None:
    """Names with lone surrogates included: a problem document is UTF-8."""
    with pytest.raises(Invalid) as caught:
        read(NeedsMuch, value)
    assert len(caught.value.errors) == len(value) + ("needed!" not in value)
    msgspec.json.encode(list(caught.value.errors))
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (("a",), "/a"),
        (("a/b",), "/a~1b"),
        (("a~b",), "/a~0b"),
        (("~1",), "/~01"),
        (("",), "/"),
        (("a", "b"), "/a/b"),
        ((), ""),
    ],
)
def test_pointers_escape_as_rfc_6901_says(tokens: tuple[str, ...], expected: str) -> None:
    assert pointer(*tokens) == expected


@given(st.lists(st.text(), max_size=4))
def test_a_pointer_can_be_taken_apart_again(tokens: list[str]) -> None:
    parts = pointer(*tokens).split("/")[1:]
    assert [part.replace("~1", "/").replace("~0", "~") for part in parts] == tokens
