"""What was seen from outside: what clients asked and were told, what receivers were sent, what reads said.

Everything here is public: a client or a receiver could have kept it. It says nothing of lanes, heads or rows. Where a
client was not told when its change took place, all that it could have been is kept (`Timeline`).
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from gateway.tests.simulation.network import Sent

from signalpost.commands.overlay import Answer, Command
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.event import EventType

V = TypeVar("V")


# --- What clients asked -----------------------------------------------------------------------------------------------


class Told(Enum):
    """How a call ended for its client."""

    WAITS = "waits for its answer"
    DONE = "answered 2xx"
    REFUSED = "refused, 4xx"
    NOTHING = "503, nothing was changed"
    UNKNOWN = "503 unknown, or no answer at all"


class Asked:
    """One request of a client, with all its repeats under the same key."""

    __slots__ = (
        "answer", "answered_at", "command", "error", "first_at", "first_wall", "is_keyed", "kind", "marker",
        "may_have_happened", "must_be_refused", "on_settled", "subscription", "tenant", "told", "tries",
    )  # fmt: skip

    def __init__(self, kind: str, command: Command, marker: str = "", subscription: "Subscriber | None" = None) -> None:
        self.kind = kind
        self.command = command
        self.tenant = command.tenant_id
        self.is_keyed = command.idempotency is not None
        self.marker = marker
        """What its event carries and no other one does."""
        self.subscription = subscription
        self.first_at = 0.0
        self.first_wall = 0
        self.answered_at = float("inf")
        """By when it has happened, if it did."""
        self.told = Told.WAITS
        self.may_have_happened = False
        """One of its tries ended without a word on that."""
        self.must_be_refused = False
        self.tries = 0
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self.on_settled: list[Any] = []

    @property
    def event_id(self) -> str | None:
        """Of the event that the answer says it made."""
        if self.answer is None:
            return None
        return next((value for name, value in self.answer.headers if name == "signalpost-event"), None)

    def __repr__(self) -> str:
        return f"{self.kind} {self.marker}".rstrip()


# --- What may have been when ------------------------------------------------------------------------------------------


class Change(Generic[V]):
    """A value that holds from somewhere between two marks on: times, or sequences."""

    __slots__ = ("begun", "done", "value")

    def __init__(self, value: V, begun: float, done: float | None) -> None:
        self.value = value
        self.begun = begun
        self.done = done
        """None: it is not known to hold yet."""


class Timeline(Generic[V]):
    def __init__(self, value: V, mark: float) -> None:
        self.changes = [Change(value, mark, mark)]

    def begin(self, value: V, mark: float) -> Change[V]:
        change = Change(value, mark, None)
        self.changes.append(change)
        return change

    def at(self, mark: float) -> list[V]:
        """All that may have held there."""
        values = []
        for change in reversed(self.changes):
            if change.begun <= mark:
                values.append(change.value)
                if change.done is not None and change.done <= mark:
                    break
        return values

    def surely(self, value: V, mark: float) -> bool:
        return all(possible == value for possible in self.at(mark))

    def ever(self) -> Iterator[V]:
        return (change.value for change in self.changes)

    @property
    def last(self) -> V:
        return self.changes[-1].value

    @property
    def is_settled(self) -> bool:
        return self.changes[-1].done is not None


class Secrets(NamedTuple):
    current: str
    next: str | None = None
    promote_at: int | None = None
    """Wall clock; None while the client has not been told."""


class Again(NamedTuple):
    """A person's retry, or a replay: what it covers, and when it was asked for."""

    first: int
    last: int
    at: float
    replay_id: str | None
    what: str
    """failed, all; of a retry: retry."""
    failed: frozenset[int]
    """Those of the range that had surely been given up."""
    asked: Asked


class Skipped(NamedTuple):
    """A backlog that was skipped, for sure: what is in its first run up to a sequence is not sent after a time, but
    what was under way then."""

    up_to: int
    at: float
    spared: set[int]


class Subscriber:
    """A subscription as the client who made it knows it. Its endpoint's host is its key."""

    def __init__(self, key: str, tenant: int, identity: str, at: float, last: int, given: dict[str, Any]) -> None:
        self.key = key
        self.tenant = tenant
        self.id = identity
        self.starts_from = last
        """It gets nothing up to here; more exactly, nothing up to `starts_after`, once that was told."""
        self.starts_after: int | None = None
        self.secrets = Timeline(Secrets(given["secret"]), at)
        self.filters = Timeline(int(given["eventTypes"]), -1)
        """By sequence."""
        self.status = Timeline(str(given.get("status", "active")), at)
        self.ordering = Timeline(str(given.get("ordering", "loose")), at)
        self.rate_limit: Timeline[int | None] = Timeline(given.get("rateLimit"), at)
        self.retry_delays = Timeline(tuple(given["retryDelays"]), at)
        self.path = Timeline(str(given["path"]), at)
        self.header = Timeline(str(given["header"]), at)
        self.deleted = Timeline(value=False, mark=at)
        self.skips: list[Change[int]] = []
        """`skipBacklog`: the end of the log when it was asked for (`begun`, and `value`), and when it was answered."""
        self.skipped: list[Skipped] = []
        self.again: list[Again] = []

    def void(self, change: Change[Any]) -> None:
        """It was refused."""
        timelines: list[list[Change[Any]]] = [
            self.secrets.changes, self.filters.changes, self.status.changes, self.ordering.changes,
            self.rate_limit.changes, self.retry_delays.changes, self.path.changes, self.header.changes,
            self.deleted.changes, self.skips,
        ]  # fmt: skip
        for changes in timelines:
            if change in changes:
                changes.remove(change)

    @property
    def budget_least(self) -> int:
        return min(len(delays) for delays in self.retry_delays.ever()) + 1

    @property
    def budget_most(self) -> int:
        return max(len(delays) for delays in self.retry_delays.ever()) + 1

    def wants(self, sequence: int, event_type: int) -> bool | None:
        """Whether it asked for such an event when that was made; None where only the gateway can know."""
        if sequence <= self.starts_from:
            return False
        known = {bool(mask & event_type) for mask in self.filters.at(sequence - 0.5)}
        if self.starts_after is None:
            known.add(False)
        elif sequence <= self.starts_after:
            return False
        return known.pop() if len(known) == 1 else None

    @property
    def skipped_to(self) -> float:
        """Up to here, events may have been given up on demand."""
        return max((float("inf") if skip.done is None else skip.done for skip in self.skips), default=0)

    def __repr__(self) -> str:
        return self.key


# --- What the log says ------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """An event as the log shows it."""

    sequence: int
    at: int
    id: str
    type: int
    document_id: str
    body: bytes
    title: str

    def __repr__(self) -> str:
        return f"event {self.sequence} {EventType(self.type).wire} {self.title}"


class _Document(msgspec.Struct, rename="camel"):
    title: str


class _Data(msgspec.Struct):
    document: _Document


class _Body(msgspec.Struct):
    data: _Data


title_of = msgspec.json.Decoder(_Body).decode


# --- What was delivered -----------------------------------------------------------------------------------------------


class Delivery:
    """All that was seen of one event on its way to one subscription, as its gateway knows it: after a crash, what it
    did not record did not happen."""

    __slots__ = ("again", "ends", "failures", "flying", "sends", "sequence", "subscriber", "succeeded", "times_again")

    def __init__(self, subscriber: Subscriber, sequence: int) -> None:
        self.subscriber = subscriber
        self.sequence = sequence
        self.sends: list[Sent] = []
        self.flying: list[Sent] = []
        self.succeeded = False
        self.failures = {0}
        """How many counted attempts of the first run may have failed."""
        self.ends: dict[int, list[Sent]] = {}
        """Failed attempts of the first run, by number."""
        self.again: set[int] | None = None
        """The same of the run that someone asked for, if one is under way."""
        self.times_again = 0
        """How many such runs began."""

    @property
    def may_be_given_up(self) -> bool:
        return max(self.failures) >= self.subscriber.budget_least

    @property
    def is_over(self) -> bool:
        return self.succeeded or self.may_be_given_up

    @property
    def is_given_up(self) -> bool:
        """Surely, and nothing of it is under way."""
        most = self.subscriber.budget_most
        return min(self.failures) >= most and not self.succeeded and self.again is None and not self.flying

    def __repr__(self) -> str:
        return f"delivery of {self.sequence} to {self.subscriber}, counted {self.failures}, sent {self.sends}"

    def recall(self, recorded: Mapping[int, bool]) -> None:
        """Know of the attempts that are recorded, by when they started, and whether they counted; and of no others."""
        self.succeeded, self.failures, self.again, self.times_again = False, {0}, None, 0
        for sent in self.sends:
            counted = recorded.get(sent.wall)
            if counted is None:
                continue
            self._note_begun(sent)
            if sent.delivered:
                self.succeeded, self.again = True, None
            elif counted and sent.is_replay:
                self.again = {sent.attempt}
            elif counted:
                self.failures = {sent.attempt}

    def note_sent(self, sent: Sent) -> None:
        self.sends.append(sent)
        self.flying.append(sent)
        self._note_begun(sent)

    def _note_begun(self, sent: Sent) -> None:
        if not sent.is_replay:
            self.failures = {sent.attempt - 1}
        elif self.again is None or (sent.attempt == 1 and 0 not in self.again):
            self.times_again += 1
            self.again = {0}
        else:
            self.again = {sent.attempt - 1}

    def note_ended(self, sent: Sent) -> None:
        self.flying.remove(sent)
        assert sent.outcome is not None
        failure = sent.outcome.failure
        if failure is None:
            self.succeeded = True
            self.again = None
        elif failure is not Failure.INTERRUPTED:
            if sent.is_replay:
                self.again = _counted(self.again or {0}, sent)
            else:
                self.failures = _counted(self.failures, sent)
                self.ends.setdefault(sent.attempt, []).append(sent)


def _counted(failures: set[int], sent: Sent) -> set[int]:
    return {count + 1 for count in failures} | (failures if sent.is_extra else set())
