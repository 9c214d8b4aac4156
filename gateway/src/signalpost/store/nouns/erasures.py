"""Erasures: the requests, and the removal itself, in parts so small that other writes hardly wait."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from signalpost.commands.command import VersionKey
from signalpost.domain.erasure import Erasure
from signalpost.store.packing.documents import unpack_number
from signalpost.store.statements import EVERY_TENANT, RowReader, RowWriter, Statement, bound
from signalpost.store.tables import TABLES
from signalpost.store.tables.answers import ANSWER
from signalpost.store.tables.deliveries import ATTEMPT
from signalpost.store.tables.documents import DOCUMENT
from signalpost.store.tables.erasures import ERASURE_COLUMNS, unpack_erasure
from signalpost.store.tables.log import STEP
from signalpost.store.tables.searched_text import DOCUMENT_TEXT
from signalpost.store.tables.stats import STAT
from signalpost.store.tables.table import Columns

_SELECT: Final = f"SELECT {ERASURE_COLUMNS} FROM erasure"  # noqa: S608
_FILES: Final = (
    "SELECT document_id, number, file FROM version WHERE tenant_id = $1"
    " AND ($2::uuid IS NULL OR (document_id = $2::uuid AND created_at <= $3)) LIMIT $4"
)


ROWS_OF_TENANT: Final = (STEP, ATTEMPT, ANSWER, DOCUMENT, DOCUMENT_TEXT, STAT)
"""Tables whose rows go by their tenant. What else a tenant leaves each database removes in its own way."""
HANDLED_OTHERWISE: Final = frozenset(
    {
        "audit",
        "audit_end",
        "event",
        "delivery",
        "version",
        "erasure",
        "data_key",
        *(table.name for table in TABLES.values()),
    }
)
"""Tables with a tenant whose rows go, or are emptied, in another way. The audit stays until its own retention ends: its
entries prove one another."""


class ErasureStore(ABC):
    """Erasures as they are kept. Commands add them. Each part is one transaction, and any of them may be repeated."""

    def __init__(self, reads: RowReader, writes: RowWriter) -> None:
        self._reads = reads
        self._writes = writes

    async def get(self, erasure_id: str) -> Erasure | None:
        """The erasure with this id."""
        found = await self._erasures("id = $1::uuid", erasure_id)
        return found[0] if found else None

    async def page(self, below: int | None, limit: int) -> list[Erasure]:
        """Erasures of all tenants, newest first. The number of the last one is the `below` of the next page."""
        return await self._erasures("number < $1 ORDER BY number DESC LIMIT $2", bound(below), limit)

    async def pending(self) -> list[Erasure]:
        """Erasures that are not finished, oldest first."""
        return await self._erasures("finished_at IS NULL ORDER BY number")

    async def _erasures(self, which: str, *parameters: Any) -> list[Erasure]:
        found = await self._reads.rows(EVERY_TENANT, f"{_SELECT} WHERE {which}", *parameters)
        return [unpack_erasure(columns, self._reads.unpack_id) for columns in found]

    async def files(self, erasure: Erasure, limit: int) -> list[tuple[str, VersionKey]]:
        """The names of files to remove, each with the version that points to it."""
        tenant_id = erasure.tenant_id
        asked = (tenant_id, erasure.document_id, erasure.asked_at, limit)
        versions = [
            (file.hex(), self._reads.unpack_id(document_id), unpack_number(number))
            for document_id, number, file in await self._reads.rows(tenant_id, _FILES, *asked)
        ]
        return [(file, (tenant_id, document, number)) for file, document, number in versions if number is not None]

    @abstractmethod
    async def forget_files(self, erasure: Erasure, keys: Sequence[VersionKey]) -> None:
        """Remove the versions whose files are gone."""

    @abstractmethod
    async def erase_part(self, erasure: Erasure, limit: int) -> int:
        """Remove at most about `limit` rows of each kind, once no files are left. Returns how many were removed; 0 if
        nothing is left."""

    @abstractmethod
    async def finish(self, erasure: Erasure, at: int) -> None:
        """Remove traces of removed rows from the unused parts of the database's files, and note that the erasure is
        finished. Raises Unavailable while readers are in the way."""


def counting(erasure: Erasure, removed: int) -> Statement:
    """Count what was removed."""
    return Statement("UPDATE erasure SET removed = removed + $2 WHERE number = $1", (erasure.number, removed))


def finishing(erasure: Erasure, at: int) -> Statement:
    """Note that an erasure is finished."""
    return Statement("UPDATE erasure SET finished_at = $2 WHERE number = $1", (erasure.number, at))


def removing(table: Columns, tenant_id: int, limit: int) -> Statement:
    """Remove some of a tenant's rows, and return a row for each."""
    some = f"SELECT {table.key} FROM {table.name} WHERE tenant_id = $1 LIMIT $2"  # noqa: S608
    return Statement(f"DELETE FROM {table.name} WHERE ({table.key}) IN ({some}) RETURNING 1", (tenant_id, limit))  # noqa: S608


def subscriptions_of(tenant_id: int) -> Statement:
    """The numbers of a tenant's subscriptions, also of those that were deleted."""
    return Statement("SELECT number FROM subscription WHERE tenant_id = $1", (tenant_id,))
