"""What all answers have in common, and how they are made of JSON."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Shape(Struct, frozen=True, rename="camel", omit_defaults=True, dict=True):
    """An answer, or part of one. Names are those of Python; on the wire they are in camel case."""

    _hidden: ClassVar[frozenset[str]] = frozenset()
    """Members that are secrets, and are not printed with the answer."""

    def __repr__(self) -> str:
        members = (
            (name, "…" if name in self._hidden else repr(getattr(self, name))) for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({', '.join(f'{name}={shown}' for name, shown in members)})"

    @property
    def unknown_members(self) -> Mapping[str, Any]:
        """Members that a newer gateway sent and this release does not know, by their names on the wire."""
        found: Mapping[str, Any] = self.__dict__.get("unknown_members", _NOTHING)
        return found

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the response, by name in lower case; parts of an answer have none. `etag` is for `if_match`,
        `signalpost-event` names the event that a change made."""
        found: Mapping[str, str] = self.__dict__.get("response_headers", _NOTHING)
        return found


def read(kind: type[T], value: Any, headers: Mapping[str, str] = _NOTHING) -> T:
    """An answer of decoded JSON. Raises msgspec.ValidationError if it is no such answer."""
    made = msgspec.convert(value, kind)
    _keep_unknown(made, value)
    if isinstance(made, Shape):
        made.__dict__["response_headers"] = headers
    return made


def _keep_unknown(made: Any, value: Any) -> None:
    """Keep what a shape, or a part of it, has no member for."""
    if isinstance(made, Shape):
        names = made.__struct_encode_fields__
        for attribute, name in zip(made.__struct_fields__, names, strict=True):
            if name in value:
                _keep_unknown(getattr(made, attribute), value[name])
        if unknown := {name: value[name] for name in value if name not in names}:
            made.__dict__["unknown_members"] = unknown
    elif isinstance(made, list):
        for each, given in zip(made, value, strict=True):
            _keep_unknown(each, given)
