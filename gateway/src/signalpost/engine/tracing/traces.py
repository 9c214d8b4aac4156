"""Makes spans of what has ended, and hands them to the exporter.

Only what is traced comes here, but for one look at each attempt and each commit. Nothing here is durable, and nothing
depends on it: what is remembered to say how long something waited, and for what, is bounded, and gone with the process.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from signalpost.domain import spans
from signalpost.domain.delivery.attempt_trace import AttemptTrace
from signalpost.domain.delivery.delivery import AT_ONCE, Delivery
from signalpost.domain.delivery.outcome import UNCOUNTED, Failure, Outcome
from signalpost.domain.delivery.sending import Sending
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.domain.trace_context import NO_SPAN, NOT_TRACED, is_sampled, kept_with, span_of, trace_of_event
from signalpost.runtime.clock import Clock
from signalpost.sharing.rate_limit import RateLimit

SHORTEST_WAIT: Final = 10_000
"""µs of a wait that are worth a span."""
MAX_ENDS: Final = 4_096
"""How many ends of attempts and commits are remembered at least; at most it is twice as many."""
_COMMITTED: Final = 0
_NO_ATTEMPT: Final = (Failure.INTERRUPTED, Failure.SKIPPED)
"""An attempt that was cut is made again, in the same span; what there was nothing to send of is none."""


class Exporter(Protocol):
    """Where encoded spans go."""

    @property
    def dropped(self) -> int:
        """How many of them were dropped."""
        ...

    def add(self, span: bytes) -> None: ...


class Traces:
    def __init__(self, exporter: Exporter, clock: Clock, *, ratio: float = 0.0, failures: int = 0) -> None:
        """`ratio` is the share of traced events among those for which no client named a trace, and `failures` how many
        failed attempts of other events are traced in a second."""
        self._exporter = exporter
        self._clock = clock
        self._ratio = ratio
        self._failures = failures
        self._failures_told = RateLimit()
        self._ends: dict[tuple[int, str | int], int] = {}
        """When the last attempt of a document, or of a delivery that failed, ended; by the number of the subscription
        and the document's id or the event's sequence. Also when an event was committed, by its id and `_COMMITTED`."""
        self._ends_before: dict[tuple[int, str | int], int] = {}
        """The `MAX_ENDS` before those. Two halves take the place of an order by age, which cost each attempt more, and
        most are not traced."""

    @property
    def dropped(self) -> int:
        """How many spans were dropped."""
        return self._exporter.dropped

    def context_of(self, given: bytes, event_id: str | None) -> bytes:
        """The context of a request that came in the context `given` and made this event, if that is sampled."""
        if event_id is not None:
            return kept_with(given, event_id, self._ratio)
        return given if is_sampled(given) else NOT_TRACED

    def requested(self, context: bytes, identity: bytes, method: str, route: str, status: int, seconds: float) -> None:
        """A request in a sampled context was answered after so many seconds. `identity` is the id of its span."""
        ended = self._clock.wall()
        began = ended - int(seconds * SECOND)
        self._add(spans.request_span(context, identity, method, route, status, began, ended))

    def committed(self, events: Iterable[Event], seconds: float) -> None:
        """Events were committed, which took so many seconds."""
        ended = self._clock.wall()
        for event in events:
            if event.trace:
                self._add_all(spans.creation_spans(event, ended - int(seconds * SECOND), ended))
                self._note_end((_COMMITTED, event.id), ended)

    def attempted(self, sending: Sending, outcome: Outcome, held: tuple[str, int]) -> None:
        """An attempt has ended, and its delivery is not settled yet. `held` says what last kept the lane from sending,
        and when by the steady clock that was seen."""
        if outcome.failure in _NO_ATTEMPT:
            return
        sent, delivery, event, trace = sending.subscription, sending.delivery, sending.event, sending.trace
        ended = outcome.started_at + outcome.elapsed_us
        if trace is not None:
            self._add_wait(trace, event, sent, delivery, outcome.started_at, held)
            if outcome.failure is not None:
                self._note_end((sent.number, event.sequence), ended)
            if outcome.failure in UNCOUNTED:  # the next attempt has its number; and no vendor was told of it
                trace = trace._replace(span=span_of(event.id, sent.id, "uncounted", outcome.started_at))
        elif outcome.failure is not None and self._may_tell_failure():
            identity = span_of(event.id, sent.id, "failure", outcome.started_at)
            trace = AttemptTrace(trace_of_event(event.id), identity, NO_SPAN)
        self._note_end((sent.number, event.document_id), ended)
        if trace is not None:
            self._add_all(spans.attempt_spans(trace, event, sent, delivery.failed_attempts, outcome))

    def _may_tell_failure(self) -> bool:
        now = self._clock.steady()
        if not self._failures or self._failures_told.earliest(self._failures, now) > now:
            return False
        self._failures_told.start(now)
        return True

    # --- Waits --------------------------------------------------------------------------------------------------------

    def _add_wait(
        self,
        trace: AttemptTrace,
        event: Event,
        sent: Subscription,
        delivery: Delivery,
        until: int,
        held: tuple[str, int],
    ) -> None:
        """Tell what an attempt waited for that began at `until`. It waited from when the event was due, or from the end
        of the attempt before; of what a person asked for, that is not known."""
        since = self._waits_since(event, sent, delivery)
        if trace.is_asked or since is None or until - since < SHORTEST_WAIT:
            return
        reason, seen = held
        since_by_steady_clock = since + self._clock.steady() - self._clock.wall()
        before = self._end_of((sent.number, event.document_id)) or 0
        if seen < since_by_steady_clock:
            reason = "retry" if delivery.failed_attempts else "document" if before > since else "turn"
        identity = span_of(event.id, sent.id, "wait", until)
        self._add(
            spans.span(f"wait {reason}", spans.SpanKind.INTERNAL, trace.trace, identity, trace.parent, since, until,
                       {"signalpost.subscription": sent.id, "signalpost.wait": reason})
        )  # fmt: skip

    def _waits_since(self, event: Event, sent: Subscription, delivery: Delivery) -> int | None:
        """µs since the epoch; None if that was before this process began, or in another one."""
        if delivery.failed_attempts == 0:
            return max(event.at + sent.delay * SECOND, self._end_of((_COMMITTED, event.id)) or 0)
        known = self._end_of((sent.number, event.sequence))
        if known is not None or delivery.due == AT_ONCE:
            return known
        return delivery.due + self._clock.wall() - self._clock.steady()

    def _note_end(self, of: tuple[int, str | int], at: int) -> None:
        self._ends[of] = at
        if len(self._ends) >= MAX_ENDS:
            self._ends_before, self._ends = self._ends, {}

    def _end_of(self, of: tuple[int, str | int]) -> int | None:
        known = self._ends.get(of)
        return self._ends_before.get(of) if known is None else known

    # --- Export -------------------------------------------------------------------------------------------------------

    def _add(self, made: spans.Span) -> None:
        self._exporter.add(spans.encode(made))

    def _add_all(self, made: Iterable[spans.Span]) -> None:
        for each in made:
            self._add(each)
