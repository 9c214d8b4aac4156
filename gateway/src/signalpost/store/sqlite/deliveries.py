"""Deliveries as people read them."""

from collections.abc import Sequence
from itertools import islice

import apsw

from signalpost.domain.subscription import Subscription
from signalpost.store.deliveries import Attempt, DeliveryFilter, DeliveryPage, DeliveryPosition, DeliveryView
from signalpost.store.log import LogEntry
from signalpost.store.sqlite.connections import rows
from signalpost.store.sqlite.delivery_walk import Candidate, Walk, stretch_sizes
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.recorded_lane import recorded_lanes, view_of

MAX_ATTEMPTS = 1_000
"""How many attempts of a delivery are shown, the newest; only hundreds of retries by hand make more."""


class SqliteDeliveries:
    def __init__(self, readers: Readers, max_scanned: int) -> None:
        self._readers = readers
        self._max_scanned = max_scanned

    @reading
    def get(
        self, connection: apsw.Connection, subscription: Subscription, entry: LogEntry
    ) -> tuple[DeliveryView, list[Attempt]] | None:
        lane = recorded_lanes(connection, [subscription]).get(subscription.number)
        if lane is None or not lane.asked_for(entry.sequence, entry.type):
            return None
        view = view_of(connection, lane, entry)
        return None if view is None else (view, _attempts(connection, subscription, entry.sequence))

    @reading
    def page(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        subscriptions: Sequence[Subscription],
        wanted: DeliveryFilter,
        below: DeliveryPosition | None,
        limit: int,
    ) -> DeliveryPage:
        lanes = recorded_lanes(connection, subscriptions)
        if not lanes:
            return DeliveryPage(())
        walk = Walk(connection, tenant_id, lanes, wanted)
        position: DeliveryPosition | None = walk.start(below)
        found: list[Candidate] = []
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


def _attempts(connection: apsw.Connection, subscription: Subscription, sequence: int) -> list[Attempt]:
    found = rows(
        connection,
        "SELECT sequence, started_at, elapsed_us, number, run, counted, status, failure, detail, answer FROM attempt"
        " WHERE tenant_id = ? AND sequence = ? AND subscription_number = ? ORDER BY started_at DESC LIMIT ?",
        (subscription.tenant_id, sequence, subscription.number, MAX_ATTEMPTS),
    )
    return [Attempt._make(columns)._replace(counted=bool(columns[5])) for columns in reversed(found)]
