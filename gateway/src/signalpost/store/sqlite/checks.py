"""Checks of what must be true in every database."""

from pathlib import Path

import apsw

from signalpost.domain.errors import StartError
from signalpost.store.sqlite import audit
from signalpost.store.sqlite.connect import connect, rows
from signalpost.store.sqlite.schema import applied_migrations

_INVARIANTS = {
    "a log with a gap": (
        "SELECT t.name FROM tenant t WHERE (SELECT count(*) FROM event e WHERE e.tenant_id = t.id)"
        " <> t.last_sequence - t.floor + 1"
    ),
    "a log whose times do not rise": (
        "SELECT e.sequence FROM event e JOIN event f ON f.tenant_id = e.tenant_id AND f.sequence = e.sequence + 1"
        " WHERE f.at <= e.at LIMIT 1"
    ),
    "a lane beyond its log": (
        "SELECT l.subscription_number FROM lane l JOIN subscription s ON s.number = l.subscription_number"
        " JOIN tenant t ON t.id = s.tenant_id WHERE l.head > t.last_sequence"
    ),
    "a subscription without a lane": (
        "SELECT s.number FROM subscription s LEFT JOIN lane l ON l.subscription_number = s.number"
        " WHERE s.deleted_at IS NULL AND l.head IS NULL"
    ),
    "a version beyond its document's last": (
        "SELECT hex(v.document_id) FROM version v LEFT JOIN document d ON d.tenant_id = v.tenant_id"
        " AND d.external_id = v.document_id WHERE d.last_number IS NULL OR v.number > d.last_number"
    ),
    "a tenant whose documents are miscounted": (
        "SELECT t.name FROM tenant t WHERE t.deleted_at IS NULL AND t.documents <>"
        " (SELECT count(*) FROM document d WHERE d.tenant_id = t.id AND d.deleted_at IS NULL)"
    ),
    "a tenant whose subscriptions are miscounted": (
        "SELECT t.name FROM tenant t WHERE t.deleted_at IS NULL AND t.subscriptions <>"
        " (SELECT count(*) FROM subscription s WHERE s.tenant_id = t.id AND s.deleted_at IS NULL)"
    ),
    "a tenant whose files are miscounted": (
        "SELECT t.name FROM tenant t WHERE t.deleted_at IS NULL AND t.file_bytes <>"
        " (SELECT coalesce(sum(size), 0) FROM version v"
        " WHERE v.tenant_id = t.id AND v.deleted_at IS NULL AND v.published_as IS NULL)"
    ),
    "a delivery beyond its lane": (
        "SELECT d.sequence FROM delivery d JOIN lane l USING (subscription_number) WHERE d.sequence > l.head LIMIT 1"
    ),
}


def check(database: Path) -> list[str]:
    """What is wrong with a database file and with what is in it, a sentence for each fault."""
    try:
        connection = connect(database, read_only=True)
        found = [text for (text,) in rows(connection, "PRAGMA integrity_check(20)") if text != "ok"]
        applied_migrations(connection)  # whether it can be looked at
        for fault, statement in _INVARIANTS.items():
            if example := rows(connection, statement):
                found.append(f"There is {fault}: {example[0][0]}.")
        if (misfit := audit.verify(connection, None).fault) is not None:
            found.append(f"Entry {misfit.number} of tenant {misfit.tenant_id} in the audit: {misfit.reason}")
        connection.close()
    except StartError as error:
        return [str(error)]
    except apsw.Error as error:
        return [f"{database} cannot be read as a Signalpost database: {error}"]
    return found
