"""Faults that are planted into the nodes of a fleet, to see whether its worlds find them: `make planted-fleets`.

Each is a way in which a gateway that was made for one process goes wrong with several, or a short cut that looks right.
It is looked for in worlds where the situation is frequent in which it does harm.
"""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.tests.simulation import fleet_node
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.simulation.fleet_plan import FleetPlan
from gateway.tests.simulation.fleet_world import simulate
from gateway.tests.simulation.planting import Faults, Live, counts_whoever_owns
from gateway.tests.world.store import Operation
from msgspec.structs import replace

from signalpost.domain.access.tenant import Tenant
from signalpost.domain.delivery.document_queue import DocumentQueue
from signalpost.domain.event import Event
from signalpost.domain.roster import Roster
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.delivered_tests import DeliveredTests
from signalpost.engine.engine import Engine
from signalpost.engine.fleet import node
from signalpost.engine.fleet.follower import AGAIN_AFTER, NEWS_AT_ONCE, Follower
from signalpost.engine.fleet.lane_owner import LaneOwner
from signalpost.engine.fleet.lease import Lease
from signalpost.engine.lanes.departures import Departures
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lanes import Lanes
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.log_offers import LogOffers
from signalpost.runtime.clock import DatabaseClock
from signalpost.store import row_changes
from signalpost.store.nouns.fleet import LaneInbox
from signalpost.store.nouns.lanes import LaneRow
from signalpost.store.sqlite import record
from signalpost.store.sqlite.nouns.fleet import SqliteFleet
from signalpost.store.store import PublishedBatch
from signalpost.store.vault import Vault

MOST_SEEDS = 20
FAULTS = Faults(simulate, MOST_SEEDS)
fault = FAULTS.fault
PLAN = FleetPlan(
    tenants=1, nodes=3, subscriptions=6, documents=4, faults=0, pauses=(0.2, 1.0), reply_after=(0.02, 0.4), failing=0.0
)  # fmt: skip
SLOW_RECEIVERS = (0.3, 3.0)


def among(*troubles: str, faults: int = 8, **otherwise: Any) -> Live:
    """Worlds in which these things happen to nodes, so many times."""
    plan = PLAN._replace(troubles=troubles, faults=faults if troubles else 0, **otherwise)
    return lambda seed, folder: simulate(seed, folder, plan)


# --- What others commit -----------------------------------------------------------------------------------------------


@fault("takes its own events for all that there are", LogOffers, "offer", among())
def _(_right: Any) -> Any:
    def offer(self: LogOffers, events: Sequence[Event], _behind: Any = ()) -> None:
        self._log.put(events)
        for event in events:
            self._log.seen[event.tenant_id] = self._log.end[event.tenant_id] = event.sequence
        self._wake_for(events)

    return offer


@fault("lets lanes that sleep pass what is only announced", LaneWorker, "skip_unwanted", among())
def _(right: Any) -> Any:
    return lambda self, seen: right(self, seen + 1 if seen else 0)


@fault("offers events before the configuration that came with them", Follower, "_read_news", among(changing=0.4))
def _(_right: Any) -> Any:
    async def read_news(self: Follower) -> None:
        while unseen := self._lanes().offers.unseen():
            pages = await self._store.fleet.news(unseen, NEWS_AT_ONCE)
            for tenant_id, page in pages.items():
                self._lanes().offers.offer_page(tenant_id, page)
            await asyncio.sleep(0 if any(page.events for page in pages.values()) else AGAIN_AFTER)

    return read_news


@fault(
    "takes up a configuration of its own over one that is newer",
    Follower,
    "own",
    among(changing=0.4, heard=0.0, subscriptions=2),
)
def _(right: Any) -> Any:
    def own(self: Follower, published: Any) -> Any:
        right(self, published)
        return published, frozenset()

    return own


@fault("acts once more upon a retry that it has done", LaneWorker, "take_inbox", among(changing=0.4, retrying=0.3))
def _(_right: Any) -> Any:
    def take_inbox(self: LaneWorker, inbox: LaneInbox) -> bool:
        self.retries.waiting |= {retry.number: retry for retry in inbox.retries}
        self.replay_feeder.take_inbox(inbox.replays)
        return True

    return take_inbox


# --- Who owns what ----------------------------------------------------------------------------------------------------


@fault("goes on with a lane that it finds another's", Lanes, "_load_again", among("freeze", "forget"))
def _(_right: Any) -> Any:
    async def load_again(self: Lanes, worker: LaneWorker) -> None:
        row = await self._loader.load_again(worker)
        if row is not None:
            worker.end_reload(row)
            self._set_to_work(worker)

    return load_again


@fault("records what another owns", record, "_counts_of_unmoved", among("freeze", reply_after=SLOW_RECEIVERS))
def _(right: Any) -> Any:
    return counts_whoever_owns(right)


@fault("starts attempts beyond its lease", Lease, "holds", among("freeze", "cut"))
def _(_right: Any) -> Any:
    return property(lambda _self: True)


@fault("counts its lease from the answer", Lease, "renew", among("slow_down"))
def _(_right: Any) -> Any:
    def renew(self: Lease, _began: int) -> None:
        self._until = self._now() + self._seconds * SECOND

    return renew


@fault("keeps its lanes though it was taken for dead", Engine, "_begin_anew", among("forget"))
def _(_right: Any) -> Any:
    async def begin_anew(self: Engine) -> None:
        self._on_beat(await self.node.join())
        await self._lane_owner.pass_once()

    return begin_anew


@fault(
    "lets go of a lane before its attempts have ended",
    Departures,
    "hand_over",
    among("stop", "join", reply_after=SLOW_RECEIVERS),
)
def _(_right: Any) -> Any:
    async def hand_over(self: Departures, numbers: Iterable[int]) -> None:
        found = (self._here.workers.get(number) for number in numbers)
        await self._release([worker for worker in found if worker is not None and worker.hand_over()])

    return hand_over


@fault("lets go of a lane that it goes on with", Departures, "hand_over", among("stop", "join"))
def _(_right: Any) -> Any:
    async def hand_over(self: Departures, numbers: Iterable[int]) -> None:
        await self._store.fleet.release(numbers)

    return hand_over


@fault(
    "takes up a lane while its former attempts go on",
    Departures,
    "is_here",
    among("forget", reply_after=SLOW_RECEIVERS),
)
def _(_right: Any) -> Any:
    return lambda self, number: self._here.workers.get(number) is not None


@fault("takes each subscription that it changes for a new one", Engine, "_made_here", among(changing=0.4))
def _(_right: Any) -> Any:
    return lambda _self, published: frozenset(each.number for each in published.changed(Subscription))


@fault(
    "owns lanes without knowing",
    LaneOwner,
    "_let_go_of_unknown",
    among("lose_answers", subscriptions=9, subscribing=0.03),
)
def _(_right: Any) -> Any:
    async def let_go(*_: Any) -> None:
        """Let go of nothing."""

    return let_go


@fault("takes nodes for dead while their leases last", Roster, "dead", among("slow_down"))
def _(right: Any) -> Any:
    return lambda self, me, after: right(self, me, after // 4)


@fault("takes a process for ended that is only frozen", FleetNode, "_has_ended", among("freeze"))
def _(right: Any) -> Any:
    return lambda self, birth: right(self, birth) or process_of(self, birth).is_frozen


@fault("takes a node for ended whose connection broke", FleetNode, "_has_ended", among("cut"))
def _(right: Any) -> Any:
    return lambda self, birth: right(self, birth) or process_of(self, birth).wire.is_cut


@fault("takes a process of another machine for ended, which it cannot see", FleetNode, "_has_ended", among(machines=2))
def _(right: Any) -> Any:
    return lambda self, birth: right(self, birth) or process_of(self, birth).machine != self.machine


def process_of(asking: FleetNode, birth: str) -> FleetNode:
    return asking.world.nodes[int(birth.rpartition(" ")[2])]


# --- What lanes have, and who knows it --------------------------------------------------------------------------------


@fault("does not count what begins to wait", row_changes, "after", among(failing=0.3))
def _(_right: Any) -> Any:
    return lambda counts, _number, _changes: counts


@fault("sends the latest of a document first", DocumentQueue, "next", among(documents=1, reply_after=SLOW_RECEIVERS))
def _(_right: Any) -> Any:
    return property(lambda self: max(self.ready, default=None))


@fault("learns of changes to lanes of its own alone", Engine, "_follow", among(changing=0.4))
def _(right: Any) -> Any:
    def follow(self: Engine, changed: PublishedBatch) -> None:
        known = {each.id for tenant in self.directory.tenant_ids for each in self.directory.subscriptions(tenant)}
        given = changed.changed(Subscription)
        others = {each.id for each in given if not self.lanes.departures.is_here(each.number)} & known
        kept = tuple(each for each in given if each.id not in others)
        right(self, replace(changed, rows={**changed.rows, Subscription: kept}))

    return follow


# --- Time -------------------------------------------------------------------------------------------------------------

RETRYING: dict[str, Any] = {"failing": 0.3, "apart": 7_200.0, "lasts": 30.0}


@fault("goes by the clock of its own machine", DatabaseClock, "hear", among("kill", **RETRYING))
def _(_right: Any) -> Any:
    return lambda _self, _now, _took: None


@fault("retries at once what waited at another node", Lanes, "take", among("kill", "forget", **RETRYING))
def _(right: Any) -> Any:
    def take(self: Lanes, subscription: Subscription, row: LaneRow, *latest: Any) -> None:
        right(self, subscription, replace(row, rows=tuple(each._replace(due=0) for each in row.rows)), *latest)

    return take


# --- A database that went back ----------------------------------------------------------------------------------------

LOSING: dict[str, Any] = {"faults": 4, "lasts": 30.0, "tenants": 2}


@fault("does not look whether the database went back", node, "_is_earlier", among("fail_over", pooled=True, **LOSING))
def _(_right: Any) -> Any:
    return lambda *_: False


@fault("keeps events that the database has lost", LogCache, "forget", among("fail_over", **LOSING))
def _(_right: Any) -> Any:
    def forget(self: LogCache) -> None:
        self.end.clear()
        self.seen.clear()

    return forget


@fault(
    "records behind a pooler how far a lane had come before",
    fleet_node,
    "CHECKED_BEHIND_A_POOLER",
    among("fail_over", pooled=True, **LOSING),
)
def _(right: Any) -> Any:
    return right - {Operation.RECORD}


@fault(
    "claims lanes before it has noticed",
    fleet_node,
    "NOT_BEATS",
    among("fail_over", "kill", faults=16, lasts=30.0, tenants=2, nodes=4, subscriptions=12),
)
def _(right: Any) -> Any:
    return right - {Operation.CLAIM, Operation.RECORD}


@fault(
    "keeps the versions of configurations that the database has lost",
    Follower,
    "begin",
    among("fail_over", changing=0.4, **LOSING),
)
def _(right: Any) -> Any:
    def begin(self: Follower, tenants: list[Tenant]) -> None:
        known = dict(self._known)
        right(self, tenants)
        self._known |= {number: max(version, self._known.get(number, 0)) for number, version in known.items()}

    return begin


@fault(
    "asks for ever for what the database has lost",
    Follower,
    "_is_known",
    among("fail_over", "slow_down", faults=16, lasts=12.0, changing=0.6, heard=1.0),
)
def _(_right: Any) -> Any:
    async def is_known(self: Follower, tenant_id: int, version: int) -> bool:
        while self._known.get(tenant_id, 0) < version:
            await asyncio.shield(self._read(tenant_id))
        return True

    return is_known


@fault(
    "seals with data keys that the database has lost",
    Vault,
    "let_go",
    among("fail_over", faults=30, lasts=40.0, tenants=40, subscriptions=80, subscribing=0.3, nodes=2),
)
def _(_right: Any) -> Any:
    return lambda _self: None


@fault(
    "removes the row of a node that has its number by now",
    SqliteFleet,
    "_leave",
    among("fail_over", "forget", "forget", faults=16, lasts=30.0, tenants=2, nodes=4, reply_after=SLOW_RECEIVERS),
)
def _(_right: Any) -> Any:
    async def leave(self: SqliteFleet, number: int | None, _joined_at: int) -> None:
        await self._writer.run(lambda connection: connection.execute("DELETE FROM node WHERE id = ?", (number,)))

    return leave


@fault(
    "tells no other node of a test that it delivered",
    DeliveredTests,
    "_tell_owner",
    among(testing=0.3, broken=80.0, lasts=110.0, subscriptions=3),
)
def _(_right: Any) -> Any:
    async def tell_owner(_self: DeliveredTests, _tested: Subscription) -> None:
        return

    return tell_owner


if __name__ == "__main__":
    sys.exit(FAULTS.main(__doc__))
