"""What each lane says of how many of its deliveries wait and failed is what a count of them gives, after every restart
and at the end."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess

_KEPT = "SELECT subscription_number, awaiting_retry, blocked, failed FROM lane ORDER BY subscription_number"
_COUNTED = (
    "SELECT l.subscription_number, count(*) FILTER (WHERE d.state = 1), count(*) FILTER (WHERE d.state = 2),"
    " count(*) FILTER (WHERE d.state = 3) FROM lane l LEFT JOIN delivery d USING (subscription_number)"
    " GROUP BY l.subscription_number ORDER BY l.subscription_number"
)


class Counts(Checker):
    def began(self, process: "SimulatedProcess") -> None:
        self._check(process)

    def finished(self, process: "SimulatedProcess") -> None:
        self._check(process)

    def _check(self, process: "SimulatedProcess") -> None:
        connection = process.connection
        connection.execute("BEGIN")
        kept, counted = connection.execute(_KEPT).fetchall(), connection.execute(_COUNTED).fetchall()
        connection.execute("COMMIT")
        for said, is_so in zip(kept, counted, strict=True):
            if said != is_so:
                self.fail(f"lane, awaiting retry, blocked, failed: {said} were kept, and {is_so} are there")
