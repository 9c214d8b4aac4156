"""Statistics of deliveries, added up by minute and by hour."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final

from signalpost.domain.objective import Tally
from signalpost.domain.stats import LATE, ON_TIME, STEP_SECONDS, WHOLE_TENANT, Rollups, Step
from signalpost.store.statements import EVERY_TENANT, RowReader, RowWriter, Statement
from signalpost.store.tables.stats import COUNTED, KEY

_READ: Final = (
    f"SELECT subscription_number, start, {COUNTED} FROM stat WHERE span = $1 AND tenant_id = $2"  # noqa: S608
    " AND subscription_number = ANY($3::bigint[]) AND start = ANY($4::bigint[])"
)
_LATE: Final = (
    "SELECT DISTINCT tenant_id, subscription_number FROM stat"  # noqa: S608
    f" WHERE span = $1 AND start >= $2 AND subscription_number <> $3 AND count_{LATE} > 0"
)
_TALLIES: Final = (
    f"SELECT subscription_number, sum(count_{ON_TIME}), sum(count_{LATE}) FROM stat"  # noqa: S608
    " WHERE span = $1 AND tenant_id = $2 AND subscription_number = ANY($3::bigint[]) AND start = ANY($4::bigint[])"
    " GROUP BY subscription_number"
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

    async def late_since(self, start: int) -> Mapping[int, Sequence[int]]:
        """The subscriptions that missed their objective in a minute that began at `start` or later: their numbers by
        tenant."""
        found: dict[int, list[int]] = {}
        asked = (STEP_SECONDS["minute"], start, WHOLE_TENANT)
        for tenant_id, number in await self._reads.rows(EVERY_TENANT, _LATE, *asked):
            found.setdefault(tenant_id, []).append(number)
        return found

    async def tallies(
        self, tenant_id: int, subscription_numbers: Sequence[int], starts: Sequence[int]
    ) -> Mapping[int, Tally]:
        """How many events of these subscriptions were in time in these minutes, and how many were not."""
        asked = (STEP_SECONDS["minute"], tenant_id, [*subscription_numbers], [*starts])
        rows = await self._reads.rows(tenant_id, _TALLIES, *asked)
        return {number: Tally(int(on_time), int(late)) for number, on_time, late in rows}

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
