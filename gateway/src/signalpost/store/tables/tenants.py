"""The table of tenants, as commands change them."""

from collections.abc import Iterable
from typing import Any, Final

from signalpost.domain.tenant import Tenant
from signalpost.store.packing.access import pack_limits
from signalpost.store.tables.table import Columns, Kind, updating

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
    """Rows of `TENANT`. A deleted tenant's row stays under a name that nobody can give."""
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
