"""One delivery as a reader sees it: its state, its last attempt, and what it waits for.

A page makes one for each delivery that it shows, so everything here is a few look-ups by key.
"""

import apsw

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.subscription import Subscription
from signalpost.store.deliveries import AttemptRow, DeliveryView
from signalpost.store.log import LogRow
from signalpost.store.sqlite.codec import list_numbers, pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.recorded_lane import RecordedLane

MAX_EARLIER = 100
"""How many earlier events of a document are looked at for the one that holds up a later one."""


def view_of(connection: apsw.Connection, lane: RecordedLane, entry: LogRow) -> DeliveryView | None:
    """The delivery of an event to a lane's subscription; None where it has none."""
    if not lane.asked_for(entry.sequence, entry.type):
        return None
    found = rows(
        connection,
        "SELECT state, due, charged, budget FROM delivery WHERE subscription_number = ? AND sequence = ?",
        (lane.subscription.number, entry.sequence),
    )
    state, retry_due, failed_attempts, max_attempts = found[0] if found else (None, 0, 0, 0)
    status = lane.status(entry.sequence, state)
    if status is None:
        return None
    last_attempt = next(iter(attempts(connection, lane.subscription, entry.sequence, 1)), None)
    if status == "delivered" and last_attempt is not None and last_attempt.failure == Failure.SKIPPED:
        status = "skipped"
    return DeliveryView(
        subscription_id=lane.subscription.id,
        entry=entry,
        status=status,
        due=lane.due(status, retry_due),
        attempts=failed_attempts,
        max_attempts=max_attempts,
        last_attempt=last_attempt,
        probe_at=lane.probe_at,
        last_error=lane.last_error,
        retry_asked=entry.sequence in lane.retries_asked,
        behind=_earlier_of_document(connection, lane, entry) if status == "pending" else None,
        ahead=max(0, entry.sequence - lane.head - 1) if status == "pending" else 0,
    )


def attempts(connection: apsw.Connection, subscription: Subscription, sequence: int, limit: int) -> list[AttemptRow]:
    """The newest attempts of a delivery, oldest first."""
    found = rows(
        connection,
        "SELECT sequence, started_at, elapsed_us, number, run, counted, status, failure, detail, answer FROM attempt"
        " WHERE tenant_id = ? AND sequence = ? AND subscription_number = ? ORDER BY started_at DESC LIMIT ?",
        (subscription.tenant_id, sequence, subscription.number, limit),
    )
    return [AttemptRow._make(columns)._replace(counted=bool(columns[5])) for columns in reversed(found)]


def _earlier_of_document(connection: apsw.Connection, lane: RecordedLane, entry: LogRow) -> LogRow | None:
    """The last earlier event of the same document that holds this one back: one that is not settled, or, in strict
    order alone, one that waits for its retry (C17)."""
    holding = ("pending", "retrying") if lane.subscription.ordering == "strict" else ("pending",)
    earlier = rows(
        connection,
        "SELECT sequence, at, id, type FROM event INDEXED BY event_document"
        " WHERE tenant_id = ? AND document_id = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?",
        (lane.subscription.tenant_id, pack_uuid(entry.document_id), entry.sequence, MAX_EARLIER),
    )
    states = dict(
        rows(
            connection,
            "SELECT sequence, state FROM delivery WHERE subscription_number = ?"
            " AND sequence IN (SELECT value FROM json_each(?))",
            (lane.subscription.number, list_numbers(sequence for sequence, *_ in earlier)),
        )
    )
    for sequence, at, identity, event_type in earlier:
        if lane.asked_for(sequence, event_type) and lane.status(sequence, states.get(sequence)) in holding:
            return LogRow(sequence, at, unpack_uuid(identity), event_type, entry.document_id)
    return None
