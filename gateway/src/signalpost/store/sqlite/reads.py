"""What people and lanes read. Every statement is bounded: by a limit, or by how much of the log it looks through."""

from collections.abc import Iterator, Sequence

import apsw

from signalpost.domain.batch import Retry, Tenant
from signalpost.domain.delivery import State
from signalpost.domain.event import Event, time_of
from signalpost.domain.subscription import Subscription, wanted
from signalpost.store.sqlite import codec, replays
from signalpost.store.sqlite.codec import pack_uuid, unpack_sequences, unpack_uuid
from signalpost.store.sqlite.database import rows
from signalpost.store.store import Attempt, DeliveryFilter, DeliveryPage, DeliveryView, Loaded, LogEntry
from signalpost.store.vault import Vault

SCANNED_MOST = 10_000
"""How many entries of the log one page looks through; it may be short, or empty, and still have a next."""

_EVENT_COLUMNS = "tenant_id, sequence, at, id, type, document_id, body"


def load(connection: apsw.Connection, vault: Vault) -> Loaded:
    statement = f"SELECT {codec.SUBSCRIPTION_COLUMNS} FROM subscription WHERE deleted_at IS NULL ORDER BY number"  # noqa: S608
    return Loaded(
        tuple(Tenant(*columns) for columns in rows(connection, "SELECT id, name, last_sequence, last_at FROM tenant")),
        tuple(codec.unpack_subscription(columns, vault) for columns in rows(connection, statement)),
        tuple(
            Retry(number, subscription, sequence, unpack_uuid(document_id), budget)
            for number, subscription, sequence, document_id, budget in rows(
                connection, "SELECT * FROM retry ORDER BY number"
            )
        ),
        replays.running(connection),
    )


# --- The log ----------------------------------------------------------------------------------------------------------


def events_after(connection: apsw.Connection, tenant_id: int, sequence: int, limit: int) -> list[Event]:
    return _events(connection, "tenant_id = ? AND sequence > ? ORDER BY sequence LIMIT ?", (tenant_id, sequence, limit))


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
    connection: apsw.Connection, tenant_id: int, after: int, types: int, document_id: str | None, limit: int
) -> tuple[list[Event], int]:
    last = last_sequence(connection, tenant_id)
    if document_id is not None:
        # `+` keeps the planner from walking the whole log instead of the document's own events.
        condition = "document_id = ? AND sequence > ? AND +tenant_id = ? AND type & ? ORDER BY sequence LIMIT ?"
        found = _events(connection, condition, (pack_uuid(document_id), after, tenant_id, types, limit))
    else:
        last = min(last, after + SCANNED_MOST)
        condition = "tenant_id = ? AND sequence > ? AND sequence <= ? AND type & ? ORDER BY sequence LIMIT ?"
        found = _events(connection, condition, (tenant_id, after, last, types, limit))
    return found, found[-1].sequence if len(found) == limit else last


def last_sequence(connection: apsw.Connection, tenant_id: int) -> int:
    return rows(connection, "SELECT last_sequence FROM tenant WHERE id = ?", (tenant_id,))[0][0]  # type: ignore[no-any-return]


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
    return [
        Event(tenant, sequence, at, unpack_uuid(identity), event_type, unpack_uuid(document), body)
        for tenant, sequence, at, identity, event_type, document, body in rows(
            connection,
            f"SELECT {_EVENT_COLUMNS} FROM event WHERE {condition}",  # noqa: S608
            bindings,
        )
    ]


# --- Subscriptions ----------------------------------------------------------------------------------------------------


def subscriptions(
    connection: apsw.Connection, tenant_id: int, below: int | None, limit: int, vault: Vault
) -> list[Subscription]:
    statement = (
        f"SELECT {codec.SUBSCRIPTION_COLUMNS} FROM subscription WHERE tenant_id = ? AND number < ?"  # noqa: S608
        " AND deleted_at IS NULL ORDER BY number DESC LIMIT ?"
    )
    found = rows(connection, statement, (tenant_id, below if below is not None else 2**62, limit))
    return [codec.unpack_subscription(columns, vault) for columns in found]


# --- Deliveries -------------------------------------------------------------------------------------------------------

_NAMES = {State.PARKED: "retrying", State.BLOCKED: "pending", State.FAILED: "failed"}
_ENTRY_COLUMNS = "e.sequence, e.at, e.id, e.type, e.document_id, d.state, d.due, d.charged"
_JOIN = "LEFT JOIN delivery d ON d.subscription_number = ? AND d.sequence = e.sequence"


class _Lane:
    """What tells the settled from the pending, as it was last recorded."""

    def __init__(self, connection: apsw.Connection, number: int) -> None:
        found = rows(connection, "SELECT head, open, gaps FROM lane WHERE subscription_number = ?", (number,))
        head, packed, gaps = found[0] if found else (0, b"", b"[]")
        self.head: int = head
        self.open = frozenset(unpack_sequences(packed))
        self.gaps: list[list[int]] = codec.decode_gaps(gaps)

    def status(self, sequence: int, state: int | None) -> str | None:
        if state is not None:
            return _NAMES[State(state)]
        if sequence > self.head or sequence in self.open:
            return "pending"
        if any(first <= sequence <= last for first, last in self.gaps):
            return None
        return "delivered"


def deliveries(
    connection: apsw.Connection,
    subscription: Subscription,
    asked: DeliveryFilter,
    below: int | None,
    limit: int,
) -> DeliveryPage:
    """Newest first. A delivery that was skipped, or not asked for, is not one."""
    tenant_id = subscription.tenant_id
    low = max(subscription.starts_after + 1, floor(connection, tenant_id))
    high = last_sequence(connection, tenant_id) + 1
    if asked.created_from is not None:
        low = max(low, sequence_at(connection, tenant_id, asked.created_from))
    if asked.created_to is not None:
        high = min(high, sequence_at(connection, tenant_id, asked.created_to))
    if below is not None:
        high = min(high, below)
    lane = _Lane(connection, subscription.number)
    data: list[DeliveryView] = []
    scanned = 0
    sequence = high
    for sequence, at, identity, event_type, document_id, state, due, charged in _entries(
        connection, subscription, asked, low, high
    ):
        scanned += 1
        status = lane.status(sequence, state)
        if event_type & asked.types & wanted(subscription.filters, sequence) and status in _asked(asked.status):
            entry = LogEntry(sequence, at, unpack_uuid(identity), event_type, unpack_uuid(document_id))
            data.append(DeliveryView(entry, status or "", due if state == State.PARKED else None, charged or 0))
            if len(data) == limit:
                return DeliveryPage(tuple(data), sequence)
    return DeliveryPage(tuple(data), sequence if scanned == SCANNED_MOST else None)


_STATUSES = frozenset({"pending", "delivered", "retrying", "failed"})


def _asked(status: str | None) -> frozenset[str | None]:
    return frozenset({status}) if status else _STATUSES


def _entries(
    connection: apsw.Connection, subscription: Subscription, asked: DeliveryFilter, low: int, high: int
) -> Iterator[tuple[int, int, bytes, int, bytes, int | None, int | None, int | None]]:
    """Entries of the log from `high` (excluded) down to `low`, by the shortest way that the filter allows."""
    number, tenant_id = subscription.number, subscription.tenant_id
    if asked.document_id is not None:
        statement = (
            f"SELECT {_ENTRY_COLUMNS} FROM event e INDEXED BY event_document {_JOIN} WHERE e.document_id = ?"  # noqa: S608
            " AND e.sequence >= ? AND e.sequence < ? AND e.tenant_id = ? ORDER BY e.sequence DESC LIMIT ?"
        )
        bindings: tuple[object, ...] = (
            number,
            pack_uuid(asked.document_id),
            low,
            high,
            tenant_id,
            SCANNED_MOST,
        )
    elif asked.status in ("failed", "retrying"):
        state = State.FAILED if asked.status == "failed" else State.PARKED
        statement = (
            f"SELECT {_ENTRY_COLUMNS} FROM delivery d CROSS JOIN event e ON e.tenant_id = ? AND e.sequence = d.sequence"  # noqa: S608
            f" WHERE d.subscription_number = ? AND d.state = {int(state)} AND d.sequence >= ? AND d.sequence < ?"
            " ORDER BY d.sequence DESC LIMIT ?"
        )
        bindings = (tenant_id, number, low, high, SCANNED_MOST)
    else:
        statement = (
            f"SELECT {_ENTRY_COLUMNS} FROM event e {_JOIN} WHERE e.tenant_id = ? AND e.sequence >= ? AND e.sequence < ?"  # noqa: S608
            " ORDER BY e.sequence DESC LIMIT ?"
        )
        bindings = (number, tenant_id, low, high, SCANNED_MOST)
    yield from connection.execute(statement, bindings)


def delivery(
    connection: apsw.Connection, subscription: Subscription, entry: LogEntry
) -> tuple[DeliveryView, list[Attempt]] | None:
    if entry.sequence <= subscription.starts_after or not entry.type & wanted(subscription.filters, entry.sequence):
        return None
    found = rows(
        connection,
        "SELECT state, due, charged FROM delivery WHERE subscription_number = ? AND sequence = ?",
        (subscription.number, entry.sequence),
    )
    state, due, charged = found[0] if found else (None, None, 0)
    status = _Lane(connection, subscription.number).status(entry.sequence, state)
    if status is None:
        return None
    view = DeliveryView(entry, status, due if state == State.PARKED else None, charged)
    return view, attempts(connection, subscription, entry.sequence)


def attempts(connection: apsw.Connection, subscription: Subscription, sequence: int) -> list[Attempt]:
    found = rows(
        connection,
        "SELECT sequence, started_at, elapsed_us, number, run, counted, status, failure, detail, answer FROM attempt"
        " WHERE tenant_id = ? AND sequence = ? AND subscription_number = ? ORDER BY started_at",
        (subscription.tenant_id, sequence, subscription.number),
    )
    return [Attempt._make(columns)._replace(counted=bool(columns[5])) for columns in found]
