"""What people and lanes read. Every statement is bounded: by a limit, or by how much of the log it looks through."""

from collections.abc import Sequence

import apsw

from signalpost.commands.command import Tenant
from signalpost.domain.event import Event, time_of
from signalpost.store.sqlite import codec
from signalpost.store.sqlite.access import valid_keys
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.database import rows
from signalpost.store.store import Known
from signalpost.store.vault import Vault

MAX_SCANNED = 10_000
"""How many entries of the log one page looks through; it may be short, or empty, and still have a next."""

PAGE_BYTES = 4 * 1024 * 1024
"""Of bodies, after which a page of the log ends: each may have 1 MiB."""

_EVENT_COLUMNS = "tenant_id, sequence, at, id, type, document_id, body"


def load(connection: apsw.Connection, vault: Vault) -> Known:
    statement = f"SELECT {codec.SUBSCRIPTION_COLUMNS} FROM subscription WHERE deleted_at IS NULL ORDER BY number"  # noqa: S608
    return Known(
        tuple(Tenant(*columns) for columns in rows(connection, "SELECT id, name, last_sequence, last_at FROM tenant")),
        tuple(codec.unpack_subscription(columns, vault) for columns in rows(connection, statement)),
        tuple(valid_keys(connection)),
    )


# --- The log ----------------------------------------------------------------------------------------------------------


def events_after(
    connection: apsw.Connection, tenant_id: int, sequence: int, limit: int, bytes_most: int
) -> list[Event]:
    found: list[Event] = []
    cursor = connection.execute(
        f"SELECT {_EVENT_COLUMNS} FROM event WHERE tenant_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608
        (tenant_id, sequence, limit),
    )
    for columns in cursor:
        event = _event(*columns)
        found.append(event)
        bytes_most -= len(event.body)
        if bytes_most <= 0:
            cursor.close()  # no read cursor outlives a call
            break
    return found


def event_bodies(connection: apsw.Connection, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
    found: list[Event] = []
    for sequence in sequences:
        found += _events(connection, "tenant_id = ? AND sequence = ?", (tenant_id, sequence))
    return found


def event_by_id(connection: apsw.Connection, tenant_id: int, event_id: str) -> Event | None:
    """By the time that the id carries: `createdAt` and sequence agree, so no index on ids is needed."""
    sequence = sequence_at(connection, tenant_id, time_of(event_id))
    for event in event_bodies(connection, tenant_id, (sequence,)):
        if event.id == event_id:
            return event
    return None


def feed(
    connection: apsw.Connection,
    tenant_id: int,
    after: int,
    types: int,
    document_id: str | None,
    limit: int,
    scanned_most: int,
) -> tuple[list[Event], int]:
    last = last_sequence(connection, tenant_id)
    if document_id is not None:
        return _feed_of_document(connection, tenant_id, after, types, document_id, limit, scanned_most)
    last = min(last, after + scanned_most)
    condition = "tenant_id = ? AND sequence > ? AND sequence <= ? AND type & ? ORDER BY sequence LIMIT ?"
    found = _events(connection, condition, (tenant_id, after, last, types, limit))
    return found, found[-1].sequence if len(found) == limit else last


def _feed_of_document(
    connection: apsw.Connection,
    tenant_id: int,
    after: int,
    types: int,
    document_id: str,
    limit: int,
    scanned_most: int,
) -> tuple[list[Event], int]:
    looked_at = rows(
        connection,
        "SELECT sequence, type FROM event INDEXED BY event_document WHERE tenant_id = ? AND document_id = ?"
        " AND sequence > ? ORDER BY sequence LIMIT ?",
        (tenant_id, pack_uuid(document_id), after, scanned_most),
    )
    found = [sequence for sequence, event_type in looked_at if event_type & types][:limit]
    last = last_sequence(connection, tenant_id)
    if len(found) == limit:
        last = found[-1]
    elif len(looked_at) == scanned_most:
        last = looked_at[-1][0]
    return event_bodies(connection, tenant_id, found), last


def last_sequence(connection: apsw.Connection, tenant_id: int) -> int:
    return rows(connection, "SELECT last_sequence FROM tenant WHERE id = ?", (tenant_id,))[0][0]  # type: ignore[no-any-return]


def last_at(connection: apsw.Connection, tenant_id: int) -> int:
    return rows(connection, "SELECT last_at FROM tenant WHERE id = ?", (tenant_id,))[0][0]  # type: ignore[no-any-return]


def at_of(connection: apsw.Connection, tenant_id: int, sequence: int) -> int:
    """When the event was created, which must be there."""
    statement = "SELECT at FROM event WHERE tenant_id = ? AND sequence = ?"
    return rows(connection, statement, (tenant_id, sequence))[0][0]  # type: ignore[no-any-return]


def floor(connection: apsw.Connection, tenant_id: int) -> int:
    return rows(connection, "SELECT floor FROM tenant WHERE id = ?", (tenant_id,))[0][0]  # type: ignore[no-any-return]


def sequence_at(connection: apsw.Connection, tenant_id: int, at: int) -> int:
    """The lowest kept sequence created at `at` or later: a binary search, since `createdAt` rises with the sequence."""
    low, high = floor(connection, tenant_id), last_sequence(connection, tenant_id) + 1
    while low < high:
        middle = (low + high) // 2
        found = rows(connection, "SELECT at FROM event WHERE tenant_id = ? AND sequence = ?", (tenant_id, middle))
        if not found or found[0][0] < at:
            low = middle + 1
        else:
            high = middle
    return low


def _events(connection: apsw.Connection, condition: str, bindings: Sequence[object]) -> list[Event]:
    statement = f"SELECT {_EVENT_COLUMNS} FROM event WHERE {condition}"  # noqa: S608
    return [_event(*columns) for columns in rows(connection, statement, bindings)]


def _event(
    tenant_id: int, sequence: int, at: int, identity: bytes, event_type: int, document: bytes, body: bytes
) -> Event:
    return Event(tenant_id, sequence, at, unpack_uuid(identity), event_type, unpack_uuid(document), body)
