"""Forms from JSON Schemas, of every kind that is installed and of types that none of them has yet."""

from typing import Any

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
        "maybe": "text", "amount": "text", "map": "pairs", "lines": "json", "any": "json", "one": "select",
    }  # fmt: skip
    assert [each.name for each in form.fields][:2] == ["name", "list"]
    assert form.fields[0].pointer == "/config/name"
    assert {each.name: each.value for each in form.fields if each.value} == {"flag": "on", "count": "3"}


def test_what_is_typed_becomes_json_and_what_is_left_empty_is_left_out() -> None:
    typed = {
        "name": " N ", "list": "a\n\n b", "count": "7", "map": "x = 1\ny=a=b", "lines": '[{"a": 1}]', "any": "null",
        "amount": "{{ document.contractValue }}", "token": "",
    }  # fmt: skip
    assert schema_form(SCHEMA, typed).body(typed) == {
        "name": "N", "list": ["a", "b"], "flag": False, "count": 7, "map": {"x": "1", "y": "a=b"}, "lines": [{"a": 1}],
        "any": None, "amount": "{{ document.contractValue }}",
    }  # fmt: skip


def test_what_cannot_be_read_is_sent_as_it_is_for_the_api_to_refuse() -> None:
    typed = {"name": "n", "list": "", "count": "many", "lines": "[{"}
    body = schema_form(SCHEMA, typed).body(typed)
    assert (body["count"], body["lines"]) == ("many", "[{")
    assert "list" not in body


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
    assert (fields["name"].value, fields["list"].value, fields["flag"].value) == ("N", "a\nb", "")
    assert (fields["token"].value, fields["token"].required) == ("", False)
    assert "stays as it is" in fields["token"].about
    typed = {"name": "M", "list": "", "count": "7"}
    assert {name: value for name, value in form.patch(typed).items() if value is not None} == {
        "name": "M", "flag": False, "count": 7,
    }  # fmt: skip
    assert form.patch(typed)["list"] is None
    assert "token" not in form.patch(typed)


def test_nothing_is_kept_of_a_choice_that_is_made_anew() -> None:
    kept = {"way": {"by": "a", "x": "X"}}
    for given, value in (({}, "X"), ({"way.by": "b"}, "")):
        [field] = schema_form(UNION, given, kept=kept).fields
        assert field.value == value
