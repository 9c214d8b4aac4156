"""Who changed what?"""

from collections.abc import Sequence

from msgspec import Struct

from signalpost.api.routing.shapes.access import AuditEntry, AuditPage
from signalpost.console.page import Page, Visit


class View(Struct, frozen=True):
    data: Sequence[AuditEntry]
    next: str | None
    is_first: bool
    actor: str
    object: str
    same: str = ""


async def view(visit: Visit) -> View:
    cursor, actor, of = (visit.query.get(name, "").strip() for name in ("cursor", "actor", "object"))
    page = await visit.calls.read(
        "list_audit", AuditPage, {"newest": "true", "cursor": cursor, "actor": actor, "object": of}
    )
    return View(page.data, page.next, not cursor, actor, of)


PAGES = (Page(path="/audit", section="Audit", title="Audit", template="audit.html", view=view),)
