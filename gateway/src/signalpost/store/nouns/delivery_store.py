"""Deliveries as people read them: each list and each delivery is made of small queries, all asked as of one moment."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import (
    Arrivals,
    DeliveryFilter,
    DeliveryPosition,
    DeliveryView,
    DeliveryViews,
    ReadDelivery,
)
from signalpost.store.nouns.log import LogRow
from signalpost.store.walks import arrivals, comparing, delivery_views, delivery_walk
from signalpost.store.walks.comparing import AttemptPairs
from signalpost.store.walks.delivery_queries import DeliveryQueries

T = TypeVar("T")


class DeliveryStore(ABC):
    """Deliveries as they were last recorded. Lanes record them; nothing here changes one."""

    def __init__(self, max_scanned: int) -> None:
        """`max_scanned` is how many rows one page looks through."""
        self._max_scanned = max_scanned

    @abstractmethod
    async def _asked(self, tenant_id: int, asking: Callable[[DeliveryQueries], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine that asks queries about a tenant."""

    async def get(self, subscription: Subscription, entry: LogRow) -> ReadDelivery | None:
        """The delivery of an event to a subscription with its attempts, all as of one moment. Returns None if the
        subscription does not get that event."""
        return await self._asked(
            subscription.tenant_id, lambda queries: delivery_views.with_attempts(queries, subscription, entry)
        )

    async def of_event(self, subscriptions: Sequence[Subscription], entry: LogRow) -> dict[str, DeliveryView | None]:
        """What happened to an event at some of its tenant's subscriptions, by their ids, all as of one moment; None for
        a subscription without a delivery of it. A subscription that was just deleted is missing."""
        if not subscriptions:
            return {}
        return await self._asked(
            subscriptions[0].tenant_id, lambda queries: delivery_views.of_event(queries, subscriptions, entry)
        )

    async def arrivals(
        self,
        tenant_id: int,
        subscriptions: Sequence[Subscription],
        sequences: Collection[int],
        shadows: Collection[int] = (),
    ) -> dict[int, Arrivals]:
        """How many of a tenant's subscriptions got each event, by sequence, all as of one moment. An event that is no
        longer kept is missing. `subscriptions` are all but its shadows, which have the numbers in `shadows`."""
        return await self._asked(
            tenant_id, lambda queries: arrivals.arrivals(queries, tenant_id, subscriptions, shadows, sequences)
        )

    async def latest_failures(
        self, tenant_id: int, subscriptions: Sequence[Subscription]
    ) -> Mapping[str, DeliveryView]:
        """A delivery that failed at each of some of a tenant's subscriptions, by their ids, all as of one moment: the
        newest that awaits a retry, or else the newest that was given up. One in which nothing failed is missing."""
        if not subscriptions:
            return {}
        return await self._asked(
            tenant_id,
            lambda queries: delivery_walk.latest_failures(queries, tenant_id, subscriptions, self._max_scanned),
        )

    async def pairs(self, one: Subscription, other: Subscription, below: int, limit: int) -> AttemptPairs:
        """The last attempts that two subscriptions of a tenant made of the same events, among the `limit` events below
        a sequence, newest first."""
        return await self._asked(one.tenant_id, lambda queries: comparing.pairs(queries, one, other, below, limit))

    async def entries(self, tenant_id: int, sequences: Collection[int]) -> Mapping[int, LogRow]:
        """Events by sequence, without their bodies, with their titles."""
        return await self._asked(tenant_id, lambda queries: queries.entries(tenant_id, sequences))

    async def page(
        self,
        tenant_id: int,
        subscriptions: Sequence[Subscription],
        wanted: DeliveryFilter,
        below: DeliveryPosition | None,
        limit: int,
    ) -> DeliveryViews:
        """Deliveries to some of a tenant's subscriptions, newest first. A page may be short or empty and still have a
        next one, because it looks through a bounded part of the log."""
        return await self._asked(
            tenant_id,
            lambda queries: delivery_walk.page(
                queries, tenant_id, subscriptions, wanted, below, limit, self._max_scanned
            ),
        )
