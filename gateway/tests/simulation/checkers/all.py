"""Every checker, in the order in which they look."""

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.checkers.attempts import Attempts
from gateway.tests.simulation.checkers.audit import Audit
from gateway.tests.simulation.checkers.counts import Counts
from gateway.tests.simulation.checkers.limits import Limits
from gateway.tests.simulation.checkers.log import Log
from gateway.tests.simulation.checkers.order import Order
from gateway.tests.simulation.checkers.promises import Promises
from gateway.tests.simulation.checkers.reading import Reading
from gateway.tests.simulation.checkers.resends import Resends
from gateway.tests.simulation.checkers.selection import Selection
from gateway.tests.simulation.checkers.settling import Settling
from gateway.tests.simulation.checkers.signatures import Signatures
from gateway.tests.simulation.checkers.waiting import Waiting

CHECKERS: tuple[type[Checker], ...] = (
    Promises, Log, Selection, Attempts, Order, Signatures, Limits, Waiting, Resends, Settling, Counts, Reading, Audit,
)  # fmt: skip
