"""What a struct says of its members is what its check does, whatever is sent."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from signalpost.domain.body import Body, check_of, check_of_text, checked_by, read
from signalpost.domain.checks import Bad, Several, pairs
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.fields import Text

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def upper(text: str) -> str:
    if text == "never":
        raise Bad("not_now", "This word is not taken.")
    return text.upper()


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(Body, frozen=True, kw_only=True):
    part_name: Text


class Everything(Body, frozen=True, kw_only=True):
    needed: Text
    shouted: Annotated[Text, Meta(extra=checked_by(upper))] = "BY DEFAULT"
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    share: Annotated[float, Meta(ge=0, le=1)] | None = None
    is_on: bool = False
    colour: Colour = Colour.RED
    word: Literal["one", "two"] | UnsetType = UNSET
    parts: Annotated[tuple[Part, ...], Meta(max_length=2)] = ()
    pairs: Annotated[dict[Text, Text | bool], Meta(max_length=2)] = {}
    code: Annotated[str, Meta(max_length=4, pattern="^[A-Z]+$")] | UnsetType = UNSET


class Start(Body, frozen=True, kw_only=True, tag_field="action", tag="start"):
    at: Text


class Stop(Body, frozen=True, kw_only=True, tag_field="action", tag="stop"):
    pass


def errors_of(kind: Any, value: Any) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        read(kind, value)
    assert all(error.detail.endswith(".") for error in caught.value.errors)
    return {(error.pointer, error.code) for error in caught.value.errors}


def test_a_body_is_read_as_its_struct_holds_it() -> None:
    given = {
        "needed": "a", "shouted": "b", "count": 2.0, "share": 1, "isOn": True, "colour": "blue", "word": "two",
        "parts": [{"partName": "p"}], "pairs": {"x": "y", "z": False}, "code": "ABC",
    }  # fmt: skip
    assert read(Everything, given) == Everything(
        needed="a", shouted="B", count=2, share=1, is_on=True, colour=Colour.BLUE, word="two",
        parts=(Part(part_name="p"),), pairs={"x": "y", "z": False}, code="ABC",
    )  # fmt: skip


def test_what_may_be_left_out_has_its_default() -> None:
    assert read(Everything, {"needed": "a"}) == Everything(needed="a")


def test_of_a_hundred_thousand_pairs_where_two_may_be_a_few_are_looked_at() -> None:
    looked_at = 0

    def look(value: Any) -> Any:
        nonlocal looked_at
        looked_at += 1
        return value

    with pytest.raises(Several) as caught:
        pairs(lambda name: name, look, 2)(dict.fromkeys(map(str, range(100_000)), "v"))
    assert [bad.code for bad in caught.value.bads] == ["too_many"]
    assert looked_at == Invalid.MAX_NAMED


def test_everything_wrong_is_named_at_any_depth() -> None:
    given = {
        "shouted": "never", "count": 10, "share": "1", "isOn": 1, "colour": "green", "word": None,
        "parts": [{"partName": 1}, {"x": 1}], "pairs": {"": "y", "b": 1, "c": None}, "code": "abc", "nothing": 1,
    }  # fmt: skip
    assert errors_of(Everything, given) == {
        ("/needed", "required"),
        ("/shouted", "not_now"),
        ("/count", "out_of_range"),
        ("/share", "wrong_type"),
        ("/isOn", "wrong_type"),
        ("/colour", "not_allowed"),
        ("/word", "not_allowed"),
        ("/parts/0/partName", "wrong_type"),
        ("/parts/1/x", "unknown_field"),
        ("/parts/1/partName", "required"),
        ("/pairs/", "wrong_length"),
        ("/pairs/b", "wrong_type"),
        ("/pairs/c", "wrong_type"),
        ("/pairs", "too_many"),
        ("/code", "wrong_form"),
        ("/nothing", "unknown_field"),
    }


@given(ANY_JSON | st.dictionaries(st.sampled_from(["needed", "count", "parts", "pairs", "x"]), ANY_JSON, max_size=4))
def test_whatever_is_sent_is_taken_or_refused(value: Any) -> None:
    try:
        taken = read(Everything, value)
    except Invalid as invalid:
        msgspec.json.encode(list(invalid.errors))
    else:
        assert read(Everything, msgspec.to_builtins(taken)) == taken


def test_a_check_that_needs_to_know_more_runs_after_the_members_own() -> None:
    def refuse(value: str) -> str:
        raise Bad("refused", f"Not {value}.")

    with pytest.raises(Invalid) as caught:
        read(Everything, {"needed": "a", "shouted": "b", "count": 0}, {"shouted": refuse})
    assert caught.value.errors == (
        FieldError("/shouted", "refused", "Not B."),
        FieldError("/count", "out_of_range", "This must lie between 1 and 9."),
    )


def test_a_tag_says_which_of_several_a_body_is() -> None:
    assert read(Start | Stop, {"action": "start", "at": "noon"}) == Start(at="noon")
    assert read(Start | Stop, {"action": "stop"}) == Stop()
    assert errors_of(Start | Stop, {"action": "start"}) == {("/at", "required")}
    assert errors_of(Start | Stop, {"action": "stop", "at": "noon"}) == {("/at", "unknown_field")}
    assert errors_of(Start | Stop, {"at": 1, "x": 1}) == {
        ("/action", "required"),
        ("/at", "wrong_type"),
        ("/x", "unknown_field"),
    }
    assert errors_of(Start | Stop, {"action": ["start"], "at": "noon"}) == {("/action", "not_allowed")}
    assert errors_of(Start | Stop, []) == {("", "wrong_type")}


def test_texts_of_a_query_say_numbers_and_truth() -> None:
    assert check_of_text(Annotated[int, Meta(ge=0, le=9)])("7") == 7
    assert check_of_text(bool)("true") is True
    for kind, text in ((Annotated[int, Meta(ge=0, le=9)], "10"), (Annotated[int, Meta(ge=0, le=9)], "x"), (bool, "1")):
        with pytest.raises(Bad):
            check_of_text(kind)(text)


@pytest.mark.parametrize("kind", [str, tuple[Text, ...]])
def test_a_text_or_a_list_without_a_bound_is_no_type_of_a_field(kind: Any) -> None:
    with pytest.raises(TypeError):
        check_of(kind)


def test_the_schema_of_a_form_says_what_its_struct_does() -> None:
    """Titles, descriptions and examples for the person who fills it in, and which values are never shown again."""

    class Settings(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
        api_token: Annotated[Text, Meta(title="Token", examples=["t-1"], extra_json_schema={"writeOnly": True})]
        room: Annotated[Text, Meta(title="Room", description="Where messages go.", examples=["#legal"])]

    schema = msgspec.json.schema(Settings)["$defs"]["Settings"]
    assert schema["required"] == ["apiToken", "room"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["apiToken"]["writeOnly"] is True
    assert (
        schema["properties"]["room"].items()
        >= {
            "title": "Room",
            "description": "Where messages go.",
            "examples": ["#legal"],
            "maxLength": 512,
        }.items()
    )
    assert read(Settings, {"apiToken": "t", "room": "#legal"}) == Settings(api_token="t", room="#legal")
