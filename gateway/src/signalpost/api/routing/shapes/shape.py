"""What all answers have in common, and how they are made from rows."""

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, Self, Union, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct
from msgspec.structs import fields

from signalpost.domain.timestamps import format_timestamp

Cursor = Annotated[str | None, Meta(description="Pass it as `cursor` to get the next page; null on the last page.")]
SHOWN_FOR_AN_HOUR = "Null if the call is repeated with the same `Idempotency-Key` more than an hour later."
_ATTRIBUTE: Final = "attribute"


def shows(attribute: str) -> dict[str, str]:
    """For `Meta(extra=…)`: the attribute of a row that a member shows, if it has another name."""
    return {_ATTRIBUTE: attribute}


class Shape(Struct, frozen=True, kw_only=True, rename="camel"):
    """An answer; its names on the wire are in camel case."""

    @classmethod
    def of(cls, *rows: object, **given: Any) -> Self:
        """The answer about rows. Each of its members is the one given here, or else the attribute of its name (or the
        one that it `shows`) of the first row that has it, or else its default. Raises AttributeError without any.

        A point in time, which rows count in µs, becomes text (C4), and a row within a row becomes an answer if the
        member is one."""
        making = _making(cls, tuple(map(type, rows)), frozenset(given))
        for row, (names, read) in zip(rows, making.reads, strict=True):
            given.update(zip(names, read(row), strict=True))
        for name in making.texts:
            if type(given[name]) is int:
                given[name] = format_timestamp(given[name])
        for name, kind in making.answers:
            within = given[name]
            if within is not None and not isinstance(within, kind):
                given[name] = kind.of(within)
        return cls(**given)


class _Making(NamedTuple):
    """How an answer is made from rows of certain types: found once, because lists make hundreds of them."""

    reads: Sequence[tuple[Sequence[str], Callable[[Any], Sequence[Any]]]]
    """For each row, the names of the members that come from it, and what reads their values."""
    texts: Sequence[str]
    """Members in which a number would be a point in time."""
    answers: Sequence[tuple[str, type[Shape]]]
    """Members that are answers themselves."""


@cache
def _making(shape: type[Shape], rows: Sequence[type], given: frozenset[str]) -> _Making:
    hints = get_type_hints(shape, include_extras=True)
    from_rows: list[list[tuple[str, str]]] = [[] for _ in rows]
    present = set(given)
    for member in fields(shape):
        if member.name in given:
            continue
        attribute = _attribute(hints[member.name], member.name)
        having = next((index for index, row in enumerate(rows) if hasattr(row, attribute)), None)
        if having is not None:
            from_rows[having].append((member.name, attribute))
            present.add(member.name)
        elif member.required:
            raise AttributeError(f"{shape.__name__} needs {attribute}, which no row has.")
    kinds = {name: _kinds(hints[name]) for name in present}
    return _Making(
        reads=[_read(pairs) for pairs in from_rows],
        texts=[name for name, of in kinds.items() if str in of and int not in of],
        answers=[
            (name, kind)
            for name, of in kinds.items()
            for kind in of
            if isinstance(kind, type) and issubclass(kind, Shape)
        ],
    )


def _read(pairs: Sequence[tuple[str, str]]) -> tuple[Sequence[str], Callable[[Any], Sequence[Any]]]:
    names, attributes = [name for name, _ in pairs], [attribute for _, attribute in pairs]
    if len(attributes) > 1:
        return names, attrgetter(*attributes)
    return names, lambda row: [getattr(row, attribute) for attribute in attributes]


def _attribute(hint: Any, name: str) -> str:
    said = [each.extra for each in getattr(hint, "__metadata__", ()) if isinstance(each, Meta) and each.extra]
    return next((str(extra[_ATTRIBUTE]) for extra in said if _ATTRIBUTE in extra), name)


def _kinds(hint: Any) -> list[Any]:
    """The types that a member may be of, without what is said about them in addition."""
    if get_origin(hint) is Annotated:
        return _kinds(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return [kind for each in get_args(hint) for kind in _kinds(each)]
    return [hint]
