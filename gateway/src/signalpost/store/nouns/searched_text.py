"""What documents are found by, if a part of it is searched for that is not its beginning.

The texts of `TOGETHER` documents of a tenant, which were created one after the other, are one row: so a search reads
through some twenty bytes a document, and then only the documents of the rows that have what it looks for. A row is
written once so many documents are there, beside other work; a change of what a document is found by empties its row
(a trigger does, in the same transaction), until it is written anew. The newest documents, which have no row yet, and
those whose row is empty are looked at themselves. So a search misses nothing but what is beyond its bounds, and what an
erased document was found by goes with its row.
"""

from typing import Final

from signalpost.store.statements import EVERY_TENANT, RowReader, RowWriter, Statement

TOGETHER: Final = 256
"""How many documents have their texts in one row."""
_LOCK: Final = "UPDATE tenant SET floor = floor WHERE id = $1"
"""No document of the tenant changes, at no node, until the end of the transaction."""
_TEXT: Final = (
    "SELECT string_agg(line, '\n') FROM (SELECT title_key AS line FROM those"
    " UNION SELECT lower(reference_id) FROM those UNION SELECT lower(owner_email) FROM those) lines"
)
_ADD: Final = f"""
WITH before AS MATERIALIZED (SELECT coalesce(max(last), 0) AS last FROM document_text WHERE tenant_id = $1),
those AS MATERIALIZED (
    SELECT number, title_key, reference_id, owner_email FROM document
    WHERE tenant_id = $1 AND deleted_at IS NULL AND number > (SELECT last FROM before) ORDER BY number LIMIT {TOGETHER}
)
INSERT INTO document_text (tenant_id, first, last, text)
SELECT CAST($1 AS bigint), (SELECT last + 1 FROM before), (SELECT max(number) FROM those), ({_TEXT})
WHERE (SELECT count(*) FROM those) = {TOGETHER} RETURNING 1
"""  # noqa: S608
_WRITE_ANEW: Final = f"""
WITH place AS MATERIALIZED (
    SELECT first, last FROM document_text WHERE tenant_id = $1 AND text = '' ORDER BY last LIMIT 1
),
those AS MATERIALIZED (
    SELECT title_key, reference_id, owner_email FROM document WHERE tenant_id = $1 AND deleted_at IS NULL
    AND number >= (SELECT first FROM place) AND number <= (SELECT last FROM place)
)
UPDATE document_text SET text = coalesce(({_TEXT}), '\n')
WHERE tenant_id = $1 AND last = (SELECT last FROM place) RETURNING 1
"""  # noqa: S608
_TENANTS: Final = (
    f"SELECT id, last_sequence FROM tenant WHERE deleted_at IS NULL AND documents >= {TOGETHER} ORDER BY id"  # noqa: S608
)
_HAS_MORE: Final = (
    "SELECT EXISTS (SELECT 1 FROM document WHERE tenant_id = $1 AND deleted_at IS NULL AND number >"  # noqa: S608
    " (SELECT coalesce(max(last), 0) FROM document_text WHERE tenant_id = $1)"
    f" ORDER BY number LIMIT 1 OFFSET {TOGETHER - 1})"
)
_HAS_EMPTY: Final = "SELECT EXISTS (SELECT 1 FROM document_text WHERE tenant_id = $1 AND text = '')"


class SearchedTextStore:
    """The texts that searches read through."""

    def __init__(self, reads: RowReader, writes: RowWriter) -> None:
        self._reads = reads
        self._writes = writes

    async def tenants(self) -> dict[int, int]:
        """The tenants that have so many documents that some may have a row, with the last sequences of their logs."""
        return dict(await self._reads.rows(EVERY_TENANT, _TENANTS))

    async def write_some(self, tenant_id: int) -> int:
        """Write a row that is missing, and one that is empty. Returns how many there were."""
        [[(has_more,)], [(has_empty,)]] = await self._reads.all(
            tenant_id, [Statement(_HAS_MORE, (tenant_id,)), Statement(_HAS_EMPTY, (tenant_id,))]
        )
        wanted = [
            Statement(sql, (tenant_id,)) for sql, is_due in ((_ADD, has_more), (_WRITE_ANEW, has_empty)) if is_due
        ]
        if not wanted:
            return 0
        _, *written = await self._writes.all(tenant_id, [Statement(_LOCK, (tenant_id,)), *wanted])
        return sum(map(len, written))
