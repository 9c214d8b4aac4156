"""Nothing waits longer than it has to: what is ready goes out at once if its subscription has nothing else under way.

Only of webhooks whose breakers are closed, and of single processes whose endpoints are reached at once: lanes of a
fleet change hands, and connections take their time."""

from math import inf

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.history import Attempt
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.wishes import Wish

WITHIN = 5.0
"""The seconds within which what is ready goes out."""
BREAKS = 20
"""How many failures in a row may open a breaker."""


class Waiting(Checker):
    @property
    def _is_simple(self) -> bool:
        return self.world.plan.nodes == 1 and self.world.plan.wires is None

    def sent(self, attempt: Attempt) -> None:
        wish, event, world = attempt.wish, attempt.event, self.world
        made = world.attempts_by.get(wish.name, [])
        if not wish.is_webhook or not self._is_simple or (wish.name, event.sequence) in world.attempts_of:
            return
        if world.model.was_asked_again(wish, event, attempt.at) or self._may_be_held(wish, made):
            return
        ended = [each.ended_at for each in made if each.ok is not None]
        since = max(self._ready_since(wish, event), world.able_since(attempt.process), *ended, 0.0)
        if attempt.at > since + WITHIN:
            self.fail(f"{attempt} could have begun at {since:.3f}")

    def _may_be_held(self, wish: Wish, made: list[Attempt]) -> bool:
        """Whether another attempt, the breaker, a token, or in strict order an earlier retry may hold it up."""
        if any(self.world.is_under_way(each) for each in made) or wish.wants_tokens:
            return True
        failed = [each.ok is not True for each in made]
        return (all(failed[-BREAKS:]) and len(made) >= BREAKS) or (any(failed) and "strict" in wish.ordering.ever())

    def _ready_since(self, wish: Wish, event: LoggedEvent) -> float:
        """Since when it was surely known that the event can be sent; infinite as long as a change is under way."""
        wait = wish.after.last
        due = event.seen_at if wait is None else max(event.seen_at, event.at + wait.seconds)
        changes = (change for each in (wish.status, wish.after, wish.ordering) for change in each.changes)
        return max([due, wish.made_at, *(inf if change.done is None else change.done for change in changes)])
