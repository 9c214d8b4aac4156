"""Reads a body that has nothing wrong with it straight from its bytes into its struct: nearly every one.

    bytes ──decoder──▶ struct ──checks of some members──▶ body
              └──────────────────┴── NotQuick: `body.py` reads it once more, and names everything that is wrong

The decoder is msgspec's, for a struct made from the body's own. What it checks exactly as `body.py` does (the lengths
of texts, words, members that are unknown or missing) it checks itself. Every other member it leaves as it came, for the
check that `body.py` has for it. So there is one check for each kind of value, and nothing is taken here that would be
refused there. What is not one struct, such as a union of several, is never read quickly.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, NamedTuple, cast

import msgspec
from msgspec import NODEFAULT, UNSET, Meta, Struct, UnsetType, inspect
from msgspec.structs import force_setattr

from signalpost.domain import checks
from signalpost.domain.body import check_of_type
from signalpost.domain.checks import Bad, Check, Several

FloatHook = Callable[[str], Any]
_NUL: Final = rb"\u0000"
"""How U+0000, which no text may have, comes in JSON."""


class NotQuick(Exception):
    """Something is wrong with a body, or may be."""


class _MemberLeft(NamedTuple):
    """A member that the decoder leaves as it came."""

    attribute: str
    check: Check
    is_nullable: bool
    default: Callable[[], Any] | None
    """Makes what it is if it was left out; None if the decoder does."""


class QuickReader:
    def __init__(self, kind: type[Struct], float_hook: FloatHook) -> None:
        """`float_hook` makes a number of its text if the decoder leaves it as it came."""
        found = inspect.type_info(kind)
        assert isinstance(found, inspect.StructType)
        decoded, self._left = _decoded_struct(found)
        self._decode = msgspec.json.Decoder(decoded, float_hook=float_hook).decode
        self._values_left = _values_of([each.attribute for each in self._left])
        self._attributes = {field.encode_name: field.name for field in found.fields}

    def __call__(self, content: bytes, also: Mapping[str, Check]) -> Any:
        """The body, an instance of the kind. `also` is that of `body.read`. Raises NotQuick."""
        if _NUL in content:
            raise NotQuick
        try:
            body = self._decode(content)
            for (attribute, check, is_nullable, default), value in zip(
                self._left, self._values_left(body), strict=True
            ):
                if value is UNSET:
                    if default is not None:
                        force_setattr(body, attribute, default())
                elif value is not None or not is_nullable:
                    checked = check(value)
                    if checked is not value:
                        force_setattr(body, attribute, checked)
            for name in also:
                attribute = self._attributes[name]
                value = getattr(body, attribute)
                if value is not UNSET:
                    force_setattr(body, attribute, also[name](value))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Bad, Several) as error:
            raise NotQuick from error
        return body


@cache
def reader_of(kind: Any, float_hook: FloatHook) -> QuickReader | None:
    """None if bodies of this kind are not read quickly."""
    is_one_struct = isinstance(kind, type) and issubclass(kind, Struct) and kind.__struct_config__.tag is None
    return QuickReader(kind, float_hook) if is_one_struct else None


def _decoded_struct(kind: inspect.StructType) -> tuple[type[Struct], tuple[_MemberLeft, ...]]:
    """A struct of this kind whose members have the types that the decoder checks, and the members that it leaves."""
    members: list[tuple[str, Any, Any]] = []
    left: list[_MemberLeft] = []
    for field in kind.fields:
        decoded, default = _decoded(field.type), _default(field)
        if decoded is None:
            value, is_nullable = _nullable(field.type)
            is_usual = field.required or default is UNSET or (default is None and is_nullable)
            left.append(_MemberLeft(field.name, check_of_type(value), is_nullable, None if is_usual else _maker(field)))
            decoded, default = Any, default if is_usual else UNSET
        elif default is UNSET:
            decoded = decoded | UnsetType
        members.append((field.name, decoded, default))
    fields = [
        (name, decoded) if default is NODEFAULT else (name, decoded, default) for name, decoded, default in members
    ]
    return msgspec.defstruct(kind.cls.__name__, fields, bases=(kind.cls,), kw_only=True), tuple(left)


def _default(field: inspect.Field) -> Any:
    if field.default_factory is not NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return UNSET if field.default is NODEFAULT and not field.required else field.default


def _maker(field: inspect.Field) -> Callable[[], Any]:
    factory: Any = field.default_factory
    return (lambda: field.default) if factory is NODEFAULT else cast(Callable[[], Any], factory)


def _nullable(kind: inspect.Type) -> tuple[inspect.Type, bool]:
    """What a value is of that may also be null, and whether it may."""
    if isinstance(kind, inspect.UnionType) and len(kind.types) == 2:
        for first, second in (kind.types, kind.types[::-1]):
            if isinstance(second, inspect.NoneType):
                return first, True
    return kind, False


def _values_of(attributes: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    """Reads all of these from an object."""
    if len(attributes) > 1:
        return attrgetter(*attributes)
    return lambda found: [getattr(found, each) for each in attributes]


def _decoded(kind: inspect.Type) -> Any:
    """The type for which the decoder checks what `body.py` does for this one; None if there is none."""
    match kind:
        case inspect.Metadata(extra=None):
            words = (kind.extra_json_schema or {}).get("enum")
            return _decoded(kind.type) if words is None else Literal[tuple(words)]
        case inspect.StrType(pattern=None | checks.NO_NUL):
            return Annotated[str, Meta(min_length=kind.min_length or 0, max_length=kind.max_length)]
        case inspect.BoolType():
            return bool
        case inspect.StructType(tag_field=None):
            struct, left = _decoded_struct(kind)
            return None if left else struct
        case inspect.UnionType():
            value, is_nullable = _nullable(kind)
            decoded = _decoded(value) if is_nullable else None
            return None if decoded is None else decoded | None
    return None
