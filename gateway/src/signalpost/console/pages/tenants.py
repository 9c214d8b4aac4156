"""The page of tenants: who shares this gateway, their limits, and what they use."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from signalpost.api.routing.shapes.access import ErasurePage, ErasureShown, TenantPage, TenantShown, TenantWithUse
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, SeeOther, Visit, whole

LIMITS: Final[Mapping[str, tuple[str, str]]] = {
    "requests_per_second": ("requestsPerSecond", "Requests a second"),
    "changes_per_second": ("changesPerSecond", "Changes of documents a second"),
    "in_flight": ("inFlight", "Attempts under way"),
    "documents": ("documents", "Documents"),
    "subscriptions": ("subscriptions", "Subscriptions"),
    "file_bytes": ("fileBytes", "Bytes of files"),
}
"""Each limit, its name in a call, and the words for it."""


class TenantListView(Struct, frozen=True):
    page: ListPart[TenantShown]
    name: str
    """The name that was typed for a new tenant."""
    erasures: Sequence[ErasureShown]


class Limit(Struct, frozen=True):
    name: str
    title: str
    pointer: str
    used: int | None
    most: int | None
    """What counts; None if nothing is limited."""
    value: str
    """What stands in its field: what was typed, or what was set for the tenant."""

    @property
    def is_full(self) -> bool:
        return self.used is not None and self.most is not None and self.used >= self.most


class TenantView(Struct, frozen=True):
    tenant: TenantWithUse
    limits: Sequence[Limit]
    days: str
    typed: str
    """What was typed to confirm a deletion."""


async def view(visit: Visit) -> TenantListView:
    page = await visit.calls.read("list_tenants", TenantPage, {"cursor": visit.cursor})
    erasures = await visit.calls.read("list_erasures", ErasurePage, {"limit": "10"})
    return TenantListView(listed(visit, page), visit.given("name"), erasures.data)


async def view_one(visit: Visit) -> TenantView:
    tenant = await visit.calls.read("read_tenant", TenantWithUse, name=visit.params["name"])
    return TenantView(
        tenant=tenant,
        limits=_limits(visit, tenant),
        days=visit.typed("days", _shown(tenant.retention_days)),
        typed=visit.given("confirm"),
    )


def _limits(visit: Visit, tenant: TenantWithUse) -> list[Limit]:
    own, effective, used = asdict(tenant.limits), asdict(tenant.effective_limits), asdict(tenant.use)
    return [
        Limit(
            name=name,
            title=title,
            pointer=f"/limits/{on_the_wire}",
            used=used.get(name),
            most=effective[name],
            value=visit.typed(name, _shown(own[name])),
        )
        for name, (on_the_wire, title) in LIMITS.items()
    ]


async def create(visit: Visit) -> SeeOther:
    name = visit.given("name")
    await visit.calls.change("create_tenant", {"name": name}, key=visit.given("key"))
    return SeeOther(f"/tenants/{name}", "created")


async def _change(visit: Visit, changed: Mapping[str, Any], done: str) -> SeeOther:
    name = visit.params["name"]
    await visit.calls.change("change_tenant", changed, key=visit.given("key"), name=name)
    return SeeOther(f"/tenants/{name}", done)


async def pause(visit: Visit) -> SeeOther:
    return await _change(visit, {"status": "paused"}, "paused")


async def resume(visit: Visit) -> SeeOther:
    return await _change(visit, {"status": "active"}, "resumed")


async def limit(visit: Visit) -> SeeOther:
    """Sets what was edited. What was left empty counts as the settings say."""
    tenant = await visit.calls.read("read_tenant", TenantWithUse, name=visit.params["name"])
    own = asdict(tenant.limits)
    limits = {
        on_the_wire: _number(visit.given(name))
        for name, (on_the_wire, _) in LIMITS.items()
        if visit.is_edited(name, _shown(own[name]))
    }
    changed: dict[str, Any] = {"limits": limits} if limits else {}
    if visit.is_edited("days", _shown(tenant.retention_days)):
        changed["retentionDays"] = _number(visit.given("days"))
    return await _change(visit, changed, "limited")


def _shown(limit: int | None) -> str:
    return "" if limit is None else str(limit)


def _number(text: str) -> int | str | None:
    plain = text.replace(",", "")
    return whole(plain) if plain else None


async def delete(visit: Visit) -> SeeOther:
    visit.need_proof()
    name = visit.params["name"]
    await visit.calls.change(
        "delete_tenant", key=visit.given("key"), query={"confirm": visit.given("confirm")}, name=name
    )
    return SeeOther("/tenants", "deleted")


PAGES = (
    Page(
        path="/tenants",
        section="Tenants",
        title="Tenants",
        template="tenants.html",
        view=view,
        forms={"create": create},
        done={"deleted": "The tenant is deleted, and its data is being erased. Backups still have it."},
    ),
    Page(
        path="/tenants/{name}",
        section="Tenants",
        title="Tenant",
        template="tenant.html",
        view=view_one,
        forms={"pause": pause, "resume": resume, "limit": limit, "delete": delete},
        done={
            "created": "The tenant is created. Its programs need their own keys.",
            "paused": "Nothing in it is changed or sent until you resume it.",
            "resumed": "Its waiting events are sent.",
            "limited": "These limits apply from now on.",
        },
    ),
)
