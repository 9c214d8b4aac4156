"""In the end exactly what must be delivered was delivered, or given up after all its attempts."""

from typing import TYPE_CHECKING

from gateway.tests.joints.checkers import Checker
from gateway.tests.world.model.verdicts import Duty

if TYPE_CHECKING:
    from gateway.tests.joints.node import JointNode


class Settling(Checker):
    async def finished(self, node: "JointNode") -> None:
        world = self.world
        for wish in world.wishes.values():
            for event in world.log.events:
                verdict = world.model.in_the_end(wish, event, world.time.now)
                attempts = world.attempts_of.get((wish.name, event.sequence), [])
                if verdict.duty is Duty.MUST and not any(each.ok for each in attempts):
                    failed = sum(each.ok is False for each in attempts)
                    failed += world.clients.endpoint_tokens.lacked(wish, event)
                    is_given_up = any(each.is_rejected for each in attempts)
                    if not is_given_up and failed <= min(len(delays) for delays in wish.delays.ever()):
                        self.fail(f"event {event.sequence} never came to {wish}, after {failed} failed attempts")
