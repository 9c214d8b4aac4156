"""A batch of commands, decided one after the other on the rows that they read.

The store reads those rows, runs every command here, and writes what the batch changed set-wise in one transaction. Each
command sees what the commands before it changed. A refused command changes nothing: it is decided first, and only a
whole decision is applied. Sequences, `createdAt`, event ids and links are given out here and nowhere else, under the
tenant's lock (C2, C5, C10).
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.audit import drafts
from signalpost.commands.command import (
    AnswerKey,
    Command,
    CompletedCommand,
    Decision,
    DocumentKey,
    IdempotencyKey,
    Numbered,
    NumberedRow,
    RepeatedCommand,
    RequestedRetry,
    Result,
    Stamp,
    VersionKey,
)
from signalpost.commands.overlay import Overlay
from signalpost.domain.access.tenant import OPERATIONS_TENANT, Tenant
from signalpost.domain.access.tenant_limits import NO_LIMITS, NO_USE, TenantLimits, TenantUse, check_room
from signalpost.domain.audit import EntryDraft
from signalpost.domain.connection import Connection
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.history import KeptStep, Origin
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.version import VersionRow
from signalpost.domain.erasure import Erasure
from signalpost.domain.errors import Conflict, FieldError, Invalid, NotFound
from signalpost.domain.event import Event, EventType, build, event_id
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.domain.trace_context import kept_with

IDEMPOTENCY_KEPT = 24 * 3600 * SECOND
NO_NUMBER = 0
"""Stands for the next number if the commands of a batch need no more."""
SECRETS_KEPT = 3600 * SECOND
"""How long a repeat of a call shows its secret again: long enough for a client whose answer was lost."""
KEPT_BY_NODES = (Connection, Subscription, Replay)
"""The kinds of `Decision.rows` that nodes keep in memory by tenant."""
_NEW_DOCUMENTS = {None: 0, EventType.CREATED: 1, EventType.UPDATED: 0, EventType.DELETED: -1, EventType.NOTICE: 0}
"""How many more documents a tenant has after an event."""


class KeptAnswer(NamedTuple):
    """An answer in the form in which it is kept for a repeat."""

    answer: bytes
    without_secrets: bytes | None = None
    """The same answer without its secrets; None if it shows none."""


Render = Callable[[CompletedCommand[Any]], KeptAnswer]
"""Makes the answer to a command with an `Idempotency-Key`."""


class StoredAnswer(Struct, frozen=True):
    """What a repeat with the same `Idempotency-Key` is answered."""

    request_hash: bytes
    answer: bytes
    expires_at: int
    without_secrets: bytes | None = None

    def at(self, now: int) -> bytes:
        """The answer to a repeat at `now`."""
        if self.without_secrets is None or now < self.expires_at - IDEMPOTENCY_KEPT + SECRETS_KEPT:
            return self.answer
        return self.without_secrets


class Rows(Struct, frozen=True, kw_only=True):
    """What was read for a batch."""

    tenants: Mapping[int, Tenant]
    documents: Mapping[DocumentKey, DocumentRow] = {}
    versions: Mapping[VersionKey, VersionRow] = {}
    rows: Mapping[type[NumberedRow], Mapping[str, NumberedRow]] = {}
    """Rows of other kinds by their ids."""
    answers: Mapping[AnswerKey, StoredAnswer] = {}
    numbers: Mapping[type[Any], Iterable[int]] = {}
    """The numbers of new rows, ascending, as many as the commands may take; 1, 2, 3 … for a kind that is missing."""
    uses: Mapping[int, TenantUse] = {}
    """How much the tenants use of each limit."""


class BatchContext(NamedTuple):
    """What every batch of a store is decided with, whatever its rows and its time."""

    links: Links
    render: Render
    """Makes the answers that are kept for repeated requests."""
    random_bits: Callable[[int], int]
    default_limits: TenantLimits = NO_LIMITS
    """The limits of tenants that have none of their own."""
    trace_ratio: float = 0.0
    """Which share of the events is traced of those that were asked for in no trace."""


class Batch:
    def __init__(self, rows: Rows, now: int, context: BatchContext) -> None:
        self._now = now
        self.links, self._render, self._random_bits, self._default_limits, self._trace_ratio = context
        self._following = {kind: iter(numbers) for kind, numbers in rows.numbers.items()}
        self._next_numbers: dict[type[Any], int] = {}
        self.tenants = Overlay(rows.tenants)
        self.changed_tenants: set[int] = set()
        """The tenants of which more than the end of the log changed."""
        self._configured: set[int] = set()
        """The tenants whose `config_version` this batch has moved on."""
        self.documents = Overlay(rows.documents)
        self.versions = Overlay(rows.versions)
        self._rows: dict[type[NumberedRow], Overlay[str, Any]] = {
            kind: Overlay(found) for kind, found in rows.rows.items()
        }
        self.answers = Overlay(rows.answers)
        self.uses = Overlay(rows.uses)
        self.events: list[Event] = []
        self.origins: list[Origin] = []
        """How each event came about, in the order of `events`."""
        self.steps: list[KeptStep] = []
        self.retries: list[RequestedRetry] = []
        self.erasures: list[Erasure] = []
        self.tombstones: list[tuple[int, DocumentRow]] = []
        """The tenant and the tombstone of every deletion, also if the document was imported again in the same batch."""
        self.audited: list[EntryDraft] = []
        """The entries of the audit that the batch adds."""

    def row(self, kind: type[Numbered], row_id: str, within: int | None) -> Numbered | None:
        rows = self._rows.get(kind)
        found: Numbered | None = None if rows is None else rows.get(row_id)
        return found if found is not None and within in (None, found.tenant_id) else None

    def rows_of(self, kind: type[Numbered]) -> list[Numbered]:
        rows = self._rows.get(kind)
        return [] if rows is None else [row for _, row in rows.items()]

    def changed(self, kind: type[Numbered]) -> tuple[Numbered, ...]:
        """The rows of a kind to write."""
        rows = self._rows.get(kind)
        return () if rows is None else (*rows.changed.values(),)

    def changed_rows(self) -> dict[type[NumberedRow], tuple[Any, ...]]:
        """The rows of every kind to write, by kind."""
        return {kind: (*rows.changed.values(),) for kind, rows in self._rows.items() if rows.changed}

    def next_number(self, kind: type[Any]) -> int:
        number = self._next_numbers.get(kind)
        if number is None:
            following = self._following.setdefault(kind, count(1))
            number = self._next_numbers[kind] = next(following, NO_NUMBER)
        return number

    def tenant_named(self, name: str) -> Tenant | None:
        named = (tenant for _, tenant in self.tenants.items() if tenant.name == name and tenant.deleted_at is None)
        return next(named, None)

    def run(self, command: Command[Result]) -> CompletedCommand[Result] | RepeatedCommand:
        """Decide one command and keep what it changes. Raises CallerError if it is refused."""
        tenant = self.tenants.get(command.tenant_id)
        assert tenant is not None
        if tenant.deleted_at is not None:
            raise NotFound("tenant_not_found", "The tenant was deleted.")
        key = command.idempotency
        if key is not None and (repeated := self._repeated(tenant.id, key)) is not None:
            return repeated
        stamp = Stamp(tenant.last_sequence + 1, max(self._now, tenant.last_at + 1), self._now)
        decision = command.decide(self, stamp)
        if decision.document is not None and tenant.id == OPERATIONS_TENANT:
            raise Conflict("tenant_takes_no_documents", "The tenant `operations` has notices, and takes no documents.")
        use = self._use_after(tenant, decision)
        # Who changed a document is told by its history. So most changes pass here at no cost.
        has_history = decision.document is not None and command.audited_as is None
        told = [] if has_history else drafts(command, decision, self, stamp)
        made = None if decision.event is None else event_id(stamp.at, self._random_bits(62))
        completed = CompletedCommand(
            result=decision.result, tenant_id=tenant.id, at=stamp.at, event_id=made, answer=None
        )
        if key is not None:
            completed = replace(completed, answer=self._answer(tenant.id, key, completed))
        self.audited += told
        self._apply(tenant, stamp, decision, made, command.trace)
        if use is not None:
            self.uses.put(tenant.id, use)
        return completed

    def _use_after(self, tenant: Tenant, decision: Decision[Any]) -> TenantUse | None:
        """How much of what can be limited the tenant will have; None if that stays as it is. Raises Forbidden if
        it would be more than the tenant may have."""
        growth = self._growth(tenant.id, decision)
        if growth is None:
            return None
        use = self.uses.get(tenant.id) or NO_USE
        check_room(tenant.limits.over(self._default_limits), use, growth)
        return use.grown_by(growth)

    def _growth(self, tenant_id: int, decision: Decision[Any]) -> TenantUse | None:
        """How much more (or less) of what can be limited the tenant will have; None for most changes, as much as
        before. Whatever brings a document makes that event, and whatever takes one away the other."""
        documents = _NEW_DOCUMENTS[decision.event]
        subscriptions = 0
        for each in decision.rows:
            if isinstance(each, Subscription):
                known = self.row(Subscription, each.id, tenant_id)
                subscriptions += (each.deleted_at is None) - (known is not None and known.deleted_at is None)
        if not (documents or subscriptions or decision.file_bytes):
            return None
        return TenantUse(documents=documents, subscriptions=subscriptions, file_bytes=decision.file_bytes)

    def _repeated(self, tenant_id: int, key: IdempotencyKey) -> RepeatedCommand | None:
        stored = self.answers.get((tenant_id, key.api_key_id, key.key))
        if stored is None or stored.expires_at <= self._now:
            return None
        if stored.request_hash != key.request_hash:
            detail = "This key was used for another request before. Use a new key for a new request."
            raise Invalid([FieldError("Idempotency-Key", "reused", detail)], code="idempotency_key_reused")
        return RepeatedCommand(stored.at(self._now))

    def _answer(self, tenant_id: int, key: IdempotencyKey, completed: CompletedCommand[Any]) -> bytes:
        kept = self._render(completed)
        stored = StoredAnswer(key.request_hash, kept.answer, self._now + IDEMPOTENCY_KEPT, kept.without_secrets)
        self.answers.put((tenant_id, key.api_key_id, key.key), stored)
        return kept.answer

    def _apply(self, tenant: Tenant, stamp: Stamp, decision: Decision[Any], made: str | None, trace: bytes) -> None:
        """`made` is the id of the decision's event, `trace` the context in which it was asked for."""
        for version in decision.versions:
            self.versions.put((tenant.id, version.document_id, version.number), version)
        if decision.document is not None:
            self._apply_document(tenant, stamp, decision, decision.document, made, trace)
            return
        if decision.event is not None and made is not None:
            self._append(tenant, stamp, decision.event, made, decision.about, decision.event_document, decision, trace)
        self._apply_others(tenant, decision)

    def _apply_others(self, tenant: Tenant, decision: Decision[Any]) -> None:
        """Apply the changes of everything except documents."""
        for row in decision.rows:
            self._rows.setdefault(type(row), Overlay({})).put(row.id, row)
            self._given_out(type(row), row.number)
        if (retry := decision.retry) is not None:
            self.retries.append(retry)
            self._given_out(RequestedRetry, retry.number)
        if (changed := decision.tenant) is not None:
            self.tenants.put(changed.id, changed)
            self.changed_tenants.add(changed.id)
            self._given_out(Tenant, changed.id)
        if decision.erasure is not None:
            self.erasures.append(decision.erasure)
        for tenant_id in _configured(tenant.id, decision):
            self._move_config_on(tenant_id)

    def _move_config_on(self, tenant_id: int) -> None:
        tenant = self.tenants.get(tenant_id)
        if tenant is not None and tenant_id not in self._configured:
            self._configured.add(tenant_id)
            self.tenants.put(tenant_id, replace(tenant, config_version=tenant.config_version + 1))

    def _apply_document(
        self,
        tenant: Tenant,
        stamp: Stamp,
        decision: Decision[Any],
        document: DocumentRow,
        made: str | None,
        trace: bytes,
    ) -> None:
        self.documents.put((tenant.id, document.external_id), document)
        if decision.event is EventType.DELETED:
            self._bury(tenant.id, document)
        sequence = tenant.last_sequence
        if decision.event is not None and made is not None:
            sequence = stamp.sequence
            shown = self.links.put_into(decision.event_document, document, tenant.id, stamp.at)
            self._append(tenant, stamp, decision.event, made, document.external_id, shown, decision, trace)
        if decision.step is not None:
            caller = decision.origin.caller
            step = KeptStep(tenant.id, document.external_id, sequence, stamp.at, made, caller, decision.step)
            self.steps.append(step)

    def _bury(self, tenant_id: int, tombstone: DocumentRow) -> None:
        self.tombstones.append((tenant_id, tombstone))
        for key, version in self.versions.items():
            if key[:2] == (tenant_id, tombstone.external_id):
                self.versions.put(key, replace(version, deleted_at=tombstone.deleted_at))

    def _append(
        self,
        tenant: Tenant,
        stamp: Stamp,
        kind: EventType,
        identity: str,
        document_id: str,
        content: bytes,
        decision: Decision[Any],
        trace: bytes,
    ) -> None:
        body = build(kind, stamp.at, identity, content)
        if trace or self._trace_ratio:
            trace = kept_with(trace, identity, self._trace_ratio)
        self.events.append(
            Event(tenant.id, stamp.sequence, stamp.at, identity, int(kind), document_id, body, decision.before, trace)
        )
        self.origins.append(decision.origin)
        self.tenants.put(tenant.id, replace(tenant, last_sequence=stamp.sequence, last_at=stamp.at))

    def _given_out(self, kind: type[Any], number: int) -> None:
        """Notes a row with this number: if it is new, the next one gets another."""
        if number == self._next_numbers.get(kind):
            del self._next_numbers[kind]


def _configured(tenant_id: int, decision: Decision[Any]) -> set[int]:
    """The tenants of which a decision, of a command of one tenant, changes what nodes keep in memory."""
    changed = {row.tenant_id for row in decision.rows if isinstance(row, KEPT_BY_NODES)}
    if decision.tenant is not None:
        changed.add(decision.tenant.id)
    if decision.erasure is not None:
        changed.add(decision.erasure.tenant_id)
    if decision.retry is not None:
        changed.add(tenant_id)
    return changed
