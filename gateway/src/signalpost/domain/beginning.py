"""Where in the log a new subscription begins: at its end, or in the past, after an event or at a time.

What the retention removed is never left out in silence: a beginning that may lack some of what was asked for is
refused, with the oldest event that is kept.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.event import Event
from signalpost.domain.timestamps import format_timestamp

AFTER: Final = "startsAfter"
AT: Final = "startsAt"

StartsAfter = Annotated[
    int,
    Meta(
        ge=0,
        le=2**62,
        description="Begin in the past: the subscription gets exactly the events with a higher sequence than this. "
        "Without it, or `startsAt`, it begins at the end of the log.",
    ),
]
STARTS_AT: Final = Meta(
    description="Begin in the past: the subscription gets exactly the events that were created at this moment or later."
)


class Beginning(Struct, frozen=True):
    """A place in the past of a log, as it was looked up a moment before the subscription is made."""

    member: str
    """The member of the request that asked for it."""
    starts_after: int
    oldest: int
    """The lowest sequence that was kept."""
    lost: str | None = None
    """A sentence: which of the events that it should begin with may be gone; None if all are kept."""

    def in_log_up_to(self, last: int) -> int:
        """The sequence after which the subscription begins in a log with this last sequence. Raises Invalid."""
        if self.starts_after > last:
            end = f"The log ends with event {last}." if last else "The log has no event yet."
            detail = f"{end} Leave this out to begin there."
            raise Invalid([FieldError(f"/{self.member}", "beyond_the_end", detail)])
        if self.lost is not None:
            raise Invalid([FieldError(f"/{self.member}", "below_retention", self.lost)], oldest=self.oldest)
        return self.starts_after


def after(sequence: int, floor: int) -> Beginning:
    """The beginning after an event, in a log of which the events from `floor` on are kept."""
    lost = f"Events up to {floor - 1} are no longer kept. {_instead(floor)}" if sequence < floor - 1 else None
    return Beginning(AFTER, sequence, floor, lost)


def at(moment: int, first: int, found: Event | None, floor: int) -> Beginning:
    """The beginning at a moment (µs). `first` is the lowest sequence that is kept and was not made earlier, and `found`
    its event; None if there is none."""
    lost = None
    if floor > 1 and first <= floor and (found is None or found.at > moment):
        kept = "none is kept" if found is None else f"the oldest is of {format_timestamp(found.at)}"
        lost = (
            f"Events up to {floor - 1} are no longer kept, and some may be later than that: {kept}. {_instead(floor)}"
        )
    return Beginning(AT, first - 1, floor, lost)


def _instead(floor: int) -> str:
    return f"To begin with what is kept, send {AFTER} {floor - 1}."
