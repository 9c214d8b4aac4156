"""Forms that follow from a JSON Schema: what a kind of destination asks for, as fields, and what was typed, as JSON.

A member becomes a field by its type; a secret is never shown again, so its field is always empty. A union that a
discriminator tells apart becomes a choice: which fields follow depends on it, so the page is asked for again with it.
What is neither (a list of objects, a value of any type) is typed as JSON. Nothing is checked here but whether that is
JSON: the API checks what is sent, and names the field by the same pointer.

Of an object that is kept, what was not edited is sent as it is kept, or not at all: a field cannot show everything
(`notation.py`), and what it shows need not be read again.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct

from signalpost.api.routing.shapes.service import BadField
from signalpost.console.calls import invalid
from signalpost.console.notation import (
    has_break,
    is_untouched,
    read_json,
    read_lines,
    read_pairs,
    read_scalar,
    shown_json,
    shown_lines,
    shown_pairs,
    shown_scalar,
    with_breaks_of,
)

Schema = Mapping[str, Any]
Widget = Literal["text", "area", "password", "check", "select", "lines", "pairs", "json"]
LONG_TEXT = 1_000
"""A text that may have more characters gets more than one line."""
_OF_SEVERAL_LINES = ("area", "lines", "pairs", "json")
_SCALARS = ("string", "number", "integer", "boolean", "null")


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
    """What stands in it: what was typed, or else what is kept, or the default."""
    shown: str
    """What stood in it before anybody typed."""
    example: str
    options: Sequence[tuple[str, str]] = ()
    """Each value that can be chosen, and how it is called."""
    kept: Any = UNSET
    """What is kept of it; UNSET if nothing is, and for a secret."""
    empty: Any = UNSET
    """The value that it has if it is emptied; UNSET if the member is then left out."""
    types: frozenset[str] = frozenset()
    """The JSON types that its value, or each value in it, may have beside text."""
    values: Sequence[Any] = ()
    """The values of `options`, as JSON."""

    def is_untouched(self, given: Mapping[str, str]) -> bool:
        typed = given.get(self.name)
        return typed is None or is_untouched(typed, self.shown, lines=self.widget in _OF_SEVERAL_LINES)

    def read(self, text: str) -> Any:
        """What was typed, as JSON. Raises ValueError with a sentence if it cannot be read."""
        if self.widget == "check":
            return text == "on"
        if not text.strip():
            return self.empty
        match self.widget:
            case "lines":
                return read_lines(text)
            case "pairs":
                return read_pairs(text, self.types)
            case "json":
                return read_json(text)
            case "select":
                return next((each for each in self.values if str(each) == text), text)
            case "area" if not self.types:
                return with_breaks_of(text, self.kept)
            case "password":
                return text.strip()
        return read_scalar(text, self.types) if self.types else text.strip()


class Choice(Struct, frozen=True, kw_only=True):
    """Which of several objects is meant."""

    name: str
    title: str
    about: str
    options: Sequence[tuple[str, str, str]]
    """Each value, how it is called, and what it stands for."""
    chosen: str
    is_new: bool
    """Whether another one is kept, or none."""


class SchemaForm(Struct, frozen=True):
    choices: Sequence[Choice]
    fields: Sequence[Field]

    def is_untouched(self, given: Mapping[str, str]) -> bool:
        """Whether it came back as it was shown."""
        return all(each.is_untouched(given) for each in self.fields) and not any(each.is_new for each in self.choices)

    def patch(self, given: Mapping[str, str]) -> dict[str, Any]:
        """What was edited of an object that is kept, as a merge patch: null takes away what was emptied. Raises
        CallFailed."""
        body: dict[str, Any] = {}
        for choice in self.choices:
            if choice.is_new:
                _put(body, choice.name, choice.chosen)
        for field, value in self._read(given):
            if not field.is_untouched(given):
                _put(body, field.name, None if value is UNSET else value)
        return body

    def body(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The whole object: what was edited as it was typed, everything else as it is kept. Raises CallFailed."""
        body: dict[str, Any] = {}
        for choice in self.choices:
            _put(body, choice.name, choice.chosen)
        for field, value in self._read(given):
            if value is not UNSET:
                _put(body, field.name, value)
        return body

    def _read(self, given: Mapping[str, str]) -> Iterator[tuple[Field, Any]]:
        """Each field with its value; UNSET if it is left out. Raises CallFailed at the end, which names all fields
        that cannot be read."""
        errors = []
        for field in self.fields:
            try:
                yield field, field.kept if field.is_untouched(given) else field.read(given[field.name])
            except ValueError as unreadable:
                errors.append(BadField(pointer=field.pointer, code="unreadable", detail=str(unreadable)))
        if errors:
            raise invalid(errors)


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
        """If another choice was made than the one that is kept, nothing of that one stays."""
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
        self._choices.append(
            Choice(name=name, title=title, about=about, options=options, chosen=chosen, is_new=chosen != was)
        )
        self._object(variants[chosen], path, member)

    def _field(self, schema: Schema, path: tuple[str, ...], *, required: bool) -> Field:
        one, types = self._only_type(schema)
        widget, values = _widget(one, schema, types)
        name, kept = ".".join(path), self._kept_at(path, UNSET)
        if widget == "pairs":
            types = self._only_type(one["additionalProperties"])[1]
        is_secret = widget == "password"
        has_secret = is_secret and kept is not UNSET
        shown = "" if is_secret else _shown(widget, schema.get("default", UNSET) if kept is UNSET else kept, types)
        if widget == "text" and has_break(shown):
            widget = "area"
        options = [(str(each), label(str(each))) for each in values]
        if widget == "select":
            options = _with_shown(options, shown, required=required)
        examples = [each for each in schema.get("examples", ()) if each is not None]
        return Field(
            name=name,
            pointer=f"{self._pointer}/{'/'.join(path)}",
            widget=widget,
            title=str(schema.get("title", path[-1])),
            about=str(schema.get("description", "")) + (" Left empty, it stays as it is." if has_secret else ""),
            required=required and not has_secret,
            value="" if is_secret else self._given.get(name, shown),
            shown=shown,
            example=_shown(widget, examples[0], types) if examples and not is_secret else "",
            options=options,
            kept=UNSET if is_secret else kept,
            empty=_empty(widget, one, schema, types, required=required),
            types=types - {"string", "null"} if widget in ("text", "area") else types - {"string"},
            values=values,
        )

    def _kept_at(self, path: tuple[str, ...], default: Any = None) -> Any:
        """What is kept at a path; the default if nothing is."""
        place: Any = self._kept
        for step in path:
            if not isinstance(place, dict) or step not in place:
                return default
            place = place[step]
        return default if any(path[: len(each)] == each for each in self._chosen_anew) else place

    def _only_type(self, schema: Schema) -> tuple[Schema, frozenset[str]]:
        """The type of a value, and the types of JSON that it may have. One that may be a text or something else is
        typed as text."""
        alternatives = [self._resolved(each) for each in schema.get("anyOf", (schema,))]
        types = frozenset(str(each.get("type", "string" if "enum" in each else "any")) for each in alternatives)
        if "integer" in types:
            types |= {"number"}
        others = [each for each in alternatives if each.get("type") != "null"]
        texts = [each for each in others if each.get("type") == "string"]
        return (texts or others)[0], types

    def _resolved(self, schema: Schema) -> Schema:
        reference = schema.get("$ref")
        return schema if reference is None else self._definitions[reference.rpartition("/")[2]]


_ACRONYMS = {"Api": "API", "Jwt": "JWT", "Http": "HTTP", "Url": "URL"}


def label(name: str) -> str:
    """How a name in camel case is called, such as `Custom connection`."""
    spaced = re.sub("(?<=[a-z])[A-Z]", lambda capital: f" {capital[0].lower()}", name)
    first, *others = f"{spaced[:1].upper()}{spaced[1:]}".split(" ")
    return " ".join((_ACRONYMS.get(first, first), *others))


def _widget(one: Schema, whole: Schema, types: frozenset[str]) -> tuple[Widget, Sequence[Any]]:
    """How a value is typed, and what can be chosen."""
    if "enum" in one:
        return "select", one["enum"]
    match one.get("type"):
        case "string" if whole.get("writeOnly") or one.get("writeOnly"):
            return "password", ()
        case "string" | "integer" | "number":
            return ("area" if one.get("maxLength", 0) > LONG_TEXT else "text"), ()
        case "boolean":
            return ("check" if types == {"boolean"} else "text"), ()
        case "array" if one.get("items", {}).get("type") == "string" or "enum" in one.get("items", {}):
            return "lines", one["items"].get("enum", ())
        case "object" if isinstance(one.get("additionalProperties"), dict) and _is_scalar(one["additionalProperties"]):
            return "pairs", ()
        case _:
            return "json", ()


def _is_scalar(schema: Schema) -> bool:
    return all(each.get("type") in _SCALARS for each in schema.get("anyOf", (schema,)))


def _shown(widget: Widget, value: Any, types: frozenset[str]) -> str:
    """A value as it stands in a field."""
    if widget == "check":
        return "on" if value is True else "off"
    if value is UNSET or (value is None and "any" not in types):
        return ""
    match widget:
        case "lines" if isinstance(value, Sequence):
            return shown_lines(value)
        case "pairs" if isinstance(value, Mapping):
            return shown_pairs(value, types)
        case "json":
            return shown_json(value)
        case "select":
            return str(value)
    return value if isinstance(value, str) and types <= {"string", "null"} else shown_scalar(value, types)


def _with_shown(options: Sequence[tuple[str, str]], shown: str, *, required: bool) -> list[tuple[str, str]]:
    """The options that can be chosen. What is kept now is one of them, even if the kind does not list it."""
    found = list(options) if required else [("", ""), *options]
    return found if not shown or shown in [value for value, _ in found] else [*found, (shown, shown)]


def _empty(widget: Widget, one: Schema, whole: Schema, types: frozenset[str], *, required: bool) -> Any:
    """The value of a field that was emptied: null if it may be null, no entries, or an empty text if
    one may be. Otherwise the member is left out, and the API says whether it may be."""
    if "null" in types:
        return None
    match widget:
        case "lines":
            return []
        case "pairs":
            return {}
        case "text" | "area" if isinstance(whole.get("default"), str) and not required:
            takes = not one.get("minLength") and re.search(one.get("pattern", ""), "") is not None
            return "" if takes else UNSET
    return UNSET


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    *way, last = name.split(".")
    for step in way:
        body = body.setdefault(step, {})
    body[last] = value
