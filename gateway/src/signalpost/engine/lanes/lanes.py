"""The lanes that this node owns. They are taken up from the store, follow commits, are recorded, and loaded again.

A lane begins with its subscription's commit and ends with the commit that deletes it. Each commit in between is
followed in one go, subscriptions before events: a changed subscription first moves its head over what it did not want,
so that each event meets the filters of its time.

A lane that has nothing to do is at rest (`resting_lanes.py`), and has a worker again as soon as somebody asks for it.

If another owner wrote a lane's row, or the lane's order was changed, memory is out of date. The lane is then held, what
it did is recorded as far as that still applies, and it is restored from its row.
"""

import asyncio
from collections.abc import Container, Iterable, Mapping, Sequence

from signalpost.commands.command import RequestedRetry
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.erasure import Erasure
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription
from signalpost.domain.tenant import Tenant
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.carriers import Carriers
from signalpost.engine.lanes.departures import Departures
from signalpost.engine.lanes.dispatcher import Dispatcher
from signalpost.engine.lanes.lane_loader import LOOK_AGAIN_AFTER, LaneLoader
from signalpost.engine.lanes.lane_state import Hold
from signalpost.engine.lanes.lane_states import CAUGHT_UP
from signalpost.engine.lanes.lane_views import LaneViews
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lane_workers import LaneWorkers
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.outcomes import Outcomes
from signalpost.engine.lanes.owning_node import OwningNode
from signalpost.engine.lanes.recorded_heads import RecordedHeads
from signalpost.engine.lanes.recorder import Recorder
from signalpost.engine.lanes.replay_conditions import ReplayConditions
from signalpost.engine.lanes.resting_lanes import RestingLanes, at_rest
from signalpost.engine.lanes.stats_writer import StatsWriter
from signalpost.engine.lanes.subjects import Subjects
from signalpost.engine.revisions import Revisions, Topic
from signalpost.engine.settings import EngineSettings
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.runtime.loop_turns import LoopTurns
from signalpost.runtime.tasks import Tasks
from signalpost.store.lanes import EndpointHealth, LaneRow
from signalpost.store.log import LATEST_AMONG, LatestOfTypes, LogPart
from signalpost.store.store import Published, Store

INBOX_TRIES = 50
"""How often a lane's inbox is read until the lane can take it up; then the lane is loaded again."""
WOKEN_IN_A_ROW = 32
"""How many lanes at rest are woken before the loop gets to its sockets; each takes some 30 µs."""
LOOKED_AT_IN_A_ROW = 500
"""How many workers are looked at, whether they may rest, before the loop gets to its sockets."""


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
        self._store = store
        self._clock = clock
        self._bounds = settings.lane_bounds
        self._carriers = carriers
        self._tasks = Tasks()
        self._log = log_cache
        self._subjects = subjects
        self._workers = LaneWorkers()
        self._resting = RestingLanes()
        self._rest_after = settings.rest_after
        self._wakes = False
        """Whether lanes that rise are about to be woken."""
        self._owner = owner
        self._revisions = revisions
        self._paused_tenants: set[int] = set()
        self.views = LaneViews(store, clock, self._workers, self._resting, self._log, self._paused_tenants, turns)
        self._stats = StatsWriter(store)
        self._replay_conditions = ReplayConditions(
            subjects, turns, clock, on_change=lambda worker: self._recorder.changed(worker)
        )
        self._recorder = Recorder(
            store,
            clock,
            counts,
            self._stats,
            self._log.erased,
            self._on_recorded,
            self._replay_conditions.take,
            self._reload,
        )
        self._loader = LaneLoader(store, self._recorder, settings.lane_bounds)
        self.departures = Departures(store, carriers, self._workers, self._resting, self._awake, self._record_all)
        self.recorded_heads = RecordedHeads(
            self._workers, self._resting, self._log, self._recorder, clock, turns, self._wake, self._let_rest_now
        )
        self._outcomes = outcomes
        self._dispatcher = Dispatcher(
            self._log,
            store,
            clock,
            settings.limits,
            owner,
            outcomes,
            subjects,
            turns,
            self.hear_end,
            self._recorder.changed,
        )

    # --- Life cycle ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to record the heads of lanes from time to time, and statistics, and to let lanes rest."""
        self._tasks.start(self.recorded_heads.run())
        self._tasks.start(self._let_rest())
        self._tasks.start(self._stats.run())

    def begin(self, tenants: Iterable[Tenant]) -> None:
        """Take up where the logs of tenants end. No lane is here yet."""
        self._log.forget()
        self._subjects.forget()
        for tenant in tenants:
            self._log.end[tenant.id] = self._log.seen[tenant.id] = tenant.last_sequence
        self._paused_tenants.clear()
        self._paused_tenants.update(tenant.id for tenant in tenants if tenant.paused_at is not None)

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
        for worker in self._workers:
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
            for worker in self._workers.of_tenant(erasure.tenant_id):
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

    def follow(self, published: Published, made: Container[int] = (), behind: Container[int] = ()) -> None:
        """Take up what a commit changed. `made` has the numbers of new subscriptions whose lanes this node owns.
        `behind` has the tenants in which other nodes changed something that this node has not read yet: their events
        wait."""
        self._follow_tenants(published.tenants)
        for subscription in published.subscriptions:
            self._follow_subscription(subscription, made)
        self._take_retries(published.retries)
        self._take_replays(published.replays)
        self._take_events(published.events, behind)

    def hear_end(self, tenant_id: int, last: int) -> None:
        """Note how far a tenant's log goes now."""
        if last > self._log.end.get(tenant_id, 0):
            self._log.end[tenant_id] = last
            self._revisions.note(tenant_id, Topic.EVENTS)
            if self._has_any_of(tenant_id):
                self._owner.on_news()

    def unseen(self) -> dict[int, int]:
        """For each tenant whose log goes on: up to which sequence it was offered to the lanes here."""
        seen = self._log.seen
        return {
            tenant_id: seen.get(tenant_id, 0)
            for tenant_id in self._tenant_ids
            if self._log.end.get(tenant_id, 0) > seen.get(tenant_id, 0)
        }

    @property
    def seen(self) -> Mapping[int, int]:
        """Up to which sequence each tenant's log was offered to the lanes here."""
        return self._log.seen

    def offer(self, tenant_id: int, page: LogPart) -> None:
        """Offer what other nodes committed to the sleeping lanes. This node must already know the configuration that
        was in force when the page was read."""
        seen = self._log.seen.get(tenant_id, 0)
        if page.floor > seen + 1:
            # Events that no lane here has seen were removed. Each lane finds out for itself what it lost.
            workers = self._all_awake(tenant_id)
            self._log.seen[tenant_id] = page.floor - 1
            for worker in workers:
                worker.wake()
                self._dispatcher.give_turn(worker)
        self._log.end[tenant_id] = max(page.last, self._log.end.get(tenant_id, 0))
        self._take_events(page.events)

    def _follow_tenants(self, tenants: Iterable[Tenant]) -> None:
        for tenant in tenants:
            self._log.end.setdefault(tenant.id, tenant.last_sequence)
            self._log.seen.setdefault(tenant.id, tenant.last_sequence)
            (self._paused_tenants.discard if tenant.paused_at is None else self._paused_tenants.add)(tenant.id)
            self._dispatcher.bound_tenant(tenant.id)
            for worker in self._workers.of_tenant(tenant.id):
                worker.tenant_is_paused = tenant.paused_at is not None
                self._recorder.changed(worker)
                self._dispatcher.give_turn(worker)

    def _follow_subscription(self, subscription: Subscription, made: Container[int]) -> None:
        if subscription.deleted_at is not None and self._resting.take(subscription.number) is not None:
            return
        worker = self._awake(subscription.number)
        if worker is not None and subscription.deleted_at is None:
            self._change(worker, subscription)
        elif worker is not None:
            self.departures.leave(worker)
        elif subscription.deleted_at is None and subscription.number in made:
            self.take(subscription, _new_lane(subscription))

    def take(self, subscription: Subscription, row: LaneRow, latest: LatestOfTypes | None = None) -> None:
        """Take up a lane that this node owns from now on. `latest` tells, if it was asked for, which events its
        tenant's log had last."""
        tenant_id = subscription.tenant_id
        self.hear_end(tenant_id, subscription.filters[-1][0])
        end = self._log.end.get(tenant_id, 0)
        if not self._has_any_of(tenant_id):
            # No lane sleeps, and this one reads everything after its head itself.
            self._log.seen[tenant_id] = end
        passed = row.head if latest is None else latest.passed(row.head, subscription.filters)
        resting = at_rest(subscription, row, self._clock.steady()) if passed >= end else None
        if resting is not None:
            self._resting.add(resting)
        else:
            self._set_to_work(self._new_worker(subscription, row))

    def _new_worker(self, subscription: Subscription, row: LaneRow) -> LaneWorker:
        slots = self._dispatcher.slots_for(subscription.tenant_id)
        worker = LaneWorker(
            subscription, row, slots, self._bounds, self._carriers, self._subjects, self._dispatcher.give_turn
        )
        worker.tenant_is_paused = subscription.tenant_id in self._paused_tenants
        self._workers.add(worker)
        return worker

    def _change(self, worker: LaneWorker, subscription: Subscription) -> None:
        worker.skip_unwanted(self._log.seen.get(subscription.tenant_id, 0))
        worker.wake()
        # Another node may have committed events before the change. The lane must not sleep until it has looked at all
        # of them itself, because lanes are woken by what their subscriptions want now.
        self.hear_end(subscription.tenant_id, subscription.filters[-1][0])
        reordered = subscription.ordering != worker.subscription.ordering
        self._workers.update(worker, subscription, self._clock.steady())
        if reordered:
            self._reload(worker)
        self._recorder.changed(worker)
        self._dispatcher.give_turn(worker)

    def _take_retries(self, retries: Iterable[RequestedRetry]) -> None:
        for retry in retries:
            worker = self._awake(retry.subscription_number)
            if worker is not None:
                worker.take_retry(retry)
                self._recorder.changed(worker)

    def _take_replays(self, replays: Iterable[Replay]) -> None:
        for replay in replays:
            worker = self._awake(replay.subscription_number)
            if worker is not None:
                worker.replay_feeder.follow(replay)
                self._recorder.changed(worker)

    def _take_events(self, events: Sequence[Event], behind: Container[int] = ()) -> None:
        """Offer events to the sleeping lanes if no event before them is missing. The others are read once more,
        together with the missing ones."""
        end, seen = self._log.end, self._log.seen
        fresh: list[Event] = []
        for event in events:
            tenant_id, sequence = event.tenant_id, event.sequence
            if sequence == seen.get(tenant_id, 0) + 1 and tenant_id not in behind:
                seen[tenant_id] = sequence
                fresh.append(event)
                if sequence > end.get(tenant_id, 0):
                    end[tenant_id] = sequence
            elif sequence > seen.get(tenant_id, 0):
                self.hear_end(tenant_id, sequence)
        self._log.put(fresh)
        self._wake_for(fresh)

    def _wake_for(self, events: Iterable[Event]) -> None:
        """Wake the lanes that want the events; no other lane is touched."""
        rises = False
        seen: set[tuple[int, int]] = set()
        for event in events:
            key = (event.tenant_id, event.type)
            if key in seen:
                continue
            seen.add(key)
            for worker in self._workers.wanting(*key):
                if worker.progress is CAUGHT_UP:
                    # The lane may have read this very event in a page, after its commit and before this call.
                    worker.skip_unwanted(event.sequence - 1)
                    worker.wake()
                    self._dispatcher.give_turn(worker)
            rises |= self._resting.rise(*key, event.sequence - 1)
        if rises and not self._wakes:
            self._wake_some()

    def note_delivered_test(self, tested: Subscription) -> None:
        """Close an endpoint's breaker, since a test was delivered, unless its URL was changed meanwhile."""
        worker = self._workers.get(tested.number)
        if worker is None or worker.subscription.url != tested.url or not worker.health.breaker.failures:
            return
        self._outcomes.note_delivered_test(worker)
        self._recorder.changed(worker)
        self._dispatcher.give_turn(worker)

    # --- Rest ---------------------------------------------------------------------------------------------------------

    def _awake(self, number: int) -> LaneWorker | None:
        """The worker of a lane, which is woken if it rests; None if it is not here."""
        worker = self._workers.get(number)
        return self._wake(number) if worker is None and number in self._resting else worker

    def _wake(self, number: int) -> LaneWorker:
        """Give a lane at rest a worker. If an event that it wants woke it, it reads on; else it goes on sleeping."""
        lane = self._resting.get(number)
        assert lane is not None
        seen = self._log.seen.get(lane.subscription.tenant_id, 0)
        passed, is_rising = self._resting.head_of(lane, seen), self._resting.is_rising(number)
        self._resting.take(number)
        worker = self._new_worker(lane.subscription, lane.row)
        worker.rise(lane)
        worker.skip_unwanted(passed)
        if is_rising:
            worker.wake()
            self._dispatcher.give_turn(worker)
        return worker

    def _wake_some(self) -> None:
        """Wake some of the lanes that rise, and the others once the loop has got to its sockets."""
        for number in self._resting.some_rising(WOKEN_IN_A_ROW):
            self._wake(number)
        self._wakes = bool(self._resting.some_rising(1))
        if self._wakes:
            asyncio.get_running_loop().call_soon(self._wake_some)

    def _all_awake(self, tenant_id: int) -> list[LaneWorker]:
        """The workers of all of a tenant's lanes, the sleeping ones moved to the end of what they were offered."""
        for lane in self._resting.of_tenant(tenant_id):
            self._wake(lane.subscription.number)
        return self.at_work_of(tenant_id)

    async def _let_rest(self) -> None:
        while True:
            await asyncio.sleep(self._rest_after)
            for looked_at, worker in enumerate(list(self._workers), 1):
                self._consider_rest(worker)
                if looked_at % LOOKED_AT_IN_A_ROW == 0:
                    await asyncio.sleep(0)

    def _consider_rest(self, worker: LaneWorker) -> None:
        """Let a lane rest that had nothing to do when it was looked at last, and has done nothing since."""
        resting = worker.at_rest(self._clock.steady())
        idle_at, worker.idle_at = worker.idle_at, None if resting is None else resting.version
        if resting is not None and idle_at == resting.version:
            self._let_rest_now(worker)

    def _let_rest_now(self, worker: LaneWorker) -> None:
        """Let a lane rest if it has nothing to do."""
        resting = worker.at_rest(self._clock.steady())
        if resting is not None:
            if worker.timer is not None:
                worker.timer.cancel()
            worker.leave()
            self._workers.remove(worker)
            self._resting.add(resting)

    # --- Recording ----------------------------------------------------------------------------------------------------

    def at_work_of(self, tenant_id: int) -> list[LaneWorker]:
        """A tenant's lanes that do not rest. The heads of the sleeping ones are moved to the end of what they were
        offered first."""
        workers = self._workers.of_tenant(tenant_id)
        for worker in workers:
            worker.skip_unwanted(self._log.seen.get(tenant_id, 0))
        return workers

    def before(self, tenant_id: int, passed: int, recorded: int) -> list[LaneWorker]:
        """A tenant's lanes without those at rest that have looked at everything up to `passed`, and have recorded that
        up to `recorded`."""
        seen = self._log.seen.get(tenant_id, 0)
        for lane in self._resting.of_tenant(tenant_id):
            if lane.head < recorded or self._resting.head_of(lane, seen) < passed:
                self._wake(lane.subscription.number)
        return self.at_work_of(tenant_id)

    async def record(self, workers: Sequence[LaneWorker]) -> None:
        """Record lanes as they are now, and wait until the store has that. Those that are gone, or rest by now, have
        nothing left."""
        here = [worker for worker in workers if worker.hold is not Hold.GONE]
        for worker in here:
            self._recorder.changed(worker)
        for worker in here:
            await self._recorder.caught_up(worker)

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

    # --- What is here -------------------------------------------------------------------------------------------------

    @property
    def numbers(self) -> tuple[int, ...]:
        """The subscriptions whose lanes are here, at work or at rest."""
        return (*(worker.subscription.number for worker in self._workers), *self._resting.numbers)

    @property
    def count(self) -> int:
        """How many lanes are here, at work or at rest."""
        return len(self._workers) + len(self._resting)

    @property
    def resting(self) -> int:
        """How many lanes rest here."""
        return len(self._resting)

    def count_of(self, tenant_id: int) -> int:
        """How many lanes of a tenant this node owns."""
        return self._workers.count_of(tenant_id) + self._resting.count_of(tenant_id)

    def _has_any_of(self, tenant_id: int) -> bool:
        return self.count_of(tenant_id) > 0

    @property
    def _tenant_ids(self) -> set[int]:
        """The tenants that have a lane here."""
        return {*self._workers.tenant_ids, *(tenant_id for tenant_id, _ in self._resting.counts)}

    def bound_tenants(self) -> None:
        """Work out again how many attempts of each tenant may be in flight here. Lanes and nodes come and go."""
        self._dispatcher.bound_tenants()

    def tenant_of(self, number: int) -> int | None:
        """The tenant of a lane that is here."""
        lane = self._workers.get(number) or self._resting.get(number)
        return None if lane is None else lane.subscription.tenant_id

    def is_here(self, number: int) -> bool:
        """Whether a lane is at work or at rest here."""
        return self._workers.get(number) is not None or number in self._resting

    async def latest(self, tenant_id: int, heads: Iterable[int]) -> LatestOfTypes | None:
        """Which events a tenant's log had last, so that lanes with these heads need not read what they do not want;
        None if they have read everything or are further behind. Raises Unavailable."""
        end = self._log.end.get(tenant_id, 0)
        after = min((head for head in heads if end - LATEST_AMONG <= head < end), default=None)
        if after is None:
            return None
        latest = await self._store.log.latest(tenant_id, after)
        await self._owner.check_config(tenant_id, latest.config_version)
        return latest

    async def take_inboxes(self, tenant_id: int) -> None:
        """Take up retries and replays that people asked for through other nodes. Raises Unavailable."""
        left = {worker.subscription.number for worker in self._workers.of_tenant(tenant_id)}
        left.update(lane.subscription.number for lane in self._resting.of_tenant(tenant_id))
        for _ in range(INBOX_TRIES):
            if not left:
                return
            inboxes = await self._store.fleet.inbox(left)
            for number in sorted(left):
                inbox = inboxes.get(number)
                is_asked = inbox is not None and bool(inbox.retries or inbox.replays)
                worker = self._awake(number) if is_asked else self._workers.get(number)
                if worker is None or inbox is None or worker.take_inbox(inbox):
                    left.discard(number)
                    if worker is not None:
                        self._recorder.changed(worker)
                        self._dispatcher.give_turn(worker)
            await asyncio.sleep(LOOK_AGAIN_AFTER)
        for worker in filter(None, map(self._workers.get, left)):
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


def _new_lane(subscription: Subscription) -> LaneRow:
    return LaneRow(
        version=0, head=subscription.starts_after, open=(), gaps=(), health=EndpointHealth(), rows=(), horizon=None
    )  # fmt: skip
