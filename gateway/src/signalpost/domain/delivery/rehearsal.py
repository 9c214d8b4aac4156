"""A rehearsal: what a changed or a new subscription would have sent of the log as it was, beside what the present one
sends. Nothing is written or sent.

Every event of a period gets two judgements, one from each side, and falls under one of these:

    both    the present subscription sends it, and so would the other
    less    only the present one sends it
    more    only the other one would send it

`now` is both and less, `then` is both and more. `cannot` counts what the other one wants and nothing can be made of, so
that nothing would be sent: placeholders that do not fit the document, or a request that is impossible. It is less, or
neither.

Each side is asked as its lane would ask (`wishes.py`): whether it asked for the type when the event was made, `when` of
the event, and `after.if` of the document's newest event at the end of the delay, as if the first attempt were made at
its time and delivered. The log is walked from its end backwards, so that the later events of a document are known when
it comes to an earlier one.
"""

import base64
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from signalpost.domain.body import Body
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.event import Event, EventType, PastEvent, title_of
from signalpost.domain.fields import GivenTimestamp
from signalpost.domain.language.names import Subject
from signalpost.domain.language.subject import SubjectReader
from signalpost.domain.subscription import Subscription, wanted
from signalpost.domain.subscription_requests import (
    ConnectorRequest,
    ReadRequest,
    SubscriptionPatch,
    SubscriptionRequest,
)
from signalpost.domain.timestamps import format_timestamp

MAX_EXAMPLES: Final = 20
MAX_REQUESTS: Final = 3

# --- What clients send ------------------------------------------------------------------------------------------------


class RehearsalPeriod(Body, frozen=True, kw_only=True):
    from_: Annotated[
        GivenTimestamp | UnsetType,
        Meta(description="Only events created at this moment or later. Without it, those of the last seven days."),
    ] = field(name="from", default=UNSET)
    to: Annotated[
        GivenTimestamp | UnsetType,
        Meta(description="Only events created before this moment. Without it, all up to now."),
    ] = UNSET


class RehearsalRequest(RehearsalPeriod, frozen=True, kw_only=True):
    change: SubscriptionPatch


class NewRehearsal(RehearsalPeriod, frozen=True, kw_only=True):
    subscription: SubscriptionRequest


class NewConnectorRehearsal(RehearsalPeriod, frozen=True, kw_only=True):
    subscription: ConnectorRequest


class NewReadRehearsal(RehearsalPeriod, frozen=True, kw_only=True):
    subscription: ReadRequest


# --- Verdicts ---------------------------------------------------------------------------------------------------------


class Judgement(Struct, frozen=True):
    """What a side says of an event."""

    is_sent: bool
    why: "Callable[[EventWithSubject], str | None]" = lambda _: None
    """A sentence for people: why the event is not sent. It is asked for of examples alone."""
    is_unable: bool = False
    """Whether the event is wanted, and nothing can be made of it."""


def refused(sentence: str, *, is_unable: bool = False) -> Judgement:
    """The judgement that nothing is sent, with the same sentence for every event."""
    return Judgement(is_sent=False, why=lambda _: sentence, is_unable=is_unable)


SENT: Final = Judgement(is_sent=True)
NOT_ASKED_FOR: Final = refused("Not sent: the subscription does not ask for events of this type.")
OLDER: Final = refused("Not sent: the event is older than the subscription.")
NOT_SENT_SO_FAR: Final = refused("Not sent so far.")
"""The judgement of a subscription that is not there yet, or that cannot be read."""


def refused_by_type(subscription: Subscription, event: PastEvent) -> Judgement | None:
    """The judgement on an event that the subscription did not ask for when it was made; None if it did."""
    if event.sequence <= subscription.starts_after:
        return OLDER
    return None if event.type & wanted(subscription.filters, event.sequence) else NOT_ASKED_FOR


class LaterEvents:
    """What a delay's condition says of a document's newest event at a moment, learnt from the end of the log on.

    What is kept of a document are runs of events with the same answer, each by the time of its first one, the latest
    run first. A moment that was asked for is never later than the next, so runs after it are forgotten.
    """

    def __init__(self, delay: int) -> None:
        """`delay` in µs."""
        self._delay = delay
        self._runs: dict[bytes, list[tuple[int, str | None]]] = {}

    @property
    def documents(self) -> int:
        """The number of documents of which something is kept."""
        return len(self._runs)

    def note(self, event: PastEvent, why: str | None) -> None:
        """Take up the next event, which is earlier than those before. `why` says why the condition is not met."""
        runs = self._runs.get(event.document)
        if runs is None:
            self._runs[event.document] = [(event.at, why)]
            return
        self._forget_after(runs, event.at + self._delay)
        if runs and runs[-1][1] == why:
            runs.pop()
        runs.append((event.at, why))

    def why_no_longer(self, event: PastEvent) -> str | None:
        """Why the event that was noted last is not sent at the end of its delay; None if it is."""
        return self._runs[event.document][0][1]

    def forget_before(self, at: int) -> None:
        """Forget the documents that have no event in the delay of those that were made at this time or before."""
        ends_at = at + self._delay
        self._runs = {document: runs for document, runs in self._runs.items() if runs[-1][0] <= ends_at}

    def _forget_after(self, runs: list[tuple[int, str | None]], ends_at: int) -> None:
        while runs and runs[0][0] > ends_at:
            runs.pop(0)


# --- What comes of it -------------------------------------------------------------------------------------------------

Name = Literal["both", "more", "less", "cannot"]
NAMES: Final[tuple[Name, ...]] = ("both", "more", "less", "cannot")
_SENT_THEN: Final[tuple[Name, ...]] = ("more", "both")


class RehearsedEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """An event among the examples of a rehearsal."""

    event_id: str
    sequence: int
    event_type: str
    external_id: str
    title: str | None
    created_at: str
    why: Annotated[
        str | None, Meta(description="Why one of both sides sends nothing, or cannot; null if both send it.")
    ]


class RehearsedDocument(NamedTuple):
    """What a kind of destination is told of a document besides its event."""

    id: str
    """The document's external id."""
    made: Mapping[str, str]
    """What the last delivery for it made."""


NOT_LOOKED_AT: Final = RehearsedDocument("", {})
"""The document if no kind of destination is asked."""


class EventWithSubject(Struct, gc=False):
    """An event, decoded once for both sides if either looks into it."""

    event: PastEvent
    document: RehearsedDocument
    read: SubjectReader
    """Reads what either side looks at."""
    found: Subject | None = None

    @property
    def subject(self) -> Subject:
        if self.found is None:
            self.found = self.read(self.event, self.document.made)
        return self.found


class Example(NamedTuple):
    """An event that is shown, by its sequence, and why one of both sides sends nothing."""

    sequence: int
    why: str | None


class JudgementTally(Struct):
    """Counts events by their judgements, and keeps the first of each kind as examples: the newest."""

    counts: dict[Name, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    examples: dict[Name, list[Example]] = field(default_factory=lambda: {name: [] for name in NAMES})

    def count(self, about: EventWithSubject, now: Judgement, then: Judgement) -> None:
        if then.is_unable:
            self._add("cannot", about, then)
        if then.is_sent:
            self._add("both" if now.is_sent else "more", about, now)
        elif now.is_sent:
            self._add("less", about, then)

    @property
    def now(self) -> int:
        return self.counts["both"] + self.counts["less"]

    @property
    def then(self) -> int:
        return self.counts["both"] + self.counts["more"]

    @property
    def shown(self) -> list[int]:
        """The events whose requests are shown: those first that the present subscription does not send."""
        return [each.sequence for name in _SENT_THEN for each in self.examples[name][:MAX_REQUESTS]][:MAX_REQUESTS]

    @property
    def sequences(self) -> set[int]:
        """The events that are shown."""
        return {each.sequence for found in self.examples.values() for each in found}

    def _add(self, name: Name, about: EventWithSubject, judgement: Judgement) -> None:
        self.counts[name] += 1
        if self.counts[name] <= MAX_EXAMPLES:
            self.examples[name].append(Example(about.event.sequence, judgement.why(about)))


def shown(event: Event) -> RehearsedEvent:
    """An event as an example for people, without the sentence why it is not sent."""
    return RehearsedEvent(
        event_id=event.id,
        sequence=event.sequence,
        event_type=EventType(event.type).wire,
        external_id=event.document_id,
        title=title_of(event.body),
        created_at=format_timestamp(event.at),
        why=None,
    )


# --- What a replay of it needs to know --------------------------------------------------------------------------------


class RehearsalId(Struct, frozen=True, array_like=True):
    """What the id of a rehearsal says. Nothing is kept of a rehearsal: its id has what a replay needs."""

    from_sequence: Annotated[int, Meta(ge=1, le=2**62)]
    to_sequence: Annotated[int, Meta(ge=0, le=2**62)]
    wants: str
    """`wants_of` the subscription as it was rehearsed."""

    @property
    def text(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def read_rehearsal_id(text: str) -> RehearsalId:
    """Raises Invalid."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=RehearsalId)
    except (TypeError, ValueError, msgspec.MsgspecError):
        detail = "There is no rehearsal with this id. It must be the `id` that a rehearsal was answered with."
        raise Invalid([FieldError("/rehearsal", "not_found", detail)]) from None


def wants_of(subscription: Subscription) -> str:
    """Stands for all that decides which events a subscription wants from now on, and what it makes of them."""
    each = subscription
    said = (each.kind, each.connection_id, each.config, each.when, each.after, each.filters[-1][1])
    return sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()[:32]
