"""Values that change, and when each of them may have held.

A client learns that its change took place, and not when: at some moment between its call and the answer. So every value
that may have held at a moment is kept.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")


class Change(Generic[V]):
    """A value that holds from somewhere between two marks on. Marks are times or sequences."""

    __slots__ = ("begun", "done", "value")

    def __init__(self, value: V, begun: float, done: float | None) -> None:
        self.value = value
        self.begun = begun
        self.done = done
        """None as long as it is not known to hold."""


class Timeline(Generic[V]):
    """The values of something that changes, and when each of them may have held."""

    def __init__(self, value: V, mark: float) -> None:
        self.changes = [Change(value, mark, mark)]

    def begin(self, value: V, mark: float) -> Change[V]:
        change = Change(value, mark, None)
        self.changes.append(change)
        return change

    def at(self, mark: float) -> list[V]:
        """All values that may have held at a mark."""
        values = []
        for change in reversed(self.changes):
            if change.begun <= mark:
                values.append(change.value)
                if change.done is not None and change.done <= mark:
                    break
        return values

    def between(self, first: float, last: float) -> list[V]:
        """All values that may have held at some moment from `first` to `last`."""
        return [*self.at(first), *(change.value for change in self.changes if first < change.begun <= last)]

    def surely(self, value: V, mark: float) -> bool:
        return all(possible == value for possible in self.at(mark))

    def ever(self) -> Iterator[V]:
        return (change.value for change in self.changes)

    @property
    def last(self) -> V:
        return self.changes[-1].value
