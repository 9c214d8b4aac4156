"""Replays as people read them, and the deliveries that they still have to queue."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from signalpost.domain.delivery.replay import LeftOut, Replay, ReplayChoice
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.replays import Fed
from signalpost.store.statements import RowReader, bound
from signalpost.store.tables.replays import REPLAY
from signalpost.store.tables.table import Codec
from signalpost.store.walks import replaying
from signalpost.store.walks.replay_queries import ReplayQueries

T = TypeVar("T")
_OF_SUBSCRIPTION: Final = f"SELECT {REPLAY.listed} FROM replay WHERE subscription_number = $1"  # noqa: S608
_GET: Final = f"{_OF_SUBSCRIPTION} AND id = $2::uuid"
_PAGE: Final = f"{_OF_SUBSCRIPTION} AND number < $2 ORDER BY number DESC LIMIT $3"


class ReplayStore(ABC):
    """Replays as they were last recorded, with the lanes that they feed."""

    def __init__(self, reads: RowReader) -> None:
        self._reads = reads
        self._codec = Codec(str, reads.unpack_id)

    @abstractmethod
    async def _asked(self, tenant_id: int, asking: Callable[[ReplayQueries], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine that asks queries about a tenant, all as of one moment."""

    async def get(self, subscription: Subscription, replay_id: str) -> Replay | None:
        """A replay of a subscription; None if it has none of that id, or the retention removed it."""
        found = await self._reads.rows(subscription.tenant_id, _GET, subscription.number, replay_id)
        return REPLAY.unpack(found[0], self._codec) if found else None

    async def page(self, subscription: Subscription, below: int | None, limit: int) -> list[Replay]:
        """A subscription's replays, newest first. The number of the last one is the `below` of the next page."""
        found = await self._reads.rows(subscription.tenant_id, _PAGE, subscription.number, bound(below), limit)
        return [REPLAY.unpack(columns, self._codec) for columns in found]

    @abstractmethod
    async def running(self, tenant_id: int) -> list[Replay]:
        """The replays of a tenant that run, as they were last recorded, the oldest first. The subscription of one may
        have been deleted by now."""

    async def count(
        self, subscription: Subscription, from_sequence: int, to_sequence: int, choice: ReplayChoice
    ) -> tuple[int, bool]:
        """How many deliveries of a range a replay would queue, as they were last recorded. Also returns whether there
        may be more, because the count ends at a bound."""
        return await self._asked(
            subscription.tenant_id,
            lambda queries: replaying.count(queries, subscription, from_sequence, to_sequence, choice),
        )

    async def part(self, subscription: Subscription, from_sequence: int, to_sequence: int, choice: ReplayChoice) -> Fed:
        """The first of the deliveries of a range that a replay would queue, as they were last recorded, with their
        events: as many as a lane is given at a time."""
        return await self._asked(
            subscription.tenant_id,
            lambda queries: replaying.part(queries, subscription, from_sequence, to_sequence, choice),
        )

    async def left_out(
        self, subscription: Subscription, from_sequence: int, to_sequence: int, head: int, choice: ReplayChoice
    ) -> LeftOut:
        """What a range has that a replay would not queue. The range may go beyond the lane's head, which is `head`."""
        return await self._asked(
            subscription.tenant_id,
            lambda queries: replaying.left_out(queries, subscription, from_sequence, to_sequence, head, choice),
        )
