"""What each status allows, who has a say, and what a deadline does."""

import json
from random import Random
from typing import Any

import pytest
from gateway.tests.batches import outcomes
from gateway.tests.bodies import new_document
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import Batch, BatchContext, Rows
from signalpost.commands.command import CommandOutcome
from signalpost.commands.workflow import ActOnDocument, ExpireSignatureRequest
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.body import read
from signalpost.domain.documents import document as documents
from signalpost.domain.documents import workflow as workflows
from signalpost.domain.documents.actions import MAX_PARTICIPANTS, RequestedAction
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.workflow import (
    STATUSES,
    TABLE,
    Action,
    ActionInput,
    Participant,
    ParticipantDecision,
    RuleKind,
    Workflow,
    act,
    allowed,
    expired,
)
from signalpost.domain.errors import CallerError, Conflict, Invalid
from signalpost.domain.timestamps import SECOND, format_timestamp

LINKS = Links(bytes(32), "https://gateway.test")
NOW = 1_700_000_000 * SECOND
LATER = NOW + 60 * SECOND
ID = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
EVERYWHERE = "pause cancel"
ALLOWED = {
    "created": "requestReview requestApproval requestSignature pause cancel",
    "awaitingReview": "approveReview rejectReview pause cancel",
    "reviewApproved": "requestApproval requestSignature pause cancel",
    "reviewRejected": "requestReview pause cancel",
    "awaitingApproval": "approve rejectApproval pause cancel",
    "approved": "requestSignature pause cancel",
    "approvalRejected": "requestReview requestApproval pause cancel",
    "awaitingSignature": "sign rejectSignature pause cancel",
    "signedByClient": "pause cancel",
    "signatureRejected": "requestReview requestApproval requestSignature pause cancel",
    "signatureRequestExpired": "requestReview requestApproval requestSignature pause cancel",
    "executed": "",
    "paused": "resume cancel",
    "cancelled": "",
    "other": "pause cancel",
}
"""C12: also of those that come by import alone."""


def asked(*emails: str, status: str = "awaitingReview", expires_at: int | None = None) -> Workflow:
    return Workflow(status, tuple(map(Participant, emails)), expires_at)


def by(email: str, reason: str | None = None) -> ActionInput:
    return ActionInput(by=email, reason=reason)


# --- Which action fits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_next_actions(status: str) -> None:
    """C12"""
    assert list(allowed(Workflow(status), NOW)) == ALLOWED[status].split()


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", workflows.ASKED_FOR)
def test_what_does_not_fit_is_refused_with_what_does(status: str, action: Action) -> None:
    if action in ALLOWED[status].split():
        return
    with pytest.raises(Conflict) as refused:
        act(Workflow(status), action, by("a@x"), NOW)
    assert refused.value.code == "action_not_allowed"
    assert refused.value.members["allowed"] == ALLOWED[status].split()
    assert status in refused.value.detail
    for name in ALLOWED[status].split():
        assert name in refused.value.detail


def test_the_table_names_statuses_of_the_contract_alone() -> None:
    for rule in TABLE.values():
        assert {rule.to, *rule.sources} <= set(STATUSES)


def test_nothing_leads_to_a_status_that_only_an_import_may_set() -> None:
    """C12"""
    assert {"signedByClient", "other"}.isdisjoint(rule.to for rule in TABLE.values())


# --- Who has a say ----------------------------------------------------------------------------------------------------


def test_the_last_to_agree_moves_it_on() -> None:
    first = act(asked("a@x", "b@x"), Action.APPROVE_REVIEW, by("b@x"), NOW)
    assert (first.status, first.awaited) == ("awaitingReview", ("a@x",))
    second = act(first, Action.APPROVE_REVIEW, by("a@x"), LATER)
    assert second.status == "reviewApproved"
    assert second.participants == (
        Participant("a@x", ParticipantDecision.AGREED, LATER),
        Participant("b@x", ParticipantDecision.AGREED, NOW),
    )


def test_the_first_to_refuse_moves_it_back_and_says_why() -> None:
    refused = act(asked("a@x", "b@x", "c@x"), Action.REJECT_REVIEW, by("b@x", "too long"), NOW)
    assert refused.status == "reviewRejected"
    assert refused.awaited == ()
    assert refused.participants[1] == Participant("b@x", ParticipantDecision.REFUSED, NOW, "too long")


@pytest.mark.parametrize(
    "action", [action for action, rule in TABLE.items() if rule.kind in (RuleKind.AGREE, RuleKind.REFUSE)]
)
@pytest.mark.parametrize(("who", "code"), [("c@x", "not_a_participant"), ("a@x", "already_decided")])
def test_who_was_not_asked_or_has_decided_has_no_say(action: Action, who: str, code: str) -> None:
    [status] = TABLE[action].sources
    waiting = Workflow(status, (Participant("a@x", ParticipantDecision.AGREED, NOW), Participant("b@x")))
    with pytest.raises(Conflict) as refused:
        act(waiting, action, by(who, "why"), NOW)
    assert refused.value.code == code
    assert refused.value.members == {"allowed": ALLOWED[status].split(), "awaited": ["b@x"]}
    assert "Awaited: b@x." in refused.value.detail


def test_a_sentence_names_few_of_the_awaited() -> None:
    many = [f"{n}@x" for n in range(MAX_PARTICIPANTS)]
    with pytest.raises(Conflict) as refused:
        act(asked(*many), Action.APPROVE_REVIEW, by("who@x"), NOW)
    assert "Awaited: 0@x, 1@x, 2@x …." in refused.value.detail
    assert refused.value.members["awaited"] == many


def test_an_address_is_the_same_person_in_upper_and_lower_case() -> None:
    decided = act(asked("Ann@Example.com"), Action.APPROVE_REVIEW, by("ann@example.COM"), NOW)
    assert decided.participants == (Participant("Ann@Example.com", ParticipantDecision.AGREED, NOW),)


@pytest.mark.parametrize(
    ("action", "name", "more"),
    [
        ("requestReview", "reviewers", {}),
        ("requestApproval", "approvers", {}),
        ("requestSignature", "signers", {"expiresAt": format_timestamp(LATER)}),
    ],
)
def test_nobody_is_asked_twice_at_once(action: str, name: str, more: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        read(RequestedAction, {"action": action, name: ["a@x", "b@x", "A@X"], **more})
    [error] = refused.value.errors
    assert (error.pointer, error.code) == (f"/{name}/2", "duplicate")


@pytest.mark.parametrize(
    ("action", "becomes"),
    [
        (Action.APPROVE_REVIEW, "reviewApproved"), (Action.REJECT_REVIEW, "reviewRejected"),
        (Action.APPROVE, "approved"), (Action.REJECT_APPROVAL, "approvalRejected"),
        (Action.SIGN, "executed"), (Action.REJECT_SIGNATURE, "signatureRejected"),
    ],
)  # fmt: skip
def test_where_nobody_is_known_whoever_decides_settles_it(action: Action, becomes: str) -> None:
    """A document that came by import waits for people whom the other system knows."""
    [status] = TABLE[action].sources
    settled = act(Workflow(status), action, by("a@x", "why"), NOW)
    assert settled.status == becomes
    assert [each.email for each in settled.participants] == ["a@x"]


# --- Pause and resume -------------------------------------------------------------------------------------------------

people = st.lists(
    st.builds(
        Participant,
        st.sampled_from(["a@x", "b@x", "c@x"]),
        st.sampled_from([None, *ParticipantDecision]),
        st.none() | st.integers(0, NOW),
        st.none() | st.text(min_size=1, max_size=5),
    ),
    max_size=3,
    unique_by=lambda each: each.email,
).map(tuple)


@given(st.sampled_from([s for s in STATUSES if "pause" in ALLOWED[s].split()]), people, st.booleans())
def test_resume_undoes_a_pause(status: str, participants: tuple[Participant, ...], due: bool) -> None:
    """A decision that was made stays, and so does a deadline."""
    before = Workflow(status, participants, LATER if status == "awaitingSignature" and due else None)
    paused = act(before, Action.PAUSE, ActionInput(), NOW)
    assert paused.status == "paused"
    assert paused.leads_back_to == status
    assert paused.awaited == ()
    assert act(paused, Action.RESUME, ActionInput(), LATER - 1) == before


def test_what_was_imported_paused_is_resumed_as_created() -> None:
    assert act(Workflow("paused"), Action.RESUME, ActionInput(), NOW) == Workflow("created")


def test_a_paused_document_that_is_cancelled_stays_so() -> None:
    paused = act(asked("a@x", status="awaitingSignature", expires_at=LATER), Action.PAUSE, ActionInput(), NOW)
    cancelled = act(paused, Action.CANCEL, by("", "over"), NOW)
    assert cancelled == Workflow("cancelled", paused.participants)
    assert expired(cancelled, LATER) is None


# --- Deadlines --------------------------------------------------------------------------------------------------------

SIGNING = asked("a@x", "b@x", status="awaitingSignature", expires_at=LATER)


def test_a_signature_request_expires_at_its_time_and_not_before() -> None:
    assert expired(SIGNING, LATER - 1) is None
    over = expired(SIGNING, LATER)
    assert over == Workflow("signatureRequestExpired", SIGNING.participants)
    assert expired(over, LATER + 1) is None


@pytest.mark.parametrize("action", [Action.SIGN, Action.REJECT_SIGNATURE])
def test_from_its_time_on_nobody_decides_any_more(action: Action) -> None:
    """The gateway may have been down then, so that the request has not expired yet."""
    assert action in allowed(SIGNING, LATER - 1)
    with pytest.raises(Conflict) as refused:
        act(SIGNING, action, by("a@x", "why"), LATER)
    assert refused.value.members["allowed"] == ["pause", "cancel"]
    assert refused.value.detail.startswith(f"The signature request expired at {format_timestamp(LATER)}.")


@pytest.mark.parametrize("seen", [True, False], ids=["in time", "late"])
def test_what_expires_while_it_is_paused_is_resumed_as_expired(seen: bool) -> None:
    paused: Workflow | None = act(SIGNING, Action.PAUSE, ActionInput(), NOW)
    assert paused is not None
    if seen:
        paused = expired(paused, LATER)
        assert paused is not None
        assert (paused.status, paused.leads_back_to) == ("paused", "signatureRequestExpired")
        assert expired(paused, LATER + 1) is None
    assert act(paused, Action.RESUME, ActionInput(), LATER) == Workflow("signatureRequestExpired", SIGNING.participants)


@pytest.mark.parametrize("expires_at", [NOW - 1, NOW])
def test_a_request_whose_time_is_over_is_refused(expires_at: int) -> None:
    with pytest.raises(Invalid) as refused:
        act(Workflow("created"), Action.REQUEST_SIGNATURE, ActionInput(people=("a@x",), expires_at=expires_at), NOW)
    [error] = refused.value.errors
    assert (error.pointer, error.code) == ("/expiresAt", "not_in_the_future")


@given(st.permutations(["sign", "expire"]), st.integers(-2, 2), st.booleans(), st.integers(0, 3))
def test_an_expiry_that_races_with_a_signature_has_one_winner(
    order: list[str], early: int, together: bool, before: int
) -> None:
    """In one batch or in two, around the very microsecond: one of them makes an event, and the other changes nothing.
    `before` events of other documents push `createdAt` on, which moves no deadline."""
    desk = Desk(asked("a@x", status="awaitingSignature", expires_at=LATER))
    desk.now = LATER + early
    desk.push(before)
    commands = {
        "sign": ActOnDocument(tenant_id=1, document_id=ID, action=Action.SIGN, given=by("a@x")),
        "expire": ExpireSignatureRequest(tenant_id=1, document_id=ID, as_of=desk.now),
    }
    for group in [order] if together else [[each] for each in order]:
        desk.run(*(commands[each] for each in group))
    signed = desk.status == "executed"
    if not signed:
        desk.run(commands["expire"])  # which comes again until it is done
    assert desk.statuses[-1:] == ["executed" if signed else "signatureRequestExpired"]
    assert len(desk.statuses) == 1
    assert [step.step.status for step in desk.steps] == desk.statuses


class Desk:
    """One document in a workflow, and batches of commands on it."""

    def __init__(self, workflow: Workflow) -> None:
        made = documents.created(new_document(), ID, "app", format_timestamp(NOW))
        self.row = replace(documents.new_row(replace(made, status=workflow.status), 1, NOW), workflow=workflow)
        self.now = NOW
        self.tenant = Tenant(1, "default", 1, NOW)
        self.statuses: list[str] = []
        self.steps: list[Any] = []
        self._random = Random(1)

    def push(self, events: int) -> None:
        """Other documents change meanwhile."""
        self.tenant = Tenant(1, "default", 1 + events, max(self.tenant.last_at, self.now - 1 + events))

    def run(self, *commands: Any) -> list[CommandOutcome[Any] | CallerError]:
        rows = Rows(tenants={1: self.tenant}, documents={(1, ID): self.row})
        batch = Batch(rows, self.now, BatchContext(LINKS, kept_answers(LINKS), self._random.getrandbits))
        results = outcomes(batch, commands)
        self.row = batch.documents.changed.get((1, ID), self.row)
        self.tenant = batch.tenants.changed.get(1, self.tenant)
        self.statuses += [json.loads(event.body)["data"]["document"]["status"] for event in batch.events]
        self.steps += batch.steps
        return results

    @property
    def status(self) -> str:
        return documents.decode(self.row.body).status
