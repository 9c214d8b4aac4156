"""What clients send to move a document through its workflow. The member `action` says which action a body asks for."""

from collections.abc import Mapping
from typing import Annotated, Final, get_args

from msgspec import Meta
from msgspec.structs import fields

from signalpost.domain.body import Body, checked_by
from signalpost.domain.checks import Bad, Several
from signalpost.domain.documents.workflow import Action, ActionInput
from signalpost.domain.fields import Email, GivenTimestamp, Text
from signalpost.domain.timestamps import parse_timestamp

MAX_PARTICIPANTS: Final = 64


def _name_nobody_twice(addresses: tuple[str, ...]) -> tuple[str, ...]:
    first: dict[str, int] = {}
    twice = [at for at, address in enumerate(addresses) if first.setdefault(address.casefold(), at) != at]
    if twice:
        raise Several([Bad("duplicate", "This person is named twice.", (str(at),)) for at in twice])
    return addresses


People = Annotated[
    tuple[Email, ...],
    Meta(
        min_length=1,
        max_length=MAX_PARTICIPANTS,
        description="E-mail addresses.",
        extra_json_schema={"uniqueItems": True},
        extra=checked_by(_name_nobody_twice),
    ),
]
By = Annotated[Email, Meta(description="The e-mail address of the person who decides.")]
Reason = Annotated[Text, Meta(description="The reason, for people to read.")]


class _Action(Body, frozen=True, kw_only=True, tag_field="action"):
    pass


class _Decision(_Action, frozen=True, kw_only=True):
    by: By


class _Refusal(_Decision, frozen=True, kw_only=True):
    reason: Reason


class RequestReviewAction(_Action, frozen=True, kw_only=True, tag=Action.REQUEST_REVIEW.value):
    reviewers: People


class ApproveReviewAction(_Decision, frozen=True, kw_only=True, tag=Action.APPROVE_REVIEW.value):
    pass


class RejectReviewAction(_Refusal, frozen=True, kw_only=True, tag=Action.REJECT_REVIEW.value):
    pass


class RequestApprovalAction(_Action, frozen=True, kw_only=True, tag=Action.REQUEST_APPROVAL.value):
    approvers: People


class ApproveAction(_Decision, frozen=True, kw_only=True, tag=Action.APPROVE.value):
    pass


class RejectApprovalAction(_Refusal, frozen=True, kw_only=True, tag=Action.REJECT_APPROVAL.value):
    pass


class RequestSignatureAction(_Action, frozen=True, kw_only=True, tag=Action.REQUEST_SIGNATURE.value):
    signers: People
    expires_at: Annotated[GivenTimestamp, Meta(description="When the signature request expires.")]


class SignAction(_Decision, frozen=True, kw_only=True, tag=Action.SIGN.value):
    pass


class RejectSignatureAction(_Refusal, frozen=True, kw_only=True, tag=Action.REJECT_SIGNATURE.value):
    pass


class PauseAction(_Action, frozen=True, kw_only=True, tag=Action.PAUSE.value):
    pass


class ResumeAction(_Action, frozen=True, kw_only=True, tag=Action.RESUME.value):
    pass


class CancelAction(_Action, frozen=True, kw_only=True, tag=Action.CANCEL.value):
    reason: Reason


RequestedAction = (
    RequestReviewAction
    | ApproveReviewAction
    | RejectReviewAction
    | RequestApprovalAction
    | ApproveAction
    | RejectApprovalAction
    | RequestSignatureAction
    | SignAction
    | RejectSignatureAction
    | PauseAction
    | ResumeAction
    | CancelAction
)


TAKES: Final[Mapping[Action, tuple[str, ...]]] = {
    Action(str(kind.__struct_config__.tag)): tuple(member.encode_name for member in fields(kind))
    for kind in get_args(RequestedAction)
}
"""The members that a client sends with each action, all of them."""


def action_of(requested: RequestedAction) -> Action:
    return Action(str(requested.__struct_config__.tag))


def given_with(requested: RequestedAction) -> ActionInput:
    """What came with an action. Reviewers, approvers and signers are all `people` here."""
    match requested:
        case RequestReviewAction(reviewers=people) | RequestApprovalAction(approvers=people):
            return ActionInput(people=people)
        case RequestSignatureAction(signers=people, expires_at=until):
            return ActionInput(people=people, expires_at=parse_timestamp(until))
        case _Refusal(by=by, reason=reason):
            return ActionInput(by=by, reason=reason)
        case _Decision(by=by):
            return ActionInput(by=by)
        case CancelAction(reason=reason):
            return ActionInput(reason=reason)
    return ActionInput()
