"""Once all is well, an attempt fails only on a connection that was lost without a sign, and the next one succeeds."""

from collections import Counter
from typing import TYPE_CHECKING

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.history import Attempt

if TYPE_CHECKING:
    from gateway.tests.joints.joint_world import JointWorld

MOST = 1


class Recovery(Checker):
    def __init__(self, world: "JointWorld") -> None:
        super().__init__(world)
        self._failed: Counter[tuple[str, int]] = Counter()

    def ended(self, attempt: Attempt) -> None:
        if attempt.wish.is_webhook and not attempt.ok and attempt.at > self.world.healed_at:
            delivery = (attempt.wish.name, attempt.event.sequence)
            self._failed[delivery] += 1
            if self._failed[delivery] > MOST:
                self.fail(f"{attempt} fails once more, and all is well")
