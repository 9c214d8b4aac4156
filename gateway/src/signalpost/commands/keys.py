"""Commands that create and revoke API keys."""

from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import Decision, IdempotencyKey, Reads, Stamp, View
from signalpost.commands.command_queues import Queue
from signalpost.domain.api_key import ApiKey, Role, hash_key
from signalpost.domain.errors import NotFound


class KeyCreated(Struct, frozen=True):
    """`text` is the key itself. Only its hash is kept."""

    key: ApiKey
    text: str


class KeyRevoked(Struct, frozen=True):
    key: ApiKey


class _KeyCommand(Struct, frozen=True, kw_only=True):
    queue: ClassVar[Queue] = Queue.CONTROL
    tenant_id: int
    key_id: str
    idempotency: IdempotencyKey | None = None

    @property
    def reads(self) -> Reads:
        return Reads(key=self.key_id)


class CreateKey(_KeyCommand, frozen=True, kw_only=True):
    """`key_id` is the id of the new key, `key` the key itself."""

    name: str
    role: Role
    key: str

    def decide(self, view: View, stamp: Stamp) -> Decision[KeyCreated]:
        made = ApiKey(
            number=view.numbers.key,
            id=self.key_id,
            name=self.name,
            role=self.role,
            hash=hash_key(self.key),
            created_at=stamp.at,
        )
        return Decision(result=KeyCreated(made, self.key), key=made)


class RevokeKey(_KeyCommand, frozen=True, kw_only=True):
    def decide(self, view: View, stamp: Stamp) -> Decision[KeyRevoked]:
        found = view.keys.get(self.key_id)
        if found is None or found.revoked_at is not None:
            raise NotFound("key_not_found", "There is no key with this id.")
        revoked = replace(found, revoked_at=stamp.at)
        return Decision(result=KeyRevoked(revoked), key=revoked)
