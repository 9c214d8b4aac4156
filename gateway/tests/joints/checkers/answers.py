"""A retry by hand and a replay are answered as the model says."""

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.history import ClientCall
from gateway.tests.world.model import sayings
from gateway.tests.world.model.conditions import is_met
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.wishes import Again, Wish

RECORDED_AFTER = 0.1
"""The seconds in which an outcome is recorded at most, if all is well: until then it counts as one that waits."""


class Answers(Checker):
    def resent(self, wish: Wish, again: Again, asked: ClientCall, event: LoggedEvent | None) -> None:
        if asked.answer is not None and asked.answer.status == 401:
            self.world.fail("everywhere", f"{asked}: the key is not known at that node")
            return
        if True in wish.deleted.between(again.begun, asked.done_at):
            return
        if event is not None:
            self._check_retry(wish, again, asked, event)
        elif asked.is_done:
            self._check_count(wish, again, asked)

    def _check_retry(self, wish: Wish, again: Again, asked: ClientCall, event: LoggedEvent) -> None:
        assert asked.answer is not None
        status = asked.answer.status
        if event.document_id in self.world.model.erased or wish.wants_type(event) is not True:
            return
        wants = {is_met(when, event.document, event.before) for when in wish.when.between(again.begun, asked.done_at)}
        refused = (404, 409) if asked.by == "guest" else (409,)  # customers do not learn of it
        if wants == {False} and status not in refused:
            self.world.fail("retry of refused", f"{asked}: {sayings.CHANGE_WHEN}")
        may_ask = set(wish.status.between(again.begun, asked.done_at)) == {"active"} and asked.by != "guest"
        has_still = any(wait is not None and wait.still for wait in wish.after.between(again.begun, asked.done_at))
        if wants == {True} and not has_still and may_ask and event.sequence > wish.starts_after and status != 202:
            self.fail(f"{asked}, although it is wanted: {asked.answer.body.decode()}")

    def _check_count(self, wish: Wish, again: Again, asked: ClientCall) -> None:
        assert asked.answer is not None
        count = asked.answer.json["count"]
        covered = [event for event in self.world.log.events if again.covers(event)]
        most = [event for event in covered if self._may_be_resent(wish, again, event, asked.done_at)]
        if count > len(most):
            self.world.fail("count", f"{asked} counts {count}, and may send {[event.sequence for event in most]}")
        least = [event for event in covered if self._surely_is_resent(wish, again, event, asked.done_at)]
        if count < len(least):
            self.world.fail("count", f"{asked} counts {count}, and must send {[event.sequence for event in least]}")

    def _may_be_resent(self, wish: Wish, again: Again, event: LoggedEvent, at: float) -> bool:
        if event.sequence <= wish.starts_after or wish.wants_type(event) is False:
            return False
        # What waits goes on with the condition by which its run began.
        since = event.at if again.what == "waiting" else again.begun
        if not any(is_met(when, event.document, event.before) for when in wish.when.between(since, at)):
            return False
        is_done = event.document_id in self.world.model.erased
        attempts = self.world.attempts_of.get((wish.name, event.sequence), [])
        if again.what == "waiting":
            if any(each is not again and each.covers(event) and each.begun < at for each in wish.again):
                return True  # it may wait to be sent again, also if that was asked for while this was
            known = again.begun - self.world.model.slack.told - RECORDED_AFTER
            return not any(each.ok and self.world.is_recorded(each) and each.ended_at < known for each in attempts)
        is_given_up = any(event.sequence <= skip.most and skip.begun <= at for skip in wish.skips)
        has_failed = any(each.ok is not True for each in attempts) or wish.wants_tokens
        return again.what == "all" or is_done or is_given_up or has_failed

    def _surely_is_resent(self, wish: Wish, again: Again, event: LoggedEvent, at: float) -> bool:
        """Whether it was surely delivered, and nothing was asked of it since."""
        if again.what != "all" or wish.latest_wins or event.document_id in self.world.model.erased:
            return False
        if not all(is_met(when, event.document, event.before) for when in wish.when.between(again.begun, at)):
            return False
        attempts = self.world.attempts_of.get((wish.name, event.sequence), [])
        others = [each for each in wish.again if each is not again and each.covers(event) and each.begun < at]
        recorded = [each for each in attempts if each.ok and each.ended_at < again.begun - 3.0]
        return bool(recorded) and recorded[-1] is attempts[-1] and not others
