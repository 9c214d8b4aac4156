"""No request is made that the model forbids at that moment."""

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.history import Attempt
from gateway.tests.world.model.verdicts import Earlier


class Sending(Checker):
    def sent(self, attempt: Attempt) -> None:
        world = self.world
        made = world.attempts_of.get((attempt.wish.name, attempt.event.sequence), [])
        is_retry = any(world.is_recorded(each) and not each.is_uncounted for each in made)
        over_since = made[-1].at if made and world.is_surely_over(attempt.wish, made) else None
        under_way = tuple((each.at, world.over_at(each)) for each in made)
        earlier = Earlier(bool(made), is_retry, under_way, over_since)
        why = world.model.why_not(attempt.wish, attempt.event, attempt.at, earlier)
        if why is not None:
            world.fail(why.rule, f"{attempt} must not be sent: {why}")
