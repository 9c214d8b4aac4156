"""Where an attempt stands in the traces of its event.

The attempts that the gateway makes of itself are in the trace of their event, below the span of its creation. Their ids
are derived, so an attempt that a crash repeats, under the same number, has the same span.

A replay, or a retry by hand, begins a trace of its own, which has a link to that span: a trace that grows again after a
week is lost by what decides at its end whether to keep it.
"""

from typing import NamedTuple

from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.event import Event
from signalpost.domain.trace_context import header_of, span_of, trace_of


class AttemptTrace(NamedTuple):
    trace: bytes
    span: bytes
    """The span of the attempt itself."""
    parent: bytes
    """The span of the event's creation; of what a person asked for, the span of that."""
    is_asked: bool = False
    """Whether a person asked for the attempt, so that its trace has a link to the event's."""
    is_first: bool = False
    """Whether it is the first of the attempts that a person asked for."""

    @property
    def header(self) -> str:
        """The `traceparent` of the attempt's request."""
        return header_of(self.trace, self.span)


def creation_span(event_id: str) -> bytes:
    """The span of an event's creation."""
    return span_of(event_id)


def trace_of_attempt(event: Event, subscription_id: str, delivery: Delivery, now: int) -> AttemptTrace:
    """The trace of an attempt that is made now. `event` is traced. A person may ask for as many retries as they like,
    under the same number: only the time tells these apart. The attempts of a replay are in one trace."""
    number = delivery.failed_attempts + 1
    if delivery.is_by_hand:
        asked = (event.id, subscription_id, "by hand", now)
        return AttemptTrace(trace_of(*asked), span_of(*asked, number), span_of(*asked), is_asked=True, is_first=True)
    if delivery.run > 0:
        asked = (event.id, subscription_id, "replay", delivery.replay or 0)
        span, parent, is_first = span_of(*asked, number), span_of(*asked), number == 1
        return AttemptTrace(trace_of(*asked), span, parent, is_asked=True, is_first=is_first)
    return AttemptTrace(event.trace[:16], span_of(event.id, subscription_id, number), creation_span(event.id))
