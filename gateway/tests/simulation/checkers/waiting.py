"""No endpoint with work waits because of others: one that has nothing under way and something that may be sent gets its
turn at once, and one that answers well and at once gets its events at once, whatever the others do."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import ClientCall, Subscriber
from gateway.tests.simulation.plan import SMALL
from gateway.tests.simulation.receivers import well
from gateway.tests.world.network import SentRequest

from signalpost.domain.delivery.outcome import Failure

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess
    from gateway.tests.simulation.seeded_world import SeededWorld

MAX_IDLE = 2.0
"""Seconds that an endpoint may be idle while there is something for it: what reading and recording take, and more."""
MAX_REFILL = 0.3
"""Seconds that it takes a lane to get the next few retries: its turn to be recorded, and a slow commit or two."""
BREAKER_FROM = 20
"""Failures in a row after which an endpoint may be left alone for minutes."""


class _Endpoint:
    """What is seen of one."""

    def __init__(self, at: float) -> None:
        self.quiet_since = at
        """Since then nothing was changed that could hold it back."""
        self.idle_since = at
        self.in_flight = 0
        self.failures = 0
        """In a row."""
        self.failures_most = 0
        """The most that there ever were."""
        self.held_until = 0.0


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
            # The success that ended them may not have been recorded.
            endpoint.failures = endpoint.failures_most

    def answered(self, call: ClientCall) -> None:
        if call.subscription is not None:
            self._of(call.subscription.key).quiet_since = self.world.time.now

    def sent(self, sent: SentRequest) -> None:
        if sent.is_test:
            return
        endpoint = self._of(sent.host)
        if not sent.is_replay and self._is_free(sent, endpoint):
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
        """Seconds until those that take long have let everybody have his turn: half of the slots are theirs."""
        limits = self.world.plan.limits
        rounds = 4 * len(self.world.receivers) / (min(limits.process, limits.tenant) / 2)
        return 0.0 if rounds < 1 else 6.0 * rounds

    def _is_free(self, sent: SentRequest, endpoint: _Endpoint) -> bool:
        """Whether nothing that may take its time holds the endpoint back."""
        subscriber, crash_plan = self.world.subscriber(sent.host), self.world.process.crash_plan
        if self.world.clock_lag and self.world.plan.bounds is SMALL:
            return False  # a few retries that are an hour late hold up a lane that keeps few
        return (
            endpoint.failures < BREAKER_FROM
            and crash_plan.stalls == 0
            and crash_plan.full is None
            and crash_plan.unreadable is None
            and subscriber.rate_limit.at(sent.at) == [None]
            and subscriber.ordering.at(sent.at) == ["loose"]
        )

    def _ready_at(self, subscriber: Subscriber, sent: SentRequest) -> float:
        """By when it could have been sent, as far as it alone is concerned."""
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
        if sent.is_test:
            return
        endpoint = self._of(sent.host)
        endpoint.in_flight -= 1
        endpoint.idle_since = sent.ended_at
        assert sent.outcome is not None
        if sent.is_delivered:
            if endpoint.failures >= BREAKER_FROM:
                endpoint.quiet_since = sent.ended_at
            endpoint.failures = 0
        elif sent.outcome.failure is not Failure.INTERRUPTED:
            endpoint.failures += 1
            endpoint.failures_most = max(endpoint.failures_most, endpoint.failures)
            endpoint.quiet_since = sent.ended_at
        if sent.outcome.retry_after is not None:
            endpoint.held_until = max(endpoint.held_until, sent.ended_at + sent.asked_for + 1)
