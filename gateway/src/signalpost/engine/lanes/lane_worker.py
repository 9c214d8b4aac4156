"""A lane at work: what its owner keeps in memory beside the lane itself, and what tells whether it may send now.

The lane decides *which* delivery is next; the runner decides *whether* one may go: the subscription's status, the
breaker, the endpoint's concurrency, its rate limit, a wait that it asked for, how much is sent and not yet recorded.
Times are the clock's steady µs.
"""

import asyncio

from signalpost.commands.command import Retry
from signalpost.destinations.webhook import Webhook
from signalpost.domain.delivery import breaker, concurrency
from signalpost.domain.delivery.lane import Bounds, Lane
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.delivery.rate_limit import RateLimit
from signalpost.domain.delivery.slots import EndpointSlots
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription, wanted
from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes.replay_feeder import ReplayFeeder
from signalpost.store.deliveries import Attempt
from signalpost.store.store import Feed, Health, LaneFlush, LaneRow, LaneWanted

MAX_UNRECORDED = 1_000
PARKED_LOADED_STRICT = 1_000_000
NEVER = 1 << 62
"""Not before something else happens."""


class LaneWorker:
    def __init__(
        self,
        subscription: Subscription,
        row: LaneRow,
        slots: EndpointSlots,
        bounds: Bounds,
    ) -> None:
        self._bounds = bounds
        self.subscription = subscription
        self.webhook = Webhook(subscription)
        self.slots = slots
        self.concurrency = concurrency.FIRST
        self.asleep = False
        """It has taken in all there is; only an event that it wants wakes it."""
        self.listed = False
        """It waits for its turn at the dispatcher."""
        self.reading = False
        """A page of the log is being read for it."""
        self.held = False
        """It sends nothing: it is to be loaded anew, or was deleted."""
        self.auto_disable = False
        """It was asked to disable its subscription."""
        self.timer: asyncio.TimerHandle | None = None
        self.timer_at = NEVER
        """When `timer` gives it a turn."""
        self.dirty = False
        """It waits for the recorder."""
        self.writing = False
        """The recorder writes it."""
        self.retries: dict[int, Retry] = {}
        """Asked for, not yet acted upon, by number: a lane that is loaded anew may hear of one twice, from the store
        and with the word of its commit."""
        self.retries_done: list[int]
        self.attempts: list[Attempt]
        self.unrecorded = 0
        """Attempts that ended and are not recorded yet: what a crash would repeat, beside what flies."""
        self.rate_limit = RateLimit()
        self._hold_until = 0
        self.restore(row)

    def restore(self, row: LaneRow) -> None:
        """Take up the lane, its retries by hand and its running replays as the store has them."""
        self.version = row.version
        self.recorded_head = row.head
        self.health = row.health
        self.lane = Lane(row.head, strict=self.subscription.ordering == "strict", bounds=self._bounds)
        self.lane.gaps = list(row.gaps)
        self.lane.restore(row.open, row.rows, row.horizon)
        self.retries |= {retry.number: retry for retry in row.retries}
        self.replay_feeder = ReplayFeeder(row.replays)
        self.attempts = []
        self.retries_done = []
        self.unrecorded = 0
        self.asleep = False
        if self._skip_is_due(row):
            self.lane.abandon(self.subscription.skip_to)

    def _skip_is_due(self, row: LaneRow) -> bool:
        """Whether the backlog was to be skipped and a crash came before that was recorded."""
        skip_to = self.subscription.skip_to
        return row.unskipped or row.head < skip_to or any(sequence <= skip_to for sequence, _ in row.open)

    @property
    def wants_record(self) -> bool:
        """Whether, as it was restored, it has something to record, or to ask of the store with a record."""
        return self.lane.changed or bool(self.retries) or self.replay_feeder.next is not None

    def update(self, subscription: Subscription) -> None:
        """Follow a change of the subscription; it holds for every attempt from now on."""
        before, self.subscription = self.subscription, subscription
        self.webhook = Webhook(subscription)
        if before.status == "disabled" != subscription.status:
            self.health = Health(lost=self.health.lost)
        if subscription.url != before.url:
            self.health = Health(lost=self.health.lost)
            self.concurrency = concurrency.FIRST
            self.slots.regard(slow=self.concurrency.is_slow)
            self._hold_until = 0
        if subscription.status == "active" != before.status:
            self.concurrency = concurrency.resumed(self.concurrency)
        if subscription.skipped_at != before.skipped_at:
            self.lane.abandon(subscription.skip_to)

    def pass_by(self, event: Event) -> None:
        """Take in the event after the lane's head if the subscription asked for such an event when it was made."""
        filters = self.subscription.filters
        after, types = filters[-1]
        if event.type & (types if event.sequence > after else wanted(filters, event.sequence)):
            self.lane.take(event.sequence, event.document_id)
        else:
            self.lane.skip(event.sequence)

    def lag(self, last: int) -> int:
        """How many events up to `last`, the log's end, are yet to be settled or parked."""
        unread = 0 if self.asleep else max(0, last - self.lane.head)
        return unread + len(self.lane.open) + self.lane.blocked

    def may_send_at(self, now: int) -> int:
        """`now` or earlier: at once; NEVER: once something ended or changed."""
        state = self.health.breaker
        if self.held or self.subscription.status != "active" or self.unrecorded >= MAX_UNRECORDED:
            return NEVER
        if state.probe_at is not None:
            return NEVER if self.lane.in_flight else max(state.probe_at, self._hold_until)
        if self.lane.in_flight >= self.concurrency.limit:
            return NEVER
        if self.subscription.rate_limit is not None:
            return max(self._hold_until, self.rate_limit.earliest(self.subscription.rate_limit, now))
        return self._hold_until

    def note_outcome(self, outcome: Outcome, now: int, jitter: float, retry_after: int | None) -> None:
        """Let breaker, concurrency and holds follow one more outcome."""
        self.concurrency = concurrency.after(self.concurrency, outcome, now, self.slots.most)
        self.slots.regard(slow=self.concurrency.is_slow)
        if outcome.failure is None:
            if self.health.breaker.failures:
                if self.health.breaker.is_open:
                    self.concurrency = concurrency.beginning_low(self.concurrency, now)
                self.health = Health(breaker.after_success(self.health.breaker), None, self.health.lost)
        elif outcome.failure is not Failure.INTERRUPTED:
            state = breaker.after_failure(self.health.breaker, now, jitter)
            self.health = Health(state, f"{outcome.failure}: {outcome.detail}", self.health.lost)
            if retry_after is not None:
                self._hold_until = max(self._hold_until, now + retry_after * SECOND)

    def note_lost(self, count: int) -> None:
        self.health = Health(self.health.breaker, self.health.last_error, self.health.lost + count)

    def flush(self) -> LaneFlush:
        """Everything that is to be recorded now."""
        changes = self.lane.changes()
        attempts, self.attempts = self.attempts, []
        retries_done, self.retries_done = self.retries_done, []
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
            attempts=attempts,
            retries_done=tuple(retries_done),
            replays=self.replay_feeder.changes(),
            look_up=tuple(retry.sequence for retry in self.retries.values()),
            refill=wanted_lane(self.subscription, self._bounds).parked if wants_refill else 0,
            feed=self._feed(),
        )

    def _feed(self) -> Feed | None:
        """The next part of a replay, if there is one and room for it."""
        replay = self.replay_feeder.next
        if replay is None or self.held or self.subscription.status != "active" or not self.lane.has_room_for_replays:
            return None
        return Feed(replay, min(replay.to_sequence, self.lane.head), self.subscription.filters)


def wanted_lane(subscription: Subscription, bounds: Bounds) -> LaneWanted:
    """A lane, with as many parked rows as it takes from the store at a time."""
    return LaneWanted(
        subscription, PARKED_LOADED_STRICT if subscription.ordering == "strict" else bounds.retries_loaded
    )
