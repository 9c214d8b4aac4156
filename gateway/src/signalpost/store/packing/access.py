"""Columns of tenants."""

from collections.abc import Sequence
from typing import Any

import msgspec

from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import NO_LIMITS, TenantLimits, TenantUse

_decode_limits = msgspec.json.Decoder(TenantLimits).decode

TENANT_COLUMNS = (
    "id, name, last_sequence, last_at, created_at, paused_at, deleted_at, limits, retention_days, config_version"
)
USE_COLUMNS = "documents, subscriptions, file_bytes"
"""The columns of a tenant's row that say how much it has of what can be limited."""


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
