"""Deliveries as people read them."""

from collections.abc import Sequence
from itertools import islice

import apsw

from signalpost.domain.subscription import Subscription
from signalpost.store.deliveries import (
    AttemptRow,
    DeliveryFilter,
    DeliveryPosition,
    DeliveryView,
    DeliveryViews,
    EventAtSubscription,
)
from signalpost.store.log import LogRow
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.delivery_walk import ListedDelivery, Walk, stretch_sizes
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.recorded_lane import RecordedLane, recorded_lanes, view_of

MAX_ATTEMPTS = 1_000
"""How many attempts of a delivery are shown, the newest; only hundreds of retries by hand make more."""


MAX_EARLIER = 100
"""How many earlier events of a document are looked at for the one that holds up a later one."""


class SqliteDeliveries:
    def __init__(self, readers: Readers, max_scanned: int) -> None:
        self._readers = readers
        self._max_scanned = max_scanned

    @reading
    def get(
        self, connection: apsw.Connection, subscription: Subscription, entry: LogRow
    ) -> tuple[DeliveryView, list[AttemptRow]] | None:
        lane = recorded_lanes(connection, [subscription]).get(subscription.number)
        if lane is None or not lane.asked_for(entry.sequence, entry.type):
            return None
        view = view_of(connection, lane, entry)
        return None if view is None else (view, _attempts(connection, subscription, entry.sequence))

    @reading
    def of_event(
        self, connection: apsw.Connection, subscriptions: Sequence[Subscription], entry: LogRow
    ) -> list[EventAtSubscription]:
        lanes = recorded_lanes(connection, subscriptions)
        return [_of_event(connection, lanes[each.number], entry) for each in subscriptions if each.number in lanes]

    @reading
    def page(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        subscriptions: Sequence[Subscription],
        wanted: DeliveryFilter,
        below: DeliveryPosition | None,
        limit: int,
    ) -> DeliveryViews:
        lanes = recorded_lanes(connection, subscriptions)
        if not lanes:
            return DeliveryViews(())
        walk = Walk(connection, tenant_id, lanes, wanted)
        position: DeliveryPosition | None = walk.start(below)
        found: list[ListedDelivery] = []
        for size in stretch_sizes(limit, self._max_scanned):
            if position is None:
                break
            stretch = walk.stretch(position, size)
            matching = (each for each in stretch.candidates if walk.matches(each, stretch.types))
            found += islice(matching, limit - len(found))
            if len(found) == limit:
                return walk.page(found, DeliveryPosition(found[-1].sequence, found[-1].subscription_number))
            position = stretch.reached
        return walk.page(found, position)


def _of_event(connection: apsw.Connection, lane: RecordedLane, entry: LogRow) -> EventAtSubscription:
    view = view_of(connection, lane, entry) if lane.asked_for(entry.sequence, entry.type) else None
    if view is None:
        return EventAtSubscription(lane.subscription, None)
    waits = view.status == "pending"
    return EventAtSubscription(
        lane.subscription,
        view,
        last_attempt=next(iter(_attempts(connection, lane.subscription, entry.sequence, 1)), None),
        probe_at=lane.probe_at,
        last_error=lane.last_error,
        behind=_earlier_of_document(connection, lane, entry) if waits else None,
        ahead=max(0, entry.sequence - lane.head - 1) if waits else 0,
    )


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
    for sequence, at, identity, event_type in earlier:
        before = LogRow(sequence, at, unpack_uuid(identity), event_type, entry.document_id)
        view = view_of(connection, lane, before) if lane.asked_for(sequence, event_type) else None
        if view is not None and view.status in holding:
            return before
    return None


def _attempts(
    connection: apsw.Connection, subscription: Subscription, sequence: int, limit: int = MAX_ATTEMPTS
) -> list[AttemptRow]:
    found = rows(
        connection,
        "SELECT sequence, started_at, elapsed_us, number, run, counted, status, failure, detail, answer FROM attempt"
        " WHERE tenant_id = ? AND sequence = ? AND subscription_number = ? ORDER BY started_at DESC LIMIT ?",
        (subscription.tenant_id, sequence, subscription.number, limit),
    )
    return [AttemptRow._make(columns)._replace(counted=bool(columns[5])) for columns in reversed(found)]
