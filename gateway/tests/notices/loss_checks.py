"""The nodes of a world of notices that are killed, and what must hold of what people are told of them. Each is started
again at once.

*Telling*: of one that had not run for an hour, people are told, since it may end again and again. *Truth*: of one that
had, they are not.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.tests.notices.notice_checks import seconds_of
from gateway.tests.notices.plan import HOUR, MINUTE

if TYPE_CHECKING:
    from gateway.tests.notices.notice_checks import Row
    from gateway.tests.notices.notice_world import Node, NoticeWorld

TOLD_WITHIN: Final = 5 * MINUTE
"""The seconds in which a loss is surely found, and a condition opens."""
OPENS_WITHIN: Final = 20 * MINUTE
"""The seconds after which no condition opens because of a loss any more."""


class Loss(NamedTuple):
    at: float
    ran_for: float

    @property
    def is_told(self) -> bool:
        """Whether people are told of it, however long it takes to be found."""
        return self.ran_for + TOLD_WITHIN < HOUR


class LossChecks:
    def __init__(self, world: "NoticeWorld") -> None:
        self._world = world
        self._losses: list[Loss] = []

    def killed(self, node: "Node") -> None:
        now = self._world.time.now
        joined = self._world.rows("SELECT joined_at FROM node WHERE id = ?", node.store.fleet.node_id)
        self._losses += [Loss(now, now - seconds_of(at)) for (at,) in joined]

    def look(self) -> None:
        """Look whether people are told of the last one, unless something else kept nodes from looking since."""
        now, world = self._world.time.now, self._world
        if not self._losses or world.troubled_at > self._losses[-1].at:
            return
        last = self._losses[-1]
        is_due = last.at + TOLD_WITHIN <= now < last.at + OPENS_WITHIN
        if is_due and last.is_told and not world.checks.has_open("nodeLost"):
            world.fail("telling", f"{last} happened, and nobody is told at {now}")

    def check_truth(self, row: "Row") -> None:
        if row.kind == "nodeLost" and not any(
            loss.ran_for < HOUR and loss.at <= row.opened_at < loss.at + OPENS_WITHIN for loss in self._losses
        ):
            self._world.fail("truth", f"{row} opened though each node that was lost had run for long: {self._losses}")
