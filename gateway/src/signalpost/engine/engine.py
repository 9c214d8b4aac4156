"""The engine: commands in, deliveries out. Owns every lane of the store it is given.

Clock, randomness, transport and store are passed in, so the same code runs in a process and in a simulation.
"""

import asyncio
from collections.abc import Iterable, Sequence
from random import Random

from signalpost.commands.command import Command, CommandOutcome, Result, Retry, Tenant
from signalpost.commands.command_queues import Queue
from signalpost.destinations.webhook import Kind, Webhook
from signalpost.domain.api_key import ApiKey
from signalpost.domain.delivery.lane import BOUNDS, Bounds
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.delivery.slots import DEFAULTS, Limits
from signalpost.domain.errors import DiskNearlyFull, SignalpostError, TooMany
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.engine.committer import Committer
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.auto_disable import AutoDisable
from signalpost.engine.lanes.dispatcher import Dispatcher
from signalpost.engine.lanes.lane_health import Overview, shown_health
from signalpost.engine.lanes.lane_worker import CAUGHT_UP, NOT_HELD, LaneWorker, wanted_lane
from signalpost.engine.lanes.lane_workers import LaneWorkers
from signalpost.engine.lanes.log_cache import MAX_BYTES, LogCache
from signalpost.engine.lanes.recorder import Recorder
from signalpost.engine.maintenance.disk_reserve import DiskReserve
from signalpost.engine.maintenance.expiry import Expiries
from signalpost.engine.maintenance.retention import Retention
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.sender.transport import Transport
from signalpost.store.store import Health, LaneRow, Published, Store

HEADS_RECORDED_EVERY = 30.0
"""Seconds after which the head of a lane that wanted nothing is recorded, so that a restart need not look again."""
MAX_TESTS = 16
"""Test deliveries at a time."""
LOADED_AGAIN_AFTER = 0.5
"""Seconds to wait where a lane could not be loaded."""
LANES_LOADED_AT_ONCE = 100


class Engine:
    def __init__(
        self,
        store: Store,
        transport: Transport,
        clock: Clock,
        random: Random,
        retention_days: int,
        disk: DiskReserve,
        cache_bytes: int = MAX_BYTES,
        limits: Limits = DEFAULTS,
        disable_after_days: int = 5,
        lane_bounds: Bounds = BOUNDS,
    ) -> None:
        """`cache_bytes` bounds what is kept of the log in memory, `lane_bounds` what is of each lane, `limits` what is
        under way. A subscription whose endpoint fails for `disable_after_days` is disabled; 0 is for never."""
        self.disk = disk
        self._store = store
        self._clock = clock
        self._log = LogCache(cache_bytes)
        self.counts = Counts()
        self._tasks = Tasks()
        self._committer = Committer(store, self.counts, self._on_published)
        self._recorder = Recorder(store, clock, self.counts, self._on_recorded, self._reload)
        auto_disable = AutoDisable(self._committer, clock, self.counts, self._tasks, disable_after_days)
        self._dispatcher = Dispatcher(
            store,
            self._log,
            transport,
            clock,
            random,
            self.counts,
            limits,
            self._recorder.changed,
            auto_disable.consider,
        )
        self._bounds = lane_bounds
        self._retention = Retention(store, clock, retention_days, self._workers_of, self._recorder)
        self._expiries = Expiries(store, clock, self.enqueue)
        self._workers = LaneWorkers()
        self._tenants: dict[str, Tenant] = {}
        self._transport = transport
        self._tests = 0
        """Under way."""
        self._keys: dict[bytes, ApiKey] = {}
        """Those that are not revoked, by hash."""

    async def start(self) -> None:
        """Take up every lane where the store says it was."""
        await self.disk.look()
        for tenant in await self._store.access.tenants():
            self._tenants[tenant.name] = tenant
            self._log.last[tenant.id] = tenant.last_sequence
        self._keys = {key.hash: key for key in await self._store.access.keys()}
        await self._load_lanes(await self._store.subscriptions.live())
        self._tasks.start(self._record_heads())
        self._tasks.start(self._retention.run())
        self._tasks.start(self._expiries.run())
        self._tasks.start(self.disk.run())

    async def _load_lanes(self, subscriptions: Sequence[Subscription]) -> None:
        """A part of the lanes at a time, so that not all their rows are in memory beside the lanes made of them."""
        for begin in range(0, len(subscriptions), LANES_LOADED_AT_ONCE):
            part = subscriptions[begin : begin + LANES_LOADED_AT_ONCE]
            rows = await self._store.load_lanes([wanted_lane(each, self._bounds) for each in part])
            for subscription in part:
                if (row := rows.get(subscription.number)) is not None:
                    self._add(subscription, row)

    async def close(self, grace: float) -> None:
        """Take no more commands, let attempts end for `grace` seconds, record everything."""
        await self._committer.close()
        self._tasks.cancel()
        await self._dispatcher.stop(grace)
        for worker in self._workers:
            worker.close()
        await self._recorder.close()

    async def submit(self, command: Command[Result]) -> CommandOutcome[Result]:
        """See `Committer.submit`. Raises DiskNearlyFull as `enqueue` does."""
        try:
            return await (await self.enqueue(command))
        except DiskNearlyFull:
            await self.disk.look()
            raise

    async def enqueue(self, command: Command[Result]) -> asyncio.Future[CommandOutcome[Result]]:
        """See `Committer.enqueue`. What may make an event is refused with DiskNearlyFull while the disk is nearly
        full."""
        if command.queue is not Queue.CONTROL:
            self.disk.check()
        return await self._committer.enqueue(command)

    def check_intake(self, tenant_id: int, queue: Queue, most: int) -> None:
        """Raises TooMany where one more change may not wait, so that its body need not be read: of each queue no more
        than `most` may."""
        self._committer.check(tenant_id, queue, most)

    async def test(self, subscription: Subscription, event: Event) -> Outcome:
        """Send a sample event to an endpoint now, beside everything else. One that is delivered is a success of the
        endpoint: it closes its breaker (C16). Raises TooMany."""
        if self._tests >= MAX_TESTS:
            raise TooMany("too_many_tests", f"{MAX_TESTS} tests are under way: repeat it in a moment.", retry_after=5)
        request = Webhook(subscription).prepare(event, 1, Kind.TEST, self._clock.wall())
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(ended: Outcome) -> None:
            self._tests -= 1
            if ended.failure is None:
                self._note_delivered_test(subscription)
            if not outcome.done():  # the client may be gone
                outcome.set_result(ended)

        self._tests += 1
        self._transport.send(request, done)
        return await outcome

    def _note_delivered_test(self, tested: Subscription) -> None:
        worker = self._workers.get(tested.number)
        if worker is None or worker.subscription.url != tested.url or not worker.health.breaker.failures:
            return
        was_open = worker.health.breaker.is_open
        worker.note_success(self._clock.steady())
        self._recorder.changed(worker)
        self._dispatcher.give_turn(worker)
        if was_open:
            log.warning("breaker closed", subscription=tested.id)

    def tenant_id(self, name: str) -> int | None:
        tenant = self._tenants.get(name)
        return None if tenant is None else tenant.id

    def key(self, digest: bytes) -> ApiKey | None:
        """The API key with this hash; None if there is none or it was revoked."""
        return self._keys.get(digest)

    def subscription(self, tenant_id: int, subscription_id: str) -> Subscription | None:
        """A subscription as it stands after the last commit; None if there is none or it was deleted."""
        worker = self._workers.by_id(tenant_id, subscription_id)
        return None if worker is None else worker.subscription

    def subscriptions(self, tenant_id: int) -> list[Subscription]:
        """All of a tenant's, as they stand after the last commit."""
        return [worker.subscription for worker in self._workers.of_tenant(tenant_id)]

    def head(self, subscription: Subscription) -> int:
        """The last sequence that the subscription's lane took in: a replay goes no further."""
        return self._workers[subscription.number].lane.head

    @property
    def trouble(self) -> str | None:
        """What keeps the engine from its work, for an operator; None if nothing does."""
        since = self._recorder.failing_since
        recording = None if since is None else f"Deliveries cannot be recorded since {format_timestamp(since)}."
        return " ".join(filter(None, (self.disk.trouble, recording))) or None

    def _workers_of(self, tenant_id: int) -> list[LaneWorker]:
        workers = self._workers.of_tenant(tenant_id)
        for worker in workers:
            worker.skip_unwanted(self._log.last[tenant_id])
        return workers

    def health(self, subscription: Subscription) -> dict[str, object]:
        """A subscription's `health` as the API shows it."""
        worker = self._workers.get(subscription.number)
        if worker is None:
            return {"state": "unknown"}
        return shown_health(worker, subscription, self._log.last.get(subscription.tenant_id, 0))

    # --- What operators watch -----------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Attempts that are under way."""
        return self._dispatcher.in_flight

    @property
    def unrecorded(self) -> int:
        """Attempts that ended and are not recorded yet."""
        return self._dispatcher.unrecorded

    @property
    def waiting(self) -> int:
        """Commands that wait for their commit to begin."""
        return self._committer.waiting

    @property
    def cached_bytes(self) -> int:
        """What the log's recent end takes in memory."""
        return self._log.bytes

    @property
    def is_recording(self) -> bool:
        """Whether what lanes do can be recorded."""
        return self._recorder.failing_since is None

    def overview(self) -> Overview:
        return Overview(self._workers, self._log.last)

    async def pending_seconds(self, overview: Overview) -> float:
        """The age of the oldest event that an active lane has not settled or parked; 0 if there is none."""
        oldest = now = self._clock.wall()
        for tenant_id, sequence in overview.pending.items():
            cached = self._log.get(tenant_id, sequence)
            events = [cached] if cached is not None else await self._store.log.events(tenant_id, [sequence])
            oldest = min([oldest, *(event.at for event in events)])
        return (now - oldest) / SECOND

    # --- What commits bring -------------------------------------------------------------------------------------------

    def _on_published(self, published: Published) -> None:
        """Changes of subscriptions first: they move to the log's end of before, so that filters meet every event."""
        for subscription in published.subscriptions:
            self._follow(subscription)
        self._ask(published.retries)
        for key in published.keys:
            if key.revoked_at is None:
                self._keys[key.hash] = key
            else:
                self._keys.pop(key.hash, None)
        self._replay(published.replays)
        for at in published.expiries:
            self._expiries.note(at)
        if published.events:
            self.counts.count_events(published.events)
            self._log.put(published.events)
            for event in published.events:
                self._log.last[event.tenant_id] = event.sequence
            self._wake_for(published.events)

    def _wake_for(self, events: Iterable[Event]) -> None:
        seen: set[tuple[int, int]] = set()
        for event in events:
            key = (event.tenant_id, event.type)
            if key in seen:
                continue
            seen.add(key)
            for worker in self._workers.wanting(*key):
                if worker.progress is CAUGHT_UP:
                    # A page that it read may have shown it this very event, between its commit and the word of it.
                    worker.skip_unwanted(event.sequence - 1)
                    worker.wake()
                    self._dispatcher.give_turn(worker)

    def _follow(self, subscription: Subscription) -> None:
        worker = self._workers.get(subscription.number)
        if worker is None:
            if subscription.deleted_at is None:
                self._add(subscription, _new_lane(subscription))
            return
        if subscription.deleted_at is not None:
            worker.delete()
            self._workers.remove(worker)
            return
        worker.skip_unwanted(self._log.last[subscription.tenant_id])
        worker.wake()
        reordered = subscription.ordering != worker.subscription.ordering
        self._workers.update(worker, subscription, self._clock.steady())
        if reordered:
            self._reload(worker)
        self._recorder.changed(worker)
        self._dispatcher.give_turn(worker)

    def _add(self, subscription: Subscription, row: LaneRow) -> None:
        slots = self._dispatcher.slots_for(subscription.tenant_id)
        worker = LaneWorker(subscription, row, slots, self._bounds)
        self._workers.add(worker)
        if worker.wants_record:
            self._recorder.changed(worker)
        self._dispatcher.give_turn(worker)

    def _ask(self, retries: Iterable[Retry]) -> None:
        for retry in retries:
            worker = self._workers.get(retry.subscription_number)
            if worker is not None:
                worker.retries[retry.number] = retry
                self._recorder.changed(worker)

    def _replay(self, replays: Iterable[Replay]) -> None:
        for replay in replays:
            worker = self._workers.get(replay.subscription_number)
            if worker is not None:
                worker.replay_feeder.follow(replay)
                self._recorder.changed(worker)

    # --- Recording ----------------------------------------------------------------------------------------------------

    def _on_recorded(self, worker: LaneWorker, attempts: int) -> None:
        self._dispatcher.recorded(attempts)
        self._dispatcher.give_turn(worker)

    # --- Loading anew -------------------------------------------------------------------------------------------------

    def _reload(self, worker: LaneWorker) -> None:
        """Take the lane up from the store once more: another owner wrote it, or its order was changed."""
        if worker.begin_reload():
            self._tasks.start(self._load_anew(worker))

    async def _load_anew(self, worker: LaneWorker) -> None:
        number = worker.subscription.number
        while True:
            while worker.lane.in_flight:
                await asyncio.sleep(0.02)
            await self._recorder.written(worker)
            version = worker.version
            try:
                rows = await self._store.load_lanes([wanted_lane(worker.subscription, self._bounds)])
            except Exception as error:
                say = log.warning if isinstance(error, SignalpostError) else log.exception
                say(
                    "a lane could not be loaded; it is tried again",
                    subscription=worker.subscription.id,
                    error=str(error),
                )
                await asyncio.sleep(LOADED_AGAIN_AFTER)
                continue
            row = rows.get(number)
            if row is None or self._workers.get(number) is None:
                return  # deleted meanwhile
            if worker.is_recorded and worker.version == version:
                break  # nothing was written or asked for since it was read
        worker.end_reload(row)
        if worker.wants_record:
            self._recorder.changed(worker)
        self._dispatcher.give_turn(worker)

    async def _record_heads(self) -> None:
        while True:
            await asyncio.sleep(HEADS_RECORDED_EVERY)
            for worker in self._workers:
                worker.skip_unwanted(self._log.last[worker.subscription.tenant_id])
                if worker.lane.head > worker.recorded_head and worker.hold is NOT_HELD:
                    self._recorder.changed(worker)


def _new_lane(subscription: Subscription) -> LaneRow:
    return LaneRow(
        version=0, head=subscription.starts_after, open=(), gaps=(), health=Health(), rows=(), horizon=None
    )  # fmt: skip
