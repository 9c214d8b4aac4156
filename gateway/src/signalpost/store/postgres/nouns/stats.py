"""Statistics of deliveries on PostgreSQL. Every node adds to the same rows, in the order of their keys."""

from signalpost.domain.stats import Rollups
from signalpost.store.nouns.stats import StatsStore, rows_of
from signalpost.store.postgres.tables import STAT
from signalpost.store.statements import EVERY_TENANT
from signalpost.store.tables.stats import ADDING_UP


class PostgresStats(StatsStore):
    async def add(self, rollups: Rollups) -> None:
        await self._writes.all(EVERY_TENANT, STAT.insert(rows_of(rollups), ADDING_UP))
