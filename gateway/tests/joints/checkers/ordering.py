"""One event of a document is under way to a subscription at a time, the lowest that is ready first; in strict order
none overtakes one that is not over (C17)."""

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.history import Attempt
from gateway.tests.world.model import sayings

MOVED_WITHIN = 5.0
"""The seconds in which deliveries that wait come to the time that a changed delay gives them."""


class Ordering(Checker):
    def sent(self, attempt: Attempt) -> None:
        wish, event = attempt.wish, attempt.event
        for other in self.world.log.of(event.document_id):
            for earlier in self.world.attempts_of.get((wish.name, other.sequence), []):
                if self.world.is_under_way(earlier):
                    self.world.fail(sayings.ORDER.rule, f"{attempt} while {earlier} is under way: {sayings.ORDER}")
        if not self.world.model.was_asked_again(wish, event, attempt.at):
            self._check_overtaking(attempt)

    def _check_overtaking(self, attempt: Attempt) -> None:
        wish, event, model = attempt.wish, attempt.event, self.world.model
        if wish.wants_tokens:
            return  # no endpoint sees an attempt for which no token came
        is_strict = wish.ordering.between(attempt.at - MOVED_WITHIN, attempt.at) == ["strict"]
        for other in self.world.log.of(event.document_id):
            if other.sequence >= event.sequence:
                return
            if not model.is_surely_due(wish, other, attempt.at, MOVED_WITHIN):
                continue
            made = self.world.attempts_of.get((wish.name, other.sequence), [])
            if not made:
                self.world.fail(sayings.ORDER.rule, f"{attempt} overtakes event {other.sequence}: {sayings.ORDER}")
            elif is_strict and not self.world.may_be_over(wish, made):
                self.world.fail(sayings.STRICT.rule, f"{attempt} overtakes {made[-1]}: {sayings.STRICT}")
