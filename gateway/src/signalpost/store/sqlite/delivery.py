"""One delivery as people read it.

Only exceptions have rows. Without one a delivery is derived: an event of the log, a subscription that wanted it, and
the lane's word on whether it was settled.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property

import apsw

from signalpost.domain.delivery.delivery import State
from signalpost.domain.subscription import Subscription, wanted
from signalpost.store.sqlite.codec import decode_gaps, list_numbers, unpack_sequences
from signalpost.store.sqlite.database import rows
from signalpost.store.store import Attempt, DeliveryStatus, DeliveryView, LogEntry

MAX_ATTEMPTS = 1_000
"""The newest ones that are shown; only hundreds of retries by hand make more."""
STATUS: dict[State, DeliveryStatus] = {
    State.AWAITING_RETRY: "retrying",
    State.BLOCKED: "pending",
    State.FAILED: "failed",
}


class RecordedLane:
    """A subscription and what tells its settled deliveries from the others, as it was last recorded."""

    def __init__(self, subscription: Subscription, head: int, packed: bytes, gaps: bytes) -> None:
        self.subscription = subscription
        self.head = head
        self._packed = packed
        self._gaps = gaps

    @cached_property
    def _open(self) -> list[int]:
        return unpack_sequences(self._packed)

    @cached_property
    def _never_taken_in(self) -> list[list[int]]:
        return decode_gaps(self._gaps)

    def open_between(self, low: int, top: int) -> list[int]:
        return self._open[bisect_left(self._open, low) : bisect_right(self._open, top)]

    def asked_for(self, sequence: int, event_type: int) -> bool:
        subscription = self.subscription
        return sequence > subscription.starts_after and event_type & wanted(subscription.filters, sequence) != 0

    def status(self, sequence: int, state: int | None) -> DeliveryStatus | None:
        """None of what was skipped: that is no delivery."""
        if state is not None:
            return STATUS[State(state)]
        if sequence > self.head or self.open_between(sequence, sequence):
            return "pending"
        if any(first <= sequence <= last for first, last in self._never_taken_in):
            return None
        return "delivered"


def recorded_lanes(connection: apsw.Connection, subscriptions: Sequence[Subscription]) -> dict[int, RecordedLane]:
    """By number, the highest first. A subscription without a lane was deleted a moment ago."""
    by_number = {subscription.number: subscription for subscription in subscriptions}
    found = rows(
        connection,
        "SELECT subscription_number, head, open, gaps FROM lane"
        " WHERE subscription_number IN (SELECT value FROM json_each(?)) ORDER BY subscription_number DESC",
        (list_numbers(by_number),),
    )
    return {number: RecordedLane(by_number[number], *columns) for number, *columns in found}


def delivery(
    connection: apsw.Connection, subscription: Subscription, entry: LogEntry
) -> tuple[DeliveryView, list[Attempt]] | None:
    lane = recorded_lanes(connection, [subscription]).get(subscription.number)
    if lane is None or not lane.asked_for(entry.sequence, entry.type):
        return None
    view = view_of(connection, lane, entry)
    return None if view is None else (view, _attempts(connection, subscription, entry.sequence))


def _attempts(connection: apsw.Connection, subscription: Subscription, sequence: int) -> list[Attempt]:
    found = rows(
        connection,
        "SELECT sequence, started_at, elapsed_us, number, run, counted, status, failure, detail, answer FROM attempt"
        " WHERE tenant_id = ? AND sequence = ? AND subscription_number = ? ORDER BY started_at DESC LIMIT ?",
        (subscription.tenant_id, sequence, subscription.number, MAX_ATTEMPTS),
    )
    return [Attempt._make(columns)._replace(counted=bool(columns[5])) for columns in reversed(found)]


def view_of(connection: apsw.Connection, lane: RecordedLane, entry: LogEntry) -> DeliveryView | None:
    found = rows(
        connection,
        "SELECT state, due, charged FROM delivery WHERE subscription_number = ? AND sequence = ?",
        (lane.subscription.number, entry.sequence),
    )
    state, due, failed_attempts = found[0] if found else (None, None, 0)
    status = lane.status(entry.sequence, state)
    if status is None:
        return None
    return DeliveryView(
        lane.subscription.id, entry, status, due if state == State.AWAITING_RETRY else None, failed_attempts
    )
