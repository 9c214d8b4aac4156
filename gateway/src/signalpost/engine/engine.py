"""The engine: commands in, deliveries out. Owns every lane of the store it is given.

Clock, randomness, transport and store are passed in, so the same code runs in a process and in a simulation.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from random import Random
from typing import Any

import structlog

from signalpost.destinations.webhook import Kind, Webhook
from signalpost.domain.api_key import ApiKey
from signalpost.domain.batch import Answer, Command, Retry, Tenant
from signalpost.domain.errors import TooMany
from signalpost.domain.event import Event, EventType
from signalpost.domain.outcome import Outcome
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.engine.clock import Clock
from signalpost.engine.committer import Committer
from signalpost.engine.dispatcher import Dispatcher
from signalpost.engine.log_cache import BYTES_MOST, LogCache
from signalpost.engine.recorder import Recorder
from signalpost.engine.retention import Retention
from signalpost.engine.runner import PARKED_LOADED, PARKED_LOADED_STRICT, Runner
from signalpost.engine.transport import Transport
from signalpost.store.store import Health, LaneRow, Published, Store

HEADS_RECORDED_EVERY = 30.0
"""Seconds after which the head of a lane that wanted nothing is recorded, so that a restart need not look again."""
TESTS_MOST = 16
"""Test deliveries at a time."""
LOADED_AGAIN_AFTER = 0.5
"""Seconds to wait where a lane could not be loaded."""
log = structlog.get_logger()


class Engine:
    def __init__(
        self,
        store: Store,
        transport: Transport,
        clock: Clock,
        random: Random,
        retention_days: int,
        cache_bytes: int = BYTES_MOST,
    ) -> None:
        """`cache_bytes` bounds what is kept of the log in memory."""
        self._store = store
        self._clock = clock
        self._log = LogCache(cache_bytes)
        self._committer = Committer(store, self._on_published)
        self._recorder = Recorder(store, clock, self._on_recorded, self._reload)
        self._dispatcher = Dispatcher(store, self._log, transport, clock, random, self._recorder.changed)
        self._retention = Retention(store, clock, retention_days, self._runners_of, self._recorder)
        self._runners: dict[int, Runner] = {}
        self._by_id: dict[tuple[int, str], Runner] = {}
        self._wanting: dict[tuple[int, int], dict[int, Runner]] = {}
        """Runners by tenant and type, as their subscriptions stand now."""
        self._tenants: dict[str, Tenant] = {}
        self._transport = transport
        self._tests = 0
        """Under way."""
        self._keys: dict[bytes, ApiKey] = {}
        """Those that are not revoked, by hash."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take up every lane where the store says it was."""
        loaded = await self._store.load()
        for tenant in loaded.tenants:
            self._tenants[tenant.name] = tenant
            self._log.last[tenant.id] = tenant.last_sequence
        for subscription in loaded.subscriptions:
            row = await self._store.load_lane(subscription, _parked_loaded(subscription))
            if row is not None:
                self._add(subscription, row)
        self._ask(loaded.retries)
        self._keys = {key.hash: key for key in loaded.keys}
        self._keep_running(self._record_heads())
        self._keep_running(self._retention.run())

    async def close(self, grace: float) -> None:
        """Take no more commands, let attempts end for `grace` seconds, record everything."""
        await self._committer.close()
        for task in list(self._tasks):
            task.cancel()
        await self._dispatcher.stop(grace)
        await self._recorder.close()

    async def submit(self, command: Command) -> Answer:
        """See `Committer.submit`."""
        return await self._committer.submit(command)

    def enqueue(self, command: Command) -> asyncio.Future[Answer]:
        """See `Committer.enqueue`."""
        return self._committer.enqueue(command)

    async def test(self, subscription: Subscription, event: Event) -> Outcome:
        """Send a sample event to an endpoint now, beside everything else. Raises TooMany."""
        if self._tests >= TESTS_MOST:
            raise TooMany("too_many_tests", f"{TESTS_MOST} tests are under way: repeat it in a moment.", retry_after=5)
        request = Webhook(subscription).prepare(event, 1, Kind.TEST, self._clock.wall())
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(ended: Outcome) -> None:
            self._tests -= 1
            if not outcome.done():  # the client may be gone
                outcome.set_result(ended)

        self._tests += 1
        self._transport.send(request, done)
        return await outcome

    def tenant_id(self, name: str) -> int | None:
        tenant = self._tenants.get(name)
        return None if tenant is None else tenant.id

    def key(self, digest: bytes) -> ApiKey | None:
        """The API key with this hash; None if there is none or it was revoked."""
        return self._keys.get(digest)

    def subscription(self, tenant_id: int, subscription_id: str) -> Subscription | None:
        """A subscription as it stands after the last commit; None if there is none or it was deleted."""
        runner = self._by_id.get((tenant_id, subscription_id))
        return None if runner is None else runner.subscription

    @property
    def trouble(self) -> str | None:
        """What keeps the engine from its work, for an operator; None if nothing does."""
        since = self._recorder.failing_since
        return None if since is None else f"Deliveries cannot be recorded since {format_timestamp(since)}."

    def _runners_of(self, tenant_id: int) -> list[Runner]:
        runners = [runner for runner in self._runners.values() if runner.subscription.tenant_id == tenant_id]
        for runner in runners:
            self._bring_up(runner)
        return runners

    def _bring_up(self, runner: Runner) -> None:
        """Move the head of a sleeping lane over what it did not want."""
        last = self._log.last[runner.subscription.tenant_id]
        if runner.asleep and last > runner.lane.head:
            runner.lane.skip(last)

    def health(self, subscription: Subscription) -> dict[str, object]:
        """A subscription's `health` as the API shows it."""
        runner = self._runners.get(subscription.number)
        if runner is None:
            return {"state": "unknown"}
        lane, breaker = runner.lane, runner.health.breaker
        last = self._log.last.get(subscription.tenant_id, 0)
        waiting = 0 if runner.asleep else max(0, last - lane.head)
        state = subscription.status if subscription.status != "active" else "failing" if breaker.failures else "healthy"
        due = lane.next_due
        return {
            "state": state,
            "failingSince": None if breaker.failing_since is None else format_timestamp(breaker.failing_since),
            "lastError": runner.health.last_error,
            "breaker": "open" if breaker.is_open else "closed",
            "lag": waiting + len(lane.open) + lane.blocked,
            "oldestDueAt": None if due is None else format_timestamp(due),
            "lost": runner.health.lost,
        }

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
        if published.events:
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
            for runner in self._wanting.get(key, {}).values():
                if runner.asleep:
                    # All that came since it fell asleep was not for it, or it would have been woken.
                    runner.asleep = False
                    runner.lane.skip(event.sequence - 1)
                    self._dispatcher.enlist(runner)

    def _follow(self, subscription: Subscription) -> None:
        runner = self._runners.get(subscription.number)
        if runner is None:
            if subscription.deleted_at is None:
                self._add(subscription, _new_lane(subscription))
            return
        self._unindex(runner)
        if subscription.deleted_at is not None:
            runner.held = True
            del self._runners[subscription.number]
            del self._by_id[subscription.tenant_id, subscription.id]
            return
        self._bring_up(runner)
        runner.asleep = False
        reordered = subscription.ordering != runner.subscription.ordering
        runner.update(subscription)
        self._index(runner)
        if reordered:
            self._reload(runner)
        self._recorder.changed(runner)
        self._dispatcher.enlist(runner)

    def _add(self, subscription: Subscription, row: LaneRow) -> None:
        runner = Runner(subscription, row)
        self._runners[subscription.number] = runner
        self._by_id[subscription.tenant_id, subscription.id] = runner
        self._index(runner)
        if runner.lane.changed:
            self._recorder.changed(runner)
        self._dispatcher.enlist(runner)

    def _ask(self, retries: Iterable[Retry]) -> None:
        for retry in retries:
            runner = self._runners.get(retry.subscription_number)
            if runner is not None:
                runner.retries.append(retry)
                self._recorder.changed(runner)

    def _index(self, runner: Runner) -> None:
        for event_type in EventType:
            if event_type & runner.subscription.filters[-1][1]:
                key = (runner.subscription.tenant_id, int(event_type))
                self._wanting.setdefault(key, {})[runner.subscription.number] = runner

    def _unindex(self, runner: Runner) -> None:
        for event_type in EventType:
            self._wanting.get((runner.subscription.tenant_id, int(event_type)), {}).pop(
                runner.subscription.number, None
            )

    # --- Recording ----------------------------------------------------------------------------------------------------

    def _on_recorded(self, runner: Runner, attempts: int) -> None:
        self._dispatcher.recorded(attempts)
        self._dispatcher.enlist(runner)

    def _reload(self, runner: Runner) -> None:
        """Take the lane up from the store once more: another owner wrote it, or its order was changed."""
        if not runner.held:
            runner.held = True
            self._keep_running(self._load_anew(runner))

    async def _load_anew(self, runner: Runner) -> None:
        number = runner.subscription.number
        while True:
            while runner.lane.flying:
                await asyncio.sleep(0.02)
            await self._recorder.written(runner)
            version = runner.version
            try:
                row = await self._store.load_lane(runner.subscription, _parked_loaded(runner.subscription))
                retries = (await self._store.load()).retries
            except Exception:
                log.exception("a lane could not be loaded; it is tried again", subscription=runner.subscription.id)
                await asyncio.sleep(LOADED_AGAIN_AFTER)
                continue
            if row is None or number not in self._runners:
                return  # deleted meanwhile
            if not runner.dirty and not runner.writing and runner.version == version:
                break  # nothing was written or asked for since it was read
        asked = {retry.number for retry in runner.retries}
        runner.retries += [r for r in retries if r.subscription_number == number and r.number not in asked]
        runner.restore(row)
        runner.held = False
        if runner.retries or runner.lane.changed:
            self._recorder.changed(runner)
        self._dispatcher.enlist(runner)

    async def _record_heads(self) -> None:
        while True:
            await asyncio.sleep(HEADS_RECORDED_EVERY)
            for runner in self._runners.values():
                self._bring_up(runner)
                if runner.lane.head > runner.recorded_head and not runner.held:
                    self._recorder.changed(runner)

    def _keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the engine ended with an error", exc_info=error)


def _parked_loaded(subscription: Subscription) -> int:
    return PARKED_LOADED_STRICT if subscription.ordering == "strict" else PARKED_LOADED


def _new_lane(subscription: Subscription) -> LaneRow:
    return LaneRow(
        version=0, head=subscription.starts_after, open=(), gaps=(), health=Health(), rows=(), horizon=None
    )  # fmt: skip
