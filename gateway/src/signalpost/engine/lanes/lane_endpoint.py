"""What a lane at work knows of its endpoint, as attempts found it: its health with the breaker, how many attempts it
takes at a time, its rate, and until when it asked to be left alone. By that the worker decides whether a delivery may
go.

Only these methods change it, but for a change of the subscription, and for a restart, which knows the health alone.
Times are the clock's steady µs, unless they are shown to people.
"""

from msgspec.structs import replace

from signalpost.domain.delivery import breaker, concurrency
from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.delivery.outcome import UNCOUNTED, Failure, Outcome
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes.lane_states import LaneStates
from signalpost.sharing.rate_limit import RateLimit
from signalpost.sharing.slots import EndpointSlots
from signalpost.store.nouns.lanes import EndpointHealth


class LaneEndpoint(LaneStates):
    """A base of `LaneWorker`, as `LaneStates` is."""

    health: EndpointHealth

    def __init__(self, slots: EndpointSlots) -> None:
        super().__init__()
        self.slots = slots
        self.concurrency = concurrency.FIRST
        self.rate_limit = RateLimit()
        self.hold_until = 0
        """Until when it asked to be left alone."""
        self.excused_until = 0
        """When an attempt last failed by the operator's proxy: no failure before that disables the subscription."""
        self._probe: Delivery | None = None
        """The delivery that was sent last, if it probes an endpoint whose breaker is open."""

    def note_outcome(
        self, delivery: Delivery, outcome: Outcome, now: int, jitter: float, retry_after: int | None
    ) -> None:
        """Update breaker, concurrency and waits after an outcome. A vendor that rejects an event is healthy."""
        self.concurrency = concurrency.after(self.concurrency, outcome, now, self.slots.most)
        self.slots.regard(slow=self.concurrency.is_slow)
        if outcome.certificate_ends is not None and outcome.certificate_ends != self.health.certificate_ends:
            self.health = replace(self.health, certificate_ends=outcome.certificate_ends)
        if outcome.failure is None or outcome.failure is Failure.REJECTED:
            self.note_success(now)
        elif outcome.failure not in UNCOUNTED:
            follow = breaker.after_failed_probe if delivery is self._probe else breaker.after_failure
            state = follow(self.health.breaker, now, jitter)
            self.health = replace(self.health, breaker=state, last_error=outcome.own_words)
            if outcome.failure is Failure.PROXY:
                self.excused_until = now
            if retry_after is not None:
                self.hold_until = max(self.hold_until, now + retry_after * SECOND)

    def note_success(self, now: int) -> None:
        """Close the breaker: the endpoint took a delivery or a test."""
        self._probe = None
        if self.health.breaker.failures:
            if self.health.breaker.is_open:
                self.concurrency = concurrency.beginning_low(self.concurrency, now)
            state = breaker.after_success(self.health.breaker)
            self.health = replace(self.health, breaker=state, last_error=None)

    def note_lost(self, count: int, at: int) -> None:
        """Note that so many events were removed before they were delivered."""
        if count:
            self.health = replace(self.health, lost=self.health.lost + count, lost_at=at)

    def note_given_up(self, at: int) -> None:
        self.health = replace(self.health, given_up_at=at)

    def _restore_health(self, health: EndpointHealth, subscription: Subscription) -> None:
        """Take up the health as it was recorded. The node that did that may have been lost before it heard what was
        last asked of the subscription: to deliver elsewhere, or to try again, as a resume and a delivered test do
        (C16)."""
        self.health, failing_since = health, health.breaker.failing_since
        if failing_since is None:
            return
        if failing_since < max(subscription.url_since, subscription.revived_at):
            self._forget_failures()
        else:
            asked_at = max(subscription.updated_at, subscription.tested_at)
            self.health = replace(health, breaker=breaker.asked_anew(health.breaker, asked_at))

    def _forget_failures(self) -> None:
        """Let its earlier failures count no longer."""
        self.health = EndpointHealth(lost=self.health.lost, delivered_at=self.health.delivered_at)

    def _turn_to_another(self) -> None:
        """Begin with an endpoint of which nothing is known."""
        self._forget_failures()
        self.concurrency = concurrency.FIRST
        self.slots.regard(slow=self.concurrency.is_slow)
        self.hold_until = 0

    def _resume(self, now: int) -> None:
        """Try an endpoint again to which nothing was sent for a while."""
        self.concurrency = concurrency.resumed(self.concurrency)
        self.health = replace(self.health, breaker=breaker.probing_now(self.health.breaker, now))
        self._probe = None  # one that is in flight says nothing of the endpoint since
