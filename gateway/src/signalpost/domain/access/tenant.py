"""Tenants: separate sets of documents, events, subscriptions, keys and files in one gateway."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from signalpost.domain.access.tenant_limits import NO_LIMITS, LimitsPatch, TenantLimits
from signalpost.domain.body import Body

TenantStatus = Literal["active", "paused"]
OPERATIONS: Final = "operations"
"""The name of the tenant that notices are in, which every database has. It takes no documents, and no other tenant has
notices."""
OPERATIONS_TENANT: Final = -2
"""The number of that tenant, which none that operators make can get."""
TENANT_NAME = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
OTHER_TENANTS: Final = "other"
"""What metrics call all tenants together that have none of their own."""
MAX_RETENTION_DAYS: Final = 3_650
RetentionDays = Annotated[int, Meta(ge=1, le=MAX_RETENTION_DAYS)]
TenantName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=63,
        pattern=TENANT_NAME,
        description="Lower-case letters, digits and hyphens.",
        examples=["acme-legal"],
    ),
]


class Tenant(Struct, frozen=True):
    """A tenant and the end of its log. While it is paused, nothing in it is changed or sent."""

    id: int
    name: str
    last_sequence: int = 0
    last_at: int = 0
    """`createdAt` of the last event."""
    created_at: int | None = None
    """None for the one that every database begins with."""
    paused_at: int | None = None
    deleted_at: int | None = None
    limits: TenantLimits = NO_LIMITS
    """What operators set for it; see `Directory.limits_of` for what counts."""
    retention_days: int | None = None
    """What operators set for it; see `Directory.retention_days_of` for what counts."""
    config_version: int = 0
    """Rises with every change of the tenant's data that nodes keep in memory: `TenantMark`, `store/nouns/fleet.py`."""

    @property
    def status(self) -> TenantStatus:
        return "active" if self.paused_at is None else "paused"


class TenantRequest(Body, frozen=True, kw_only=True):
    name: TenantName


class TenantPatch(Body, frozen=True, kw_only=True):
    status: Annotated[
        TenantStatus | UnsetType,
        Meta(description="While it is paused, nothing in it is changed or sent, and nothing is lost."),
    ] = UNSET
    limits: LimitsPatch | UnsetType = UNSET
    retention_days: Annotated[
        RetentionDays | None | UnsetType,
        Meta(description="Days to keep its events and their delivery attempts; null for the setting RETENTION_DAYS."),
    ] = UNSET
