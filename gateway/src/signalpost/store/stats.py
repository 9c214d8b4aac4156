"""Statistics of deliveries, added up by minute and by hour."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from signalpost.domain.stats import Rollups, Step


class StatsStore(Protocol):
    """What attempts came to. Nothing depends on it, and no node owns a part of it: every node adds what it saw."""

    async def add(self, rollups: Rollups) -> None:
        """Add counts to those that are kept, all of them in one transaction."""
        ...

    async def read(
        self, tenant_id: int, subscription_number: int, step: Step, starts: Sequence[int]
    ) -> Mapping[int, Sequence[int]]:
        """The counts of a subscription's minutes or hours, or (`WHOLE_TENANT`) of its tenant's, by when they begin.
        Where nothing was attempted there is none."""
        ...

    async def prune(self, step: Step, before: int, limit: int) -> int:
        """Remove the counts of minutes or hours that began before a moment (seconds), at most `limit` of them. Returns
        how many."""
        ...
