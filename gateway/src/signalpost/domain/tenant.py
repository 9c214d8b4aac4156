"""Tenants: separate sets of documents, events, subscriptions, keys and files in one gateway."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from signalpost.domain.body import Body
from signalpost.domain.tenant_limits import LimitsPatch

TenantStatus = Literal["active", "paused"]
TENANT_NAME = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
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
