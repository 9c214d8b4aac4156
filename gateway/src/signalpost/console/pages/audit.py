"""The page of the audit: who changed what."""

from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.access import AuditEntry, AuditPage, AuditVerification
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, ShownOnce, Visit


class AuditView(Struct, frozen=True):
    page: ListPart[AuditEntry]
    actor: str
    object: str
    verified: AuditVerification | None = None
    """What a verification found, once the visitor asked for one."""

    def named(self, entry: AuditEntry) -> str:
        """What an entry is about: the name that it gives to it, or its id."""
        name = entry.changes.get("name")
        known = None if name is None else name.new or name.old
        return known if isinstance(known, str) else entry.object.id


async def view(visit: Visit) -> AuditView:
    given = {name: visit.query.get(name, "").strip() for name in ("actor", "object")}
    page = await visit.calls.read("list_audit", AuditPage, {"newest": "true", "cursor": visit.cursor, **given})
    return AuditView(listed(visit, page, given), given["actor"], given["object"])


async def verify(visit: Visit) -> ShownOnce:
    """Look through the entries of all tenants."""
    found = await visit.calls.read("verify_audit", AuditVerification)
    return ShownOnce("audit.html", replace(await view(visit), verified=found))


PAGES = (
    Page(path="/audit", section="Audit", title="Audit", template="audit.html", view=view, forms={"verify": verify}),
)
