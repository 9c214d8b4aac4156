"""What a rehearsal asks of the log, and what a walk through it finds."""

from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from signalpost.domain.delivery.rehearsal import JudgementTally
from signalpost.engine.rehearsing.side import Side


class RehearsalBounds(NamedTuple):
    """Where a walk ends, although it has not come to the beginning of its period, and how much it does at once."""

    events: int = 2_000_000
    seconds: int = 25
    """Less than clients wait for an answer."""
    documents: int = 200_000
    """The number of documents of which answers of later events are kept for a delay's condition."""
    page: int = 1_000
    """How many numbers of the log one page looks through at most: it is judged while the next one is read."""
    page_of_types: int = 4_000
    """The same if nothing but the types of events is looked at, which takes a fifth as long."""


BOUNDS: Final = RehearsalBounds()


class Question(Struct, frozen=True, kw_only=True):
    """What is to be rehearsed."""

    tenant_id: int
    caller: Hashable
    from_at: int
    to_at: int
    """The period: from the first moment, up to and without the second."""
    first: int
    last: int
    """The sequences of the period, both included."""
    ahead: int
    """The last sequence that may matter to a delay's condition."""
    now: Side | None
    """The subscription as it is; None if there is none yet."""
    then: Side

    @property
    def sides(self) -> Sequence[Side]:
        return (self.then,) if self.now is None else (self.now, self.then)

    @property
    def events(self) -> int:
        """How many events there are to be looked at, at most."""
        return self.ahead - self.first + 1


class WalkResult(Struct, frozen=True):
    """What a walk saw."""

    tally: JudgementTally
    reached: int
    """The sequence down to which the log was looked through: the period's first, unless the walk ended early."""


class Walks(Protocol):
    """What walks the log."""

    async def walk(self, question: Question) -> WalkResult: ...
