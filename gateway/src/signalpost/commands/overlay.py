"""A batch of commands, decided one after the other on the rows that they read.

The store reads those rows, runs every command here, and writes `events`, `documents`, `steps`, `versions`,
`subscriptions`, `retries`, `replays`, `keys` and `answers` set-wise in one transaction. Each command sees what those
before it changed. A refused command changes nothing: it is decided first, and only a whole decision is applied.
Sequences, `createdAt`, event ids and links are given out here and nowhere else, under the tenant's lock (C2, C5, C10).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.api_key import ApiKey
from signalpost.domain.delivery.replay import Replay, ReplayState
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.history import UNKNOWN, KeptStep, Origin, Step
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.version import Number, VersionRow
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.event import Event, EventType, build, event_id
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND

IDEMPOTENCY_KEPT = 24 * 3600 * SECOND
EVENT_HEADER = "signalpost-event"
"""Of the answer to a change that made an event: the event's id."""


class Answer(Struct, frozen=True):
    """What a client is told once the commit is there."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class IdempotencyKey(NamedTuple):
    """A client's `Idempotency-Key`, within the API key that it came with."""

    api_key_id: int
    key: str
    request_hash: bytes


class StoredAnswer(Struct, frozen=True):
    request_hash: bytes
    answer: Answer
    expires_at: int


class Retry(Struct, frozen=True):
    """Someone asks a lane to send again what it settled, parked or gave up."""

    number: int
    subscription_number: int
    sequence: int
    document_id: str
    max_attempts: int


class Tenant(Struct, frozen=True):
    id: int
    name: str
    last_sequence: int = 0
    last_at: int = 0


class Stamp(NamedTuple):
    """What the event of a command will carry, if it makes one."""

    sequence: int
    at: int


class Numbers(NamedTuple):
    """Each the key, in the store, of the next row of its kind."""

    subscription: int = 1
    retry: int = 1
    key: int = 1
    replay: int = 1


class Decision(Struct, frozen=True, kw_only=True):
    """What a command comes to."""

    answer: Answer
    document: DocumentRow | None = None
    event: EventType | None = None
    event_document: bytes = b""
    """The document's JSON in that event, without links."""
    origin: Origin = UNKNOWN
    """How the change of the document came about."""
    step: Step | None = None
    """What no event tells of it."""
    versions: tuple[VersionRow, ...] = ()
    subscription: Subscription | None = None
    retry: Retry | None = None
    key: ApiKey | None = None
    replay: Replay | None = None


class View(Protocol):
    """What a command may look at."""

    @property
    def links(self) -> Links: ...

    def document(self, tenant_id: int, external_id: str) -> DocumentRow | None: ...

    def version(self, tenant_id: int, document_id: str, number: Number) -> VersionRow | None: ...

    def subscription(self, tenant_id: int, subscription_id: str) -> Subscription | None: ...

    def key(self, key_id: str) -> ApiKey | None: ...

    def replay(self, subscription_number: int, replay_id: str) -> Replay | None: ...

    def running_replays(self, subscription_number: int) -> int: ...


class Command(Protocol):
    """A change that someone asks for. The properties say which rows it reads."""

    @property
    def tenant_id(self) -> int: ...
    @property
    def idempotency(self) -> IdempotencyKey | None: ...
    @property
    def document_id(self) -> str | None: ...
    @property
    def version_number(self) -> Number | None: ...
    @property
    def subscription_id(self) -> str | None: ...
    @property
    def key_id(self) -> str | None: ...
    @property
    def replay_id(self) -> str | None: ...

    def decide(self, view: View, stamp: Stamp) -> Decision:
        """Pure. Raises CallerError to refuse."""


DocumentKey = tuple[int, str]
VersionKey = tuple[int, str, Number]
SubscriptionKey = tuple[int, str]
ReplayKey = tuple[int, str]
AnswerKey = tuple[int, int, str]


class Batch:
    def __init__(
        self,
        now: int,
        random_bits: Callable[[int], int],
        tenants: Mapping[int, Tenant],
        documents: Mapping[DocumentKey, DocumentRow],
        subscriptions: Mapping[SubscriptionKey, Subscription],
        stored_answers: Mapping[AnswerKey, StoredAnswer],
        keys: Mapping[str, ApiKey],
        replays: Iterable[Replay],
        following: Numbers,
        links: Links,
        versions: Mapping[VersionKey, VersionRow],
    ) -> None:
        """`replays`: of each subscription of which a command names a replay, that one and those that run. `following`
        are the numbers of what is made next."""
        self._now = now
        self._random_bits = random_bits
        self.links = links
        self._documents = dict(documents)
        self._versions = dict(versions)
        self._subscriptions = dict(subscriptions)
        self._stored_answers = dict(stored_answers)
        self._keys = dict(keys)
        self._next_subscription, self._next_retry, self._next_key, self._next_replay = following
        self._replays = {(replay.subscription_number, replay.id): replay for replay in replays}
        self.tenants = dict(tenants)
        self.events: list[Event] = []
        self.origins: list[Origin] = []
        """Of each of these events."""
        self.documents: dict[DocumentKey, DocumentRow] = {}
        self.steps: list[KeptStep] = []
        self.tombstones: list[tuple[int, DocumentRow]] = []
        """Every deletion by its tenant, also where the document was imported again since."""
        self.versions: dict[VersionKey, VersionRow] = {}
        self.subscriptions: dict[SubscriptionKey, Subscription] = {}
        self.retries: list[Retry] = []
        self.keys: dict[str, ApiKey] = {}
        self.replays: dict[ReplayKey, Replay] = {}
        self.answers: dict[AnswerKey, StoredAnswer] = {}

    def document(self, tenant_id: int, external_id: str) -> DocumentRow | None:
        return self._documents.get((tenant_id, external_id))

    def version(self, tenant_id: int, document_id: str, number: Number) -> VersionRow | None:
        return self._versions.get((tenant_id, document_id, number))

    def subscription(self, tenant_id: int, subscription_id: str) -> Subscription | None:
        return self._subscriptions.get((tenant_id, subscription_id))

    def key(self, key_id: str) -> ApiKey | None:
        return self._keys.get(key_id)

    def replay(self, subscription_number: int, replay_id: str) -> Replay | None:
        return self._replays.get((subscription_number, replay_id))

    def running_replays(self, subscription_number: int) -> int:
        return sum(
            replay.subscription_number == subscription_number and replay.state is ReplayState.RUNNING
            for replay in self._replays.values()
        )

    def run(self, command: Command) -> Answer:
        """Decide one command and keep what it changes. Raises CallerError if it is refused."""
        key = command.idempotency
        if key is not None and (repeated := self._repeated(command.tenant_id, key)) is not None:
            return repeated
        tenant = self.tenants[command.tenant_id]
        stamp = Stamp(tenant.last_sequence + 1, max(self._now, tenant.last_at + 1))
        decision = command.decide(self, stamp)
        made = self._apply(tenant, stamp, decision)
        answer = decision.answer
        if made is not None:
            answer = replace(answer, headers=(*answer.headers, (EVENT_HEADER, made)))
        if key is not None:
            stored = StoredAnswer(key.request_hash, answer, self._now + IDEMPOTENCY_KEPT)
            self._stored_answers[tenant.id, key.api_key_id, key.key] = stored
            self.answers[tenant.id, key.api_key_id, key.key] = stored
        return answer

    def _repeated(self, tenant_id: int, key: IdempotencyKey) -> Answer | None:
        stored = self._stored_answers.get((tenant_id, key.api_key_id, key.key))
        if stored is None or stored.expires_at <= self._now:
            return None
        if stored.request_hash != key.request_hash:
            detail = "This key came with another request before. Use a new key for a new request."
            raise Invalid([FieldError("Idempotency-Key", "reused", detail)], code="idempotency_key_reused")
        return replace(stored.answer, headers=(*stored.answer.headers, ("idempotent-replayed", "true")))

    def _apply(self, tenant: Tenant, stamp: Stamp, decision: Decision) -> str | None:
        """Returns the id of the event that it made, if it made one."""
        made = None
        if decision.document is not None:
            key = (tenant.id, decision.document.external_id)
            self._documents[key] = self.documents[key] = decision.document
            if decision.document.deleted_at is not None:
                self._bury(tenant.id, decision.document)
            if decision.event is not None:
                made = self._append(tenant, stamp, decision.event, decision.document.external_id, decision)
            if decision.step is not None:
                self._tell(tenant, stamp, decision.document.external_id, made, decision.origin, decision.step)
        for version in decision.versions:
            place = (tenant.id, version.document_id, version.number)
            self._versions[place] = self.versions[place] = version
        if decision.subscription is not None:
            self._keep(decision.subscription)
        if decision.retry is not None:
            self.retries.append(replace(decision.retry, number=self._next_retry))
            self._next_retry += 1
        if decision.key is not None:
            self._keep_key(decision.key)
        if decision.replay is not None:
            self._keep_replay(decision.replay)
        return made

    def _bury(self, tenant_id: int, tombstone: DocumentRow) -> None:
        self.tombstones.append((tenant_id, tombstone))
        for key, version in self._versions.items():
            if key[:2] == (tenant_id, tombstone.external_id):
                self._versions[key] = replace(version, deleted_at=tombstone.deleted_at)

    def _append(self, tenant: Tenant, stamp: Stamp, event_type: EventType, document_id: str, decision: Decision) -> str:
        identity = event_id(stamp.at, self._random_bits(62))
        shown = self.links.put_into(decision.event_document, tenant.id, document_id, stamp.at)
        body = build(event_type, stamp.at, identity, shown)
        self.events.append(Event(tenant.id, stamp.sequence, stamp.at, identity, int(event_type), document_id, body))
        self.origins.append(decision.origin)
        self.tenants[tenant.id] = replace(tenant, last_sequence=stamp.sequence, last_at=stamp.at)
        return identity

    def _tell(
        self, tenant: Tenant, stamp: Stamp, document_id: str, made: str | None, origin: Origin, step: Step
    ) -> None:
        sequence = stamp.sequence if made is not None else stamp.sequence - 1
        self.steps.append(KeptStep(tenant.id, document_id, sequence, stamp.at, made, origin.caller, step))

    def _keep(self, subscription: Subscription) -> None:
        if not subscription.number:
            subscription = replace(subscription, number=self._next_subscription)
            self._next_subscription += 1
        key = (subscription.tenant_id, subscription.id)
        self._subscriptions[key] = self.subscriptions[key] = subscription

    def _keep_key(self, key: ApiKey) -> None:
        if not key.number:
            key = replace(key, number=self._next_key)
            self._next_key += 1
        self._keys[key.id] = self.keys[key.id] = key

    def _keep_replay(self, replay: Replay) -> None:
        if not replay.number:
            replay = replace(replay, number=self._next_replay)
            self._next_replay += 1
        key = (replay.subscription_number, replay.id)
        self._replays[key] = self.replays[key] = replay
