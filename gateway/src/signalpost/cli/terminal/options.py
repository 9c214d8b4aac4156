"""Options that several commands have, and what of a request each option sets.

A refused request names the faulty part by a pointer, such as `/ownerEmail`. An option's annotation says which part it
sets (`Sets`), so the error can name the option that the person wrote, and a group of options makes its part of the
request by itself.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

from cyclopts import Parameter, validators

from signalpost.cli.client import Misuse


class Sets(NamedTuple):
    """The part of a request that an option sets: a member of the body (`/name`), any of them (`ANY_MEMBER`), or a
    parameter of the query (`?name`). `read` makes its value of the option's; it may raise ValueError."""

    pointer: str
    read: Callable[[Any], Any] = lambda given: given


def flag(help_: str) -> Parameter:
    """An option without a value."""
    return Parameter(negative="", show_default=False, help=help_)


def repeatable(help_: str, name: str | None = None) -> Parameter:
    """An option that may be given several times."""
    return Parameter(name=name, negative="", help=help_)


EventType = Literal["documentCreated", "documentUpdated", "documentDeleted", "notice"]
EVERY_TYPE: tuple[EventType, ...] = get_args(EventType)[:-1]
"""The types of events of documents: notices are only in the tenant `operations`."""
Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]
Limit = Annotated[Count, Parameter(help="Show at most this many.")]
SubscriptionId = Annotated[str, Parameter(name="SUBSCRIPTION", help="ID of the subscription.")]
EventId = Annotated[str, Parameter(name="EVENT", help="ID of the event.")]
ROLES_MAY = (
    "everything, in any tenant (operator); create and change documents (app); subscribe, and read (subscriber); "
    "read (viewer)."
)
"""What each role may do, for the help of an option."""


def given(**parts: object) -> dict[str, Any]:
    """The parts of a request that were given: those that are not None."""
    return {name: value for name, value in parts.items() if value is not None}


def parts_of(group: object) -> dict[str, Any]:
    """The parts of a request that a group of options sets, without those that were not given. Raises Misuse."""
    parts: dict[str, Any] = {}
    for name, option, sets in _annotations(type(group)):
        if (value := getattr(group, name)) is not None:
            put(parts, sets.pointer[1:].split("/"), read_option(option, sets.read, value))
    return parts


def put(body: dict[str, Any], path: Iterable[str], value: Any) -> None:
    """Set a member deep in an object, with objects on the way to it."""
    *way, last = path
    place = body
    for step in way:
        below = place.get(step)
        if not isinstance(below, dict):
            below = place[step] = {}
        place = below
    place[last] = value


def read_option(option: str, read: Callable[[Any], Any], value: Any) -> Any:
    """What an option's value says. Raises Misuse, with the option's name before what `read` says."""
    try:
        return read(value)
    except ValueError as error:
        raise Misuse(f"{option} {error}") from None


def options_of(command: Callable[..., object]) -> dict[str, str]:
    """How a person writes what sets each part of a command's request, by the part's pointer."""
    return {sets.pointer: written for _, written, sets in _annotations(command)}


def _annotations(described: Any) -> Iterator[tuple[str, str, Sets]]:
    """The name in Python, the name on the command line, and the part of a request, for each option that sets one."""
    hints = get_type_hints(described, include_extras=True)
    for name, parameter in inspect.signature(described).parameters.items():
        kind, *notes = get_args(hints[name]) if hasattr(hints[name], "__metadata__") else (hints[name],)
        group = next((each for each in (kind, *get_args(kind)) if is_dataclass(each)), None)
        if group is not None:
            yield from _annotations(group)
        names = [each for note in notes if isinstance(note, Parameter) for each in note.name or ()]
        is_positional = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
        usual = name.upper() if is_positional else f"--{name.strip('_').replace('_', '-')}"
        for note in notes:
            if isinstance(note, Sets):
                yield name, names[-1] if names else usual, note
