"""Deliveries as people read them."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from signalpost.store.nouns.delivery_store import DeliveryStore
from signalpost.store.sqlite.nouns.delivery_queries import SqliteDeliveryQueries
from signalpost.store.sqlite.readers import Readers, at_once
from signalpost.store.walks.delivery_queries import DeliveryQueries

T = TypeVar("T")


class SqliteDeliveries(DeliveryStore):
    def __init__(self, readers: Readers, max_scanned: int) -> None:
        super().__init__(max_scanned)
        self._readers = readers

    async def _asked(self, _tenant_id: int, asking: Callable[[DeliveryQueries], Coroutine[Any, Any, T]]) -> T:
        return await self._readers.run(lambda connection: at_once(asking(SqliteDeliveryQueries(connection))))
