"""Deliveries as people read them."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from signalpost.store.nouns.delivery_store import DeliveryStore
from signalpost.store.postgres.asking import steps_of
from signalpost.store.postgres.nouns.delivery_queries import PostgresDeliveryQueries
from signalpost.store.postgres.sessions import ReadSessions
from signalpost.store.walks.delivery_queries import DeliveryQueries

T = TypeVar("T")


class PostgresDeliveries(DeliveryStore):
    def __init__(self, readers: ReadSessions, max_scanned: int) -> None:
        super().__init__(max_scanned)
        self._readers = readers
        self._queries = PostgresDeliveryQueries()

    async def _asked(self, tenant_id: int, asking: Callable[[DeliveryQueries], Coroutine[Any, Any, T]]) -> T:
        return await self._readers.run(tenant_id, steps_of(asking(self._queries)))
