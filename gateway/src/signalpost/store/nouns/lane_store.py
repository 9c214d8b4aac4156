"""Lanes as they were last recorded."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.fleet import NodeRole
from signalpost.store.nouns.lanes import LaneFlush, LaneFlushed, LaneNow, LaneRow, LaneStanding, LaneWanted
from signalpost.store.packing.lanes import STANDING_COLUMNS, unpack_standing
from signalpost.store.statements import RowReader

_HEAD: Final = "SELECT head FROM lane WHERE subscription_number = $1"
_STANDINGS: Final = (
    "SELECT subscription_number, EXISTS (SELECT 1 FROM node n WHERE n.id = l.owner"  # noqa: S608
    f" OR (n.role <> '{NodeRole.API}' AND NOT n.is_draining)),"
    f" CASE WHEN NOT EXISTS (SELECT 1 FROM node n WHERE n.id = l.owner) THEN head END, {STANDING_COLUMNS}"
    " FROM lane l WHERE subscription_number = ANY($1::bigint[])"
)


class LaneStore(ABC):
    """The only place where the state of deliveries is written. A lane has one owner, which loads and records it."""

    def __init__(self, reads: RowReader) -> None:
        self._reads = reads

    @abstractmethod
    async def load(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        """Lanes as of one moment, by subscription number. The lane of a deleted subscription is missing."""

    async def head(self, subscription: Subscription) -> int | None:
        """The last sequence that a lane took in, as it was last recorded; None if its subscription was deleted."""
        found = await self._reads.rows(subscription.tenant_id, _HEAD, subscription.number)
        return found[0][0] if found else None

    async def standings(self, tenant_id: int, subscriptions: Iterable[Subscription]) -> dict[int, LaneStanding]:
        """What people ask of a tenant's lanes, by subscription number. The lane of a deleted subscription is
        missing."""
        of = {each.number: each for each in subscriptions}
        found = await self._reads.rows(tenant_id, _STANDINGS, [*of])
        return {
            number: unpack_standing(of[number], columns, has_node=bool(has_node), left_at=left_at)
            for number, has_node, left_at, *columns in found
        }

    @abstractmethod
    async def waits_since(self, tenant_id: int, subscriptions: Iterable[Subscription]) -> dict[int, int]:
        """When the oldest event was made that waits at each of a tenant's lanes, µs since the epoch, by subscription
        number: one that its lane, as it was last recorded, has neither settled nor given up, or else one of a type that
        is wanted which it has not taken in. A lane for which nothing waits, or whose subscription was deleted, is
        missing. If a large part of the log has none of its types, an event that follows may stand for what waits."""

    @abstractmethod
    async def write_down(self, known: Mapping[int, LaneNow]) -> None:
        """Store what this node knows about the lanes that it owns, by subscription number. A lane that another node has
        taken over stays as it is."""

    @abstractmethod
    async def count_awaiting_retry(self, subscription: Subscription, below: int, due_from: int) -> int:
        """How many recorded deliveries below a sequence await a retry that is due at `due_from` (µs) or later."""

    @abstractmethod
    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        """Record lanes, by subscription number, each as a whole and all durably.

        Lanes that another owner has written since, or whose subscription was deleted, are missing from the result, and
        nothing was written for them.
        """

    @abstractmethod
    async def record_read(self, flush: LaneFlush) -> bool:
        """Record the lane of a subscription whose events are read, which no node owns. Returns False, and writes
        nothing, if it was written since it was loaded, or is gone."""
