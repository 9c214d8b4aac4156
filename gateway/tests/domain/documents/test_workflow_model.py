"""The workflow against a model of it, written from the words of the API page and not from the table.

`Paper` is a document as the page's reader imagines it: a status, a list of people who are still to decide, a deadline,
and what a pause interrupted. Whatever is asked for, the commands and `Paper` must agree: on what is refused, on the
status after it, on what is allowed then, and on which events the log has. The history must tell all of it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

from gateway.tests.batches import outcomes
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import Batch, BatchContext, Rows
from signalpost.commands.command import Command, CommandOutcome, CompletedCommand
from signalpost.commands.documents import CreateDocument, DeleteDocument, Effect, ImportDocument, PatchDocument
from signalpost.commands.workflow import ActOnDocument, ExpireSignatureRequest, workflow_of
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.body import read
from signalpost.domain.documents import document as documents
from signalpost.domain.documents import workflow as workflows
from signalpost.domain.documents.actions import TAKES, RequestedAction, action_of, given_with
from signalpost.domain.documents.bodies import DocumentPatch, NewDocument, Snapshot
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.history import ChangeCause, KeptStep, Origin
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.workflow import STATUSES, Action
from signalpost.domain.errors import CallerError, Invalid
from signalpost.domain.event import Event
from signalpost.domain.timestamps import SECOND, format_timestamp

LINKS = Links(bytes(32), "https://gateway.test")
START = 1_700_000_000 * SECOND
ID = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
NEW = {"type": "NDA", "title": "A", "ownerEmail": "o@example.com", "authorEmail": "a@example.com"}
PEOPLE = ["ann@example.com", "bob@example.com", "cleo@example.com"]
CALLER = 7
HOUR = 3600 * SECOND

CLIENTS_ACTIONS = [action for action in Action if action is not Action.EXPIRE]
SOME = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True)
WAITS = st.sampled_from([-SECOND, 0, 1, HOUR, 2 * HOUR])

# --- The page ---------------------------------------------------------------------------------------------------------

AFTER_A_SETBACK = {"reviewRejected", "approvalRejected", "signatureRejected", "signatureRequestExpired"}
MAY_ASK = {
    "review": {"created"} | AFTER_A_SETBACK,
    "approval": {"created", "reviewApproved"} | AFTER_A_SETBACK - {"reviewRejected"},
    "signature": {"created", "reviewApproved", "approved", "signatureRejected", "signatureRequestExpired"},
}
ASKING = {"requestReview": "review", "requestApproval": "approval", "requestSignature": "signature"}
WAITING = {"review": "awaitingReview", "approval": "awaitingApproval", "signature": "awaitingSignature"}
AGREEING = {"approveReview": "review", "approve": "approval", "sign": "signature"}
REFUSING = {"rejectReview": "review", "rejectApproval": "approval", "rejectSignature": "signature"}
ALL_AGREED = {"review": "reviewApproved", "approval": "approved", "signature": "executed"}
ONE_REFUSED = {"review": "reviewRejected", "approval": "approvalRejected", "signature": "signatureRejected"}
FINAL = {"executed", "cancelled"}


class Refused(Exception):
    """The page says that this cannot be done now."""


@dataclass
class Paper:
    status: str = "created"
    undecided: set[str] | None = None
    """None if it is not known whom it waits for."""
    deadline: int | None = None
    interrupted: str | None = None

    def waits_for(self, what: str) -> bool:
        return self.status == WAITING[what]

    def may(self, action: str, now: int) -> bool:
        if action in ASKING:
            return self.status in MAY_ASK[ASKING[action]]
        if action in AGREEING or action in REFUSING:
            what = {**AGREEING, **REFUSING}[action]
            return self.waits_for(what) and not self.is_late(now)
        if action == "pause":
            return self.status not in FINAL and self.status != "paused"
        if action == "resume":
            return self.status == "paused"
        assert action == "cancel"
        return self.status not in FINAL

    def is_late(self, now: int) -> bool:
        return self.deadline is not None and self.deadline <= now

    def act(self, action: str, people: list[str], by: str, deadline: int, now: int) -> None:
        if not self.may(action, now):
            raise Refused
        if action in ASKING:
            if action == "requestSignature" and deadline <= now:
                raise Refused
            self.status = WAITING[ASKING[action]]
            self.undecided = set(people)
            self.deadline = deadline if action == "requestSignature" else None
        elif action in AGREEING:
            self._hear(by)
            if not self.undecided:
                self._end(ALL_AGREED[AGREEING[action]])
        elif action in REFUSING:
            self._hear(by)
            self._end(ONE_REFUSED[REFUSING[action]])
        elif action == "pause":
            self.status, self.interrupted = "paused", self.status
        elif action == "resume":
            self.status, self.interrupted = self.interrupted or "created", None
            self.look_at_the_clock(now)
        else:
            self._end("cancelled")

    def _hear(self, by: str) -> None:
        if self.undecided is None:
            self.undecided = set()
            return
        if by not in self.undecided:
            raise Refused
        self.undecided.discard(by)

    def _end(self, status: str) -> None:
        self.status, self.deadline, self.interrupted = status, None, None

    def look_at_the_clock(self, now: int) -> None:
        if self.is_late(now):
            self.deadline = None
            if self.status == "paused":
                self.interrupted = "signatureRequestExpired"
            else:
                self.status = "signatureRequestExpired"

    def replaced(self, status: str) -> None:
        """An import gave the document a status."""
        if status != self.status:
            self.status, self.undecided, self.deadline, self.interrupted = status, None, None, None


# --- The commands, with what a store would keep -----------------------------------------------------------------------


class Cabinet:
    """One document with its log and its history."""

    def __init__(self) -> None:
        self.now = START
        self.tenant = Tenant(1, "default")
        self.row: DocumentRow | None = None
        self.events: list[Event] = []
        self.origins: list[Origin] = []
        self.steps: list[KeptStep] = []
        self._random = Random(1)

    def run(self, *commands: Command[Any]) -> list[CommandOutcome[Any] | CallerError]:
        """Run commands as one batch."""
        known = {} if self.row is None else {(1, ID): self.row}
        rows = Rows(tenants={1: self.tenant}, documents=known)
        batch = Batch(rows, self.now, BatchContext(LINKS, kept_answers(LINKS), self._random.getrandbits))
        results = outcomes(batch, commands)
        self.tenant = batch.tenants.changed.get(1, self.tenant)
        self.row = batch.documents.changed.get((1, ID), self.row)
        self.events += batch.events
        self.origins += batch.origins
        self.steps += batch.steps
        return results

    def act(self, action: str, **said: Any) -> ActOnDocument:
        requested = read(RequestedAction, {"action": action, **{name: said[name] for name in TAKES[Action(action)]}})
        return ActOnDocument(
            tenant_id=1, document_id=ID, caller=CALLER, action=action_of(requested), given=given_with(requested)
        )  # fmt: skip

    @property
    def expire(self) -> ExpireSignatureRequest:
        return ExpireSignatureRequest(tenant_id=1, document_id=ID, as_of=self.now)

    @property
    def document(self) -> documents.Document:
        assert self.row is not None
        return documents.decode(self.row.body)


def create() -> CreateDocument:
    return CreateDocument(tenant_id=1, document_id=ID, new=read(NewDocument, NEW), source_app="app", caller=CALLER)


def put(status: str, title: str = "A") -> ImportDocument:
    body = {**NEW, "title": title, "status": status, "createdAt": "2021-09-02T04:37:56Z", "sourceApp": "app"}
    said = read(Snapshot, body)
    return ImportDocument(tenant_id=1, document_id=ID, snapshot=said, source_version=None, caller=CALLER)


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.cabinet = Cabinet()
        self.paper = Paper()
        self.changes = 0
        """What must have made an event."""

    @initialize(status=st.sampled_from([None, *STATUSES]))
    def begin(self, status: str | None) -> None:
        [answer] = self.cabinet.run(create() if status is None else put(status))
        assert isinstance(answer, CompletedCommand)
        if status is not None:
            self.paper.replaced(status)
        self.changes = 1

    # --- What may happen ----------------------------------------------------------------------------------------------

    @rule(action=st.sampled_from(CLIENTS_ACTIONS), by=st.sampled_from(PEOPLE), people=SOME, wait=WAITS)
    def anything(self, action: str, by: str, people: list[str], wait: int) -> None:
        self.act(action, by=by, people=people, wait=wait)

    @precondition(lambda self: self.may_ask())
    @rule(data=st.data(), people=SOME, wait=WAITS)
    def ask(self, data: st.DataObject, people: list[str], wait: int) -> None:
        self.act(data.draw(st.sampled_from(self.may_ask())), people=people, wait=wait)

    @precondition(lambda self: self.waits_for() is not None)
    @rule(data=st.data(), by=st.sampled_from(PEOPLE), agrees=st.sampled_from([True, True, False]), loud=st.booleans())
    def decide(self, data: st.DataObject, by: str, agrees: bool, loud: bool) -> None:
        words = AGREEING if agrees else REFUSING
        [action] = [action for action, what in words.items() if what == self.waits_for()]
        self.act(action, by=by, loud=loud)

    @precondition(lambda self: self.waits_for() is not None)
    @rule()
    def all_agree(self) -> None:
        """Everybody decides, so that long ways are walked as well."""
        [action] = [action for action, what in AGREEING.items() if what == self.waits_for()]
        for by in sorted(self.paper.undecided or PEOPLE[:1]):
            self.act(action, by=by)

    @precondition(lambda self: self.paper.may("pause", self.decided_at))
    @rule(until=st.sampled_from(["now", "later", "the deadline"]), looks=st.booleans())
    def pause_and_resume(self, until: str, looks: bool) -> None:
        before = self.paper.status
        self.act("pause")
        self.cabinet.now += HOUR if until == "later" else 0
        if until == "the deadline" and self.paper.deadline is not None:
            self.cabinet.now = max(self.cabinet.now, self.paper.deadline)
        if looks:
            self.expiry()
        self.act("resume")
        assert self.paper.status in (before, "signatureRequestExpired")

    @rule(more=st.sampled_from([-1, 0, 1]), looks=st.booleans())
    def time_passes(self, more: int, looks: bool) -> None:
        """Up to the deadline, if there is one. The gateway may look at the clock only later, or may have been down."""
        deadline = self.paper.deadline or self.cabinet.now + HOUR
        self.cabinet.now = max(self.cabinet.now, deadline + more)
        if looks:
            self.expiry()

    @rule()
    def expiry(self) -> None:
        late = self.paper.is_late(self.decided_at)
        before = len(self.cabinet.steps)
        self.check(self.cabinet.expire, lambda: self.paper.look_at_the_clock(self.decided_at))
        assert len(self.cabinet.steps) - before == late

    @rule(title=st.sampled_from("AB"))
    def patch(self, title: str) -> None:
        self.changes += title != self.cabinet.document.title
        self.cabinet.run(PatchDocument(tenant_id=1, document_id=ID, patch=DocumentPatch(title=title), caller=CALLER))

    @rule(status=st.sampled_from(STATUSES))
    def imported(self, status: str) -> None:
        before = self.cabinet.document
        [answer] = self.cabinet.run(put(status, before.title))
        assert isinstance(answer, CompletedCommand)
        changed = self.cabinet.document != before
        assert (answer.result.effect is not Effect.UNCHANGED) == changed
        self.changes += changed
        self.paper.replaced(status)

    @precondition(lambda self: self.paper.status in FINAL)
    @rule()
    def deleted_and_imported_anew(self) -> None:
        self.cabinet.run(DeleteDocument(tenant_id=1, document_id=ID, caller=CALLER))
        assert self.cabinet.row is not None
        assert self.cabinet.row.workflow is None
        said = put("created").snapshot
        self.cabinet.run(
            ImportDocument(tenant_id=1, document_id=ID, snapshot=said, source_version=self.changes, caller=CALLER)
        )
        self.paper = Paper()
        self.changes += 2

    # --- What must hold -----------------------------------------------------------------------------------------------

    @property
    def decided_at(self) -> int:
        """The time at which the next command is decided."""
        return self.cabinet.now

    def check(self, command: ActOnDocument | ExpireSignatureRequest, expected: Callable[[], None]) -> None:
        """Run a command, and compare its result with what is expected of the document."""
        before, row = self.paper.status, self.cabinet.row
        try:
            expected()
            refused = False
        except Refused:
            refused = True
        steps = len(self.cabinet.steps)
        [result] = self.cabinet.run(command)
        assert isinstance(result, CallerError) == refused, result
        if refused:
            assert isinstance(result, CallerError)
            assert isinstance(result, Invalid) or result.members["allowed"] == self.allowed()
            assert self.cabinet.row is row
            return
        self.changes += self.paper.status != before
        if self.paper.status == "executed" != before:
            assert self.cabinet.document.executed_at == format_timestamp(self.cabinet.tenant.last_at)
        if len(self.cabinet.steps) > steps:
            [step] = self.cabinet.steps[steps:]
            assert step.step.status == self.paper.status
            assert (step.event_id is not None) == (self.paper.status != before)

    def act(
        self, action: str, *, by: str = PEOPLE[0], people: list[str] = PEOPLE, wait: int = HOUR, loud: bool = False
    ) -> None:
        deadline = self.decided_at + wait
        said = {
            "reviewers": people, "approvers": people, "signers": people, "expiresAt": format_timestamp(deadline),
            "by": by.upper() if loud else by, "reason": "because",
        }  # fmt: skip
        command = self.cabinet.act(action, **said)
        self.check(command, lambda: self.paper.act(action, people, by, deadline, self.decided_at))

    def may_ask(self) -> list[str]:
        return [action for action in ASKING if self.paper.may(action, self.decided_at)]

    def waits_for(self) -> str | None:
        return next((what for what in WAITING if self.paper.waits_for(what)), None)

    def allowed(self) -> list[str]:
        return [action for action in CLIENTS_ACTIONS if self.paper.may(action, self.decided_at)]

    @invariant()
    def the_document_is_where_the_page_says(self) -> None:
        if self.cabinet.row is None:
            return
        assert self.cabinet.document.status == self.paper.status
        now = workflow_of(self.cabinet.row)
        assert now.status == self.paper.status
        assert list(workflows.allowed(now, self.decided_at)) == self.allowed()
        if self.paper.status in WAITING.values():
            assert {who.lower() for who in now.awaited} == (self.paper.undecided or set())
        assert now.expires_at == self.paper.deadline

    @invariant()
    def only_what_shows_makes_an_event_and_each_shows_something(self) -> None:
        """Facts: no event without a change, no change without an event."""
        assert len(self.cabinet.events) == self.changes
        shown = [json.loads(event.body)["data"]["document"] for event in self.cabinet.events]
        assert all(before != after for before, after in pairwise(shown))

    @invariant()
    def the_history_and_the_events_agree(self) -> None:
        told = {kept.sequence: kept for kept in self.cabinet.steps if kept.event_id is not None}
        of_steps = {
            event.sequence: event
            for event, origin in zip(self.cabinet.events, self.cabinet.origins, strict=True)
            if origin.cause is ChangeCause.STEP
        }
        assert told.keys() == of_steps.keys()
        for sequence, kept in told.items():
            event = of_steps[sequence]
            assert (kept.event_id, kept.at) == (event.id, event.at)
            assert kept.step.status == json.loads(event.body)["data"]["document"]["status"]
        for kept in self.cabinet.steps:
            assert kept.caller == (None if kept.step.action == "expire" else CALLER)
        assert all(origin.cause is not ChangeCause.UNKNOWN for origin in self.cabinet.origins)


Life.TestCase.settings = settings(stateful_step_count=45, deadline=None)
TestLife = Life.TestCase
