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
)
from signalpost.store.log import LogRow
from signalpost.store.sqlite.delivery_views import attempts, view_of
from signalpost.store.sqlite.delivery_walk import ListedDelivery, Walk, stretch_sizes
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.recorded_lane import recorded_lanes

MAX_ATTEMPTS = 1_000
"""How many attempts of a delivery are shown, the newest; only hundreds of retries by hand make more."""


class SqliteDeliveries:
    def __init__(self, readers: Readers, max_scanned: int) -> None:
        self._readers = readers
        self._max_scanned = max_scanned

    @reading
    def get(
        self, connection: apsw.Connection, subscription: Subscription, entry: LogRow
    ) -> tuple[DeliveryView, list[AttemptRow]] | None:
        lane = recorded_lanes(connection, [subscription]).get(subscription.number)
        view = None if lane is None else view_of(connection, lane, entry)
        return None if view is None else (view, attempts(connection, subscription, entry.sequence, MAX_ATTEMPTS))

    @reading
    def of_event(
        self, connection: apsw.Connection, subscriptions: Sequence[Subscription], entry: LogRow
    ) -> dict[str, DeliveryView | None]:
        lanes = recorded_lanes(connection, subscriptions)
        return {lane.subscription.id: view_of(connection, lane, entry) for lane in lanes.values()}

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
