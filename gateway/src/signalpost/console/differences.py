"""What an event changed of its document, attribute by attribute, for people to read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.documents import EventDocument

_OF_EVERY_EVENT: Final = ("downloadUrl",)
"""Members that are new with every event: a link is signed again."""


class Difference(Struct, frozen=True):
    attribute: str
    """Members of members have dotted names, such as `latestVersion.number`."""
    old: str | None
    """The old value as text; None if there was none."""
    new: str | None


def differences(before: EventDocument | None, after: EventDocument | None) -> Sequence[Difference]:
    """The attributes that differ, in the order of the document. None stands for no document: all of the other's
    attributes that have a value differ then."""
    old, new = _flat(before), _flat(after)
    names = dict.fromkeys((*new, *old))
    return [Difference(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _flat(document: EventDocument | None) -> dict[str, str | None]:
    return {} if document is None else dict(_members(msgspec.to_builtins(document), ""))


def _members(value: Mapping[str, Any], before: str) -> Iterator[tuple[str, str | None]]:
    for name, member in value.items():
        if isinstance(member, dict):
            yield from _members(member, f"{before}{name}.")
        elif name not in _OF_EVERY_EVENT:
            yield f"{before}{name}", _text(member)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
