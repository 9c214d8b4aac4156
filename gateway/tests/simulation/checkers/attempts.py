"""At most four counted attempts, each at its time (C16); nothing is sent after a success but on demand; and after a
crash only what was sent and not yet recorded is sent again, under the same number."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Delivery
from gateway.tests.simulation.network import Sent

from signalpost.domain.delivery import retry
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.simulation.life import Life

EARLY = 2e-6
"""Seconds: the clocks count µs."""
RECORDED_WITHIN = 3.0
"""Seconds in which an outcome is recorded on a disk that works: 20 ms and a few commits, some of them slow."""


class Attempts(Checker):
    def sent(self, sent: Sent) -> None:
        if sent.is_test:
            return
        delivery = self.world.delivery(self.world.subscriber(sent.host), sent.sequence)
        if sent.is_replay:
            self._check_again(delivery, sent)
        else:
            self._check_first_run(delivery, sent)

    def _check_first_run(self, delivery: Delivery, sent: Sent) -> None:
        subscriber = delivery.subscriber
        if delivery.succeeded:
            self.fail(f"{sent}: it was delivered before, by {[s for s in delivery.sends if s.delivered]}")
        elif sent.attempt - 1 not in delivery.failures:
            self.fail(f"{sent}: {delivery.failures} counted attempts have failed: {delivery.sends}")
        elif sent.attempt > subscriber.budget_most:
            self.fail(f"{sent}: there are {subscriber.budget_most}")
        hurried = self._hurried(delivery, sent)
        sent.is_extra = hurried
        if sent.attempt > 1 and not hurried and sent.at < self._earliest(delivery, sent) - EARLY:
            self.fail(f"{sent}: not before {self._earliest(delivery, sent):.6f}: {delivery.sends}")

    def _hurried(self, delivery: Delivery, sent: Sent) -> bool:
        """Whether a person's retry may have brought it."""
        return any(
            again.what == "retry" and again.first == sent.sequence and again.at <= sent.at
            for again in delivery.subscriber.again
        )

    def _earliest(self, delivery: Delivery, sent: Sent) -> float:
        """When the attempt may be made: after the delay since the one before ended, or what its answer asked for."""
        before = delivery.ends.get(sent.attempt - 1, ())
        times = []
        for failed in before:
            delays = [
                (delays or retry.DELAYS)[min(failed.attempt, len(delays or retry.DELAYS)) - 1]
                for delays in delivery.subscriber.retry_delays.ever()
            ]
            slack = self.world.clock_slack / SECOND if failed.life != sent.life else 0.0
            times.append(failed.ended_at + max(min(delays), failed.asked_for) - slack)
        return min(times, default=0.0)

    def _check_again(self, delivery: Delivery, sent: Sent) -> None:
        subscriber = delivery.subscriber
        asked = [
            again for again in subscriber.again if again.first <= sent.sequence <= again.last and again.at <= sent.at
        ]
        continues = delivery.again is not None and sent.attempt - 1 in delivery.again
        begins = sent.attempt == 1 and not continues
        if not continues and not begins:
            self.fail(f"{sent}: {delivery.again} counted attempts of this run have failed: {delivery.sends}")
        if begins and delivery.times_again >= len(asked):
            self.fail(f"{sent}: nobody asked for it; asked were {asked}: {delivery.sends}")
        most = max([1 if again.what == "retry" else 4 for again in asked], default=0)
        if sent.attempt > most:
            self.fail(f"{sent}: there are {most}")
        entry = self.world.entry(subscriber.tenant, sent.sequence)
        abandoned = sent.sequence <= subscriber.skipped_to or (entry is not None and not self.world.is_kept(entry))
        if not delivery.is_over and not abandoned:
            self.fail(f"{sent}: it was not settled: {delivery.sends}")
        sent.is_extra = self._hurried(delivery, sent)

    def began(self, life: "Life") -> None:
        """What ended long before the last process did, on a disk that worked, was recorded."""
        for delivery, sent in self.world.unrecorded:
            if self.world.recording_since(sent) > RECORDED_WITHIN:
                self.fail(f"{sent} of {delivery} ended at {sent.ended_at:.3f}, and was not recorded")
