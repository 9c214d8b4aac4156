"""Columns of tenants, API keys and members."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from signalpost.domain.api_key import ApiKey, Role
from signalpost.domain.member import Member
from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import NO_LIMITS, TenantLimits, TenantUse
from signalpost.store.packing import Id

_decode_limits = msgspec.json.Decoder(TenantLimits).decode

TENANT_COLUMNS = (
    "id, name, last_sequence, last_at, created_at, paused_at, deleted_at, limits, retention_days, config_version"
)
USE_COLUMNS = "documents, subscriptions, file_bytes"
"""The columns of a tenant's row that say how much it has of what can be limited."""
KEY_COLUMNS = "number, id, name, role, hash, created_at, revoked_at, tenant_id, expires_at, created_by, last_used_at"
KeyColumns = tuple[int, Id, str, str, bytes, int, int | None, int, int | None, str | None, int | None]


def unpack_tenant(columns: Sequence[Any]) -> Tenant:
    """From `TENANT_COLUMNS`, which are in the order of the members of `Tenant`."""
    *members, limits, retention_days, config_version = columns
    members += NO_LIMITS if limits is None else _decode_limits(limits), retention_days, config_version
    return Tenant(*members)


def pack_limits(limits: TenantLimits) -> str | None:
    """Limits as JSON; None where a tenant has none of its own."""
    return None if limits == NO_LIMITS else msgspec.json.encode(limits).decode()


def unpack_use(columns: Sequence[int]) -> TenantUse:
    """From `USE_COLUMNS`."""
    documents, subscriptions, file_bytes = columns
    return TenantUse(documents=documents, subscriptions=subscriptions, file_bytes=file_bytes)


def pack_key(key: ApiKey, pack_id: Callable[[str], Id]) -> KeyColumns[Id]:
    """`KEY_COLUMNS` of an API key."""
    return (
        key.number,
        pack_id(key.id),
        key.name,
        key.role.value,
        key.hash,
        key.created_at,
        key.revoked_at,
        key.tenant_id,
        key.expires_at,
        key.created_by,
        key.last_used_at,
    )


def unpack_key(columns: KeyColumns[Id], unpack_id: Callable[[Id], str]) -> ApiKey:
    """From `KEY_COLUMNS`."""
    number, packed_id, name, role, digest, created_at, revoked_at, tenant_id, expires_at, created_by, used_at = columns
    return ApiKey(
        number=number,
        id=unpack_id(packed_id),
        name=name,
        role=Role(role),
        hash=digest,
        created_at=created_at,
        revoked_at=revoked_at,
        tenant_id=tenant_id,
        expires_at=expires_at,
        created_by=created_by,
        last_used_at=used_at,
    )


MEMBER_COLUMNS = (
    "number, id, tenant_id, name, email, role, created_at, created_by, password, subject, generation, invitation,"
    " invited_until, removed_at"
)


def pack_member(member: Member, pack_id: Callable[[str], Id]) -> tuple[Any, ...]:
    """`MEMBER_COLUMNS` of a member."""
    return (
        member.number, pack_id(member.id), member.tenant_id, member.name, member.email, member.role.value,
        member.created_at, member.created_by, member.password, member.subject, member.generation, member.invitation,
        member.invited_until, member.removed_at,
    )  # fmt: skip


def unpack_member(columns: Sequence[Any], unpack_id: Callable[[Id], str]) -> Member:
    """From `MEMBER_COLUMNS`."""
    values = dict(zip(MEMBER_COLUMNS.split(", "), columns, strict=True))
    return Member(**(values | {"id": unpack_id(values["id"]), "role": Role(values["role"])}))
