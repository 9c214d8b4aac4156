"""The page of the audit: who changed what."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.access import AuditEntry, AuditPage, AuditVerification
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, ShownOnce, Visit


class AuditView(Struct, frozen=True):
    page: ListPart[AuditEntry]
    actor: str
    object: str
    names: Mapping[str, str]
    """What is called how, by its id, as far as entries of this page say."""
    verified: AuditVerification | None = None
    """What a verification found, once the visitor asked for one."""

    def named(self, entry: AuditEntry) -> str:
        """What an entry is about: its name, or else its id."""
        return self.names.get(entry.object.id, entry.object.id)


async def view(visit: Visit) -> AuditView:
    given = {name: visit.query.get(name, "").strip() for name in ("actor", "object")}
    page = await visit.calls.read("list_audit", AuditPage, {"newest": "true", "cursor": visit.cursor, **given})
    return AuditView(listed(visit, page, given), given["actor"], given["object"], _names(page.data))


def _names(newest_first: Sequence[AuditEntry]) -> dict[str, str]:
    """The last name that entries give to each thing."""
    named = [(each.object.id, change) for each in newest_first if (change := each.changes.get("name")) is not None]
    given = [(of, change.new or change.old) for of, change in reversed(named)]
    return {of: name for of, name in given if isinstance(name, str)}


async def verify(visit: Visit) -> ShownOnce:
    """Look through the entries of all tenants."""
    found = await visit.calls.read("verify_audit", AuditVerification)
    return ShownOnce("audit.html", replace(await view(visit), verified=found))


PAGES = (
    Page(path="/audit", section="Audit", title="Audit", template="audit.html", view=view, forms={"verify": verify}),
)
