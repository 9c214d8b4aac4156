"""A lane at work: what its owner keeps in memory in addition to the lane itself.

Who decides. The lane decides *which* delivery is next; the worker decides *whether* one may go: the subscription's
status, what is known of the endpoint (`lane_endpoint.py`), how much is sent and not yet recorded. Times
are the clock's steady µs.

States (`lane_states.py`). `turn` says whether it waits for the dispatcher, `progress` how far it has read the log,
`recording` whether the store has what it did, `hold` why it may do nothing.

What is authoritative. The store's row at `version` is. The lane, its health, `attempts`, `retries` and the replays are
what the store will have once `begin_write` took them and the write succeeded.

On failure. A write that fails is repeated as it is. If a write finds another version, another owner has the lane: the
worker is held and restored from the store. What it had not recorded is gone from memory, and is sent again under the
same numbers. A crash does the same to all lanes.
"""

import asyncio
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from signalpost.domain.delivery.delivery import Delivery, Verdict
from signalpost.domain.delivery.lane import Lane
from signalpost.domain.delivery.lane_bounds import Bounds
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.erasure import is_erased
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription, wanted
from signalpost.domain.timestamps import SECOND
from signalpost.domain.wishes import Wishes, wishes_of
from signalpost.engine.lanes.carriers import NEVER, Carrier, Carriers, Made
from signalpost.engine.lanes.lane_endpoint import LaneEndpoint
from signalpost.engine.lanes.lane_states import CAUGHT_UP, NOT_HELD
from signalpost.engine.lanes.replay_feeder import ReplayFeeder
from signalpost.engine.lanes.resting_lanes import RestingLane
from signalpost.engine.lanes.retries_by_hand import RetriesByHand
from signalpost.engine.lanes.subjects import Subjects, is_large
from signalpost.sharing.rank import Rank
from signalpost.sharing.slots import EndpointSlots
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.fleet import LaneInbox
from signalpost.store.nouns.lanes import LaneFlush, LaneFlushed, LaneRow, LaneWanted
from signalpost.store.nouns.replays import ReplayPart

MAX_UNRECORDED = 1_000
RETRIES_LOADED_STRICT = 1_000_000
NOT_HELD_YET = ("turn", 0)


class LaneWorker(LaneEndpoint):
    def __init__(
        self,
        subscription: Subscription,
        row: LaneRow,
        slots: EndpointSlots,
        bounds: Bounds,
        carriers: Carriers,
        subjects: Subjects,
        on_gate: "Callable[[LaneWorker], None]",
    ) -> None:
        """`on_gate` is told that the lane may send what its gate held back."""
        super().__init__(slots)
        self._bounds = bounds
        self._carriers = carriers
        self._subjects = subjects
        self._on_gate = on_gate
        self.subscription = subscription
        self.wishes = self._read_wishes()
        """What is asked of an event before it is sent; None if nothing is."""
        self._carrier: Carrier | None = None
        self._made: Made | None = None
        self.gate = carriers.gate(subscription, self)
        """What the lane asks for permission before it sends; None if it needs none."""
        self.rank: Rank[LaneWorker]
        """The rank in which it has turns, once it is one of the lanes at work."""
        self.tenant_is_paused = False
        self.timer: asyncio.TimerHandle | None = None
        self.timer_at = NEVER
        """When `timer` gives the lane a turn."""
        self.idle_at: int | None = None
        """At which version it had nothing to do when that was last looked at; None if it had something."""
        self.retries = RetriesByHand()
        self.attempts: list[AttemptRow]
        self.unrecorded = 0
        """How many attempts ended and are not recorded yet. A crash repeats them, and what is in flight."""
        self.record_by = NEVER
        """When its head has to be recorded, since it passed over an event that its condition does not want."""
        self.head_recorded_at = 0
        """When it was last recorded for that."""
        self.held = NOT_HELD_YET
        """What last kept it from sending, and when that was seen; only if traces are made."""
        self._restore(row)

    @property
    def carrier(self) -> Carrier:
        """What delivers the lane's events. It is made for the first delivery, because many lanes send nothing soon
        after a start."""
        if self._carrier is None:
            if self._made is None and self.gate is not None:
                self._made = self._carriers.made(self.subscription)
            self._carrier = self._carriers.carrier(self.subscription, self.gate, self._made)
        return self._carrier

    # --- Its gate -----------------------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """See `GatedLane`."""
        return self.lane.in_flight

    @property
    def may_send(self) -> bool:
        """See `GatedLane`."""
        return self.hold is NOT_HELD and self.is_active

    def ask_again(self) -> None:
        """See `GatedLane`."""
        self._on_gate(self)

    @property
    def trouble(self) -> str | None:
        """A sentence for people: what keeps everything from being sent; None if nothing is known to."""
        return None if self.gate is None else self.gate.trouble

    @property
    def is_active(self) -> bool:
        """Whether its subscription and its tenant let it send."""
        return self.subscription.status == "active" and not self.tenant_is_paused

    # --- The log and the subscription ---------------------------------------------------------------------------------

    def _read_wishes(self) -> Wishes | None:
        return wishes_of(self.subscription, latest_wins=self._carriers.latest_wins(self.subscription))

    def skip_unwanted(self, seen: int) -> None:
        """Move the head to `seen` if the lane sleeps: an event up to there that it wants would have woken it."""
        if self.progress is CAUGHT_UP and seen > self.lane.head:
            self.lane.skip(seen)

    def end_reload(self, row: LaneRow) -> None:
        """Go on with the lane as the store has it. Everything that it did must be recorded."""
        self._restore(row)
        self.note_reloaded()

    def _restore(self, row: LaneRow) -> None:
        """Take up the lane, its retries by hand and its running replays as the store has them."""
        self.version = row.version
        self.written_down = row.now
        self.recorded_head = row.head
        self.recorded_counts = row.counts
        self._delay = row.delay
        self._restore_health(row.health, self.subscription)
        self.lane = Lane(row.head, strict=self.subscription.ordering == "strict", bounds=self._bounds)
        self.lane.gaps = list(row.gaps)
        self.lane.restore(row.open, row.rows, row.horizon)
        self.retries.restore(row.retries)
        self.replay_feeder = ReplayFeeder(self._not_skipped(row.replays))
        self._made, self._carrier = None, None
        self.attempts = []
        self._probe = None
        self.unrecorded = 0
        self.wake()
        self._follow_delay()
        if self.subscription.has_skipped_since(row.skip_version):  # a crash came before that was recorded
            self.lane.abandon(self.subscription.skip_to)

    def _follow_delay(self) -> None:
        """Let what waits for the subscription's delay wait for what that is now. Only a shorter one moves it: what is
        due too early is put off again when its time comes."""
        before, self._delay = self._delay, self.subscription.delay
        if self._delay < before:
            self.lane.hurry((before - self._delay) * SECOND)

    def rise(self, lane: RestingLane) -> None:
        """Go on as the lane was before it rested. Like any that has looked at everything, it sleeps until it is
        woken."""
        self.concurrency = lane.concurrency
        self.slots.regard(slow=self.concurrency.is_slow)
        self.reach_end()

    @property
    def wants_record(self) -> bool:
        """Whether the restored lane has something to record, or to ask the store with a record."""
        return self.lane.changed or bool(self.retries.waiting) or self.replay_feeder.next is not None

    def follow_tenant(self, *, is_paused: bool, now: int) -> None:
        """Note whether its tenant is paused."""
        if self.tenant_is_paused and not is_paused:
            self.held = "paused", now
        self.tenant_is_paused = is_paused

    def update(self, subscription: Subscription, now: int) -> None:
        """Apply a change of the subscription, for every attempt from now on."""
        before = self.subscription
        if before.status == "disabled" != subscription.status:
            self._forget_failures()  # first, for the thread that looks at lanes (`LaneFacts`)
        self.subscription = subscription
        self.wishes = self._read_wishes()
        self._carrier = None
        self.gate = self._carriers.gate(subscription, self)
        if subscription.url != before.url:
            self._turn_to_another()
        if subscription.status == "active" != before.status:
            self.held = "paused", now
            self._resume(now)
            if self.gate is not None:
                self.gate.try_again()
        self._follow_delay()
        if subscription.skipped_at != before.skipped_at:
            self.lane.abandon(subscription.skip_to)
            self.replay_feeder.end_those_until(subscription.skipped_at)
        self.retries.let_all_wait()

    def pass_by(self, event: Event, now: int) -> bool:
        """Take in the event after the lane's head if the subscription wanted it when it was made. Returns whether the
        subscription wants the type but not this event."""
        filters = self.subscription.filters
        after, types = filters[-1]
        if not event.type & (types if event.sequence > after else wanted(filters, event.sequence)):
            self.lane.skip(event.sequence)
        elif (wishes := self.wishes) is None:
            self.lane.take(event.sequence, event.document_id)
        elif (why := wishes.why_too_late(event, now)) is not None:
            return self.pass_judged(event, why)
        elif not wishes.asks_event or is_erased(event):
            self.lane.take(event.sequence, event.document_id)
        else:
            return self.pass_judged(event, wishes.why_not(self._subjects.at_once(event)))
        return False

    def is_to_be_judged(self, event: Event) -> bool:
        """Whether the event after the lane's head is so large that its condition is asked off the event loop."""
        wishes = self.wishes
        return (
            wishes is not None
            and is_large(event)
            and wishes.asks_event
            and bool(event.type & wanted(self.subscription.filters, event.sequence))
            and not is_erased(event)
        )

    def pass_judged(self, event: Event, why: str | None) -> bool:
        """Take in the event after the lane's head if its condition wants it. `why` says why it does not. Returns
        whether it does not."""
        if why is None:
            self.lane.take(event.sequence, event.document_id)
        else:
            self.lane.skip(event.sequence)
        return why is not None

    def forget_made(self, document_id: str) -> None:
        """Forget what was made for a document, because it was erased."""
        if self._made is not None:
            self._made.forget(document_id)

    def has_nothing_to_do(self, seen: int) -> bool:
        """Whether a turn would change nothing: the lane sleeps, its head need not move to `seen` (see `skip_unwanted`),
        and nothing is to be sent or recorded, now or later."""
        lane = self.lane
        return (
            self.progress is CAUGHT_UP
            and seen <= lane.head
            and self.record_by == NEVER
            and not lane.retry_queue
            and lane.retry_queue.horizon is None
            and not lane.sendable
        )

    def lag(self, last: int) -> int:
        """How many events up to `last`, the end of the log, are neither settled nor awaiting a retry."""
        return self.unread(last) + len(self.lane.open) + self.lane.blocked

    def unread(self, last: int) -> int:
        """How many events up to `last`, the end of the log, the lane has not looked at."""
        return 0 if self.progress is CAUGHT_UP else max(0, last - self.lane.head)

    @property
    def waiting(self) -> int:
        """How many deliveries were taken in and are neither delivered nor given up."""
        return len(self.lane.open) + self.lane.blocked + self.awaiting_retry

    @property
    def awaiting_retry(self) -> int:
        """How many deliveries await a retry. If some are only in the store, this is the count as last recorded."""
        retries = self.lane.retry_queue
        return len(retries) if retries.horizon is None else self.recorded_counts.awaiting_retry

    def may_send_at(self, now: int) -> int:
        """When the next delivery of an active lane may be sent. `now` or earlier means at once; NEVER means not before
        something ends or changes."""
        if self.hold is not NOT_HELD or self.unrecorded >= MAX_UNRECORDED:
            return NEVER
        state = self.health.breaker
        if self.lane.in_flight >= (self.concurrency.limit if state.probe_at is None else 1):
            return NEVER
        earliest = self.hold_until
        if state.probe_at is not None and not self.lane.sends_by_hand:
            earliest = max(earliest, state.probe_at)
        if self.subscription.rate_limit is not None:
            earliest = max(earliest, self.rate_limit.earliest(self.subscription.rate_limit, now))
        if self.gate is not None:
            earliest = max(earliest, self.gate.ready_at(now))
        return earliest

    def next_delivery(self) -> Delivery | None:
        """The delivery to send now. If the breaker is open, it is the probe."""
        delivery = self.lane.next_delivery()
        self._probe = None if self.health.breaker.probe_at is None else delivery
        return delivery

    def settle(self, delivery: Delivery, verdict: Verdict) -> None:
        """Apply what happened to a delivery, and take up the retries that were requested meanwhile."""
        self.lane.settle(delivery, verdict, self.subscription.attempts)
        retries = self.retries
        if retries.waiting or retries.held:
            retries.note_end(delivery)

    # --- Its inbox ----------------------------------------------------------------------------------------------------

    def take_inbox(self, inbox: LaneInbox) -> bool:
        """Take up retries and replays that were requested through other nodes. Returns False if the lane is being
        recorded or was recorded since the read: what it finished would look like a new request."""
        if self.is_being_written or inbox.version != self.version:
            return False
        self.retries.take_unknown(inbox.retries, self.lane)
        self.replay_feeder.take_inbox(self._not_skipped(inbox.replays))
        return True

    def _not_skipped(self, replays: Iterable[Replay]) -> list[Replay]:
        """Replays that were read as running, without those that a skip of the backlog has cancelled since."""
        return [replay for replay in replays if replay.created_at >= self.subscription.skipped_at]

    # --- Recording ----------------------------------------------------------------------------------------------------

    def begin_write(self) -> LaneFlush:
        """Take everything that has to be recorded."""
        self.begin_recording()
        self.record_by = NEVER
        changes = self.lane.changes()
        attempts, self.attempts = self.attempts, []
        if (delivered := next((each for each in reversed(attempts) if each.failure is None), None)) is not None:
            self.health = replace(self.health, delivered_at=delivered.started_at)
        wants_refill = self.lane.retry_queue.wants_refill
        return LaneFlush(
            tenant_id=self.subscription.tenant_id,
            subscription_number=self.subscription.number,
            version=self.version,
            head=changes.head,
            open=changes.open,
            gaps=changes.gaps,
            health=self.health,
            rows=changes.rows,
            abandoned_to=changes.abandoned_to,
            delay=self._delay,
            skip_version=self.subscription.skip_version,
            hurried_by=changes.hurried_by,
            attempts=attempts,
            made={} if self._made is None else self._made.changes(),
            retries_done=self.retries.take_done(),
            replays=self.replay_feeder.changes(),
            ended=changes.ended,
            look_up=tuple(retry.sequence for retry in self.retries.waiting.values()),
            refill=wanted_lane(self.subscription, self._bounds).retries_loaded if wants_refill else 0,
            feed=self._feed(),
        )

    def end_write(self, flush: LaneFlush, flushed: LaneFlushed | None) -> None:
        """Note that a write has ended. `flushed` is None if the lane's row had another version, so nothing was
        written."""
        self.end_recording()
        self.unrecorded -= len(flush.attempts)
        if flushed is not None:
            self.version += 1
            self.recorded_counts = flushed.counts
            self.recorded_head = flush.head

    def _feed(self) -> ReplayPart | None:
        """The next part of a replay, if there is one and room for it."""
        replay = self.replay_feeder.next
        if replay is None or self.replay_feeder.is_asking or self.hold is not NOT_HELD or not self.is_active:
            return None
        lane = self.lane
        if not (lane.has_room_for_early_retries if replay.what == "waiting" else lane.has_room_for_replays):
            return None
        asks = replay.what != "waiting" and self.wishes is not None and self.wishes.asks_event
        up_to = min(replay.to_sequence, self.lane.head)
        return ReplayPart(replay, up_to, self.subscription.filters, with_events=asks)


def wanted_lane(subscription: Subscription, bounds: Bounds) -> LaneWanted:
    """The question to the store for a lane, with as many deliveries awaiting a retry as the lane takes at a time."""
    return LaneWanted(
        subscription, RETRIES_LOADED_STRICT if subscription.ordering == "strict" else bounds.retries_loaded
    )
