"""All checkers."""

from gateway.tests.joints.checkers.answers import Answers
from gateway.tests.joints.checkers.carried import Resends
from gateway.tests.joints.checkers.changes import Changes
from gateway.tests.joints.checkers.content import Content
from gateway.tests.joints.checkers.everywhere import Everywhere
from gateway.tests.joints.checkers.once import Once
from gateway.tests.joints.checkers.ordering import Ordering
from gateway.tests.joints.checkers.reading import Reading
from gateway.tests.joints.checkers.recovery import Recovery
from gateway.tests.joints.checkers.rehearsing import Rehearsing
from gateway.tests.joints.checkers.rows import Rows
from gateway.tests.joints.checkers.sending import Sending
from gateway.tests.joints.checkers.settling import Settling
from gateway.tests.joints.checkers.tokens import Tokens
from gateway.tests.joints.checkers.traces import Traces
from gateway.tests.joints.checkers.waiting import Waiting

CHECKERS = (
    Sending, Content, Ordering, Once, Changes, Answers, Tokens, Settling, Resends, Reading, Recovery, Rows,
    Traces, Everywhere, Waiting, Rehearsing,
)  # fmt: skip
