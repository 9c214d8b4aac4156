"""The types of which the structs of kinds are made: texts with placeholders, and secrets.

A kind annotates the members of its two structs with them. The check of each is part of the struct's own (`body.py`), so
a template that cannot be read is refused when it is saved, with the pointer of its member. Two more things follow from
the annotations:

- `Filling` fills in the templates of a config for an event. It is made once for each subscription, which is when the
  templates are read.
- `secrets_in` finds the secrets of a connection, to be struck from what is kept, and `without_secrets` shows the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, Struct, inspect
from msgspec.structs import replace

from signalpost.domain.body import Body, checked_by, read_by
from signalpost.domain.checks import Bad
from signalpost.domain.language.json_template import Fill, named, read_json_template
from signalpost.domain.language.names import Subject, Type
from signalpost.domain.language.templates import MAX_CHARACTERS, Escape, read_template
from signalpost.domain.language.typed_templates import A_DAY, A_MOMENT, A_NUMBER, checked_to_be
from signalpost.domain.language.values import kept

MAX_SECRET_CHARACTERS: Final = 4096
SECRET: Final = "secret"  # noqa: S105 - the name of a mark, not a secret
TEMPLATE: Final = "template"
"""The mark of a type with placeholders; its value makes of a member's value what fills it in."""

"""Makes a member's value for a subject. Raises TemplateError."""

# --- Placeholders -----------------------------------------------------------------------------------------------------


def _percent_encoded(text: str) -> str:
    """A text as one segment of a path, or one value of a query."""
    return quote(text, safe="")


def _fill_path(value: str) -> Fill:
    template = read_template(value)
    return lambda subject, _: template.text(subject, _percent_encoded)


def _checked(value: str) -> str:
    """The text of a template that makes a text. Raises Bad."""
    template = read_template(value)
    alone = template.alone
    if alone is not None and alone.type is Type.OBJECT:
        raise Bad("bad_template", f"{alone.label} is an object; name one of its members.")
    return value


def _checked_json(value: Any) -> Any:
    """JSON as it is kept, whose texts are templates. Raises Bad or Several."""
    read_json_template(value)
    return kept(value)


_text = Meta(max_length=MAX_CHARACTERS, extra=checked_by(_checked))
_as_text = Meta(extra={TEMPLATE: lambda value: read_template(value).text})
_as_value = Meta(extra={TEMPLATE: lambda value: read_template(value).value})

Template = Annotated[str, _text, _as_text]
"""A text with placeholders; what they bring is escaped as the kind says."""

PathTemplate = Annotated[str, _text, Meta(extra={TEMPLATE: _fill_path})]
"""A path with placeholders; what they bring is percent-encoded, so that it stays one segment."""

DayTemplate = Annotated[str, _text, _as_text, Meta(extra=checked_by(checked_to_be(A_DAY)))]
"""A day as text, such as 2027-01-31, or a placeholder that brings one. It may be empty."""

MomentTemplate = Annotated[str, _text, _as_text, Meta(extra=checked_by(checked_to_be(A_MOMENT)))]
"""A day or a timestamp with its zone as text, or placeholders that bring one. It may be empty."""

NumberTemplate = Annotated[str, _text, _as_value, Meta(extra=checked_by(checked_to_be(A_NUMBER)))] | float
"""A number, or a text with one, or a placeholder that brings one."""

Value = Annotated[str, _text, _as_value] | float | bool | None
"""A JSON scalar. In a text, placeholders; a placeholder that stands alone keeps its type."""

JsonTemplate = Annotated[
    Any, Meta(extra={TEMPLATE: lambda value: read_json_template(value).value, **read_by(_checked_json)})
]
"""Any JSON, with placeholders in its texts; a placeholder that stands alone in one keeps its type."""

S = TypeVar("S", bound=Struct)


class Filling(Generic[S]):
    """The templates of one config, read once and filled in for each event."""

    def __init__(self, config: S) -> None:
        """Raises Bad if a template cannot be read, which the check of the config's struct has seen to."""
        self._config = config
        self._members = _fills_of_members(config)

    def filled(self, subject: Subject, escape: Escape) -> S:
        """The config with values in place of its placeholders. Raises TemplateError, which names the member."""
        return _with_members(self._config, self._members, subject, escape)


def filled(config: S, subject: Subject, escape: Escape) -> S:
    """A config that is filled in this once. Raises TemplateError, which names the member."""
    return Filling(config).filled(subject, escape)


def _fills_of_members(struct: Struct) -> dict[str, Fill]:
    """What fills in those members of a struct that have placeholders, by their attributes."""
    return {
        field.name: partial(named, field.encode_name, fill)
        for field in _fields(struct)
        if (fill := _fill_of(field.type, getattr(struct, field.name))) is not None
    }


def _with_members(struct: S, fills: Mapping[str, Fill], subject: Subject, escape: Escape) -> S:
    if not fills:
        return struct
    return replace(struct, **{attribute: fill(subject, escape) for attribute, fill in fills.items()})


def _fill_of(kind: inspect.Type, value: Any) -> Fill | None:
    """What fills in a value of a type; None if it has no placeholders."""
    if not _fits(kind, value):
        return None
    match kind:
        case inspect.Metadata():
            make: Callable[[Any], Fill] | None = (kind.extra or {}).get(TEMPLATE)
            return _fill_of(kind.type, value) if make is None else make(value)
        case inspect.UnionType():
            return next((fill for each in kind.types if (fill := _fill_of(each, value)) is not None), None)
        case inspect.StructType():
            members = _fills_of_members(value)
            return (lambda subject, escape: _with_members(value, members, subject, escape)) if members else None
        case inspect.DictType():
            fills = _fills_of_each(kind.value_type, value.items())
            return (lambda subject, escape: {**value, **_each_filled(fills, subject, escape)}) if fills else None
        case inspect.VarTupleType():
            entries = _fills_of_each(kind.item_type, enumerate(value))
            return (lambda subject, escape: _with_entries(value, entries, subject, escape)) if entries else None
    return None


def _fills_of_each(kind: inspect.Type, items: Iterable[tuple[Any, Any]]) -> dict[Any, Fill]:
    return {key: partial(named, str(key), fill) for key, value in items if (fill := _fill_of(kind, value)) is not None}


def _each_filled(fills: Mapping[Any, Fill], subject: Subject, escape: Escape) -> dict[Any, Any]:
    return {key: fill(subject, escape) for key, fill in fills.items()}


def _with_entries(value: tuple[Any, ...], fills: Mapping[int, Fill], subject: Subject, escape: Escape) -> Any:
    found = _each_filled(fills, subject, escape)
    return tuple(found.get(index, entry) for index, entry in enumerate(value))


# --- Secrets ----------------------------------------------------------------------------------------------------------


class Private(Body, frozen=True, kw_only=True):
    """What a struct with secrets derives from, so that no traceback and no log shows them."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


SecretText = Annotated[str, Meta(min_length=1, max_length=MAX_SECRET_CHARACTERS)]
"""What `secret` marks, unless it is of a type with bounds of its own."""


def secret(title: str, description: str, example: str) -> Meta:
    """What marks a text as a secret: sealed in the store, never shown, struck from all that is kept or answered."""
    return Meta(
        title=title,
        description=description,
        examples=[example],
        extra_json_schema={"format": "password", "writeOnly": True},
        extra={SECRET: True},
    )


def secrets_in(struct: Struct) -> list[str]:
    """Every secret that a struct holds."""
    return [value for _, value in _secrets(struct)]


def without_secrets(struct: Struct) -> dict[str, Any]:
    """The JSON of a struct as it is shown: null in place of each secret."""
    shown: dict[str, Any] = msgspec.to_builtins(struct)
    for path, _ in _secrets(struct):
        *way, last = path
        place: Any = shown
        for step in way:
            place = place[step]
        place[last] = None
    return shown


Path: TypeAlias = tuple[str | int, ...]


def _secrets(struct: Struct) -> Iterator[tuple[Path, str]]:
    """The paths and the values of the secrets in a struct, by names on the wire."""
    for field in _fields(struct):
        yield from _secrets_of(field.type, getattr(struct, field.name), (field.encode_name,))


def _secrets_of(kind: inspect.Type, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if not _fits(kind, value):
        return
    match kind:
        case inspect.Metadata():
            if SECRET in (kind.extra or {}):
                yield path, value
            else:
                yield from _secrets_of(kind.type, value, path)
        case inspect.UnionType():
            for each in kind.types:
                yield from _secrets_of(each, value, path)
        case inspect.StructType():
            for below, found in _secrets(value):
                yield (*path, *below), found
        case inspect.DictType():
            for name, member in value.items():
                yield from _secrets_of(kind.value_type, member, (*path, name))
        case inspect.VarTupleType():
            for index, entry in enumerate(value):
                yield from _secrets_of(kind.item_type, entry, (*path, index))


# --- Types ------------------------------------------------------------------------------------------------------------


@cache
def _type_of(kind: type[Struct]) -> inspect.StructType:
    found = inspect.type_info(kind)
    if not isinstance(found, inspect.StructType):
        raise TypeError(f"This must be a struct: {kind}.")
    return found


def _fields(struct: Struct) -> tuple[inspect.Field, ...]:
    return _type_of(type(struct)).fields


def _fits(kind: inspect.Type, value: Any) -> bool:
    """Whether a value that was checked is of a type, as far as a union's members differ."""
    match kind:
        case inspect.Metadata():
            return _fits(kind.type, value)
        case inspect.UnionType():
            return any(_fits(each, value) for each in kind.types)
        case inspect.StructType():
            return isinstance(value, kind.cls)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.DictType():
            return isinstance(value, dict)
        case inspect.VarTupleType():
            return isinstance(value, tuple)
        case inspect.AnyType():
            return value is not UNSET
    return False
