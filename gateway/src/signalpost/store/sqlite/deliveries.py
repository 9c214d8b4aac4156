"""Deliveries as people read them."""

from collections.abc import Collection, Mapping, Sequence

import apsw

from signalpost.domain.subscription import Subscription
from signalpost.store import delivery_views, delivery_walk
from signalpost.store.arrivals import arrivals
from signalpost.store.deliveries import (
    Arrivals,
    DeliveryFilter,
    DeliveryPosition,
    DeliveryView,
    DeliveryViews,
    ReadDelivery,
)
from signalpost.store.log import LogRow
from signalpost.store.sqlite.delivery_queries import SqliteDeliveryQueries
from signalpost.store.sqlite.readers import Readers, at_once, reading


class SqliteDeliveries:
    def __init__(self, readers: Readers, max_scanned: int) -> None:
        self._readers = readers
        self._max_scanned = max_scanned

    @reading
    def get(self, connection: apsw.Connection, subscription: Subscription, entry: LogRow) -> ReadDelivery | None:
        return at_once(delivery_views.with_attempts(SqliteDeliveryQueries(connection), subscription, entry))

    @reading
    def of_event(
        self, connection: apsw.Connection, subscriptions: Sequence[Subscription], entry: LogRow
    ) -> dict[str, DeliveryView | None]:
        return at_once(delivery_views.of_event(SqliteDeliveryQueries(connection), subscriptions, entry))

    @reading
    def arrivals(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        subscriptions: Sequence[Subscription],
        sequences: Collection[int],
    ) -> dict[int, Arrivals]:
        return at_once(arrivals(SqliteDeliveryQueries(connection), tenant_id, subscriptions, sequences))

    @reading
    def latest_failures(
        self, connection: apsw.Connection, tenant_id: int, subscriptions: Sequence[Subscription]
    ) -> Mapping[str, DeliveryView]:
        queries = SqliteDeliveryQueries(connection)
        return at_once(delivery_walk.latest_failures(queries, tenant_id, subscriptions, self._max_scanned))

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
        queries = SqliteDeliveryQueries(connection)
        return at_once(delivery_walk.page(queries, tenant_id, subscriptions, wanted, below, limit, self._max_scanned))
