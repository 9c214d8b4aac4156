"""Commands that invite members, change and remove them, and set their passwords."""

from typing import ClassVar, Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, RowKey, Stamp
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.member import INVITATION_LIFETIME, Member
from signalpost.domain.errors import Conflict, Gone, NotFound

_EVERYBODY: Final = "default"
"""The tenant that always exists. Every command about members holds its lock, so no two members get the same e-mail
address at the same time, whichever tenants they are of."""


class MemberInvited(Struct, frozen=True):
    """`url` has the invitation's token. Only its hash is kept. `tenant` is the name of the member's tenant."""

    member: Member
    url: str
    tenant: str


class MemberReset(Struct, frozen=True):
    member: Member
    url: str


class MemberChanged(Struct, frozen=True):
    member: Member
    tenant: str


class MemberRemoved(Struct, frozen=True):
    member: Member


class MemberKnown(Struct, frozen=True):
    member: Member


class PasswordSet(Struct, frozen=True):
    member: Member


class _MemberCommand(BaseCommand, frozen=True, kw_only=True):
    member_id: str

    @property
    def reads(self) -> Reads:
        return _reads(self.member_id)


class InviteMember(_MemberCommand, frozen=True, kw_only=True):
    """`member_id` is the id of the new member, `url` the link that invites them, `invitation` the hash of its token."""

    audited_as: ClassVar[str] = "member.invite"
    adds: ClassVar[type[Member]] = Member
    tenant: str
    name: str
    email: str
    role: Role
    url: str
    invitation: bytes
    created_by: str | None = None

    @property
    def reads(self) -> Reads:
        return _reads(self.member_id, self.email)

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[MemberInvited]:
        if _has_member(view, self.email):
            raise member_exists(self.email)
        made = Member(
            number=view.next_number(Member),
            tenant_id=self.tenant_id,
            id=self.member_id,
            name=self.name,
            email=self.email,
            role=self.role,
            created_at=stamp.now,
            created_by=self.created_by,
            invitation=self.invitation,
            invited_until=stamp.now + INVITATION_LIFETIME,
        )
        return Decision(result=MemberInvited(made, self.url, self.tenant), rows=(made,))


class _ExistingMemberCommand(_MemberCommand, frozen=True, kw_only=True):
    within: int | None = None
    """The tenant that the member must be of; None for any."""

    def _found(self, view: BatchView) -> Member:
        found = view.row(Member, self.member_id, self.within)
        if found is None or found.removed_at is not None:
            raise member_not_found()
        return found


class ChangeMember(_ExistingMemberCommand, frozen=True, kw_only=True):
    """Their password, and who they are at the identity provider, stay."""

    audited_as: ClassVar[str] = "member.change"
    tenant: str
    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET

    @property
    def reads(self) -> Reads:
        return _reads(self.member_id) if self.email is UNSET else _reads(self.member_id, self.email)

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[MemberChanged]:
        found = self._found(view)
        if self.email is not UNSET and self.email != found.email and _has_member(view, self.email):
            raise member_exists(self.email)
        changed = replace(
            found,
            name=found.name if self.name is UNSET else self.name,
            email=found.email if self.email is UNSET else self.email,
            role=found.role if self.role is UNSET else self.role,
        )
        if (changed.email, changed.role) != (found.email, found.role):
            changed = replace(changed, generation=found.generation + 1)
        rows = () if changed == found else (changed,)
        return Decision(result=MemberChanged(changed, self.tenant), rows=rows)


class RemoveMember(_ExistingMemberCommand, frozen=True, kw_only=True):
    audited_as: ClassVar[str] = "member.remove"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[MemberRemoved]:
        found = self._found(view)
        removed = replace(
            found,
            email="",
            password=None,
            subject=None,
            generation=found.generation + 1,
            invitation=None,
            invited_until=None,
            removed_at=stamp.now,
        )
        return Decision(result=MemberRemoved(removed), rows=(removed,))


class ResetMember(_ExistingMemberCommand, frozen=True, kw_only=True):
    """Take a member's password away, and invite them again."""

    audited_as: ClassVar[str] = "member.reset"
    url: str
    invitation: bytes

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[MemberReset]:
        found = self._found(view)
        reset = replace(
            found,
            password=None,
            subject=None,
            generation=found.generation + 1,
            invitation=self.invitation,
            invited_until=stamp.now + INVITATION_LIFETIME,
        )
        return Decision(result=MemberReset(reset, self.url), rows=(reset,))


class AcceptInvitation(_ExistingMemberCommand, frozen=True, kw_only=True):
    """Set a password with an invitation, which works no more then."""

    audited_as: ClassVar[str] = "member.join"
    invitation: bytes
    password: str

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[PasswordSet]:
        found = view.row(Member, self.member_id, None)
        is_good = found is not None and found.removed_at is None and found.invitation == self.invitation
        if found is None or not is_good or found.invited_until is None or found.invited_until <= stamp.now:
            raise Gone("invitation_used", "This invitation was used or has expired. Ask an operator for another one.")
        joined = replace(
            found,
            password=self.password,
            generation=found.generation + 1,
            invitation=None,
            invited_until=None,
        )
        return Decision(result=PasswordSet(joined), rows=(joined,))


class KnowMember(_ExistingMemberCommand, frozen=True, kw_only=True):
    """Note who a member is at the identity provider, which vouches for their address. It stands for accepting
    the invitation, if that has not expired."""

    audited_as: ClassVar[str] = "member.join"
    subject: str

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[MemberKnown]:
        found = self._found(view)
        if found.subject not in (None, self.subject):
            raise Conflict("member_changed", "Another person signs in as this member.")
        if not found.is_active and (found.invited_until is None or found.invited_until <= stamp.now):
            raise Gone("invitation_used", "This invitation has expired. Ask an operator for another one.")
        known = replace(found, subject=self.subject, invitation=None, invited_until=None)
        return Decision(result=MemberKnown(known), rows=() if known == found else (known,))


class ChangePassword(_ExistingMemberCommand, frozen=True, kw_only=True):
    """Set another password. The present one must be given."""

    audited_as: ClassVar[str] = "member.change-password"
    generation: int
    """The generation in which the present password was checked."""
    password: str

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[PasswordSet]:
        found = self._found(view)
        if found.generation != self.generation or found.password is None:
            raise Conflict("member_changed", "The account was changed meanwhile. Sign in again.")
        changed = replace(found, password=self.password, generation=found.generation + 1)
        return Decision(result=PasswordSet(changed), rows=(changed,))


def _reads(member_id: str, *emails: str) -> Reads:
    """What is read of a member, and to see whether another one has an e-mail address."""
    having = (RowKey(Member, email, "email") for email in emails)
    return Reads(tenant=_EVERYBODY, rows=(RowKey(Member, member_id), *having))


def _has_member(view: BatchView, email: str) -> bool:
    return any(member.email == email and member.removed_at is None for member in view.rows_of(Member))


def member_exists(email: str) -> Conflict:
    return Conflict("member_exists", f"{email} is already a member.")


def member_not_found() -> NotFound:
    return NotFound("member_not_found", "There is no member with this id.")
