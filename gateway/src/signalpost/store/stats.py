"""Statistics of deliveries, added up by minute and by hour."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from signalpost.domain.stats import Rollups, Step


def by_subscription(
    subscription_numbers: Iterable[int], rows: Iterable[Sequence[int]]
) -> dict[int, dict[int, Sequence[int]]]:
    """What `read_many` returns. A row has a subscription's number, when its minute or hour begins, and the counts."""
    found: dict[int, dict[int, Sequence[int]]] = {number: {} for number in subscription_numbers}
    for number, start, *counts in rows:
        found[number][start] = counts
    return found


class StatsStore(Protocol):
    """Statistics of attempts. Nothing depends on them, and no node owns a part of them: every node adds what it saw."""

    async def add(self, rollups: Rollups) -> None:
        """Add counts to those that are kept, all of them in one transaction."""
        ...

    async def read(
        self, tenant_id: int, subscription_number: int, step: Step, starts: Sequence[int]
    ) -> Mapping[int, Sequence[int]]:
        """The counts of a subscription's minutes or hours, or (`WHOLE_TENANT`) of its tenant's, by when they begin.
        Where nothing was attempted there is none."""
        ...

    async def read_many(
        self, tenant_id: int, subscription_numbers: Sequence[int], step: Step, starts: Sequence[int]
    ) -> Mapping[int, Mapping[int, Sequence[int]]]:
        """What `read` returns for each of these."""
        ...

    async def prune(self, step: Step, before: int, limit: int) -> int:
        """Remove the counts of minutes or hours that began before a moment (seconds), at most `limit` of them. Returns
        how many."""
        ...
