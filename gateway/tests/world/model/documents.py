"""What changes, imports and deletions make of a document (API page, Documents; C7, C8)."""

from collections.abc import Mapping
from typing import Any

from gateway.tests.world.model.conditions import encoded

PATCHED_LIKE_THIS = ("additionalFacts",)
"""The attributes of which a merge patch changes single members."""


def patched(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A document after a JSON merge patch (RFC 7396)."""
    made = dict(document)
    for name, value in patch.items():
        if name in PATCHED_LIKE_THIS:
            made[name] = {} if value is None else _merged(made[name], value)
        else:
            made[name] = value
    return made


def _merged(facts: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**facts, **patch}.items() if value is not None}


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two documents are the same, as they are encoded: `1` is not `true`."""
    return encoded(one) == encoded(other)


class VersionedDocument:
    """A document that another system keeps, told by messages with versions that may come late or again.

    The highest version wins, whether it is a state or a deletion, in whatever order they come."""

    def __init__(self) -> None:
        self.version = -1
        self.title: str | None = None
        """The title in that state; None if the document is deleted, or was never there."""

    def hear(self, version: int, title: str | None) -> bool:
        """A message with a version was answered. Returns whether it changes anything: texts of states all differ."""
        if version <= self.version:
            return False
        changes = title != self.title
        self.version, self.title = version, title
        return changes
