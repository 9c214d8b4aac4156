"""Erasures: asked for, carried out part by part, finished.

A part removes rows as the retention does, or empties those that have to stay: an event's shell, the row with the
highest number of its table, an API key's row that the history of others refers to. The connection overwrites what it
removes (`secure_delete`); `page_slack.py` sees to the rest once everything is gone.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from signalpost.commands.command import VersionKey
from signalpost.domain.erasure import ERASED, MAX_SHELL_BYTES, Erasure, shell
from signalpost.store.nouns import erasures
from signalpost.store.nouns.erasures import ErasureStore
from signalpost.store.packing.documents import pack_number
from signalpost.store.sqlite import page_slack, tables
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.nouns import data_keys, retention
from signalpost.store.sqlite.readers import Readers
from signalpost.store.sqlite.statements import found_by
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.tables.table import Columns


class SqliteErasures(ErasureStore):
    def __init__(self, readers: Readers, writer: Writer, path: Path) -> None:
        super().__init__(readers, writer)
        self._writer = writer
        self._path = path

    @writing
    def forget_files(self, connection: apsw.Connection, erasure: Erasure, keys: Sequence[VersionKey]) -> None:
        connection.executemany(
            # Where a restored backup has the document still, its files count in what the tenant uses.
            "UPDATE tenant SET file_bytes = file_bytes - v.size FROM version v WHERE tenant.id = ?1"
            " AND v.tenant_id = ?1 AND v.document_id = ?2 AND v.number = ?3"
            " AND v.deleted_at IS NULL AND v.published_as IS NULL",
            [(tenant_id, pack_uuid(document_id), pack_number(number)) for tenant_id, document_id, number in keys],
        )
        connection.executemany(
            "DELETE FROM version WHERE tenant_id = ? AND document_id = ? AND number = ?",
            [(tenant_id, pack_uuid(document_id), pack_number(number)) for tenant_id, document_id, number in keys],
        )
        found_by(connection, erasures.counting(erasure, len(keys)))

    @writing
    def erase_part(self, connection: apsw.Connection, erasure: Erasure, limit: int) -> int:
        erase = _erase_of_tenant if erasure.document_id is None else _erase_of_document
        removed = erase(connection, erasure, limit)
        found_by(connection, erasures.counting(erasure, removed))
        return removed

    async def finish(self, erasure: Erasure, at: int) -> None:
        await page_slack.overwrite(self._writer, self._path)
        await self._writer.all(erasure.tenant_id, [erasures.finishing(erasure, at)])


def end_access(connection: apsw.Connection, tenant_id: int, at: int) -> None:
    """End in one go what a deleted tenant's lanes, connections and API keys could still do. Their rows say nothing more
    from then on; those that must stay, because numbers are given once, stay empty. Without its data keys, whatever was
    sealed for it can be opened no more."""
    data_keys.destroy(connection, tenant_id)
    connection.execute(
        "DELETE FROM lane WHERE subscription_number IN (SELECT number FROM subscription WHERE tenant_id = ?)",
        (tenant_id,),
    )
    tables.end_with_tenant(connection, tenant_id, at)


# --- Parts ------------------------------------------------------------------------------------------------------------


def _erase_of_tenant(connection: apsw.Connection, erasure: Erasure, limit: int) -> int:
    for part in (_erase_log, _erase_subscriptions, *map(_rows_of, erasures.ROWS_OF_TENANT), _erase_connections):
        if removed := part(connection, erasure.tenant_id, limit):
            return removed
    return 0


def _erase_log(connection: apsw.Connection, tenant_id: int, limit: int) -> int:
    last = rows(connection, "SELECT last_sequence FROM tenant WHERE id = ?", (tenant_id,))[0][0]
    return retention.prune_log(connection, tenant_id, last + 1, limit)


def _erase_subscriptions(connection: apsw.Connection, tenant_id: int, limit: int) -> int:
    for (number,) in found_by(connection, erasures.subscriptions_of(tenant_id)):
        if removed := retention.remove_of_subscription(connection, number, limit):
            return removed
    return 0


def _erase_connections(connection: apsw.Connection, tenant_id: int, limit: int) -> int:
    connection.execute(
        "DELETE FROM connection WHERE number IN (SELECT number FROM connection WHERE tenant_id = ?"
        " AND number < (SELECT max(number) FROM connection) LIMIT ?)",
        (tenant_id, limit),
    )
    return connection.changes()


def _rows_of(table: Columns) -> Callable[[apsw.Connection, int, int], int]:
    return lambda connection, tenant_id, limit: len(found_by(connection, erasures.removing(table, tenant_id, limit)))


def _erase_of_document(connection: apsw.Connection, erasure: Erasure, limit: int) -> int:
    # Where a backup was restored that has the document still, it goes without an event.
    connection.execute(
        "UPDATE tenant SET documents = documents - (SELECT count(*) FROM document WHERE tenant_id = ?1"
        " AND external_id = ?2 AND updated_at <= ?3 AND deleted_at IS NULL) WHERE id = ?1",
        (erasure.tenant_id, _document(erasure), erasure.asked_at),
    )
    connection.execute(
        "UPDATE document SET deleted_at = coalesce(deleted_at, ?3), type = NULL, status = NULL, reference_id = NULL,"
        " title_key = NULL, owner_email = NULL, body = x'', workflow = NULL, expires_at = NULL"
        " WHERE tenant_id = ?1 AND external_id = ?2 AND updated_at <= ?3 AND length(body) > 0",
        (erasure.tenant_id, _document(erasure), erasure.asked_at),
    )
    removed = connection.changes()
    connection.execute(
        "DELETE FROM step WHERE number IN (SELECT number FROM step INDEXED BY step_document"
        " WHERE tenant_id = ? AND document_id = ? AND sequence <= ? LIMIT ?)",
        (erasure.tenant_id, _document(erasure), erasure.to_sequence, limit),
    )
    removed += connection.changes()
    connection.execute(
        "DELETE FROM made WHERE document_id = ?2 AND subscription_number IN"
        " (SELECT number FROM subscription WHERE tenant_id = ?1)",
        (erasure.tenant_id, _document(erasure)),
    )
    return removed + connection.changes() + _empty_events(connection, erasure, limit)


def _empty_events(connection: apsw.Connection, erasure: Erasure, limit: int) -> int:
    events = rows(
        connection,
        "SELECT e.number, e.sequence, e.type, e.at, e.id FROM event e INDEXED BY event_document"
        " WHERE e.tenant_id = ? AND e.document_id = ? AND e.sequence <= ? AND length(e.body) > ? LIMIT ?",
        (erasure.tenant_id, _document(erasure), erasure.to_sequence, MAX_SHELL_BYTES, limit),
    )
    connection.executemany(
        "UPDATE event SET body = ?, before = NULL WHERE number = ?",
        [(shell(type_, at, unpack_uuid(identity)), number) for number, _, type_, at, identity in events],
    )
    connection.executemany(
        "UPDATE attempt SET detail = '', answer = x'', exchange = NULL WHERE tenant_id = ? AND sequence = ?",
        [(erasure.tenant_id, sequence) for _, sequence, *_ in events],
    )
    return len(events) or _empty_late_attempts(connection, erasure)


def _empty_late_attempts(connection: apsw.Connection, erasure: Erasure) -> int:
    """Empty the attempts that were recorded after their events were emptied."""
    connection.execute(
        "UPDATE attempt SET detail = '', answer = x'', exchange = NULL WHERE tenant_id = ?1 AND sequence IN"
        " (SELECT sequence FROM event INDEXED BY event_document"
        " WHERE tenant_id = ?1 AND document_id = ?2 AND sequence <= ?3)"
        " AND ((detail <> '' AND detail NOT LIKE '%' || ?4) OR length(answer) > 0 OR exchange IS NOT NULL)",
        (erasure.tenant_id, _document(erasure), erasure.to_sequence, ERASED),
    )
    return connection.changes()


# --- Rows -------------------------------------------------------------------------------------------------------------


def _document(erasure: Erasure) -> bytes | None:
    return None if erasure.document_id is None else pack_uuid(erasure.document_id)
