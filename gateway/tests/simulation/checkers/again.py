"""What a person asked to be sent again is sent again: a retry that was accepted, and everything that a replay is about,
unless a later order gave it up."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Again, Subscriber, Told

from signalpost.domain.delivery.replay import ReplayState
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.simulation.life import Life

DAY = 24 * 3600 * SECOND


class AgainChecker(Checker):
    async def read(self, life: "Life") -> None:
        for subscriber in self.world.clients.subscribers.values():
            if any(subscriber.deleted.ever()):
                continue
            for again in subscriber.again:
                if again.asked.told is Told.DONE:
                    await self._check(life, subscriber, again)

    async def _check(self, life: "Life", subscriber: Subscriber, again: Again) -> None:
        if again.replay_id is None:
            self._check_sent(subscriber, again, again.first)
            return
        found = life.engine.subscription(subscriber.tenant, subscriber.id)
        replay = None if found is None else await life.store.replay(found, again.replay_id)
        if replay is None:
            # The retention takes a replay some days after its end.
            if self.world.wall_reached - again.asked.first_wall < self.world.plan.days * DAY:
                self.fail(f"{again.asked} was accepted, and is not there")
            return
        if replay.state is ReplayState.RUNNING:
            self.fail(f"{again.asked} does not come to its end: {replay}")
        if replay.state is not ReplayState.FINISHED:
            return
        for sequence in range(max(1, again.first), again.last + 1):
            entry = self.world.entries[subscriber.tenant][sequence - 1]
            is_about_it = again.what == "all" or sequence in again.failed
            if is_about_it and subscriber.wants(sequence, entry.type):
                self._check_sent(subscriber, again, sequence)

    def _check_sent(self, subscriber: Subscriber, again: Again, sequence: int) -> None:
        if sequence <= subscriber.skipped_to or sequence < self.world.floor[subscriber.tenant]:
            return
        delivery = self.world.delivery(subscriber, sequence)
        if not any(sent.at >= again.at or sent.ended_at >= again.at or sent.is_cut for sent in delivery.sends):
            self.fail(f"{again.asked} was accepted at {again.at:.3f}, and #{sequence} not sent: {delivery}")
