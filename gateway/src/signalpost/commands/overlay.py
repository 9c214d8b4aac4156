"""Rows that were read, and on top of them the rows that changed since."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Row = TypeVar("Row")


class Overlay(Generic[Key, Row]):
    __slots__ = ("_read", "changed", "put")

    def __init__(self, read: Mapping[Key, Row]) -> None:
        """`read` stays as it is."""
        self._read = read
        self.changed: dict[Key, Row] = {}
        """The rows to write."""
        self.put: Callable[[Key, Row], None] = self.changed.__setitem__

    def get(self, key: Key) -> Row | None:
        row = self.changed.get(key)
        return self._read.get(key) if row is None else row

    def as_read(self, key: Key) -> Row | None:
        """The row as it was before anything changed."""
        return self._read.get(key)

    def items(self) -> Iterator[tuple[Key, Row]]:
        yield from {**self._read, **self.changed}.items()
