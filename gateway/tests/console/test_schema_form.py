"""Forms from JSON Schemas, of every kind that is installed and of types that none of them has yet."""

from typing import Any

import pytest

from signalpost.console.calls import CallFailed
from signalpost.console.schema_form import schema_form

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "list"],
    "properties": {
        "flag": {"type": "boolean", "default": True},
        "count": {"type": "integer", "default": 3},
        "name": {"type": "string", "title": "A name"},
        "long": {"type": "string", "maxLength": 4096},
        "token": {"type": "string", "writeOnly": True, "default": "never shown"},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "amount": {"anyOf": [{"type": "string"}, {"type": "number"}]},
        "mixed": {
            "type": "object",
            "additionalProperties": {
                "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]
            },
        },
        "list": {"type": "array", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "lines": {"type": "array", "items": {"type": "object", "properties": {}}},
        "any": {},
        "one": {"enum": ["a", "b"]},
    },
}
UNION: dict[str, Any] = {
    "$ref": "#/$defs/Whole",
    "$defs": {
        "Whole": {
            "type": "object",
            "required": ["way"],
            "properties": {
                "way": {
                    "title": "Way in",
                    "anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}],
                    "discriminator": {"propertyName": "by", "mapping": {"a": "#/$defs/A", "b": "#/$defs/B"}},
                }
            },
        },
        "A": {"type": "object", "properties": {"by": {"enum": ["a"]}, "x": {"type": "string"}}},
        "B": {"type": "object", "properties": {"by": {"enum": ["b"]}, "y": {"type": "string"}}},
    },
}


def test_each_type_has_its_field_and_what_must_be_filled_in_comes_first() -> None:
    form = schema_form(SCHEMA, {}, "/config")
    assert {each.name: each.widget for each in form.fields} == {
        "name": "text", "list": "lines", "flag": "check", "count": "text", "long": "area", "token": "password",
        "maybe": "text", "amount": "text", "map": "pairs", "mixed": "pairs", "lines": "json", "any": "json",
        "one": "select",
    }  # fmt: skip
    assert [each.name for each in form.fields][:2] == ["name", "list"]
    assert form.fields[0].pointer == "/config/name"
    assert {each.name: each.value for each in form.fields if each.value} == {"flag": "on", "count": "3"}


def test_a_box_that_was_unticked_stays_so_on_the_page_that_says_what_is_wrong() -> None:
    """C14: whose default is ticked, too."""
    shown = {each.name: each.value for each in schema_form(SCHEMA, {"flag": "off"}, kept={"flag": True}).fields}
    assert shown["flag"] == "off"


def test_what_is_typed_becomes_json_and_what_is_left_empty_is_left_out() -> None:
    typed = {
        "name": " N ", "list": "a\n\n b", "count": "7", "map": "x = 1\ny=a=b", "lines": '[{"a": 1}]', "any": "null",
        "amount": "{{ document.contractValue }}", "token": "", "flag": "off",
    }  # fmt: skip
    assert schema_form(SCHEMA, typed).body(typed) == {
        "name": "N", "list": ["a", "b"], "flag": False, "count": 7, "map": {"x": "1", "y": "a=b"}, "lines": [{"a": 1}],
        "any": None, "amount": "{{ document.contractValue }}",
    }  # fmt: skip


def test_a_number_that_is_none_is_sent_as_it_is_for_the_api_to_refuse() -> None:
    typed = {"name": "n", "list": "", "count": "many"}
    body = schema_form(SCHEMA, typed).body(typed)
    assert body["count"] == "many"
    assert "list" not in body


def test_what_is_no_json_or_no_pair_is_refused_where_the_api_might_take_it_for_a_text() -> None:
    typed = {"name": "n", "any": '{"title": {{ document.title }}}', "map": "x: 1"}
    with pytest.raises(CallFailed) as refused:
        schema_form(SCHEMA, typed, "/config").body(typed)
    found = {each.pointer: each.detail for each in refused.value.problem.errors or ()}
    assert [*found] == ["/config/map", "/config/any"]
    assert "This one has no “=”" in found["/config/map"]
    assert found["/config/any"].startswith("This is no JSON")


def test_numbers_truths_null_and_texts_that_look_like_them_stand_beside_each_other() -> None:
    """What a record's fields are told: each comes back with its type."""
    mixed = {"a": 12.5, "b": "12.5", "c": True, "d": "true", "e": None, "f": "null", "g": "a\nb", "h=": '"', "i": " x "}
    [field] = [each for each in schema_form(SCHEMA, {}, kept={"mixed": mixed}).fields if each.name == "mixed"]
    typed = {"name": "n", "mixed": field.value.replace("\n", "\r\n") + "\r\nj = {{ document.title }}"}
    assert schema_form(SCHEMA, typed).body(typed)["mixed"] == {**mixed, "j": "{{ document.title }}"}
    said = {"name": "n", "mixed": 'amount = 12.5\nis open = true\ncode = "007"', "amount": "19", "map": "n = 12"}
    body = schema_form(SCHEMA, said).body(said)
    assert body["mixed"] == {"amount": 12.5, "is open": True, "code": "007"}
    assert (body["amount"], body["map"]) == (19, {"n": "12"})


def test_only_what_was_edited_of_an_object_that_is_kept_is_read_again() -> None:
    kept: dict[str, Any] = {
        "name": "N",
        "list": [],
        "long": "a\r\nb",
        "map": {},
        "any": None,
        "count": 3,
        "maybe": None,
    }
    shown = {each.name: each.value for each in schema_form(SCHEMA, {}, kept=kept).fields}
    back = {name: value.replace("\r\n", "\n").replace("\n", "\r\n") for name, value in shown.items()}
    assert schema_form(SCHEMA, back, kept=kept).is_untouched(back)
    assert schema_form(SCHEMA, back, kept=kept).body(back) == kept
    assert schema_form(SCHEMA, back, kept=kept).patch(back) == {}
    edited = {**back, "count": "4", "long": "a\r\nbc", "maybe": "m"}
    form = schema_form(SCHEMA, edited, kept=kept)
    assert form.body(edited) == {**kept, "count": 4, "long": "a\r\nbc", "maybe": "m"}
    assert form.patch(edited) == {"count": 4, "long": "a\r\nbc", "maybe": "m"}


def test_what_was_emptied_is_empty_and_not_the_default_again() -> None:
    schema = {
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": {"enum": ["a", "b"]}, "default": ["a"]},
            "text": {"type": "string", "default": "{{ document.title }}"},
            "named": {"type": "string", "minLength": 1, "default": "Id"},
            "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": "x"},
        },
    }
    typed = dict.fromkeys(("list", "text", "named", "maybe"), "")
    assert schema_form(schema, typed).body(typed) == {"list": [], "text": "", "maybe": None}


def test_which_fields_there_are_follows_from_what_is_chosen() -> None:
    for given, field in (({}, "way.x"), ({"way.by": "b"}, "way.y"), ({"way.by": "nonsense"}, "way.x")):
        form = schema_form(UNION, given)
        assert [each.name for each in form.fields] == [field]
    form = schema_form(UNION, {"way.by": "b"})
    assert form.body({"way.y": "Y"}) == {"way": {"by": "b", "y": "Y"}}


def test_a_secret_that_was_typed_is_never_shown_again() -> None:
    form = schema_form(SCHEMA, {"token": "typed just now"})
    [token] = [each for each in form.fields if each.name == "token"]
    assert (token.value, token.example) == ("", "")


def test_what_is_kept_stands_in_the_fields_and_a_secret_of_it_may_stay_empty() -> None:
    kept = {"name": "N", "token": None, "list": ["a", "b"], "flag": False, "lines": [{"a": 1}]}
    form = schema_form(SCHEMA, {}, kept=kept)
    fields = {each.name: each for each in form.fields}
    assert (fields["name"].value, fields["list"].value, fields["flag"].value) == ("N", "a\nb", "off")
    assert (fields["token"].value, fields["token"].required) == ("", False)
    assert "stays as it is" in fields["token"].about
    typed = {"name": "M", "list": "", "count": "7", "flag": "off", "token": ""}
    assert form.patch(typed) == {"name": "M", "list": [], "count": 7}


def test_nothing_is_kept_of_a_choice_that_is_made_anew() -> None:
    kept = {"way": {"by": "a", "x": "X"}}
    for given, value in (({}, "X"), ({"way.by": "b"}, "")):
        [field] = schema_form(UNION, given, kept=kept).fields
        assert field.value == value
