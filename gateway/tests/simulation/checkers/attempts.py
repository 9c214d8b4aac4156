"""No more attempts are counted than scheduled, and each is made at its time (C16).

After a success nothing is sent unless a client asks for it. After a crash only that is sent again, under the same
number, which was sent and not recorded yet. An attempt that is made before its time is an extra one, for which a client
asked by hand: a failure of it does not count, and the schedule goes on as if it had not been made.
"""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Delivery
from gateway.tests.world.network import SentRequest

from signalpost.domain.delivery import retry
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess

EARLY = 2e-6
"""Seconds: the clocks count µs."""
RECORDED_WITHIN = 3.0
"""Seconds in which an outcome is recorded on a disk that works: 20 ms and a few commits, some of them slow."""


class Attempts(Checker):
    def sent(self, sent: SentRequest) -> None:
        if sent.is_test:
            return
        delivery = self.world.delivery(self.world.subscriber(sent.host), sent.sequence)
        if sent.is_replay:
            self._check_rerun(delivery, sent)
        else:
            self._check_first_run(delivery, sent)

    def _check_first_run(self, delivery: Delivery, sent: SentRequest) -> None:
        subscriber = delivery.subscriber
        if delivery.succeeded:
            self.fail(f"{sent}: it was delivered before, by {[s for s in delivery.sends if s.is_delivered]}")
        elif sent.attempt - 1 not in delivery.failures:
            self.fail(f"{sent}: {delivery.failures} counted attempts have failed: {delivery.sends}")
        elif sent.attempt > subscriber.budget_most:
            self.fail(f"{sent}: there are {subscriber.budget_most}")
        if self._may_be_by_hand(delivery, sent):
            delivery.may_be_extra.add(sent)
        if sent.attempt > 1 and sent.at < self._earliest(delivery, sent) - EARLY:
            if sent not in delivery.may_be_extra:
                self.fail(f"{sent}: not before {self._earliest(delivery, sent):.6f}: {delivery.sends}")
            delivery.extra.add(sent)

    def _may_be_by_hand(self, delivery: Delivery, sent: SentRequest) -> bool:
        """Whether a client asked for a retry of it before, so that this may be the one."""
        return any(
            resend.what == "retry" and resend.first == sent.sequence and resend.at <= sent.at
            for resend in delivery.subscriber.resends
        )

    def _earliest(self, delivery: Delivery, sent: SentRequest) -> float:
        """When the attempt may be made: after the delay since the one before ended, or what its answer asked for."""
        before = delivery.ends.get(sent.attempt - 1, ())
        times = []
        for failed in before:
            delays = [
                (delays or retry.DELAYS)[min(failed.attempt, len(delays or retry.DELAYS)) - 1]
                for delays in delivery.subscriber.retry_delays.ever()
            ]
            slack = self.world.clock_slack / SECOND if failed.process != sent.process else 0.0
            times.append(failed.ended_at + max(min(delays), failed.asked_for) - slack)
        return min(times, default=0.0)

    def _check_rerun(self, delivery: Delivery, sent: SentRequest) -> None:
        subscriber = delivery.subscriber
        orders = [
            resend
            for resend in subscriber.resends
            if resend.first <= sent.sequence <= resend.last and resend.at <= sent.at
        ]
        continues = delivery.rerun_failures is not None and sent.attempt - 1 in delivery.rerun_failures
        begins = sent.attempt == 1 and not continues
        if not continues and not begins:
            self.fail(f"{sent}: {delivery.rerun_failures} counted attempts of this run have failed: {delivery.sends}")
        if begins and delivery.reruns >= len(orders):
            self.fail(f"{sent}: nobody asked for it; asked for were {orders}: {delivery.sends}")
        most = max([1 if resend.what == "retry" else 4 for resend in orders], default=0)
        if sent.attempt > most:
            self.fail(f"{sent}: there are {most}")
        entry = self.world.entry(subscriber.tenant, sent.sequence)
        abandoned = sent.sequence <= subscriber.skipped_to or (entry is not None and not self.world.is_kept(entry))
        if not delivery.is_over and not abandoned:
            self.fail(f"{sent}: it was not settled: {delivery.sends}")
        if self._may_be_by_hand(delivery, sent):
            delivery.may_be_extra.add(sent)

    def started(self, process: "SimulatedProcess") -> None:
        """What ended long before the last process did, on a disk that worked, was recorded."""
        for delivery, sent in self.world.unrecorded:
            if self.world.recording_since(sent) > RECORDED_WITHIN:
                self.fail(f"{sent} of {delivery} ended at {sent.ended_at:.3f}, and was not recorded")
