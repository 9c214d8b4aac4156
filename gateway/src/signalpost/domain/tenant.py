"""Tenants: separate sets of documents, events, subscriptions, keys and files in one gateway."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from signalpost.domain.body import Body
from signalpost.domain.tenant_limits import LimitsPatch

TenantStatus = Literal["active", "paused"]
TENANT_NAME = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
MAX_RETENTION_DAYS: Final = 3_650
RetentionDays = Annotated[int, Meta(ge=1, le=MAX_RETENTION_DAYS)]
TenantName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=63,
        pattern=TENANT_NAME,
        description="Lower-case letters, digits and hyphens.",
    ),
]


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
        Meta(description="Days to keep its events and their delivery attempts; null for as long as the gateway does."),
    ] = UNSET
