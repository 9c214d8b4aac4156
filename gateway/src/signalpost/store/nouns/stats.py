"""Statistics of deliveries, added up by minute and by hour."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final

from signalpost.domain.stats import STEP_SECONDS, Rollups, Step
from signalpost.store.statements import EVERY_TENANT, RowReader, RowWriter, Statement
from signalpost.store.tables.stats import COUNTED, KEY

_READ: Final = (
    f"SELECT subscription_number, start, {COUNTED} FROM stat WHERE span = $1 AND tenant_id = $2"  # noqa: S608
    " AND subscription_number = ANY($3::bigint[]) AND start = ANY($4::bigint[])"
)
_PRUNE: Final = (
    f"DELETE FROM stat WHERE ({KEY}) IN"  # noqa: S608
    f" (SELECT {KEY} FROM stat WHERE span = $1 AND start < $2 ORDER BY {KEY} LIMIT $3) RETURNING 1"
)


class StatsStore(ABC):
    """Statistics of attempts. Nothing depends on them, and no node owns a part of them: every node adds what it saw."""

    def __init__(self, reads: RowReader, writes: RowWriter) -> None:
        self._reads = reads
        self._writes = writes

    @abstractmethod
    async def add(self, rollups: Rollups) -> None:
        """Add counts to those that are kept, all of them in one transaction."""

    async def read(
        self, tenant_id: int, subscription_number: int, step: Step, starts: Sequence[int]
    ) -> Mapping[int, Sequence[int]]:
        """The counts of a subscription's minutes or hours, or (`WHOLE_TENANT`) of its tenant's, by when they begin.
        Those in which nothing was attempted are missing."""
        return (await self.read_many(tenant_id, [subscription_number], step, starts))[subscription_number]

    async def read_many(
        self, tenant_id: int, subscription_numbers: Sequence[int], step: Step, starts: Sequence[int]
    ) -> Mapping[int, Mapping[int, Sequence[int]]]:
        """What `read` returns for each of these."""
        asked = (STEP_SECONDS[step], tenant_id, [*subscription_numbers], [*starts])
        found: dict[int, dict[int, Sequence[int]]] = {number: {} for number in subscription_numbers}
        for number, start, *counts in await self._reads.rows(tenant_id, _READ, *asked):
            found[number][start] = counts
        return found

    async def prune(self, step: Step, before: int, limit: int) -> int:
        """Remove the counts of minutes or hours that began before a moment (seconds), at most `limit` of them. Returns
        how many."""
        [removed] = await self._writes.all(EVERY_TENANT, [Statement(_PRUNE, (STEP_SECONDS[step], before, limit))])
        return len(removed)


def rows_of(rollups: Rollups) -> list[tuple[int, ...]]:
    """The rows of `STAT`, in the order of their keys."""
    return [
        (STEP_SECONDS[step], start, tenant_id, number, *counts)
        for (step, start, tenant_id, number), counts in sorted(rollups.items())
    ]
