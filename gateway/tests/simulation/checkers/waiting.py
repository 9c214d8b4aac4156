"""No endpoint waits because of others, and nothing waits that a client asked to have now.

An endpoint that has nothing in flight and something that may be sent gets its turn at once. One that answers well gets
its events at once, whatever the others do. A retry by hand is made as soon as nothing is in flight to its endpoint, and
so is what is ready after a resume: where the breaker is open, they are the probe (C16).
"""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import CallStatus, ClientCall, Resend, Subscriber
from gateway.tests.simulation.plan import SMALL
from gateway.tests.simulation.receivers import well
from gateway.tests.world.network import SentRequest

from signalpost.domain.delivery.outcome import Failure

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess
    from gateway.tests.simulation.seeded_world import SeededWorld

MAX_IDLE = 2.0
"""The seconds that an endpoint may be idle while there is something for it: reading and recording take less."""
MAX_REFILL = 0.3
"""The seconds in which a lane gets its next few retries: its turn to be recorded, and a slow commit or two."""
BREAKER_FROM = 20
"""The failures in a row after which the breaker may be open."""


class _Endpoint:
    """What was seen of one endpoint. Times are seconds of virtual time."""

    def __init__(self, at: float) -> None:
        self.quiet_since = at
        """Since when nothing was changed that could hold it back."""
        self.idle_since = at
        """Since when nothing is in flight, if nothing is."""
        self.in_flight = 0
        self.failures = 0
        """How many attempts in a row have failed."""
        self.max_failures = 0
        """The most that ever did."""
        self.failed_start = 0.0
        """When the latest attempt started that failed."""
        self.woken_at = float("-inf")
        """When its owner asked for a resume, after which an open breaker probes at once."""
        self.held_until = 0.0
        self.retries: dict[int, float] = {}
        """The retries by hand that were accepted and are not made yet: when each was, by sequence."""

    @property
    def may_be_left_alone(self) -> bool:
        """Whether its breaker may be open and waiting for the time of its next probe."""
        return self.failures >= BREAKER_FROM and self.failed_start >= self.woken_at


class Waiting(Checker):
    def __init__(self, world: "SeededWorld") -> None:
        super().__init__(world)
        self._endpoints: dict[str, _Endpoint] = {}

    def _of(self, host: str) -> _Endpoint:
        found = self._endpoints.get(host)
        if found is None:
            found = self._endpoints[host] = _Endpoint(self.world.time.now)
        return found

    def started(self, process: "SimulatedProcess") -> None:
        now = self.world.time.now
        for endpoint in self._endpoints.values():
            endpoint.quiet_since = endpoint.idle_since = now
            endpoint.in_flight = 0
            endpoint.woken_at = float("-inf")  # it may not have been recorded
            # The success that ended them may not have been recorded.
            endpoint.failures = endpoint.max_failures

    def answered(self, call: ClientCall) -> None:
        subscriber = call.subscription
        if subscriber is None:
            return
        endpoint = self._of(subscriber.key)
        endpoint.quiet_since = self.world.time.now
        if call.status is CallStatus.DONE:
            if _was_resumed(call, subscriber):
                endpoint.woken_at = call.first_at
            if call.kind.startswith("skip"):
                endpoint.retries.clear()
            for resend in subscriber.resends:
                if resend.call is call and resend.what == "retry":
                    self._note_retry(endpoint, subscriber, resend)

    def _note_retry(self, endpoint: _Endpoint, subscriber: Subscriber, resend: Resend) -> None:
        """Expect a retry by hand to be made now, unless it was already. An event that was never sent has its turn."""
        sends = self.world.delivery(subscriber, resend.first).sends
        if sends and all(sent.at < resend.at for sent in sends):
            endpoint.retries[resend.first] = self.world.time.now

    def sent(self, sent: SentRequest) -> None:
        if sent.is_test:
            return
        endpoint = self._of(sent.host)
        accepted_at = endpoint.retries.pop(sent.sequence, None)
        if accepted_at is not None and self._is_free(sent):
            since = max(accepted_at, endpoint.quiet_since, endpoint.held_until, endpoint.idle_since)
            if endpoint.in_flight == 0 and sent.at - since > MAX_IDLE + self._shares_slots():
                self.fail(
                    f"{sent}: a retry by hand was accepted at {accepted_at:.3f}, and nothing sent since {since:.3f}"
                )
        if not sent.is_replay and not endpoint.may_be_left_alone and self._is_free(sent):
            ready = self._ready_at(self.world.subscriber(sent.host), sent)
            since = max(ready, endpoint.quiet_since, endpoint.held_until)
            idle, shares = sent.at - max(since, endpoint.idle_since), self._shares_slots()
            if endpoint.in_flight == 0 and idle > MAX_IDLE + shares:
                self.fail(f"{sent}: it was ready at {ready:.3f}, and the endpoint idle since {endpoint.idle_since:.3f}")
            receiver = self.world.receiver(sent.host)
            waited = sent.at - max(since, receiver.since)
            most = self._well_most(sent) + shares
            if receiver.behaviour is well and waited > most and waited > most + self._refills(sent.host, since):
                self.fail(f"{sent}: it was ready at {ready:.3f}, and the endpoint is well")
        endpoint.in_flight += 1

    def _shares_slots(self) -> float:
        """How many seconds it takes until every slow endpoint has had its turn: they share half of the slots."""
        limits = self.world.plan.limits
        rounds = 4 * len(self.world.receivers) / (min(limits.process, limits.tenant) / 2)
        return 0.0 if rounds < 1 else 6.0 * rounds

    def _is_free(self, sent: SentRequest) -> bool:
        """Whether nothing that may take its time holds its endpoint back, except for the breaker."""
        subscriber, crash_plan = self.world.subscriber(sent.host), self.world.process.crash_plan
        if self.world.clock_lag and self.world.plan.bounds is SMALL:
            return False  # a few retries that are an hour late hold up a lane that keeps few
        return (
            crash_plan.stalls == 0
            and crash_plan.full is None
            and crash_plan.unreadable is None
            and subscriber.rate_limit.at(sent.at) == [None]
            and subscriber.ordering.at(sent.at) == ["loose"]
        )

    def _ready_at(self, subscriber: Subscriber, sent: SentRequest) -> float:
        """When it was surely ready to be sent, as far as it alone is concerned."""
        scheduled = self._scheduled_at(subscriber, sent)
        # Where an extra attempt has failed, the schedule goes on at a moment by the clock, which may go back after it.
        extra = (each.ended_at for each in self.world.delivery(subscriber, sent.sequence).may_be_extra)
        return max([scheduled, *(ended_at + self.world.clock_lag for ended_at in extra if ended_at)])

    def _scheduled_at(self, subscriber: Subscriber, sent: SentRequest) -> float:
        """When its own schedule had surely come to it."""
        if sent.attempt > 1:
            delays = max((max(each, default=300) for each in subscriber.retry_delays.ever()), default=300)
            if all(each == (10, 60, 300) for each in subscriber.retry_delays.ever()):
                delays = (10, 60, 300)[sent.attempt - 2]
            failed = self.world.delivery(subscriber, sent.sequence).ends.get(sent.attempt - 1, ())
            latest = max((each.ended_at + 1.2 * max(delays, each.asked_for + 1) for each in failed), default=sent.at)
            return latest + self.world.clock_lag
        seen = self.world.seen_at[subscriber.tenant]
        return seen[sent.sequence - 1] if sent.sequence <= len(seen) else sent.at

    def _well_most(self, sent: SentRequest) -> float:
        """A document's events go one after the other."""
        tenant = self.world.subscriber(sent.host).tenant
        entry = self.world.entries[tenant][sent.sequence - 1]
        return 5.0 + 0.2 * len(self.world.documents[tenant, entry.document_id])

    def _refills(self, host: str, since: float) -> float:
        """A lane that keeps few retries takes them up a few at a time, and writes a record each time: what those took
        that went out since then."""
        if self.world.plan.bounds is not SMALL:
            return 0.0
        sends = (each.sends for each in self.world.deliveries.values() if each.subscriber.key == host)
        retried = sum(any(sent.attempt > 1 and sent.at >= since for sent in each) for each in sends)
        return MAX_REFILL * retried / SMALL.retries_loaded

    def ended(self, sent: SentRequest) -> None:
        endpoint = self._of(sent.host)
        if sent.is_test:
            if sent.is_delivered and self.world.subscriber(sent.host).path.surely(sent.path, sent.ended_at):
                self._note_success(endpoint, sent)
            return
        endpoint.in_flight -= 1
        endpoint.idle_since = sent.ended_at
        assert sent.outcome is not None
        if sent.is_delivered:
            self._note_success(endpoint, sent)
            endpoint.retries.pop(sent.sequence, None)
        elif sent.outcome.failure is not Failure.INTERRUPTED:
            endpoint.failures += 1
            endpoint.failed_start = max(endpoint.failed_start, sent.at)
            endpoint.max_failures = max(endpoint.max_failures, endpoint.failures)
            endpoint.quiet_since = sent.ended_at
        if sent.outcome.retry_after is not None:
            endpoint.held_until = max(endpoint.held_until, sent.ended_at + sent.asked_for + 1)

    def _note_success(self, endpoint: _Endpoint, sent: SentRequest) -> None:
        if endpoint.failures >= BREAKER_FROM:
            endpoint.quiet_since = sent.ended_at
        endpoint.failures = 0


def _was_resumed(call: ClientCall, subscriber: Subscriber) -> bool:
    """Whether a call that was answered 2xx surely resumed a paused subscription."""
    changes = subscriber.status.changes
    return "resume" in call.kind and len(changes) > 1 and changes[-2].value == "paused"
