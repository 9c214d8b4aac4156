"""A replay sends the deliveries of a part of the log again.

    RUNNING ─finish─▶ FINISHED        all of its range was fed to the lane
       └────cancel──▶ CANCELLED       nothing more is fed; what was, is sent

A skip of the subscription's backlog cancels its running replays, and gives up what they fed with the rest.

It has no deliveries of its own. It *feeds* its subscription's lane, oldest first and a part at a time: each failed (or,
if `all` is asked for, settled) delivery of the range begins a new run. A replay of what is `waiting` begins none: the
next attempt of each delivery that awaits its retry is made now, and counts as if its time had come. What is `unsent`
was settled or given up without a request: it did not meet a condition, its type was not asked for, or nothing could be
made of it. `cursor` says how
far it came. The lane's owner writes `cursor` in the transaction that writes the rows of what was fed, so a crash
repeats no part and leaves none out.

A replay counts how the deliveries that it queued ended: delivered, given up again, or not sent after all. Each of them
carries the replay's number until it ends, in memory and in its row, and the counts are written in the transaction that
writes or removes that row. So what still waits is the rest.
"""

from enum import IntEnum, StrEnum
from typing import Annotated, Literal, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import replace

from signalpost.domain.body import Body
from signalpost.domain.event import BY_WIRE, EVERY_TYPE, OF_DOCUMENTS, EventTypeName, type_names
from signalpost.domain.fields import GivenTimestamp, Text, Uuid
from signalpost.domain.transitions import Transitions

ATTEMPTS = 4
"""How many a replayed delivery has, no matter what the subscription's own schedule says (C16)."""
MAX_RUNNING = 10
"""How many replays of one subscription may run at a time."""

Resent = Literal["failed", "waiting", "all"]
"""What is resent: deliveries that were given up; those that await a retry, now instead of at its time; those that were
given up or delivered."""
What = Literal["failed", "waiting", "all", "unsent"]
"""What a replay sends: one of those, or (after a rehearsal) events for which nothing was ever sent."""


class ReplayChoice(Struct, frozen=True):
    """Which deliveries of a range a replay is about."""

    what: What
    types: int = EVERY_TYPE
    """Only events of these types (as bits)."""
    document_id: str | None = None
    """Only events of this document; None for those of all."""

    @property
    def is_every_event(self) -> bool:
        """Whether neither a type nor a document was chosen."""
        return self.types == EVERY_TYPE and self.document_id is None


class ReplayRequest(Body, frozen=True, kw_only=True):
    from_: Annotated[
        GivenTimestamp | UnsetType,
        Meta(description="Only events created at this moment or later. Either this or `fromSequence` is needed."),
    ] = field(name="from", default=UNSET)
    from_sequence: Annotated[
        Annotated[int, Meta(ge=1, le=2**62)] | UnsetType,
        Meta(description="Only events with this sequence or a higher one."),
    ] = UNSET
    to: Annotated[
        GivenTimestamp | UnsetType,
        Meta(description="Only events created before this moment. Without it, all up to now."),
    ] = UNSET
    status: Resent
    event_types: Annotated[
        Annotated[tuple[EventTypeName, ...], Meta(min_length=1, max_length=10)] | UnsetType,
        Meta(description="Only events of these types. Without it, all types."),
    ] = UNSET
    external_id: Annotated[
        Uuid | UnsetType, Meta(description="Only events of this document. Without it, all documents.")
    ] = UNSET
    dry_run: Annotated[bool, Meta(description="Count the deliveries, and start nothing.")] = False

    @property
    def choice(self) -> ReplayChoice:
        types = EVERY_TYPE if self.event_types is UNSET else sum({BY_WIRE[each] for each in self.event_types})
        if types == sum(OF_DOCUMENTS.values()):  # there are no others where there are these
            types = EVERY_TYPE
        return ReplayChoice(self.status, types, None if self.external_id is UNSET else self.external_id)


class RehearsedReplayRequest(Body, frozen=True, kw_only=True):
    """A replay of what a rehearsal found missing."""

    rehearsal: Annotated[
        Text,
        Meta(
            description="The `id` of a rehearsal whose change was saved: sends the events of its period that the "
            "subscription wants now and for which nothing was ever sent.",
        ),
    ]
    dry_run: Annotated[bool, Meta(description="Count the deliveries, and start nothing.")] = False


MAX_SUBSCRIPTIONS = 100
"""The maximum number of subscriptions for which one request starts replays, since each one is counted."""


class ReplayOfManyRequest(ReplayRequest, frozen=True, kw_only=True):
    """Replays of several subscriptions."""

    subscription_ids: Annotated[tuple[Uuid, ...], Meta(min_length=1, max_length=MAX_SUBSCRIPTIONS)] | UnsetType = UNSET


class LeftOut(Struct, frozen=True, rename="camel"):
    """Events in a replay's period that it does not send. Each number is capped like all counts."""

    removed: Annotated[int, Meta(description="At most this many events of the range were removed by the retention.")]
    unwanted: Annotated[int, Meta(description="Events that the subscription did not want, or that are older than it.")]
    waiting: Annotated[int, Meta(description="Deliveries that are still waiting and will be sent without a replay.")]
    unmet: Annotated[int, Meta(description="Events that do not meet the subscription's `when`, as it is now.")] = 0


NOTHING_LEFT_OUT = LeftOut(removed=0, unwanted=0, waiting=0)


class ReplayState(StrEnum):
    """Part of the API and of the schema."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class ReplayInput(IntEnum):
    FINISH = 0
    CANCEL = 1


TRANSITIONS: Transitions[ReplayState, ReplayInput] = {
    ReplayState.RUNNING: {
        ReplayInput.FINISH: ReplayState.FINISHED,
        ReplayInput.CANCEL: ReplayState.CANCELLED,
    },
    ReplayState.FINISHED: {},
    ReplayState.CANCELLED: {},
}
"""The next state for each state and input."""


class ReplayTally(NamedTuple):
    """How deliveries that a replay queued ended."""

    delivered: int = 0
    failed: int = 0
    """Given up again."""
    skipped: int = 0
    """There was nothing to send any more, or a later replay took them over."""

    def __add__(self, other: "ReplayTally") -> "ReplayTally":  # type: ignore[override]  # a tuple's own would join them
        return ReplayTally(self.delivered + other.delivered, self.failed + other.failed, self.skipped + other.skipped)


class ReplayRange(Struct, frozen=True, kw_only=True):
    """What of a log a replay is about."""

    from_at: int
    to_at: int
    """The times that were asked for: from the first, up to and without the second."""
    from_sequence: int
    to_sequence: int
    """The range, both included, that these were when it started."""


class Replay(ReplayRange, frozen=True, kw_only=True):
    number: int
    """The replay's key in the store."""
    id: str
    tenant_id: int
    subscription_number: int
    what: What
    count: int
    """How many deliveries it had to send when it started; a lower bound if `count_is_capped`."""
    count_is_capped: bool
    created_at: int
    cursor: int
    """The last sequence that it is done with."""
    queued: int = 0
    """How many deliveries began a new run."""
    state: ReplayState = ReplayState.RUNNING
    finished_at: int | None = None
    """When it was finished or cancelled."""
    types: int = EVERY_TYPE
    document_id: str | None = None
    """What of its range it is about; see `ReplayChoice`."""
    created_by: str | None = None
    """Name of the key or member that started it; None if that was not noted."""
    delivered: int = 0
    failed: int = 0
    skipped: int = 0
    """How the deliveries that it queued ended; see `ReplayTally`."""

    @property
    def choice(self) -> ReplayChoice:
        return ReplayChoice(self.what, self.types, self.document_id)

    @property
    def event_types(self) -> list[str] | None:
        """The types that were chosen; None for all."""
        return None if self.types == EVERY_TYPE else type_names(self.types)

    @property
    def known_count(self) -> int:
        """How many deliveries it is about, as far as is known: more may have failed since they were counted."""
        return max(self.count, self.queued)

    @property
    def waiting(self) -> int:
        """How many of the deliveries that it queued have not ended."""
        return self.queued - self.delivered - self.failed - self.skipped

    def cancelled(self, at: int) -> "Replay":
        """The replay, which must be running, once it is cancelled."""
        return replace(self, state=TRANSITIONS[self.state][ReplayInput.CANCEL], finished_at=at)

    def fed(self, cursor: int, queued: int, end: int, now: int) -> "Replay":
        """The replay after one more part, up to `cursor`, from which `queued` deliveries were queued; it finishes at
        `end`."""
        further = replace(self, cursor=cursor, queued=self.queued + queued)
        if cursor < end:
            return further
        return replace(further, state=TRANSITIONS[self.state][ReplayInput.FINISH], finished_at=now)
