"""The workflow of a document: which action is allowed in which status, who may decide, and which status follows.

`TABLE` defines all of it; the functions below only read it. An action asks people to decide (`ASK`), is the decision of
one of them (`AGREE`, `REFUSE`), or moves the document by itself. When the last person has agreed, the document moves
on; the first refusal moves it back. A signature request *expires* at its time. If the document is paused then, that
shows when it is resumed.

A status that was imported has no known participants. Anyone's decision then settles it, since only the system that
asked the participants knows them. Statuses that nothing here leads to (`signedByClient`, `other`) can be paused and
cancelled like any other.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from signalpost.domain.errors import Conflict, FieldError, Invalid
from signalpost.domain.timestamps import format_timestamp

STATUSES: Final = (
    "created", "awaitingReview", "reviewApproved", "reviewRejected", "awaitingApproval", "approved",
    "approvalRejected", "awaitingSignature", "signedByClient", "signatureRejected", "signatureRequestExpired",
    "executed", "paused", "cancelled", "other",
)  # fmt: skip
"""C12, in the order of the page."""
Status = Annotated[str, Meta(extra_json_schema={"enum": list(STATUSES)})]
_MAX_NAMED = 3
"""Maximum number of people that an error message names."""


class Action(StrEnum):
    """What can be done to a document, under the API's names."""

    REQUEST_REVIEW = "requestReview"
    APPROVE_REVIEW = "approveReview"
    REJECT_REVIEW = "rejectReview"
    REQUEST_APPROVAL = "requestApproval"
    APPROVE = "approve"
    REJECT_APPROVAL = "rejectApproval"
    REQUEST_SIGNATURE = "requestSignature"
    SIGN = "sign"
    REJECT_SIGNATURE = "rejectSignature"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    EXPIRE = "expire"
    """The deadline of a signature request has passed. Clients cannot ask for this."""


class RuleKind(Enum):
    ASK = auto()
    AGREE = auto()
    REFUSE = auto()
    MOVE = auto()
    PAUSE = auto()
    RESUME = auto()
    EXPIRE = auto()


class ActionRule(Struct, frozen=True):
    """A row of the table: what an action does."""

    kind: RuleKind
    sources: tuple[str, ...]
    to: str
    """The status that follows. For AGREE: once everybody has agreed; for RESUME: if the status before is unknown."""


_ENDED: Final = ("executed", "cancelled")

TABLE: Final[Mapping[Action, ActionRule]] = {
    Action.REQUEST_REVIEW: ActionRule(
        RuleKind.ASK,
        ("created", "reviewRejected", "approvalRejected", "signatureRejected", "signatureRequestExpired"),
        "awaitingReview",
    ),
    Action.APPROVE_REVIEW: ActionRule(RuleKind.AGREE, ("awaitingReview",), "reviewApproved"),
    Action.REJECT_REVIEW: ActionRule(RuleKind.REFUSE, ("awaitingReview",), "reviewRejected"),
    Action.REQUEST_APPROVAL: ActionRule(
        RuleKind.ASK,
        ("created", "reviewApproved", "approvalRejected", "signatureRejected", "signatureRequestExpired"),
        "awaitingApproval",
    ),
    Action.APPROVE: ActionRule(RuleKind.AGREE, ("awaitingApproval",), "approved"),
    Action.REJECT_APPROVAL: ActionRule(RuleKind.REFUSE, ("awaitingApproval",), "approvalRejected"),
    Action.REQUEST_SIGNATURE: ActionRule(
        RuleKind.ASK,
        ("created", "reviewApproved", "approved", "signatureRejected", "signatureRequestExpired"),
        "awaitingSignature",
    ),
    Action.SIGN: ActionRule(RuleKind.AGREE, ("awaitingSignature",), "executed"),
    Action.REJECT_SIGNATURE: ActionRule(RuleKind.REFUSE, ("awaitingSignature",), "signatureRejected"),
    Action.PAUSE: ActionRule(RuleKind.PAUSE, tuple(s for s in STATUSES if s not in (*_ENDED, "paused")), "paused"),
    Action.RESUME: ActionRule(RuleKind.RESUME, ("paused",), "created"),
    Action.CANCEL: ActionRule(RuleKind.MOVE, tuple(s for s in STATUSES if s not in _ENDED), "cancelled"),
    Action.EXPIRE: ActionRule(RuleKind.EXPIRE, ("awaitingSignature",), "signatureRequestExpired"),
}
ASKED_FOR: Final = tuple(action for action in Action if action is not Action.EXPIRE)
"""The actions that clients may ask for."""
ActionName = Annotated[str, Meta(extra_json_schema={"enum": list(ASKED_FOR)})]


class ParticipantDecision(StrEnum):
    """A participant's decision. The values are part of the API and of the schema."""

    AGREED = "agreed"
    REFUSED = "refused"


class Participant(Struct, frozen=True):
    """A person who was asked to decide, and the decision. Member names are part of the schema."""

    email: str
    decision: ParticipantDecision | None = None
    decided_at: int | None = None
    reason: str | None = None

    def is_named(self, email: str) -> bool:
        """Whether this is the participant's address. Upper and lower case are the same, as in mail systems in use."""
        return self.email.casefold() == email.casefold()


class Workflow(Struct, frozen=True):
    """A document's place in its workflow. Member names are part of the schema."""

    status: str
    participants: tuple[Participant, ...] = ()
    """The people who were asked most recently."""
    expires_at: int | None = None
    """When the signature request in progress expires, also while the document is paused."""
    status_before: str | None = None
    """For a paused document: the status before the pause, unless it was imported as paused."""

    @property
    def awaited(self) -> tuple[str, ...]:
        """The participants who have not decided yet, while the document waits for them; empty if they are unknown."""
        if not any(self.status in rule.sources for rule in TABLE.values() if rule.kind is RuleKind.AGREE):
            return ()
        return tuple(participant.email for participant in self.participants if participant.decision is None)

    @property
    def leads_back_to(self) -> str | None:
        """For a paused document: the status that `resume` restores."""
        rule = TABLE[Action.RESUME]
        return self.status_before or rule.to if self.status in rule.sources else None

    def is_due(self, at: int) -> bool:
        """Whether the signature request must expire by `at`."""
        return self.expires_at is not None and self.expires_at <= at


class ActionInput(Struct, frozen=True, kw_only=True):
    """What a client gave with an action."""

    people: tuple[str, ...] = ()
    expires_at: int | None = None
    by: str | None = None
    reason: str | None = None


def allowed(workflow: Workflow, at: int) -> tuple[Action, ...]:
    """The actions that clients may ask for now. From its deadline on, a signature request takes no decision."""
    decided_too_late = (RuleKind.AGREE, RuleKind.REFUSE) if workflow.is_due(at) else ()
    return tuple(
        action
        for action in ASKED_FOR
        if workflow.status in TABLE[action].sources and TABLE[action].kind not in decided_too_late
    )


def act(workflow: Workflow, action: Action, given: ActionInput, at: int) -> Workflow:
    """The workflow after an action that someone asks for. Raises Conflict, saying what is allowed, and Invalid."""
    rule, possible = TABLE[action], allowed(workflow, at)
    if action not in possible:
        raise _not_allowed(workflow, action, possible, at)
    match rule.kind:
        case RuleKind.ASK:
            if given.expires_at is not None and given.expires_at <= at:
                detail = f"This must be later than now, {format_timestamp(at)}."
                raise Invalid([FieldError("/expiresAt", "not_in_the_future", detail)])
            return Workflow(rule.to, tuple(map(Participant, given.people)), given.expires_at)
        case RuleKind.AGREE:
            decided = _decided(workflow, given, ParticipantDecision.AGREED, possible, at)
            return decided if decided.awaited else _settled(decided, rule.to)
        case RuleKind.REFUSE:
            return _settled(_decided(workflow, given, ParticipantDecision.REFUSED, possible, at), rule.to)
        case RuleKind.PAUSE:
            return replace(workflow, status=rule.to, status_before=workflow.status)
        case RuleKind.RESUME:
            resumed = replace(workflow, status=workflow.leads_back_to or rule.to, status_before=None)
            return expired(resumed, at) or resumed
    return _settled(workflow, rule.to)


def expired(workflow: Workflow, at: int) -> Workflow | None:
    """The workflow after its signature request expired; None if the time has not come, or someone was faster. A
    paused document stays so."""
    if not workflow.is_due(at):
        return None
    to = TABLE[Action.EXPIRE].to
    if workflow.status == TABLE[Action.PAUSE].to:
        return replace(workflow, status_before=to, expires_at=None)
    return _settled(workflow, to)


def _settled(workflow: Workflow, to: str) -> Workflow:
    return Workflow(to, workflow.participants)


def _decided(
    workflow: Workflow, given: ActionInput, decision: ParticipantDecision, possible: tuple[Action, ...], at: int
) -> Workflow:
    assert given.by is not None
    decider = Participant(given.by, decision, at, given.reason)
    if not workflow.participants:
        return replace(workflow, participants=(decider,))
    known = next((each for each in workflow.participants if each.is_named(given.by)), None)
    if known is None:
        raise _not_theirs("not_a_participant", f"{given.by} was not asked.", workflow, possible)
    if known.decision is not None:
        raise _not_theirs("already_decided", f"{given.by} has decided already.", workflow, possible)
    after = tuple(replace(decider, email=known.email) if each is known else each for each in workflow.participants)
    return replace(workflow, participants=after)


def _not_allowed(workflow: Workflow, action: Action, possible: tuple[Action, ...], at: int) -> Conflict:
    why = f"`{action}` does not fit a document that is {workflow.status}."
    if workflow.is_due(at) and workflow.status in TABLE[action].sources:
        why = f"The signature request expired at {format_timestamp(workflow.expires_at or 0)}."
    return Conflict("action_not_allowed", f"{why} {_now(possible)}", allowed=list(possible))


def _not_theirs(code: str, why: str, workflow: Workflow, possible: tuple[Action, ...]) -> Conflict:
    awaited = workflow.awaited
    some = ", ".join(awaited[:_MAX_NAMED]) + (" …" if len(awaited) > _MAX_NAMED else "")
    return Conflict(code, f"{why} Awaited: {some}.", allowed=list(possible), awaited=list(awaited))


def _now(possible: tuple[Action, ...]) -> str:
    return f"Allowed now: {', '.join(possible)}." if possible else "No action is allowed any more."
