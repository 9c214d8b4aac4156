"""Where is this document, and who is awaited?"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.documents import Document, DocumentPage, HistoryEntry, HistoryPage, Workflow
from signalpost.console.page import Page, Visit
from signalpost.domain.documents.workflow import STATUSES

FILTERS = {"status": "status", "type": "type", "owner": "ownerEmail", "reference": "referenceId"}


class View(Struct, frozen=True):
    data: Sequence[Document]
    next: str | None
    is_first: bool
    same: str
    given: Mapping[str, str]
    statuses: Sequence[str] = tuple(STATUSES)


async def view(visit: Visit) -> View:
    given = {name: visit.query.get(name, "").strip() for name in FILTERS}
    cursor = visit.query.get("cursor")
    query = {parameter: given[name] for name, parameter in FILTERS.items()}
    page = await visit.calls.read("list_documents", DocumentPage, {**query, "cursor": cursor})
    same = urlencode({name: value for name, value in given.items() if value})
    return View(page.data, page.next, cursor is None, same, given)


class DocumentView(Struct, frozen=True):
    document: Document
    workflow: Workflow
    history: Sequence[HistoryEntry]
    deliveries: Sequence[Delivery]


async def view_one(visit: Visit) -> DocumentView:
    of = visit.params["id"]
    document = await visit.calls.read("read_document", Document, externalId=of)
    workflow = await visit.calls.read("read_workflow", Workflow, externalId=of)
    history = await visit.calls.read("list_history", HistoryPage, {"limit": "50"}, externalId=of)
    deliveries = await visit.calls.read("list_deliveries", DeliveryPage, {"externalId": of, "limit": "10"})
    return DocumentView(document, workflow, history.data, deliveries.data)


PAGES = (
    Page(path="/documents", section="Documents", title="Documents", template="documents.html", view=view),
    Page(path="/documents/{id}", section="Documents", title="Document", template="document.html", view=view_one),
)
