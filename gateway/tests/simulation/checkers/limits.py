"""An endpoint has at most so many requests under way as it showed that it can take; in no second do more start than its
rate limit, and none while it asked to wait (C16)."""

from collections import deque
from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Change
from gateway.tests.simulation.network import Sent

if TYPE_CHECKING:
    from gateway.tests.simulation.life import Life
    from gateway.tests.simulation.world import World

FIRST = 4
EARLY = 2e-6


class Limits(Checker):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._flying: dict[str, int] = {}
        self._successes: dict[str, int] = {}
        self._held: dict[str, tuple[float, float, str]] = {}
        """From when until when an answer asked that nothing more be sent, and at which URL."""
        self._starts: dict[str, tuple[Change[int | None], deque[float]]] = {}
        """Since a limit holds, the times of the last ones: as many as it allows in a second."""

    def began(self, life: "Life") -> None:
        self._flying.clear()
        self._successes.clear()
        self._starts.clear()
        self._held.clear()

    def sent(self, sent: Sent) -> None:
        if sent.is_test:
            return
        flying = self._flying[sent.host] = self._flying.get(sent.host, 0) + 1
        limits = self.world.plan.limits
        most = min(limits.endpoint, FIRST + self._successes.get(sent.host, 0))
        if flying > most:
            self.fail(f"{sent}: {flying} are under way there; {most} may be")
        if sum(self._flying.values()) > limits.process:
            self.fail(f"{sent}: more than {limits.process} are under way")
        tenant = self.world.subscriber(sent.host).tenant
        of_tenant = (n for host, n in self._flying.items() if self.world.subscriber(host).tenant == tenant)
        if sum(of_tenant) > limits.tenant:
            self.fail(f"{sent}: more than {limits.tenant} of its tenant are under way")
        self._check_rate(sent)
        since, until, path = self._held.get(sent.host, (0.0, 0.0, ""))
        if since + self._late() < sent.at < until - EARLY and sent.path == path:
            self.fail(f"{sent}: an answer asked to wait until {until:.3f} (C16)")

    def _check_rate(self, sent: Sent) -> None:
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
        doom = self.world.life.doom
        return 4.0 if doom.stalls or doom.unreadable else 4 * self.world.plan.commit_seconds

    def ended(self, sent: Sent) -> None:
        if not sent.is_test:
            self._flying[sent.host] -= 1
            held = self._held.get(sent.host)
            if sent.asked_for and (held is None or held[1] < sent.ended_at + sent.asked_for):
                self._held[sent.host] = (sent.ended_at, sent.ended_at + sent.asked_for, sent.path)
            # An answer that is no success shows that the endpoint is there, as well.
            self._successes[sent.host] = self._successes.get(sent.host, 0) + 1
