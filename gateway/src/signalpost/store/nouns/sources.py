"""Sources, as those ask who watch over all of them."""

from typing import Final, NamedTuple

from signalpost.domain.source import BEHIND_FROM, SILENT_AFTER, Source
from signalpost.store.nouns.data_keys import DataKeyStore
from signalpost.store.statements import EVERY_TENANT, RowReader
from signalpost.store.tables.sources import SOURCE

_IN_TROUBLE: Final = (
    f"SELECT {SOURCE.listed} FROM source"  # noqa: S608
    " WHERE deleted_at IS NULL AND (heard_at < $1 OR oldest_seconds >= $2 OR dead > 0) ORDER BY number"
)
_ALL: Final = (
    "SELECT count(*), coalesce(max(oldest_seconds), 0), CAST(coalesce(sum(dead), 0) AS bigint), min(heard_at)"
    " FROM source WHERE deleted_at IS NULL"
)


class AllSources(NamedTuple):
    """The sources of all tenants together."""

    number: int
    oldest_seconds: int
    dead: int
    heard_at: int | None
    """When the one was heard that has been silent for longest; None if there is none."""


class SourceStore:
    """What is asked about the sources of all tenants."""

    def __init__(self, reads: RowReader, data_keys: DataKeyStore) -> None:
        self._reads = reads
        self._data_keys = data_keys

    async def in_trouble(self, now: int) -> list[Source]:
        """The sources of every tenant that are behind or silent, or gave something up."""
        found = await self._reads.rows(EVERY_TENANT, _IN_TROUBLE, now - SILENT_AFTER, BEHIND_FROM)
        return await self._data_keys.opened(SOURCE, found)

    async def all(self) -> AllSources:
        """How all sources do together."""
        [row] = await self._reads.rows(EVERY_TENANT, _ALL)
        return AllSources(*row)
