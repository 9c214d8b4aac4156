"""Does it bite? Faults planted into the gateway, one at a time; the simulation must find each, by what it does to
clients and receivers: a traceback does not count.

A fault takes the place of one function. `make planted` tells after how many seeds each was found, and by which
checker.
"""

import sys
from collections import Counter
from typing import Any

import apsw
from gateway.tests.simulation.planting import Faults, counts_whoever_owns
from gateway.tests.simulation.runner import simulate
from msgspec.structs import replace

from signalpost.commands.batch import Batch
from signalpost.destinations.webhook import Webhook
from signalpost.domain.delivery import breaker, concurrency, retry
from signalpost.domain.delivery.delivery import Delivery, DeliveryInput, State, Verdict
from signalpost.domain.delivery.document_queue import DocumentQueue
from signalpost.domain.delivery.lane import Lane
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.send_order import SendOrder
from signalpost.domain.errors import DiskNearlyFull, OutcomeUnknown
from signalpost.domain.timestamps import SECOND
from signalpost.engine.committer import Committer
from signalpost.engine.lanes import lanes as owned_lanes
from signalpost.engine.lanes import outcomes
from signalpost.engine.lanes.dispatcher import Dispatcher
from signalpost.engine.lanes.lane_state import Progress, Recording
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lane_workers import LaneWorkers
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.log_offers import LogOffers
from signalpost.engine.lanes.outcomes import Outcomes
from signalpost.engine.lanes.recorder import Recorder
from signalpost.engine.lanes.replay_feeder import ReplayFeeder
from signalpost.engine.lanes.resting_lanes import RestingLanes
from signalpost.sharing.rate_limit import RateLimit
from signalpost.store.nouns.lanes import LaneFlushed
from signalpost.store.nouns.log import LatestOfTypes
from signalpost.store.sqlite import publish, record, row_counts, store
from signalpost.store.sqlite.nouns import audit, lanes, replays
from signalpost.store.sqlite.nouns.log import SqliteLog
from signalpost.store.sqlite.writer import Writer

FAULTS = Faults(simulate, most=2_000)
fault = FAULTS.fault


# --- What is durable --------------------------------------------------------------------------------------------------


@fault("answers before the commit", Writer, "_commit")
def _(_right: Any) -> Any:
    def commit(self: Writer, jobs: Any) -> list[Any]:
        """The transaction ends with the next group."""
        connection = self._connection
        if connection.in_transaction:
            connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        return [job(connection) for job in jobs]

    return commit


@fault("does not wait for the disk", store, "connect")
def _(right: Any) -> Any:
    def connect(*args: Any, **kwargs: Any) -> apsw.Connection:
        connection: apsw.Connection = right(*args, **kwargs)
        connection.pragma("synchronous", "normal")
        return connection

    return connect


@fault("calls a commit whose end is unknown undone", Writer, "_transact")
def _(right: Any) -> Any:
    def transact(self: Writer, jobs: Any) -> Any:
        return [
            (result, DiskNearlyFull() if isinstance(error, OutcomeUnknown) else error)
            for result, error in right(self, jobs)
        ]

    return transact


FAULTS.answers("forgets Idempotency-Keys", Batch, "_repeated", None)


@fault("takes createdAt from the clock as it is", publish, "publish")
def _(right: Any) -> Any:
    def publish_at(connection: Any, *rest: Any) -> Any:
        connection.execute("UPDATE tenant SET last_at = 0")
        return right(connection, *rest)

    return publish_at


@fault("leaves a number out", Batch, "_append")
def _(right: Any) -> Any:
    def append(self: Batch, tenant: Any, stamp: Any, *rest: Any) -> None:
        left_out = stamp.sequence % 20 == 19
        right(self, tenant, replace(stamp, sequence=stamp.sequence + left_out), *rest)

    return append


@fault("commits the first of a large batch twice", Committer, "_commit")
def _(right: Any) -> Any:
    async def commit(self: Committer, batch: Any) -> None:
        if len(batch) > 5:
            await self._store.publish([batch[0].command])
        await right(self, batch)

    return commit


# --- What a restart knows ---------------------------------------------------------------------------------------------


@fault("does not record what is open", Lane, "changes")
def _(right: Any) -> Any:
    return lambda self: right(self)._replace(open=())


@fault("moves the head past an event that it did not open", Lane, "take")
def _(right: Any) -> Any:
    def take(self: Lane, sequence: int, document_id: str) -> None:
        if sequence % 20 == 7:
            self.skip(sequence)
        else:
            right(self, sequence, document_id)

    return take


FAULTS.answers("loses what awaits a retry in a restart", lanes, "rows_awaiting_retry", ((), None))


@fault("loses what is blocked in a restart", Lane, "restore")
def _(right: Any) -> Any:
    def restore(self: Lane, open_: Any, rows: Any, horizon: Any) -> None:
        right(self, open_, [row for row in rows if row.state is not State.BLOCKED], horizon)

    return restore


@fault("does not check a lane's version", record, "_counts_of_unmoved")
def _(right: Any) -> Any:
    return counts_whoever_owns(right)


@fault("records a failed attempt once too often", Lane, "settle")
def _(right: Any) -> Any:
    def settle(self: Lane, flown: Any, verdict: Verdict, attempts: int) -> None:
        if verdict.counted and verdict.input is DeliveryInput.FAIL:
            flown.failed_attempts += 1
        right(self, flown, verdict, attempts)

    return settle


@fault("drops what changes while it records", Recorder, "changed")
def _(right: Any) -> Any:
    def changed(self: Recorder, lane: LaneWorker) -> None:
        if lane.recording is not Recording.WRITING:
            right(self, lane)

    return changed


@fault("drops what it could not record", Recorder, "_until_recorded")
def _(_right: Any) -> Any:
    async def until_recorded(self: Recorder, flushes: Any) -> Any:
        try:
            return await self._store.lanes.record(flushes)
        except Exception:
            return {flush.subscription_number: LaneFlushed() for flush in flushes}

    return until_recorded


@fault("tells of an attempt before it is recorded", LaneWorker, "begin_write")
def _(right: Any) -> Any:
    def begin_write(self: LaneWorker) -> Any:
        made = right(self)
        made.attempts.clear()
        return made

    return begin_write


FAULTS.answers("forgets a retry by hand in a restart", lanes, "retries", {})


# --- Who gets what ----------------------------------------------------------------------------------------------------


@fault("filters by what is asked for now", LaneWorker, "pass_by")
def _(_right: Any) -> Any:
    def pass_by(self: LaneWorker, event: Any, _now: int) -> None:
        if event.type & self.subscription.filters[-1][1]:
            self.lane.take(event.sequence, event.document_id)
        else:
            self.lane.skip(event.sequence)

    return pass_by


@fault("skips a gap in the cache", LogCache, "get")
def _(right: Any) -> Any:
    def get(self: LogCache, tenant_id: int, sequence: int) -> Any:
        return right(self, tenant_id, sequence) or right(self, tenant_id, sequence + 1)

    return get


@fault("leaves out the first of a page", SqliteLog, "after")
def _(right: Any) -> Any:
    async def after(self: SqliteLog, tenant_id: int, sequence: int, limit: int) -> Any:
        page = await right(self, tenant_id, sequence, limit)
        return page._replace(events=page.events[1:]) if limit == 256 and len(page.events) > 3 else page

    return after


@fault("wakes the first lane alone", LaneWorkers, "wanting")
def _(right: Any) -> Any:
    return lambda self, tenant_id, event_type: list(right(self, tenant_id, event_type))[:1]


@fault("lets lanes rise behind the event that wakes them", RestingLanes, "rise")
def _(right: Any) -> Any:
    return lambda self, tenant_id, event_type, head: right(self, tenant_id, event_type, head + 1)


@fault("lets lanes rest while attempts are under way", Lane, "is_idle")
def _(_right: Any) -> Any:
    return property(lambda _self: True)


@fault("takes up lanes at rest whose events are yet to be read", LatestOfTypes, "passed")
def _(_right: Any) -> Any:
    return lambda self, head, _filters: max(head, self.last)


@fault("takes a lane's head back", LogOffers, "_wake_for")
def _(_right: Any) -> Any:
    def wake_for(self: LogOffers, events: Any) -> None:
        for event in events:
            for lane in self._here.workers.wanting(event.tenant_id, event.type):
                if lane.progress is Progress.CAUGHT_UP:
                    lane.wake()
                    lane.lane.skip(event.sequence - 1)
                    self._dispatcher.give_turn(lane)

    return wake_for


@fault("begins with the event before a subscription", owned_lanes, "_new_lane")
def _(right: Any) -> Any:
    def new_lane(subscription: Any) -> Any:
        row = right(subscription)
        return replace(row, head=max(0, row.head - 1))

    return new_lane


@fault("begins with the second event after a subscription", owned_lanes, "_new_lane")
def _(right: Any) -> Any:
    def new_lane(subscription: Any) -> Any:
        row = right(subscription)
        return replace(row, head=row.head + 1)

    return new_lane


@fault("sends on while paused", LaneWorker, "update")
def _(right: Any) -> Any:
    def update(self: LaneWorker, subscription: Any, now: int) -> None:
        right(self, subscription, now)
        self.subscription = replace(subscription, status="active")

    return update


@fault("keeps to the URL and the secret that it began with", LaneWorker, "update")
def _(right: Any) -> Any:
    def update(self: LaneWorker, subscription: Any, now: int) -> None:
        carrier = self.carrier
        right(self, subscription, now)
        self._carrier = carrier

    return update


@fault("signs with the new secret alone during a rotation", Webhook, "__init__")
def _(right: Any) -> Any:
    def init(self: Webhook, subscription: Any) -> None:
        right(self, subscription.promoted(0))

    return init


@fault("signs with the old key pair for ever", Webhook, "_pairs_at")
def _(right: Any) -> Any:
    return lambda self, _now: right(self, 0)[:1]


# --- When -------------------------------------------------------------------------------------------------------------


@fault("retries up to a fifth too early", retry, "delay")
def _(right: Any) -> Any:
    return lambda seconds, jitter, retry_after: right(seconds, -jitter, retry_after)


FAULTS.answers("does not listen to Retry-After", retry, "parse_retry_after", None)


@fault("makes one attempt more", Lane, "settle")
def _(right: Any) -> Any:
    return lambda self, flown, verdict, attempts: right(self, flown, verdict, attempts + 1)


@fault("counts an attempt that a stop cut short", Outcomes, "take")
def _(right: Any) -> Any:
    def take(self: Outcomes, *given: Any) -> None:
        *about, outcome = given
        if outcome.failure is Failure.INTERRUPTED:
            outcome = replace(outcome, failure=Failure.RESET)
        right(self, *about, outcome)

    return take


@fault("lets a failed retry by hand end the schedule", Outcomes, "take")
def _(right: Any) -> Any:
    def take(self: Outcomes, worker: Any, sending: Any, outcome: Any) -> None:
        flown = sending.delivery
        if flown.resume_at is not None:
            flown.resume_at, flown.failed_attempts = None, flown.max_attempts - 1
        right(self, worker, sending, outcome)

    return take


@fault("counts a failed extra attempt, and forgets the schedule", outcomes, "decide")
def _(right: Any) -> Any:
    def decide(delivery: Delivery, *rest: Any) -> Verdict:
        resume_at, delivery.resume_at = delivery.resume_at, None
        verdict: Verdict = right(delivery, *rest)
        delivery.resume_at = resume_at
        return verdict

    return decide


@fault("forgets a timer if another one is set", Dispatcher, "_wake_at")
def _(right: Any) -> Any:
    def wake_at(self: Dispatcher, lane: Any, at: int) -> None:
        if lane.timer is None:
            right(self, lane, at)

    return wake_at


@fault("never closes a breaker", breaker, "after_success")
def _(_right: Any) -> Any:
    return lambda state: state


@fault("never probes", breaker, "after_failure")
def _(right: Any) -> Any:
    def after_failure(state: Any, now: int, jitter: float) -> Any:
        after = right(state, now, jitter)
        return after if after.probe_at is None else replace(after, probe_at=1 << 61)

    return after_failure


# --- In which order, and how many -------------------------------------------------------------------------------------


@fault("sends two of a document at once", SendOrder, "add")
def _(right: Any) -> Any:
    def add(self: SendOrder, document: Any) -> None:
        in_flight, document.in_flight = document.in_flight, None
        right(self, document)
        document.in_flight = in_flight

    return add


FAULTS.answers("knows no strict order", Lane, "_holds_back", False)


@fault("lets a replay open the way for what strict order holds back", DocumentQueue, "next")
def _(right: Any) -> Any:
    def following(self: Any) -> Any:
        return self.ready[0] if right.fget(self) is not None else None

    return property(following)


@fault("knows no rate limit", RateLimit, "earliest")
def _(_right: Any) -> Any:
    return lambda self, rate, now: 0


@fault("counts a rate anew with each second of the clock", RateLimit, "earliest")
def _(_right: Any) -> Any:
    def earliest(self: RateLimit, rate: int, now: int) -> int:
        began = now - now % SECOND
        return 0 if self.promised + sum(at >= began for at in self._starts) < rate else began + SECOND

    return earliest


@fault("counts what it let go once it is known to have started", RateLimit, "earliest")
def _(right: Any) -> Any:
    def earliest(self: RateLimit, rate: int, now: int) -> int:
        return int(right(self, rate + self.promised, now))

    return earliest


@fault("knows no limit of what is under way", concurrency, "after")
def _(_right: Any) -> Any:
    return lambda before, outcome, now, most: replace(before, limit=1_000)


@fault("never promotes what is blocked", Lane, "_advance")
def _(right: Any) -> Any:
    def advance(self: Lane, document: Any) -> None:
        blocked, document.blocked = document.blocked, None
        right(self, document)
        document.blocked = blocked

    return advance


# --- Again ------------------------------------------------------------------------------------------------------------


@fault("is done with a part of a replay that it did not queue", ReplayFeeder, "queue")
def _(right: Any) -> Any:
    def queue(self: ReplayFeeder, lane: Lane, unwanted: Any, asked: Any, fed: Any, steady: int, wall: int) -> None:
        right(self, lane, unwanted, asked, replace(fed, candidates=fed.candidates[:-1]), steady, wall)

    return queue


@fault("begins a replay anew after a restart", replays, "write_progress")
def _(_right: Any) -> Any:
    return lambda _connection, _fed: None


# --- What is counted --------------------------------------------------------------------------------------------------


@fault("counts rows of a lane that are gone", row_counts, "changes_by_rows")
def _(right: Any) -> Any:
    def changes(connection: apsw.Connection, flushes: Any) -> Any:
        return right(connection, [replace(f, rows={s: r for s, r in f.rows.items() if r is not None}) for f in flushes])

    return changes


@fault("counts what a skipped backlog gave up as waiting", row_counts, "changes_by_abandoning")
def _(_right: Any) -> Any:
    return lambda _connection, _flushes: Counter()


@fault("counts what the retention removed", row_counts, "forget_below")
def _(_right: Any) -> Any:
    return lambda _connection, _tenant_id, _sequence: None


# --- What is told of changes ------------------------------------------------------------------------------------------


@fault("writes entries of the audit after the commit of what they tell", audit, "append")
def _(right: Any) -> Any:
    late: list[Any] = []

    def append(connection: apsw.Connection, drafts: Any, notary: Any) -> Any:
        now = late[:]
        late[:] = drafts
        return right(connection, now, notary)

    return append


if __name__ == "__main__":
    sys.exit(FAULTS.main(__doc__))
