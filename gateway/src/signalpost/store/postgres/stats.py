"""Statistics of deliveries. Every node adds to the same rows, in the order of their keys."""

from collections.abc import Mapping, Sequence
from typing import Final

from signalpost.domain.stats import COUNTS, STEP_SECONDS, Rollups, Step
from signalpost.store.postgres.columns import numbers
from signalpost.store.postgres.sessions import ReadSessions, Writers
from signalpost.store.postgres.tables import Written
from signalpost.store.statements import EVERY_TENANT
from signalpost.store.stats import by_subscription
from signalpost.store.tables.table import Columns, Kind

_KEY: Final = "span, start, tenant_id, subscription_number"
_COUNTS: Final = tuple(f"count_{position}" for position in range(COUNTS))
_STAT: Final = Written(Columns("stat", dict.fromkeys((*_KEY.split(", "), *_COUNTS), Kind.NUMBER)))
_ADD_UP: Final = f"ON CONFLICT ({_KEY}) DO UPDATE SET " + ", ".join(f"{c} = stat.{c} + excluded.{c}" for c in _COUNTS)
_READ: Final = (
    f"SELECT subscription_number, start, {', '.join(_COUNTS)} FROM stat WHERE span = $1 AND tenant_id = $2"
    " AND subscription_number = ANY($3) AND start = ANY($4)"
)
_PRUNE: Final = (
    f"DELETE FROM stat WHERE ({_KEY}) IN"
    f" (SELECT {_KEY} FROM stat WHERE span = $1 AND start < $2 ORDER BY {_KEY} LIMIT $3) RETURNING 1"
)


class PostgresStats:
    def __init__(self, readers: ReadSessions, writers: Writers) -> None:
        self._readers = readers
        self._writers = writers

    async def add(self, rollups: Rollups) -> None:
        rows = [
            (STEP_SECONDS[step], start, tenant_id, number, *counts)
            for (step, start, tenant_id, number), counts in sorted(rollups.items())
        ]
        await self._writers.all(EVERY_TENANT, _STAT.insert(rows, _ADD_UP))

    async def read(
        self, tenant_id: int, subscription_number: int, step: Step, starts: Sequence[int]
    ) -> Mapping[int, Sequence[int]]:
        return (await self.read_many(tenant_id, [subscription_number], step, starts))[subscription_number]

    async def read_many(
        self, tenant_id: int, subscription_numbers: Sequence[int], step: Step, starts: Sequence[int]
    ) -> Mapping[int, Mapping[int, Sequence[int]]]:
        asked = (STEP_SECONDS[step], tenant_id, numbers(subscription_numbers), numbers(starts))
        return by_subscription(subscription_numbers, await self._readers.rows(tenant_id, _READ, *asked))

    async def prune(self, step: Step, before: int, limit: int) -> int:
        return len(await self._writers.rows(EVERY_TENANT, _PRUNE, STEP_SECONDS[step], before, limit))
