"""Making and revoking API keys. Each is a value whose `decide` is pure."""

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.overlay import Answer, Decision, IdempotencyKey, Stamp, View
from signalpost.domain.api_key import ApiKey, Role, hash_key
from signalpost.domain.errors import NotFound
from signalpost.domain.fields import Timestamp, Uuid
from signalpost.domain.timestamps import format_timestamp


class _KeyCommand(Struct, frozen=True, kw_only=True):
    tenant_id: int
    key_id: str
    idempotency: IdempotencyKey | None = None
    document_id: None = None
    version_number: None = None
    subscription_id: None = None
    replay_id: None = None


class CreateKey(_KeyCommand, frozen=True, kw_only=True):
    """`key_id` and the `key` itself were made for it."""

    name: str
    role: Role
    key: str

    def decide(self, view: View, stamp: Stamp) -> Decision:
        made = ApiKey(
            number=0, id=self.key_id, name=self.name, role=self.role, hash=hash_key(self.key), created_at=stamp.at
        )
        body = msgspec.json.encode(NewKey(**msgspec.structs.asdict(key_shown(made)), key=self.key))
        return Decision(answer=Answer(201, body, (("location", f"/v1/keys/{made.id}"),)), key=made)


class RevokeKey(_KeyCommand, frozen=True, kw_only=True):
    def decide(self, view: View, stamp: Stamp) -> Decision:
        found = view.key(self.key_id)
        if found is None or found.revoked_at is not None:
            raise NotFound("key_not_found", "There is no key with this id.")
        return Decision(answer=Answer(204), key=replace(found, revoked_at=stamp.at))


class Key(Struct, frozen=True, rename="camel"):
    """A key as lists show it: all but the key."""

    id: Uuid
    name: str
    role: Role
    created_at: Timestamp


class NewKey(Key, frozen=True, rename="camel"):
    """The only answer that shows the key, this once."""

    key: str


def key_shown(key: ApiKey) -> Key:
    return Key(key.id, key.name, key.role, format_timestamp(key.created_at))
