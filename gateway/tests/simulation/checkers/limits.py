"""An endpoint has at most so many requests under way as it showed that it can take; in no second do more start than its
rate limit, and none while it asked to wait (C16)."""

from collections import deque
from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.world.network import SentRequest
from gateway.tests.world.timeline import Change

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess
    from gateway.tests.simulation.seeded_world import SeededWorld

FIRST = 4
EARLY = 2e-6


class Limits(Checker):
    def __init__(self, world: "SeededWorld") -> None:
        super().__init__(world)
        self._in_flight: dict[str, int] = {}
        self._successes: dict[str, int] = {}
        self._held: dict[str, tuple[float, float, str]] = {}
        """From when until when an answer asked that nothing more be sent, and at which URL."""
        self._starts: dict[str, tuple[Change[int | None], deque[float]]] = {}
        """Since a limit holds, the times of the last ones: as many as it allows in a second."""

    def started(self, process: "SimulatedProcess") -> None:
        self._in_flight.clear()
        self._successes.clear()
        self._starts.clear()
        self._held.clear()

    def sent(self, sent: SentRequest) -> None:
        if sent.is_test:
            return
        in_flight = self._in_flight[sent.host] = self._in_flight.get(sent.host, 0) + 1
        limits = self.world.plan.limits
        most = min(limits.endpoint, FIRST + self._successes.get(sent.host, 0))
        if in_flight > most:
            self.fail(f"{sent}: {in_flight} are under way there; {most} may be")
        if sum(self._in_flight.values()) > limits.process:
            self.fail(f"{sent}: more than {limits.process} are under way")
        tenant = self.world.subscriber(sent.host).tenant
        of_tenant = (n for host, n in self._in_flight.items() if self.world.subscriber(host).tenant == tenant)
        if sum(of_tenant) > limits.tenant:
            self.fail(f"{sent}: more than {limits.tenant} of its tenant are under way")
        self._check_rate(sent)
        since, until, path = self._held.get(sent.host, (0.0, 0.0, ""))
        if since + self._late() < sent.at < until - EARLY and sent.path == path:
            self.fail(f"{sent}: an answer asked to wait until {until:.3f} (C16)")

    def _check_rate(self, sent: SentRequest) -> None:
        changes = self.world.subscriber(sent.host).rate_limit.changes
        limit, rate = changes[-1], changes[-1].value
        if limit.done is None or limit.done + self._late() > sent.at or rate is None:
            return
        known, starts = self._starts.get(sent.host, (None, deque()))
        if known is not limit:
            starts = deque(maxlen=rate)
        if len(starts) == rate and sent.at < starts[0] + 1 - EARLY:
            self.fail(f"{sent}: more than {rate} in a second")
        starts.append(sent.at)
        self._starts[sent.host] = (limit, starts)

    def _late(self) -> float:
        """Seconds between the decision to send and the sending, at most: where the event must be read first."""
        crash_plan = self.world.process.crash_plan
        return 4.0 if crash_plan.stalls or crash_plan.unreadable else 4 * self.world.plan.commit_seconds

    def ended(self, sent: SentRequest) -> None:
        if not sent.is_test:
            self._in_flight[sent.host] -= 1
            held = self._held.get(sent.host)
            if sent.asked_for and (held is None or held[1] < sent.ended_at + sent.asked_for):
                self._held[sent.host] = (sent.ended_at, sent.ended_at + sent.asked_for, sent.path)
            # An answer that is no success shows that the endpoint is there, as well.
            self._successes[sent.host] = self._successes.get(sent.host, 0) + 1
