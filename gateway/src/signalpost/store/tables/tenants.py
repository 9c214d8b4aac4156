"""The table of tenants, as commands change them, and as they are read."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from signalpost.domain.access.tenant import Tenant
from signalpost.domain.access.tenant_limits import NO_LIMITS, TenantLimits, TenantUse
from signalpost.store.tables.table import Columns, Kind, updating

_decode_limits = msgspec.json.Decoder(TenantLimits).decode

TENANT_COLUMNS = (
    "id, name, last_sequence, last_at, created_at, paused_at, deleted_at, limits, retention_days, config_version"
)
USE_COLUMNS = "documents, subscriptions, file_bytes"
"""The columns of a tenant's row that say how much it has of what can be limited."""
TENANT: Final = Columns(
    "tenant",
    {
        "id": Kind.NUMBER,
        "name": Kind.TEXT,
        "created_at": Kind.NUMBER,
        "paused_at": Kind.NUMBER,
        "deleted_at": Kind.NUMBER,
        "limits": Kind.TEXT,
        "retention_days": Kind.NUMBER,
    },
)
UPDATING_TENANT: Final = updating("id", "name", "paused_at", "deleted_at", "limits", "retention_days")
"""What a change writes of a tenant that is there."""


def pack_tenants(changed: Iterable[Tenant]) -> list[tuple[Any, ...]]:
    """Rows of `TENANT`. A deleted tenant's row stays under a name that no caller can give."""
    return [
        (
            tenant.id,
            tenant.name if tenant.deleted_at is None else f"#{tenant.id}",
            tenant.created_at,
            tenant.paused_at,
            tenant.deleted_at,
            pack_limits(tenant.limits),
            tenant.retention_days,
        )
        for tenant in changed
    ]


def unpack_tenant(columns: Sequence[Any]) -> Tenant:
    """From `TENANT_COLUMNS`, which are in the order of the members of `Tenant`."""
    *members, limits, retention_days, config_version = columns
    members += NO_LIMITS if limits is None else _decode_limits(limits), retention_days, config_version
    return Tenant(*members)


def pack_limits(limits: TenantLimits) -> str | None:
    """Limits as JSON; None if a tenant has none of its own."""
    return None if limits == NO_LIMITS else msgspec.json.encode(limits).decode()


def unpack_use(columns: Sequence[int]) -> TenantUse:
    """From `USE_COLUMNS`."""
    documents, subscriptions, file_bytes = columns
    return TenantUse(documents=documents, subscriptions=subscriptions, file_bytes=file_bytes)
