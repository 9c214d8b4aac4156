"""Where facts come from: each source knows some kinds of conditions, on this node or for the whole fleet."""

from collections.abc import Collection
from typing import Protocol

from signalpost.domain.operations.conditions import ConditionRow, Fact


class FactSource(Protocol):
    @property
    def kinds(self) -> Collection[str]:
        """The kinds that it knows. No other source knows them too."""
        ...

    async def facts(self, now: int) -> list[Fact]:
        """What is wrong now, as far as this node sees it, in a list that is the caller's from then on. Raises
        Unavailable."""
        ...

    def sees(self, condition: ConditionRow) -> bool:
        """Whether this node would have found the fact of a condition of these kinds, if there still was one. A thread
        asks."""
        ...
