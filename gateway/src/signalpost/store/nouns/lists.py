"""Lists of rows of which the table is described. A noun whose list is no more than that needs no query of its own."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

from signalpost.commands.command import Numbered
from signalpost.store.nouns.data_keys import DataKeyStore
from signalpost.store.statements import EVERY_TENANT, Row, RowReader, bound
from signalpost.store.tables import TABLES
from signalpost.store.tables.table import Codec, Table

_AT_ONCE: Final = 1_000
"""How many rows are read at a time to load all: packed, all at once would take more memory than what they say."""


class ListStore:
    """Lists that follow from the description of a table."""

    def __init__(self, reads: RowReader, data_keys: DataKeyStore) -> None:
        self._reads = reads
        self._data_keys = data_keys

    async def page(self, kind: type[Numbered], tenant_id: int | None, below: int | None, limit: int) -> list[Numbered]:
        """Rows of a kind that are still there, of a tenant or of all, newest first. The number of the last one is the
        `below` of the next page."""
        table: Table[Any] = TABLES[kind]
        if tenant_id is None:
            found = await self._reads.rows(EVERY_TENANT, _page(table, "true"), bound(below), limit)
        else:
            found = await self._reads.rows(tenant_id, _page(table, "tenant_id = $3"), bound(below), limit, tenant_id)
        return await self._data_keys.opened(table, found)

    async def every(self, kind: type[Numbered]) -> list[Numbered]:
        """Every row of a kind that is still there, of every tenant, oldest first. Only for the start: what is changed
        meanwhile may be missing."""
        table: Table[Any] = TABLES[kind]
        rows: list[Numbered] = []
        while True:
            last = rows[-1].number if rows else 0
            found = await self._reads.rows(EVERY_TENANT, _following(table), last, _AT_ONCE)
            rows += await self._data_keys.opened(table, found)
            if len(found) < _AT_ONCE:
                return rows

    async def every_packed(self, kind: type[Numbered]) -> list[Row]:
        """The same as the database keeps them. To unpack thousands takes milliseconds, for which the event loop need
        not stand still: see `unpacked`."""
        table: Table[Any] = TABLES[kind]
        number_at, rows = [*table.columns].index("number"), list[Row]()
        while True:
            last = rows[-1][number_at] if rows else 0
            found = await self._reads.rows(EVERY_TENANT, _following(table), last, _AT_ONCE)
            rows += found
            if len(found) < _AT_ONCE:
                return rows

    def unpacked(self, kind: type[Numbered], packed: Iterable[Row]) -> Iterator[Numbered]:
        """Rows of a table in which nothing is sealed. Any thread may ask."""
        table: Table[Any] = TABLES[kind]
        codec = Codec(str, self._reads.unpack_id)
        return (table.unpack(each, codec) for each in packed)


@cache
def _page(table: Table[Any], whose: str) -> str:
    where = f"{whose} AND {table.there} AND number < $1"
    return f"SELECT {table.listed} FROM {table.name} WHERE {where} ORDER BY number DESC LIMIT $2"  # noqa: S608


@cache
def _following(table: Table[Any]) -> str:
    where = f"{table.there} AND number > $1"
    return f"SELECT {table.listed} FROM {table.name} WHERE {where} ORDER BY number LIMIT $2"  # noqa: S608
