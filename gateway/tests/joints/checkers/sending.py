"""No request is made that the model forbids at that moment."""

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.history import Attempt


class Sending(Checker):
    def sent(self, attempt: Attempt) -> None:
        why = self.world.model.why_not(attempt.wish, attempt.event, attempt.at)
        if why is not None:
            self.world.fail(why.rule, f"{attempt} must not be sent: {why}")
