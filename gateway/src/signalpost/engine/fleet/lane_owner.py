"""Makes sure that this node owns the lanes that it should own, and no others.

With each beat it learns which nodes are alive (`domain/roster.py`). It removes nodes that are dead. It claims the
lanes that should be its own: the store gives it those that no node owns, with their rows, which is how they are loaded.
Those that should be another's are handed over once two beats have said so: their attempts end, all is recorded, and
only then they are let go of. A lane that was let go of may be claimed again by the next pass, which loads it again.

A node that was lost may be frozen in the middle of a call. An attempt of 5 s, which a webhook has unless
ATTEMPT_TIMEOUT says otherwise, is over when its node is dead. A longer one, or a call of another kind, may take up to a
minute. Its lane is not claimed before that time has passed since this node first saw that the owner is gone. No row
says since when it is: a node that joins meanwhile waits as long once more.

There is nothing to wait for if the kernel of this machine says that the node's process has ended
(`runtime/process_birth.py`): it sends nothing more. So a node that was killed and is started anew goes on at once. No
other sign counts, neither silence nor a lost connection: a process that cannot reach the database may still send until
its lease has ended.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from signalpost.domain.delivery.lane_bounds import Bounds
from signalpost.domain.errors import SignalpostError
from signalpost.domain.roster import FEW_LANES, Roster, owners_of_few, wanted_owner
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_worker import wanted_lane
from signalpost.engine.lanes.lanes import Lanes
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.store.nouns.fleet import Beat, FleetStore, NodeRole, NodeShown
from signalpost.store.nouns.lanes import LaneRow
from signalpost.store.nouns.log import LatestOfTypes

LANES_AT_ONCE = 250
"""How many lanes one claim takes. It is few, because their rows are in memory together with the lanes that are made of
them."""
OVER_WITH_ITS_NODE = 5.0
"""Seconds. An attempt that may take no longer is over when its node is taken for dead (C15)."""
AGAIN_AFTER = 0.5
"""Seconds to wait after a pass that failed."""


class NodeLoss(NamedTuple):
    node: NodeShown
    """The last that its row said."""
    found_at: int
    """µs since the epoch."""


class LaneOwner:
    def __init__(
        self,
        fleet: FleetStore,
        directory: Directory,
        lanes: Lanes,
        clock: Clock,
        role: NodeRole,
        bounds: Bounds,
        attempt_timeout: float,
        longest_call: Callable[[str], float],
        has_ended: Callable[[str], bool],
    ) -> None:
        """`attempt_timeout` is how many seconds a webhook's attempt may take; `longest_call` says that of calls of
        other kinds. For `has_ended`, see `Host`."""
        self._attempt_timeout = attempt_timeout
        self._longest_call = longest_call
        self._has_ended = has_ended
        self._fleet = fleet
        self._directory = directory
        self._lanes = lanes
        self._clock = clock
        self._owns_lanes = role is not NodeRole.API
        self._bounds = bounds
        self._tasks = Tasks()
        self._roster = Roster()
        self._beat: Beat | None = None
        self._ended: frozenset[int] = frozenset()
        """The nodes of that beat whose processes have ended."""
        self._workers: frozenset[int] = frozenset()
        self._wanted: dict[int, int | None] = {}
        """Which of these workers should own each lane; filled as they are asked for."""
        self._had_few = False
        """Whether there were few lanes at the last pass."""
        self._let_go: set[int] = set()
        """Lanes of others of which this node knows that its own number is not in their rows."""
        self._gone: dict[int, float] = {}
        """Nodes that own lanes and are not there any more, and since when that is known, steady µs; -inf for one whose
        process has ended."""
        self.lost: dict[str, NodeLoss] = {}
        """The last node of each machine that this one found dead."""
        self._lacks = False
        """Whether this node could not get a lane that it should own."""
        self._has_new = False
        """Whether this node has lanes of new subscriptions, which others may have to own."""
        self._wake = asyncio.Event()
        self._passing = asyncio.Lock()
        """Held by a pass. Of two at once both would claim a lane, and the later claim fence what the other loaded."""

    def start(self) -> None:
        self._tasks.start(self._run())

    def stop(self) -> None:
        self._tasks.cancel()

    def observe(self, beat: Beat) -> None:
        """Follow the list of nodes."""
        workers = [node.id for node in beat.nodes if node.role is not NodeRole.API and not node.is_draining]
        beats = {node.id: node.beat for node in beat.nodes}
        longest_gap = round(self._fleet.terms.lease * SECOND) if self._is_shared else 0
        was_steady = self._roster.is_steady
        self._roster = self._roster.observed(beats, workers, self._clock.steady(), longest_gap)
        self._beat = beat
        self._ended = frozenset(node.id for node in beat.nodes if self._has_ended(node.birth))
        if (
            self._lacks
            or self._has_new
            or not self._roster.is_steady
            or not was_steady
            or self._dead()
            or self._is_spread_otherwise()
        ):
            self.consider()

    def note_new(self) -> None:
        """Note that subscriptions were made here: whichever of their lanes others should own go there with a beat."""
        self._has_new = True

    def consider(self) -> None:
        """Look soon which lanes should be this node's."""
        self._wake.set()

    async def pass_once(self) -> None:
        """Remove dead nodes, claim what is this node's, hand over what is not. Raises Unavailable."""
        async with self._passing:
            await self._pass()

    async def _pass(self) -> None:
        me = self._fleet.node_id
        if me is None or self._beat is None:
            return
        dead = self._dead()
        if dead:
            lost = [node for node in await self._fleet.nodes() if node.id in dead]
            await self._fleet.remove_dead([node for node in self._beat.nodes if node.id in dead])
            log.warning("nodes whose beats had stopped were removed", nodes=sorted(dead), ended=sorted(self._ended))
            now = self._clock.wall()
            self.lost.update((node.process.host, NodeLoss(node, now)) for node in lost)
        if not self._owns_lanes:
            return
        self._use(self._roster.workers - dead)
        await self._claim(me)
        await self._let_go_of_unknown(me)
        if self._roster.is_steady:
            self._has_new = False
            others = [number for number in self._lanes.here.numbers if self._wanted_owner(number) != me]
            if others:
                self._tasks.start(self._lanes.departures.hand_over(others))

    @property
    def _is_shared(self) -> bool:
        return self._fleet.terms.dead_after > 0

    def _dead(self) -> frozenset[int]:
        me = self._fleet.node_id
        if me is None:
            return frozenset()
        return self._ended | self._roster.dead(me, round(self._fleet.terms.dead_after * SECOND))

    def _is_spread_otherwise(self) -> bool:
        """Whether the lanes are few, and not those that were spread at the last pass: this node deleted one itself."""
        if not self._had_few:
            return self._owns_lanes and self._directory.subscription_count <= FEW_LANES
        return self._wanted.keys() != {subscription.number for subscription in self._directory.all_subscriptions()}

    def _use(self, workers: frozenset[int]) -> None:
        has_few = self._directory.subscription_count <= FEW_LANES
        if has_few:
            lanes = [subscription.number for subscription in self._directory.all_subscriptions()]
            self._wanted = {**owners_of_few(workers, lanes)}
        elif self._had_few or workers != self._workers:
            self._wanted.clear()
        self._workers, self._had_few = workers, has_few

    def _wanted_owner(self, number: int) -> int | None:
        owner = self._wanted.get(number)
        if owner is None:
            owner = self._wanted[number] = wanted_owner(self._workers, number)
        return owner

    async def _claim(self, me: int) -> None:
        missing = [
            subscription
            for subscription in self._directory.all_subscriptions()
            if not subscription.is_read
            and subscription.number not in self._lanes.here
            and self._wanted_owner(subscription.number) == me
        ]
        # One that left is not loaded before all that it began is over, and recorded if it still can be.
        ours = [subscription for subscription in missing if not self._lanes.departures.is_here(subscription.number)]
        free = await self._without_calls_under_way(me, ours)
        for begin in range(0, len(free), LANES_AT_ONCE):
            await self._claim_some(me, free[begin : begin + LANES_AT_ONCE])
        self._lacks = not all(subscription.number in self._lanes.here for subscription in missing)

    async def _without_calls_under_way(self, me: int, wanted: Sequence[Subscription]) -> Sequence[Subscription]:
        """The lanes among these for which no former owner can have a call under way."""
        long = {each.number: seconds for each in wanted if (seconds := self._seconds(each.kind)) > OVER_WITH_ITS_NODE}
        if not long or not self._is_shared or self._beat is None:
            self._gone = {}
            return wanted
        owners = await self._fleet.owners(long)
        others = {owner for owner in owners.values() if owner is not None and owner != me}
        there = {node.id for node in self._beat.nodes} - self._dead()
        now = self._clock.steady()
        self._gone = {owner: self._gone.get(owner, -inf if owner in self._ended else now) for owner in others - there}

        def is_free(number: int) -> bool:
            owner = owners.get(number)
            if owner is None or owner == me or number not in long:
                return True
            return owner in self._gone and now - self._gone[owner] >= long[number] * SECOND

        return [each for each in wanted if is_free(each.number)]

    def _seconds(self, kind: str) -> float:
        """How long an attempt of a kind can go on after its node has let go of the lane."""
        return self._attempt_timeout if kind == WEBHOOK else self._longest_call(kind)

    async def _let_go_of_unknown(self, me: int) -> None:
        """Release lanes that another node should own and that this one may own without knowing: its own commit made the
        subscription, but it heard of that in another way; or a claim had no answer."""
        unsure = [
            subscription.number
            for subscription in self._directory.all_subscriptions()
            if not subscription.is_read
            and subscription.number not in self._let_go
            and not self._lanes.departures.is_here(subscription.number)
            and self._wanted_owner(subscription.number) != me
        ]
        if unsure:
            await self._fleet.release(unsure)
            self._let_go.update(unsure)

    async def _claim_some(self, me: int, wanted: Sequence[Subscription]) -> None:
        self._let_go.difference_update(each.number for each in wanted)
        rows = await self._fleet.claim([wanted_lane(each, self._bounds) for each in wanted])
        latest = await self._latest(wanted, rows)
        if self._fleet.node_id != me:
            return  # this node was taken for dead meanwhile, so others may have them by now
        for subscription in wanted:
            row = rows.get(subscription.number)
            known = self._directory.subscription(subscription.tenant_id, subscription.id)
            if row is not None and known is not None and not self._lanes.departures.is_here(subscription.number):
                self._lanes.take(known, row, latest.get(known.tenant_id))

    async def _latest(
        self, claimed: Iterable[Subscription], rows: Mapping[int, LaneRow]
    ) -> dict[int, LatestOfTypes | None]:
        """What the logs of tenants had last, as far as that saves lanes with these rows reading them. Raises
        Unavailable."""
        heads: dict[int, list[int]] = {}
        for subscription in claimed:
            if (row := rows.get(subscription.number)) is not None:
                heads.setdefault(subscription.tenant_id, []).append(row.head)
        return {tenant_id: await self._lanes.offers.latest(tenant_id, each) for tenant_id, each in heads.items()}

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.pass_once()
            except Exception as error:
                if not isinstance(error, SignalpostError):
                    log.exception("lanes could not be claimed; trying again")
                await asyncio.sleep(AGAIN_AFTER)
                self._wake.set()
