"""Deliveries as people read them."""

from collections.abc import Collection, Mapping, Sequence

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
from signalpost.store.postgres.asking import steps_of
from signalpost.store.postgres.delivery_queries import PostgresDeliveryQueries
from signalpost.store.postgres.sessions import ReadSessions


class PostgresDeliveries:
    def __init__(self, readers: ReadSessions, max_scanned: int) -> None:
        self._readers = readers
        self._max_scanned = max_scanned
        self._queries = PostgresDeliveryQueries()

    async def get(self, subscription: Subscription, entry: LogRow) -> ReadDelivery | None:
        asking = delivery_views.with_attempts(self._queries, subscription, entry)
        return await self._readers.run(subscription.tenant_id, steps_of(asking))

    async def of_event(self, subscriptions: Sequence[Subscription], entry: LogRow) -> dict[str, DeliveryView | None]:
        if not subscriptions:
            return {}
        asking = delivery_views.of_event(self._queries, subscriptions, entry)
        return await self._readers.run(subscriptions[0].tenant_id, steps_of(asking))

    async def arrivals(
        self, tenant_id: int, subscriptions: Sequence[Subscription], sequences: Collection[int]
    ) -> dict[int, Arrivals]:
        asking = arrivals(self._queries, tenant_id, subscriptions, sequences)
        return await self._readers.run(tenant_id, steps_of(asking))

    async def latest_failures(
        self, tenant_id: int, subscriptions: Sequence[Subscription]
    ) -> Mapping[str, DeliveryView]:
        if not subscriptions:
            return {}
        asking = delivery_walk.latest_failures(self._queries, tenant_id, subscriptions, self._max_scanned)
        return await self._readers.run(tenant_id, steps_of(asking))

    async def page(
        self,
        tenant_id: int,
        subscriptions: Sequence[Subscription],
        wanted: DeliveryFilter,
        below: DeliveryPosition | None,
        limit: int,
    ) -> DeliveryViews:
        asking = delivery_walk.page(self._queries, tenant_id, subscriptions, wanted, below, limit, self._max_scanned)
        return await self._readers.run(tenant_id, steps_of(asking))
