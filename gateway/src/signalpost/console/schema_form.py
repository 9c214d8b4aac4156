"""Forms that follow from a JSON Schema: what a kind of destination asks for, as fields, and what was typed, as JSON.

A member becomes a field by its type; a secret is never shown again, so its field is always empty. A union that a
discriminator tells apart becomes a choice: which fields follow depends on it, so the page is asked for again with it.
What is neither (a list of objects, a value of any type) is typed as JSON. Nothing is checked here: the API checks what
is sent, and names the field by the same pointer.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

Schema = Mapping[str, Any]
Widget = Literal["text", "area", "password", "check", "select", "lines", "pairs", "json"]
LONG_TEXT = 1_000
"""A text that may have more characters gets more than one line."""


class Field(Struct, frozen=True, kw_only=True):
    name: str
    """What the form calls it, such as `signIn.url`."""
    pointer: str
    """Where the API says what is wrong with it, such as `/config/signIn/url`."""
    widget: Widget
    title: str
    about: str
    required: bool
    value: str
    example: str
    options: Sequence[tuple[str, str]] = ()
    """Each value that can be chosen, and how it is called."""
    kind: str = "string"
    """The JSON type of its value."""


class Choice(Struct, frozen=True, kw_only=True):
    """Which of several objects is meant."""

    name: str
    title: str
    about: str
    options: Sequence[tuple[str, str, str]]
    """Each value, how it is called, and what it stands for."""
    chosen: str


class SchemaForm(Struct, frozen=True):
    choices: Sequence[Choice]
    fields: Sequence[Field]

    def patch(self, given: Mapping[str, str]) -> dict[str, Any]:
        """What was typed over an object that is kept, as a merge patch: null takes away what was emptied, and a secret
        that was left empty stays."""
        body = self.body(given)
        for field in self.fields:
            if field.widget not in ("check", "password") and not given.get(field.name, "").strip():
                _put(body, field.name, None)
        return body

    def body(self, given: Mapping[str, str]) -> dict[str, Any]:
        """What was typed, as a JSON object. What was left empty and may be is left out."""
        body: dict[str, Any] = {}
        for choice in self.choices:
            _put(body, choice.name, choice.chosen)
        for field in self.fields:
            text = given.get(field.name, "").strip()
            if text or field.widget == "check":
                _put(body, field.name, _value(field, text))
        return body


def typed_below(prefix: str, form: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What was typed into the fields of a form whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): values[0] for name, values in form.items() if name.startswith(prefix)}


def schema_form(
    schema: Schema, given: Mapping[str, str], pointer: str = "", kept: Mapping[str, Any] | None = None
) -> SchemaForm:
    """The form of an object. `given` has what was typed and chosen so far, by the fields' names; `pointer` is where the
    object stands in the body of the call; `kept` is the object if there is one, with null in place of its secrets."""
    return _Reader(schema.get("$defs", {}), given, pointer, kept or {}).read(schema)


class _Reader:
    def __init__(self, definitions: Schema, given: Mapping[str, str], pointer: str, kept: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._given = given
        self._kept = kept
        self._chosen_anew: list[tuple[str, ...]] = []
        """Where another choice was made than the one that is kept: nothing of that one stays."""
        self._pointer = pointer
        self._choices: list[Choice] = []
        self._fields: list[Field] = []

    def read(self, schema: Schema) -> SchemaForm:
        self._object(schema, ())
        return SchemaForm(self._choices, self._fields)

    def _object(self, schema: Schema, path: tuple[str, ...], discriminator: str | None = None) -> None:
        schema = self._resolved(schema)
        required = schema.get("required", ())
        # What must be filled in comes first.
        for name in sorted(schema["properties"], key=lambda each: each not in required):
            if name != discriminator:
                self._member(schema["properties"][name], (*path, name), required=name in required)

    def _member(self, schema: Schema, path: tuple[str, ...], *, required: bool) -> None:
        resolved = {**self._resolved(schema), **{key: value for key, value in schema.items() if key != "$ref"}}
        if "discriminator" in resolved:
            self._choice(resolved, path)
        elif resolved.get("type") == "object" and resolved.get("properties"):
            self._object(resolved, path)
        else:
            self._fields.append(self._field(resolved, path, required=required))

    def _choice(self, schema: Schema, path: tuple[str, ...]) -> None:
        member, mapping = schema["discriminator"]["propertyName"], schema["discriminator"]["mapping"]
        name = ".".join((*path, member))
        variants = {value: self._resolved({"$ref": reference}) for value, reference in mapping.items()}
        was = self._kept_at((*path, member))
        chosen = self._given.get(name) or was
        if chosen not in variants:
            chosen = next(iter(variants))
        if chosen != was:
            self._chosen_anew.append(path)
        options = [
            (value, label(str(each.get("title", value))), str(each.get("description", "")))
            for value, each in variants.items()
        ]
        title, about = str(schema.get("title", path[-1])), str(schema.get("description", ""))
        self._choices.append(Choice(name=name, title=title, about=about, options=options, chosen=chosen))
        self._object(variants[chosen], path, member)

    def _field(self, schema: Schema, path: tuple[str, ...], *, required: bool) -> Field:
        one = self._only_type(schema)
        widget, options = _widget(one, schema)
        name = ".".join(path)
        value = self._given.get(name, _text(self._kept_at(path, schema.get("default"))))
        has_secret = widget == "password" and self._kept_at(path, "none is kept") is None
        examples = [each for each in schema.get("examples", ()) if each is not None]
        return Field(
            name=name,
            pointer=f"{self._pointer}/{'/'.join(path)}",
            widget=widget,
            title=str(schema.get("title", path[-1])),
            about=str(schema.get("description", "")) + (" Left empty, it stays as it is." if has_secret else ""),
            required=required and not has_secret,
            value="" if widget == "password" else value,
            example=_text(examples[0]) if examples and widget != "password" else "",
            options=options,
            kind=str(one.get("type", "any")),
        )

    def _kept_at(self, path: tuple[str, ...], default: Any = None) -> Any:
        """What is kept at a path; the default where nothing is."""
        place: Any = self._kept
        for step in path:
            if not isinstance(place, dict) or step not in place:
                return default
            place = place[step]
        return default if any(path[: len(each)] == each for each in self._chosen_anew) else place

    def _only_type(self, schema: Schema) -> Schema:
        """A value that may be null can be left empty. One that may be a text or something else is typed as text."""
        alternatives = [self._resolved(each) for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        if not alternatives:
            return schema
        texts = [each for each in alternatives if each.get("type") == "string"]
        return (texts or alternatives)[0]

    def _resolved(self, schema: Schema) -> Schema:
        reference = schema.get("$ref")
        return schema if reference is None else self._definitions[reference.rpartition("/")[2]]


_ACRONYMS = {"Api": "API", "Jwt": "JWT", "Http": "HTTP", "Url": "URL"}


def label(name: str) -> str:
    """How a name in camel case is called, such as `Custom connection`."""
    spaced = re.sub("(?<=[a-z])[A-Z]", lambda capital: f" {capital[0].lower()}", name)
    first, *others = f"{spaced[:1].upper()}{spaced[1:]}".split(" ")
    return " ".join((_ACRONYMS.get(first, first), *others))


def _labelled(values: Sequence[Any]) -> Sequence[tuple[str, str]]:
    return [(str(each), label(str(each))) for each in values]


def _widget(one: Schema, whole: Schema) -> tuple[Widget, Sequence[tuple[str, str]]]:
    if "enum" in one:
        return "select", _labelled(one["enum"])
    match one.get("type"):
        case "string" if whole.get("writeOnly") or one.get("writeOnly"):
            return "password", ()
        case "string":
            return ("area" if one.get("maxLength", 0) > LONG_TEXT else "text"), ()
        case "integer" | "number":
            return "text", ()
        case "boolean":
            return "check", ()
        case "array" if one.get("items", {}).get("type") == "string" or "enum" in one.get("items", {}):
            return "lines", _labelled(one["items"].get("enum", ()))
        case "object" if isinstance(one.get("additionalProperties"), dict):
            return "pairs", ()
        case _:
            return "json", ()


def _value(field: Field, text: str) -> Any:
    """What was typed into a field. What cannot be read is sent as it is, so that the API says what is wrong."""
    match field.widget:
        case "check":
            return text == "on"
        case "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
        case "pairs":
            return dict(_pair(line) for line in text.splitlines() if line.strip())
        case "json":
            return _read(text)
        case _ if field.kind in ("integer", "number"):
            return _read(text)
        case _:
            return text


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip()


def _read(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _text(value: Any) -> str:
    """A value as it stands in a field."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "on" if value else ""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "\n".join(value)
    if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
        return "\n".join(f"{name} = {each}" for name, each in value.items())
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    *way, last = name.split(".")
    for step in way:
        body = body.setdefault(step, {})
    body[last] = value
