"""Finds what was missed: goes through the gateway's log, and handles what was not handled.

An event in the log is taken as one that was delivered: so the store tells duplicates, and if the order is kept,
stale ones. What cannot be settled now (an event in progress, a handler or the store that fails) is left for the next
time, which begins at it. Events that are older than `remember` are never handled, because the store may have forgotten
that they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .decoding import encode
from .envelope import Hints, event_of
from .errors import HandlerError, InProgress, PayloadError, StoreError
from .event import Event
from .feed import Feed, Page
from .handling import Handling, Outcome, Result
from .steps import Step, Steps

if TYPE_CHECKING:
    from .event import Json


@dataclass(slots=True)
class Reconciliation:
    """What a pass through the log found."""

    resume_from: int
    """What to give as `since` the next time: everything up to this sequence is settled."""
    missed: list[Event] = field(default_factory=list)
    """The events that had not been handled, and were handled or held now."""
    failed: list[tuple[int, HandlerError | StoreError | PayloadError]] = field(default_factory=list)
    """The sequences of events that could not be handled, and why. They are tried again the next time."""
    in_progress: list[int] = field(default_factory=list)
    """The sequences of events that were being handled. They are looked at again the next time."""
    too_old: list[int] = field(default_factory=list)
    """The sequences of events from before the time that the store remembers; whether they were handled is unknown."""
    lost: int = 0
    """How many events the gateway no longer keeps."""

    def settle(self, sequence: int) -> None:
        """Note how far the log is settled; it stays before the first event that is not."""
        if not self.failed and not self.in_progress:
            self.resume_from = sequence


def reconcile(handling: Handling, feed: Feed, since: int) -> Steps[Reconciliation]:
    """Describe a pass through the log, from after the sequence `since` to its end."""
    found = Reconciliation(since)
    after = since
    while True:
        page: Page = yield Step(lambda start=after: feed.page(start), True)  # type: ignore[misc]  # noqa: FBT003
        found.lost += page.lost
        for sequence, value in page.entries:
            yield from _settle(handling, found, sequence, value)
        found.settle(page.last)
        if page.last <= after:
            return found
        after = page.last


def _settle(handling: Handling, found: Reconciliation, sequence: int, value: Json) -> Steps[None]:
    if _is_erased(value):
        found.settle(sequence)
        return
    try:
        event = event_of(value, Hints(sequence=sequence))
        if handling.is_forgotten(event):
            found.too_old.append(sequence)
        else:
            result: Result = yield from handling.receive(encode(value), event)
            if result.outcome in (Outcome.HANDLED, Outcome.HELD):
                found.missed.append(event)
    except InProgress:
        found.in_progress.append(sequence)
    except (HandlerError, StoreError, PayloadError) as error:
        found.failed.append((sequence, error))
    found.settle(sequence)


def _is_erased(value: Json) -> bool:
    """Whether nothing is left of an event but its place in the log, because its document was erased for good."""
    data = value.get("data") if isinstance(value, dict) else None
    return isinstance(data, dict) and "document" in data and data["document"] is None
