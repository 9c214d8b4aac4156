"""What was delivered is not sent again unless a client asks for it, and nothing is tried early or too often (C16)."""

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.history import Attempt
from gateway.tests.world.model import sayings


class Once(Checker):
    def sent(self, attempt: Attempt) -> None:
        wish, event = attempt.wish, attempt.event
        earlier = self.world.attempts_of.get((wish.name, event.sequence), [])
        asked = [again for again in wish.again if again.covers(event) and again.begun <= attempt.at]
        if attempt.is_replay and not asked:
            self.world.fail(sayings.AGAIN.rule, f"{attempt}, and nobody asked for it: {sayings.AGAIN}")
        taken = [each for each in earlier if each.ok and self.world.is_recorded(each)]
        if taken:
            told = self.world.model.slack.told
            begins = [
                again
                for again in asked
                if again.what in ("all", "failed")
                or (again.what == "retry" and again.answered + told > taken[-1].ended_at)
            ]
            if not begins or len(taken) > len(asked):
                self.fail(f"{attempt}, although {taken[-1]}: {sayings.ONCE}")
        elif not asked and wish.is_webhook:
            self._check_schedule(attempt, earlier)

    def _check_schedule(self, attempt: Attempt, earlier: list[Attempt]) -> None:
        failed = [
            each for each in earlier if each.ok is False and self.world.is_recorded(each) and not each.is_uncounted
        ]
        schedules = list(attempt.wish.delays.ever())
        if attempt.number > 1 + max(map(len, schedules)):
            self.world.fail(sayings.EARLY.rule, f"{attempt} is attempt {attempt.number}")
        if failed:
            last = failed[-1]
            pauses = [each[min(last.number, len(each)) - 1] if each else 10 for each in schedules]
            if attempt.at < last.ended_at + min(pauses) - 0.001:
                self.world.fail(sayings.EARLY.rule, f"{attempt} after {last}: {sayings.EARLY}")
