"""What happens to the lanes of this node. They are taken up from the store, follow commits, are recorded, and loaded
again. Which they are is in `lanes_here.py`, and how events reach them in `log_offers.py`.

A lane begins with its subscription's commit and ends with the commit that deletes it. Each commit in between is
followed in one go, subscriptions before events: a changed subscription first moves its head over what it did not want,
so that each event meets the filters of its time.

If another owner wrote a lane's row, or the lane's order was changed, memory is out of date. The lane is then held, what
it did is recorded as far as that still applies, and it is restored from its row.
"""

import asyncio
from collections.abc import Container, Iterable, Sequence

from signalpost.commands.command import RequestedRetry
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.erasure import Erasure
from signalpost.domain.subscription import Subscription
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.carriers import Carriers
from signalpost.engine.lanes.departures import Departures
from signalpost.engine.lanes.dispatcher import Dispatcher
from signalpost.engine.lanes.lane_loader import LOOK_AGAIN_AFTER, LaneLoader
from signalpost.engine.lanes.lane_state import Hold
from signalpost.engine.lanes.lane_views import LaneViews
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lanes_here import LanesHere
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.log_offers import LogOffers
from signalpost.engine.lanes.outcomes import Outcomes
from signalpost.engine.lanes.owning_node import OwningNode
from signalpost.engine.lanes.readers import Readers
from signalpost.engine.lanes.recorded_heads import RecordedHeads
from signalpost.engine.lanes.recorder import Recorder
from signalpost.engine.lanes.replay_conditions import ReplayConditions
from signalpost.engine.lanes.resting_lanes import at_rest
from signalpost.engine.lanes.stats_writer import StatsWriter
from signalpost.engine.lanes.subjects import Subjects
from signalpost.engine.revisions import Revisions, Topic
from signalpost.engine.settings import EngineSettings
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.nouns.lanes import EndpointHealth, LaneRow
from signalpost.store.nouns.log import LatestOfTypes
from signalpost.store.store import PublishedBatch, Store

INBOX_TRIES = 50
"""How often a lane's inbox is read until the lane can take it up; then the lane is loaded again."""


class Lanes:
    def __init__(
        self,
        store: Store,
        log_cache: LogCache,
        clock: Clock,
        settings: EngineSettings,
        owner: OwningNode,
        carriers: Carriers,
        outcomes: Outcomes,
        counts: Counts,
        revisions: Revisions,
        turns: LoopTurns,
        subjects: Subjects,
    ) -> None:
        """`revisions` are told what lanes did and how far logs go; `turns` are those for long work on the event
        loop."""
        self._store, self._clock, self._carriers, self._subjects = store, clock, carriers, subjects
        self._outcomes, self._revisions, self._log = outcomes, revisions, log_cache
        self._tasks = Tasks()
        self._stats = StatsWriter(store)
        self._replay_conditions = ReplayConditions(
            subjects, turns, clock, on_change=lambda worker: self._recorder.changed(worker)
        )
        on_fed, erased, limits = self._replay_conditions.take, log_cache.erased, settings.limits
        self._recorder = Recorder(store, clock, counts, self._stats, erased, self._on_recorded, on_fed, self._reload)
        record = self._recorder.changed
        self._dispatcher = Dispatcher(
            log_cache, store, clock, limits, owner, outcomes, subjects, turns, self._on_end, record
        )
        self.here = LanesHere(
            log_cache, self._dispatcher, carriers, subjects, clock, settings.lane_bounds, settings.rest_after
        )
        self.offers = LogOffers(store.log, log_cache, self.here, self._dispatcher, owner, revisions)
        self.views = LaneViews(store, clock, self.here, log_cache, turns)
        self._loader = LaneLoader(store, self._recorder, settings.lane_bounds)
        self.departures = Departures(store, carriers, self.here, self._record_all)
        self.readers = Readers(
            store, log_cache, clock, counts, subjects, revisions, turns, owner.check_config, self._stats
        )
        self.recorded_heads = RecordedHeads(self.here, log_cache, self._recorder, clock, turns)

    def _on_end(self, tenant_id: int, last: int) -> None:
        """A page of a tenant's log was read, which says how far that goes now."""
        self.offers.hear_end(tenant_id, last)

    # --- Life cycle ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to record the heads of lanes from time to time, and statistics, and to let lanes rest."""
        self._tasks.start(self.recorded_heads.run())
        self._tasks.start(self.here.run())
        self._tasks.start(self._stats.run())

    def begin(self, tenants: Iterable[Tenant]) -> None:
        """Take up where the logs of tenants end. No lane is here yet."""
        self._log.forget()
        self._subjects.forget()
        for tenant in tenants:
            self._log.end[tenant.id] = self._log.seen[tenant.id] = tenant.last_sequence
        self.here.paused_tenants.clear()
        self.here.paused_tenants.update(tenant.id for tenant in tenants if tenant.paused_at is not None)

    def go_on(self) -> None:
        """Attempts may start again."""
        self._dispatcher.go_on()

    async def close(self, grace: float) -> None:
        """Let attempts end for `grace` seconds, and record everything, so that a restart has nothing to repeat."""
        self._tasks.cancel()
        self._dispatcher.stop()
        self._replay_conditions.stop()
        await self._carriers.close(grace)
        for _ in self.recorded_heads.slices(0, 0):
            await asyncio.sleep(0)
        for worker in self.here.workers:
            worker.close()
        await self._recorder.close()
        await self._stats.write()

    # --- Its log and its work -----------------------------------------------------------------------------------------

    def erase_from_memory(self, erasure: Erasure) -> None:
        """Let lanes see erased events as the store has them: as shells. What they still have to record of these events
        says nothing of the document."""
        self._log.erase(erasure)
        self._subjects.erase(erasure)
        if erasure.document_id is not None:
            for worker in self.here.workers.of_tenant(erasure.tenant_id):
                worker.forget_made(erasure.document_id)

    @property
    def in_flight(self) -> int:
        """How many attempts are in flight."""
        return self._dispatcher.in_flight

    @property
    def unrecorded(self) -> int:
        """How many attempts ended and are not recorded yet."""
        return self._outcomes.unrecorded

    @property
    def cached_bytes(self) -> int:
        """How much memory the log cache takes."""
        return self._log.bytes

    @property
    def failing_since(self) -> int | None:
        """When recording began to fail, in steady µs; None if it works."""
        return self._recorder.failing_since

    # --- What lanes are told ------------------------------------------------------------------------------------------

    def follow(self, published: PublishedBatch, made: Container[int] = (), behind: Container[int] = ()) -> None:
        """Take up what a commit changed. `made` has the numbers of new subscriptions whose lanes this node owns.
        `behind` has the tenants in which other nodes changed something that this node has not read yet: their events
        wait."""
        self._follow_tenants(published.tenants)
        for subscription in published.changed(Subscription):
            self._follow_subscription(subscription, made)
        self._take_retries(published.retries)
        self._take_replays(published.changed(Replay))
        self.offers.offer(published.events, behind)

    def _follow_tenants(self, tenants: Iterable[Tenant]) -> None:
        for tenant in tenants:
            self._log.end.setdefault(tenant.id, tenant.last_sequence)
            self._log.seen.setdefault(tenant.id, tenant.last_sequence)
            (self.here.paused_tenants.discard if tenant.paused_at is None else self.here.paused_tenants.add)(tenant.id)
            self._dispatcher.bound_tenant(tenant.id)
            for worker in self.here.workers.of_tenant(tenant.id):
                worker.follow_tenant(is_paused=tenant.paused_at is not None, now=self._clock.steady())
                self._go_on_changed(worker)

    def _follow_subscription(self, subscription: Subscription, made: Container[int]) -> None:
        if subscription.deleted_at is not None and self.here.resting.take(subscription.number) is not None:
            return
        worker = self.here.awake(subscription.number)
        if worker is not None and subscription.deleted_at is None:
            self._change(worker, subscription)
        elif worker is not None:
            self.departures.leave(worker)
        elif subscription.deleted_at is None and subscription.number in made and not subscription.is_read:
            self.take(subscription, _new_lane(subscription))

    def take(self, subscription: Subscription, row: LaneRow, latest: LatestOfTypes | None = None) -> None:
        """Take up a lane that this node owns from now on. `latest` tells, if it was asked for, which events its
        tenant's log had last."""
        tenant_id = subscription.tenant_id
        self.offers.hear_end(tenant_id, subscription.filters[-1][0])
        end = self._log.end.get(tenant_id, 0)
        if not self.here.count_of(tenant_id):
            # No lane sleeps, and this one reads everything after its head itself.
            self._log.seen[tenant_id] = end
        passed = row.head if latest is None else latest.passed(row.head, subscription.filters)
        resting = at_rest(subscription, row, self._clock.steady()) if passed >= end else None
        if resting is not None:
            self.here.resting.add(resting)
        else:
            self._set_to_work(self.here.add(subscription, row))

    def _change(self, worker: LaneWorker, subscription: Subscription) -> None:
        worker.skip_unwanted(self._log.seen.get(subscription.tenant_id, 0))
        worker.wake()
        # Another node may have committed events before the change. The lane must not sleep until it has looked at all
        # of them itself, because lanes are woken by what their subscriptions want now.
        self.offers.hear_end(subscription.tenant_id, subscription.filters[-1][0])
        reordered = subscription.ordering != worker.subscription.ordering
        was_tested = subscription.tested_at != worker.subscription.tested_at
        self.here.workers.update(worker, subscription, self._clock.steady())
        if reordered:
            self._reload(worker)
        if was_tested:
            self._outcomes.note_delivered_test(worker)
        self._go_on_changed(worker)

    def _take_retries(self, retries: Iterable[RequestedRetry]) -> None:
        for retry in retries:
            worker = self.here.awake(retry.subscription_number)
            if worker is not None:
                worker.retries.take(retry, worker.lane)
                self._recorder.changed(worker)

    def _take_replays(self, replays: Iterable[Replay]) -> None:
        for replay in replays:
            worker = self.here.awake(replay.subscription_number)
            if worker is not None:
                worker.replay_feeder.follow(replay)
                self._recorder.changed(worker)

    def note_delivered_test(self, tested: Subscription) -> bool:
        """Close an endpoint's breaker, since a test was delivered, unless its URL was changed meanwhile. Returns
        whether the lane is here."""
        worker = self.here.workers.get(tested.number)
        if worker is None:
            return tested.number in self.here.resting
        if worker.subscription.url == tested.url and worker.health.breaker.failures:
            self._outcomes.note_delivered_test(worker)
            self._go_on_changed(worker)
        return True

    # --- Recording ----------------------------------------------------------------------------------------------------

    async def record(self, workers: Sequence[LaneWorker]) -> None:
        """Record lanes as they are now, and wait until the store has that. Those that are gone, or rest by now, have
        nothing left."""
        here = [worker for worker in workers if worker.hold is not Hold.GONE]
        for worker in here:
            self._recorder.changed(worker)
        await self._recorder.caught_up(here)

    async def _record_all(self, workers: Sequence[LaneWorker]) -> None:
        """Record held lanes, and wait until nothing of them is left to record."""
        for worker in workers:
            self._recorder.changed(worker)
        for worker in workers:
            await self._recorder.written(worker)

    def _on_recorded(self, worker: LaneWorker, attempts: int) -> None:
        self._outcomes.note_recorded(attempts)
        self._dispatcher.go_on()
        self._revisions.note(worker.subscription.tenant_id, Topic.DELIVERIES)
        self._dispatcher.give_turn(worker)

    def bound_tenants(self) -> None:
        """Work out again how many attempts of each tenant may be in flight here. Lanes and nodes come and go."""
        self._dispatcher.bound_tenants()

    async def take_inboxes(self, tenant_id: int) -> None:
        """Take up retries and replays that people asked for through other nodes. Raises Unavailable."""
        left = self.here.numbers_of(tenant_id)
        for _ in range(INBOX_TRIES):
            if not left:
                return
            inboxes = await self._store.fleet.inbox(left)
            for number in sorted(left):
                inbox = inboxes.get(number)
                is_asked = inbox is not None and bool(inbox.retries or inbox.replays)
                worker = self.here.awake(number) if is_asked else self.here.workers.get(number)
                if worker is None or inbox is None or worker.take_inbox(inbox):
                    left.discard(number)
                    if worker is not None:
                        self._go_on_changed(worker)
            await asyncio.sleep(LOOK_AGAIN_AFTER)
        for worker in filter(None, map(self.here.workers.get, left)):
            self._reload(worker)  # it is recorded so often that no look fell between two records

    # --- Loading again ------------------------------------------------------------------------------------------------

    def _reload(self, worker: LaneWorker) -> None:
        """Load the lane from the store again, because another owner wrote it or its order was changed."""
        if worker.begin_reload():
            self._tasks.start(self._load_again(worker))

    async def _load_again(self, worker: LaneWorker) -> None:
        row = await self._loader.load_again(worker)
        if row is not None and row.owner == self._store.fleet.node_id:
            worker.end_reload(row)
            self._set_to_work(worker)
        elif row is not None:
            log.warning("another node has taken over a lane of this node", subscription=worker.subscription.id)
            self.departures.leave(worker)

    def _set_to_work(self, worker: LaneWorker) -> None:
        """Give the lane a turn, and record what it was restored with."""
        if worker.wants_record:
            self._recorder.changed(worker)
        self._dispatcher.give_turn(worker)

    def _go_on_changed(self, worker: LaneWorker) -> None:
        """Record a lane that was changed, and give it a turn: it may have something to send now."""
        self._recorder.changed(worker)
        self._dispatcher.give_turn(worker)


def _new_lane(subscription: Subscription) -> LaneRow:
    return LaneRow(
        version=0, head=subscription.starts_after, open=(), gaps=(), health=EndpointHealth(), rows=(), horizon=None
    )  # fmt: skip
