"""What the engine counts while it works: plain integers, so that a delivery pays next to nothing for being counted.

`api/metric_families.py` turns them into metrics when it is asked.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Literal, NamedTuple

from signalpost.domain.delivery.attempt_trace import AttemptTrace
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.event import Event, EventType
from signalpost.domain.timestamps import SECOND
from signalpost.runtime.histogram import Histogram

TokenAnswer = Literal["granted", "refused", "unanswered"]
TOKEN_ANSWERS: tuple[TokenAnswer, ...] = ("granted", "refused", "unanswered")
ContactMail = Literal["sent", "refused", "failed"]
CONTACT_MAILS: tuple[ContactMail, ...] = ("sent", "refused", "failed")
SKIPPED = Failure.SKIPPED
COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ATTEMPT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 5.5)
"""The last bound is beyond the time that an attempt has (C15), which tells a time-out from a slow answer."""
DELIVERY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0)
"""From a delivery at once to one that needed all retries of the longest usual schedule."""

_type_of, _tenant_of = attrgetter("type"), attrgetter("tenant_id")


class TracedDelivery(NamedTuple):
    """An example of how long deliveries take, with the trace in which one can see why."""

    trace: bytes
    seconds: float
    at: float
    """Seconds since the epoch."""


class Counts:
    """What happened since the process began."""

    def __init__(self) -> None:
        self.events: Counter[int] = Counter(dict.fromkeys(map(int, EventType), 0))
        """How many events were committed, by type."""
        self.events_of: Counter[int] = Counter()
        """How many events were committed, by tenant."""
        self.attempts: dict[Failure | None, int] = {None: 0, **dict.fromkeys(Failure, 0)}
        """How many attempts ended, by failure; None counts the delivered ones."""
        self.disabled = 0
        """How many subscriptions were disabled because their endpoints had failed for days."""
        self.given_up = 0
        """How many deliveries were given up because their attempts failed, or because a vendor rejected them."""
        self.lost = 0
        """How many events the retention removed before a subscription got them."""
        self.breakers_opened = 0
        self.tokens: Counter[TokenAnswer] = Counter()
        """How requests for tokens ended."""
        self.contact_mails: Counter[ContactMail] = Counter()
        """How mails to contacts of subscriptions ended."""
        self.attempt_seconds: defaultdict[str, Histogram] = defaultdict(partial(Histogram, ATTEMPT_SECONDS))
        """How long attempts took, by the kind of destination."""
        self.delivery_seconds: defaultdict[str, Histogram] = defaultdict(partial(Histogram, DELIVERY_SECONDS))
        """How long after its event each delivery arrived, by the kind of destination."""
        self.traced_deliveries: defaultdict[str, dict[int, TracedDelivery]] = defaultdict(dict)
        """The last traced delivery of each bucket of `delivery_seconds`, by the kind of destination."""
        self.failed_commits = 0
        """How many commits of commands failed."""
        self.commit_seconds = Histogram(COMMIT_SECONDS)
        """How long commits of commands took."""
        self.record_seconds = Histogram(COMMIT_SECONDS)
        """How long records of lanes took."""

    @property
    def committed(self) -> int:
        """How many events were committed."""
        return sum(self.events.values())

    @property
    def attempted(self) -> int:
        """How many attempts ended."""
        return sum(self.attempts.values())

    def count_events(self, events: Sequence[Event]) -> None:
        self.events.update(map(_type_of, events))
        self.events_of.update(map(_tenant_of, events))

    def count_attempt(self, kind: str, outcome: Outcome) -> None:
        """Count an attempt at a destination of a kind. One that had nothing to send took no time worth counting."""
        self.attempts[outcome.failure] += 1
        if outcome.failure is not SKIPPED:
            self.attempt_seconds[kind].add(outcome.elapsed_us / SECOND)

    def count_delivery(self, kind: str, due: int, outcome: Outcome, trace: AttemptTrace | None = None) -> None:
        """Count the first delivery of an event to a destination of a kind. It was due at `due`, µs since the epoch."""
        late = outcome.started_at + outcome.elapsed_us - due
        seconds = late / SECOND if late > 0 else 0.0
        self.delivery_seconds[kind].add(seconds)
        if trace is not None:
            place = bisect_left(DELIVERY_SECONDS, seconds)
            at = (outcome.started_at + outcome.elapsed_us) / SECOND
            self.traced_deliveries[kind][place] = TracedDelivery(trace.trace, seconds, at)
