"""Members: people of the operator's team, and of tenants, with the roles that API keys have.

    invited ──sets a password, or signs in at the identity provider──▶ active ──reset by an operator──▶ invited
    either ──removed──▶ removed, for good

A person who is invited gets a link, which works once and until it expires; a reset is an invitation of a person who is
there already, and takes their password away. A member's **generation** moves on whenever what they could do before must
not count any more: with a new password, another role or address, a reset. A session names the generation in which it
began and is worth nothing in another one, so all of them end with the change itself.
"""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from signalpost.domain.access.api_key import Role
from signalpost.domain.body import Body
from signalpost.domain.checks import NO_NUL
from signalpost.domain.fields import Email
from signalpost.domain.timestamps import SECOND

INVITATION_LIFETIME: Final = 72 * 3600 * SECOND
"""How long an invitation works (µs)."""
MIN_PASSWORD_CHARACTERS: Final = 12
MAX_PASSWORD_CHARACTERS: Final = 512

MemberName = Annotated[
    str, Meta(min_length=1, max_length=128, pattern=NO_NUL, description="Shown in the audit and in histories.")
]


class Member(Struct, frozen=True, kw_only=True):
    number: int
    """Members and API keys have their numbers from one sequence, so a number says who asked for a change."""
    tenant_id: int
    """The tenant that they work in. An operator works in any; they end with this one."""
    id: str
    name: str
    email: str
    """In lower case. No two members have the same; empty once they are removed."""
    role: Role
    created_at: int
    created_by: str | None = None
    """Name of the key or member that invited them."""
    password: str | None = None
    """The hash of the password, with what it was made with (argon2id); None while they are invited."""
    subject: str | None = None
    """Who they are at the identity provider; None before they first signed in there."""
    generation: int = 1
    invitation: bytes | None = None
    """The hash of the invitation's token."""
    invited_until: int | None = None
    removed_at: int | None = None

    @property
    def is_active(self) -> bool:
        return (self.password is not None or self.subject is not None) and self.removed_at is None

    @property
    def status(self) -> Literal["invited", "active"]:
        return "active" if self.is_active else "invited"

    @property
    def proof(self) -> bytes:
        """What a session that comes from this member must name."""
        return str(self.generation).encode()


class MemberRequest(Body, frozen=True, kw_only=True):
    name: MemberName
    email: Email
    role: Role


class MemberPatch(Body, frozen=True, kw_only=True):
    name: MemberName | UnsetType = UNSET
    email: Annotated[Email | UnsetType, Meta(description="Another address ends their sessions.")] = UNSET
    role: Annotated[Role | UnsetType, Meta(description="Another role ends their sessions.")] = UNSET


def password_fault(password: str, email: str) -> str | None:
    """What is wrong with a password that a person wants, in a sentence; None if nothing is."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        return f"A password needs at least {MIN_PASSWORD_CHARACTERS} characters. Four words make a good one."
    if len(password) > MAX_PASSWORD_CHARACTERS:
        return f"A password can have at most {MAX_PASSWORD_CHARACTERS} characters."
    if len(set(password)) < 5 or password.lower() in (email, email.partition("@")[0]):
        return "This password is guessed too easily. Choose another one."
    return None
