"""What a client asked to have sent again is sent again, unless a later order gave it up.

A retry by hand that was accepted is followed by an attempt that started after it was asked for; only if an attempt was
in flight then, and delivered, is it not needed any more. A replay sends everything that it is about.
"""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import CallStatus, Resend, Subscriber

from signalpost.domain.delivery.replay import ReplayState
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess

DAY = 24 * 3600 * SECOND


class Resends(Checker):
    async def read(self, process: "SimulatedProcess") -> None:
        for subscriber in self.world.clients.subscribers.values():
            if any(subscriber.deleted.ever()):
                continue
            for resend in subscriber.resends:
                if resend.call.status is CallStatus.DONE:
                    await self._check(process, subscriber, resend)

    async def _check(self, process: "SimulatedProcess", subscriber: Subscriber, resend: Resend) -> None:
        if resend.replay_id is None:
            self._check_retry(subscriber, resend)
            return
        found = process.engine.directory.subscription(subscriber.tenant, subscriber.id)
        replay = None if found is None else await process.store.replays.get(found, resend.replay_id)
        if replay is None:
            # The retention takes a replay some days after its end.
            if self.world.wall_reached - resend.call.first_wall < self.world.plan.days * DAY:
                self.fail(f"{resend.call} was accepted, and is not there")
            return
        if replay.state is ReplayState.RUNNING:
            self.fail(f"{resend.call} does not come to its end: {replay}")
        if not 0 <= replay.waiting <= replay.queued:
            self.fail(f"{resend.call} counted wrongly how its deliveries ended: {replay}")
        if replay.state is not ReplayState.FINISHED:
            return
        for sequence in range(max(1, resend.first), resend.last + 1):
            entry = self.world.entries[subscriber.tenant][sequence - 1]
            is_about_it = resend.what == "all" or sequence in resend.failed
            if is_about_it and subscriber.wants(sequence, entry.type):
                self._check_replayed(subscriber, resend, sequence)

    def _check_retry(self, subscriber: Subscriber, resend: Resend) -> None:
        delivery = self.world.delivery(subscriber, resend.first)
        is_carried_out = any(
            sent.at >= resend.at or (sent.is_delivered and sent.ended_at >= resend.at) for sent in delivery.sends
        )
        if not is_carried_out and not self._may_be_gone(subscriber, resend.first):
            self.fail(f"{resend.call} was asked for at {resend.at:.3f} and accepted, and not made: {delivery}")

    def _check_replayed(self, subscriber: Subscriber, resend: Resend, sequence: int) -> None:
        """A replay leaves alone what is in flight when it gets there."""
        delivery = self.world.delivery(subscriber, sequence)
        is_sent = any(sent.at >= resend.at or sent.ended_at >= resend.at or sent.is_cut for sent in delivery.sends)
        if not is_sent and not self._may_be_gone(subscriber, sequence):
            self.fail(
                f"{resend.call} was asked for at {resend.at:.3f} and accepted, and #{sequence} not sent: {delivery}"
            )

    def _may_be_gone(self, subscriber: Subscriber, sequence: int) -> bool:
        """Whether its owner may have skipped it, or the retention may have taken it."""
        return sequence <= subscriber.skipped_to or sequence < self.world.floor[subscriber.tenant]
