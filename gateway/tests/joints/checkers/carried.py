"""Every retry by hand and every replay that was accepted is carried out."""

from typing import TYPE_CHECKING

from gateway.tests.joints.checkers import Checker
from gateway.tests.world.model.conditions import is_met
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.wishes import Again, Wish

if TYPE_CHECKING:
    from gateway.tests.joints.node import JointNode


class Resends(Checker):
    async def finished(self, node: "JointNode") -> None:
        for wish in self.world.wishes.values():
            if True in wish.deleted.ever() or wish.skips:
                continue
            for again in wish.again:
                for event in self.world.log.events:
                    if again.covers(event) and self._is_owed(wish, again, event):
                        self.fail(f"event {event.sequence} was not sent again to {wish}, as {again} asks")

    def _is_owed(self, wish: Wish, again: Again, event: LoggedEvent) -> bool:
        """Whether the event must have been sent since a client asked for it, and was not."""
        world = self.world
        attempts = world.attempts_of.get((wish.name, event.sequence), [])
        if any(each.at >= again.begun or (each.ok and each.ended_at >= again.begun) for each in attempts):
            return False
        if world.clients.endpoint_tokens.may_lack(wish, again.begun):
            return False
        if event.document_id in world.model.erased or wish.wants_type(event) is not True:
            return False
        if wish.latest_wins or any(wait is not None and wait.still is not None for wait in wish.after.ever()):
            return False
        whens = wish.when.between(again.begun, world.time.now)
        if event.sequence <= wish.starts_after or not all(is_met(when, event.document, event.before) for when in whens):
            return False
        if again.what == "retry":
            return True
        recorded = [each for each in attempts if world.recorded_by(each) < again.begun]
        if not recorded or len(recorded) < len(attempts):
            return False
        if again.what == "all":
            return any(each.ok for each in recorded)
        last = recorded[-1]
        return again.what == "failed" and not last.ok and self._is_given_up(wish, last.is_rejected, last.number)

    def _is_given_up(self, wish: Wish, is_rejected: bool, number: int) -> bool:
        schedules = {len(delays) for delays in wish.delays.ever()}
        return is_rejected or (wish.is_webhook and number > max(schedules))
