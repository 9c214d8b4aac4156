"""What was seen from outside: what clients asked for and were told, what receivers were sent, what the log says.

All of it is public: a client or a receiver could have written it down. It says nothing of lanes, heads or rows. Where a
client was not told when its change took place, every value that may have held is kept (`Timeline`).
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
from gateway.tests.world.network import SentRequest
from gateway.tests.world.timeline import Change, Timeline

from signalpost.api.http.response import Response
from signalpost.commands.command import Command
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.event import EventType

# --- What clients asked for -------------------------------------------------------------------------------------------


class CallStatus(Enum):
    """How a call ended, as far as its client knows."""

    WAITS = "waits for its answer"
    DONE = "answered 2xx"
    REFUSED = "refused, 4xx"
    NOTHING = "503, nothing was changed"
    UNKNOWN = "503 unknown, or no answer at all"


class ClientCall:
    """A change that a client asks for, with all repeats of the call under the same key."""

    __slots__ = (
        "answer", "answered_at", "command", "error", "first_at", "first_wall", "is_keyed", "kind", "marker",
        "may_have_happened", "must_be_refused", "on_settled", "status", "subscription", "tenant", "tries",
    )  # fmt: skip

    def __init__(
        self, kind: str, command: Command[Any], marker: str = "", subscription: "Subscriber | None" = None
    ) -> None:
        self.kind = kind
        self.command = command
        self.tenant = command.tenant_id
        self.is_keyed = command.idempotency is not None
        self.marker = marker
        """The title that its event carries, and no other event does."""
        self.subscription = subscription
        self.first_at = 0.0
        self.first_wall = 0
        self.answered_at = float("inf")
        """The time by which the call has taken place if it did, in seconds of virtual time."""
        self.status = CallStatus.WAITS
        self.may_have_happened = False
        """Whether one of its tries ended without a word on that."""
        self.must_be_refused = False
        self.tries = 0
        self.answer: Response | None = None
        self.error: Exception | None = None
        self.on_settled: list[Any] = []

    @property
    def event_id(self) -> str | None:
        """The id of the event that it made, as its answer says."""
        if self.answer is None:
            return None
        return next((value for name, value in self.answer.headers if name == "signalpost-event"), None)

    def __repr__(self) -> str:
        return f"{self.kind} {self.marker}".rstrip()


# --- Subscriptions ----------------------------------------------------------------------------------------------------


class Secrets(NamedTuple):
    """The secrets of a subscription as its owner knows them."""

    current: str
    next: str | None = None
    promote_at: int | None = None
    """When `next` becomes the only one, µs since the epoch; None while the owner has not been told."""
    instead: str | None = None
    """While the owner has not been told: what is current if the rotation before came to its end in time."""


class Resend(NamedTuple):
    """A retry by hand or a replay: what it covers, and when a client asked for it."""

    first: int
    last: int
    at: float
    replay_id: str | None
    what: str
    """A replay takes "failed" or "all"; "retry" stands for a retry by hand."""
    failed: frozenset[int]
    """The sequences of the range that had surely been given up."""
    call: ClientCall


class SkippedBacklog(NamedTuple):
    """A backlog that surely was skipped. After that time nothing up to that sequence is sent in its first run, except
    for what was under way."""

    up_to: int
    at: float
    spared: set[int]


class Subscriber:
    """A subscription as its owner knows it. The host of its endpoint is its key."""

    def __init__(self, key: str, tenant: int, identity: str, at: float, last: int, given: dict[str, Any]) -> None:
        self.key = key
        self.tenant = tenant
        self.id = identity
        self.starts_from = last
        """The subscription surely gets nothing up to this sequence; exact once the owner was told `starts_after`."""
        self.starts_after: int | None = None
        self.secrets = Timeline(Secrets(given["secret"]), at)
        self.filters = Timeline(int(given["eventTypes"]), -1)
        """The bits of its event types; its marks are sequences."""
        self.status = Timeline(str(given.get("status", "active")), at)
        self.ordering = Timeline(str(given.get("ordering", "loose")), at)
        self.rate_limit: Timeline[int | None] = Timeline(given.get("rateLimit"), at)
        self.retry_delays = Timeline(tuple(given["retryDelays"]), at)
        self.path = Timeline(str(given["path"]), at)
        self.header = Timeline(str(given["header"]), at)
        self.deleted = Timeline(value=False, mark=at)
        self.skips: list[Change[int]] = []
        """Each `skipBacklog`, with the end of the log when the owner asked for it (`begun` and `value`), and when it
        was answered (`done`)."""
        self.skipped: list[SkippedBacklog] = []
        self.resends: list[Resend] = []

    @property
    def has_key_pair(self) -> bool:
        """Whether it signs with a key pair, too, as a third do. The pair is made of the secret with which it came, so
        that the secrets say all that signs."""
        return crc32(self.key.encode()) % 3 == 0

    def void(self, change: Change[Any]) -> None:
        """Forget a change that was refused."""
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
        """Whether it asked for such an event when the event was made; None if only the gateway can know."""
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
        """The sequence up to which events may have been given up on demand."""
        return max((float("inf") if skip.done is None else skip.done for skip in self.skips), default=0)

    def __repr__(self) -> str:
        return self.key


# --- What the log says ------------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """An event, as the log shows it."""

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
    """All that was seen of one event on its way to one subscription, as far as the current process may know of it:
    what was not recorded before a crash has not happened for the next process."""

    __slots__ = (
        "ends",
        "extra",
        "failures",
        "in_flight",
        "may_be_extra",
        "rerun_failures",
        "reruns",
        "sends",
        "sequence",
        "subscriber",
        "succeeded",
    )

    def __init__(self, subscriber: Subscriber, sequence: int) -> None:
        self.subscriber = subscriber
        self.sequence = sequence
        self.sends: list[SentRequest] = []
        self.in_flight: list[SentRequest] = []
        self.succeeded = False
        self.failures = {0}
        """Each number of counted attempts of the first run that may have failed."""
        self.ends: dict[int, list[SentRequest]] = {}
        """The failed attempts of the first run, by number."""
        self.rerun_failures: set[int] | None = None
        """The same numbers for the run that a client asked for; None while there is none."""
        self.reruns = 0
        """How many such runs began."""
        self.may_be_extra: set[SentRequest] = set()
        """The attempts that may be extra ones, which a client asked for: a failure of one need not count."""
        self.extra: set[SentRequest] = set()
        """The attempts that surely are extra ones, because it was not their time: a failure of one does not count."""

    @property
    def may_be_given_up(self) -> bool:
        return max(self.failures) >= self.subscriber.budget_least

    @property
    def is_over(self) -> bool:
        return self.succeeded or self.may_be_given_up

    @property
    def is_given_up(self) -> bool:
        """Whether it was surely given up, and nothing of it is under way."""
        most = self.subscriber.budget_most
        return min(self.failures) >= most and not self.succeeded and self.rerun_failures is None and not self.in_flight

    def __repr__(self) -> str:
        return f"delivery of {self.sequence} to {self.subscriber}, counted {self.failures}, sent {self.sends}"

    def recall(self, recorded: Mapping[int, bool]) -> None:
        """Know of the attempts that are recorded, and of no others. `recorded` says of each, by when it started,
        whether it counted."""
        self.succeeded, self.failures, self.rerun_failures, self.reruns = False, {0}, None, 0
        for sent in self.sends:
            counted = recorded.get(sent.wall)
            if counted is None:
                continue
            self._note_begun(sent)
            if sent.is_delivered:
                self.succeeded, self.rerun_failures = True, None
            elif counted and sent.is_replay:
                self.rerun_failures = {sent.attempt}
            elif counted:
                self.failures = {sent.attempt}

    def note_sent(self, sent: SentRequest) -> None:
        self.sends.append(sent)
        self.in_flight.append(sent)
        self._note_begun(sent)

    def _note_begun(self, sent: SentRequest) -> None:
        if not sent.is_replay:
            self.failures = {sent.attempt - 1}
        elif self.rerun_failures is None or (sent.attempt == 1 and 0 not in self.rerun_failures):
            self.reruns += 1
            self.rerun_failures = {0}
        else:
            self.rerun_failures = {sent.attempt - 1}

    def note_ended(self, sent: SentRequest) -> None:
        self.in_flight.remove(sent)
        assert sent.outcome is not None
        failure = sent.outcome.failure
        if failure is None:
            self.succeeded = True
            self.rerun_failures = None
        elif failure is not Failure.INTERRUPTED:
            if sent.is_replay:
                self.rerun_failures = self._counted(self.rerun_failures or {0}, sent)
            else:
                self.failures = self._counted(self.failures, sent)
                if sent not in self.extra:
                    self.ends.setdefault(sent.attempt, []).append(sent)

    def _counted(self, failures: set[int], sent: SentRequest) -> set[int]:
        if sent in self.extra:
            return failures
        return {count + 1 for count in failures} | (failures if sent in self.may_be_extra else set())
