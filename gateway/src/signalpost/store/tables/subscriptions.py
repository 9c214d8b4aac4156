"""The table of subscriptions. URL, secret, private keys and header values are sealed."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalpost.domain.objective import Objective
from signalpost.domain.subscription import WEBHOOK, Delay, Filters, Ordering, Status, Subscription
from signalpost.store.tables.table import Codec, EndValue, FoundBy, Kind, Table
from signalpost.store.vault import Place

_encode = msgspec.json.Encoder().encode


class SubscriptionConfig(Struct, frozen=True):
    """What a subscription's row says without a seal."""

    name: str
    status: Status
    ordering: Ordering
    rate_limit: int | None
    retry_delays: tuple[int, ...]
    starts_after: int
    filters: Filters
    skip_to: int
    created_at: int
    updated_at: int
    promote_at: int | None = None
    disabled_at: int | None = None
    revived_at: int = 0
    skipped_at: int = 0
    kind: str = WEBHOOK
    config: Mapping[str, Any] = {}
    when: Mapping[str, Any] | None = None
    after: Delay | None = None
    disabled_because: str | None = None
    secret_since: int = 0
    url_since: int = 0
    when_since: int = 0
    headers_since: int = 0
    skip_version: int = 0
    objective: Objective | None = None
    trace: bool = False
    tested_at: int = 0


_SEALED: Final = frozenset(
    "url secret next_secret headers contacts unsubscribed sign_also key_pair next_key_pair client_certificate"
    " authorities oauth".split()
)
"""Members that are kept under the tenant's data key. URLs may hold a credential. And if they were kept in plain text,
an attacker who can write to the database, and has no key, could redirect events."""
_SealedMembers = msgspec.defstruct(
    "_SealedMembers",
    [
        (each.name, each.type) if each.required else (each.name, each.type, each.default)
        for each in msgspec.structs.fields(Subscription)
        if each.name in _SEALED
    ],
    frozen=True,
    kw_only=True,
)
_decode_config = msgspec.json.Decoder(SubscriptionConfig).decode
_decode_sealed = msgspec.json.Decoder(_SealedMembers).decode


def _pack(subscription: Subscription, codec: Codec) -> tuple[Any, ...]:
    config = SubscriptionConfig(*(getattr(subscription, name) for name in SubscriptionConfig.__struct_fields__))
    sealed = _SealedMembers(**{name: getattr(subscription, name) for name in _SEALED})
    return (
        subscription.number,
        codec.pack_id(subscription.id),
        subscription.tenant_id,
        subscription.version,
        subscription.deleted_at,
        None if subscription.connection_id is None else codec.pack_id(subscription.connection_id),
        None if subscription.shadow_of is None else codec.pack_id(subscription.shadow_of),
        _encode(config),
        codec.seal(
            _encode(sealed), Place("subscription", subscription.tenant_id, subscription.id, subscription.version)
        ),
    )


def _unpack(columns: Sequence[Any], codec: Codec) -> Subscription:
    number, packed_id, tenant_id, version, deleted_at, connection_id, shadow_of, config, sealed = columns
    identity = codec.unpack_id(packed_id)
    place = Place("subscription", tenant_id, identity, version)
    in_plain = _decode_config(config)
    secrets = _decode_sealed(codec.open(sealed, place))
    return Subscription(
        id=identity,
        tenant_id=tenant_id,
        number=number,
        version=version,
        deleted_at=deleted_at,
        connection_id=None if connection_id is None else codec.unpack_id(connection_id),
        shadow_of=None if shadow_of is None else codec.unpack_id(shadow_of),
        **(
            msgspec.structs.asdict(in_plain)
            | {"retry_delays": _shared(in_plain.retry_delays)}
            | msgspec.structs.asdict(secrets)
        ),
    )


@lru_cache(maxsize=256)
def _shared(delays: tuple[int, ...]) -> tuple[int, ...]:
    """The same object for equal delays, of which a hundred thousand subscriptions have few."""
    return delays


SUBSCRIPTION: Final = Table(
    "subscription",
    Subscription,
    {
        "number": Kind.NUMBER,
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "version": Kind.NUMBER,
        "deleted_at": Kind.NUMBER,
        "connection_id": Kind.UUID,
        "shadow_of": Kind.UUID,
        "config": Kind.BLOB,
        "sealed": Kind.BLOB,
    },
    changing=["version", "deleted_at", "connection_id", "config", "sealed"],
    there="deleted_at IS NULL",
    found_by={
        "connection": FoundBy("connection_id = {} AND deleted_at IS NULL"),
        "shadow of": FoundBy("shadow_of = {} AND deleted_at IS NULL"),
    },
    sealed=["sealed"],
    ended={"deleted_at": EndValue.THEN, "connection_id": None, "shadow_of": None, "config": b"{}", "sealed": b""},
    pack=_pack,
    unpack=_unpack,
)
