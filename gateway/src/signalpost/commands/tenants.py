"""Commands that create, pause, resume, limit and delete tenants, and say how long their events are kept."""

from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, Stamp
from signalpost.commands.erasures import ErasureStarted
from signalpost.domain.access.api_key import FIRST_TENANT
from signalpost.domain.access.tenant import OPERATIONS_TENANT, Tenant, TenantStatus
from signalpost.domain.access.tenant_limits import LimitsPatch
from signalpost.domain.erasure import Erasure
from signalpost.domain.errors import Conflict, NotFound


class TenantCreated(Struct, frozen=True):
    tenant: Tenant


class TenantChanged(Struct, frozen=True):
    tenant: Tenant


class _TenantCommand(BaseCommand, frozen=True, kw_only=True):
    """`tenant_id` is the tenant for which the caller calls, `name` the one that the command is about."""

    name: str

    @property
    def reads(self) -> Reads:
        return Reads(tenant=self.name)

    def _found(self, view: BatchView) -> Tenant:
        found = view.tenant_named(self.name)
        if found is None:
            raise tenant_not_found()
        return found


class CreateTenant(_TenantCommand, frozen=True, kw_only=True):
    audited_as: ClassVar[str] = "tenant.create"
    adds: ClassVar[type[Tenant]] = Tenant

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[TenantCreated]:
        if view.tenant_named(self.name) is not None:
            raise Conflict("tenant_exists", f"There is already a tenant {self.name}.")
        made = Tenant(view.next_number(Tenant), self.name, created_at=stamp.now)
        return Decision(result=TenantCreated(made), tenant=made)


class ChangeTenant(_TenantCommand, frozen=True, kw_only=True):
    audited_as: ClassVar[str] = "tenant.change"
    status: TenantStatus | UnsetType = UNSET
    limits: LimitsPatch | UnsetType = UNSET
    retention_days: int | None | UnsetType = UNSET

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[TenantChanged]:
        found = changed = self._found(view)
        if self.status is not UNSET and (self.status == "paused") != (found.paused_at is not None):
            changed = replace(changed, paused_at=stamp.now if self.status == "paused" else None)
        if self.limits is not UNSET:
            changed = replace(changed, limits=self.limits.applied_to(changed.limits))
        if self.retention_days is not UNSET:
            changed = replace(changed, retention_days=self.retention_days)
        return Decision(result=TenantChanged(changed), tenant=None if changed == found else changed)


class DeleteTenant(_TenantCommand, frozen=True, kw_only=True):
    """From then on the tenant's keys are refused and nothing is sent; all its data is erased."""

    audited_as: ClassVar[str] = "tenant.delete"
    erasure_id: str

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ErasureStarted]:
        found = self._found(view)
        if found.id == FIRST_TENANT:
            raise Conflict("tenant_is_default", "The tenant `default` cannot be deleted.")
        if found.id == OPERATIONS_TENANT:
            raise Conflict("tenant_is_reserved", "The tenant `operations` has the notices, and cannot be deleted.")
        if found.id == self.tenant_id:
            raise Conflict(
                "tenant_in_use",
                "A call cannot delete the tenant that it is made for. Name another tenant in the header.",
            )
        gone = replace(found, deleted_at=stamp.now)
        asked = Erasure(
            id=self.erasure_id,
            tenant_id=found.id,
            tenant=found.name,
            asked_at=stamp.now,
            to_sequence=found.last_sequence,
        )
        return Decision(result=ErasureStarted(asked), tenant=gone, erasure=asked)


def tenant_not_found() -> NotFound:
    return NotFound("tenant_not_found", "There is no tenant with this name.")
