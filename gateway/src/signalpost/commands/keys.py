"""Commands that create and revoke API keys."""

from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, RowKey, Stamp
from signalpost.domain.access.api_key import ApiKey, Role, hash_key
from signalpost.domain.errors import NotFound


class KeyCreated(Struct, frozen=True):
    """`key` is the key itself. Only its hash is kept. `tenant` is the name of its tenant."""

    made: ApiKey
    key: str
    tenant: str


class KeyRevoked(Struct, frozen=True):
    key: ApiKey


class _KeyCommand(BaseCommand, frozen=True, kw_only=True):
    key_id: str

    @property
    def reads(self) -> Reads:
        return Reads(rows=(RowKey(ApiKey, self.key_id),))


class CreateKey(_KeyCommand, frozen=True, kw_only=True):
    """`key_id` is the id of the new key, `key` the key itself."""

    audited_as: ClassVar[str] = "key.create"
    adds: ClassVar[type[ApiKey]] = ApiKey
    tenant: str
    """The name of its tenant."""
    name: str
    role: Role
    key: str
    expires_at: int | None = None
    created_by: str | None = None

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[KeyCreated]:
        made = ApiKey(
            number=view.next_number(ApiKey),
            tenant_id=self.tenant_id,
            id=self.key_id,
            name=self.name,
            role=self.role,
            hash=hash_key(self.key),
            created_at=stamp.at,
            expires_at=self.expires_at,
            created_by=self.created_by,
        )
        return Decision(result=KeyCreated(made, self.key, self.tenant), rows=(made,))


class RevokeKey(_KeyCommand, frozen=True, kw_only=True):
    audited_as: ClassVar[str] = "key.revoke"
    within: int | None = None
    """The tenant that the key must be of; None for any."""

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[KeyRevoked]:
        found = view.row(ApiKey, self.key_id, self.within)
        if found is None or found.revoked_at is not None:
            raise NotFound("key_not_found", "There is no key with this id.")
        revoked = replace(found, revoked_at=stamp.at)
        return Decision(result=KeyRevoked(revoked), rows=(revoked,))
