"""Lists of rows of which the table is described. A noun whose list is no more than that needs no query of its own."""

from functools import cache
from typing import Any

from signalpost.commands.command import Numbered
from signalpost.store.statements import EVERY_TENANT, Reads, bound
from signalpost.store.tables import TABLES
from signalpost.store.tables.table import Codec, Table


class ListStore:
    """Lists that follow from the description of a table."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._codec = Codec(str, reads.unpack_id)

    async def page(self, kind: type[Numbered], tenant_id: int | None, below: int | None, limit: int) -> list[Numbered]:
        """Rows of a kind that are still there, of a tenant or of all, newest first. The number of the last one is the
        `below` of the next page."""
        table: Table[Any] = TABLES[kind]
        if tenant_id is None:
            found = await self._reads.rows(EVERY_TENANT, _page(table, "true"), bound(below), limit)
        else:
            found = await self._reads.rows(tenant_id, _page(table, "tenant_id = $3"), bound(below), limit, tenant_id)
        return [table.unpack(columns, self._codec) for columns in found]


@cache
def _page(table: Table[Any], whose: str) -> str:
    where = f"{whose} AND {table.there} AND number < $1"
    return f"SELECT {table.listed} FROM {table.name} WHERE {where} ORDER BY number DESC LIMIT $2"  # noqa: S608
