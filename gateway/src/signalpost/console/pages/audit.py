"""The page of the audit: who changed what."""

from collections.abc import Sequence
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.access import AuditEntry, AuditPage, AuditVerification
from signalpost.console.page import Page, ShownOnce, Visit


class View(Struct, frozen=True):
    data: Sequence[AuditEntry]
    next: str | None
    is_first: bool
    actor: str
    object: str
    same: str
    verified: AuditVerification | None = None
    """What a verification found, once somebody asked for one."""

    def named(self, entry: AuditEntry) -> str:
        """What an entry is about: the name that it gives to it, or its id."""
        name = entry.changes.get("name")
        known = None if name is None else name.new or name.old
        return known if isinstance(known, str) else entry.object.id


async def view(visit: Visit) -> View:
    cursor, actor, of = (visit.query.get(name, "").strip() for name in ("cursor", "actor", "object"))
    page = await visit.calls.read(
        "list_audit", AuditPage, {"newest": "true", "cursor": cursor, "actor": actor, "object": of}
    )
    same = urlencode({name: value for name, value in (("actor", actor), ("object", of)) if value})
    return View(page.data, page.next, not cursor, actor, of, same)


async def verify(visit: Visit) -> ShownOnce:
    """Look through the entries of all tenants."""
    found = await visit.calls.read("verify_audit", AuditVerification)
    return ShownOnce("audit.html", replace(await view(visit), verified=found))


PAGES = (
    Page(path="/audit", section="Audit", title="Audit", template="audit.html", view=view, forms={"verify": verify}),
)
