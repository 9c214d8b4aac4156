"""The pages of documents: where each is in its workflow, and who still has to decide."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.documents import (
    Document,
    DocumentPage,
    Feed,
    HistoryEntry,
    HistoryPage,
    KeptVersion,
    LogEntry,
    VersionPage,
    Workflow,
)
from signalpost.console.differences import Difference, differences
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, SeeOther, Visit, only_reads, reads_in_turn
from signalpost.domain.documents.workflow import STATUSES

FILTERS = {"status": "status", "type": "type", "owner": "ownerEmail", "reference": "referenceId"}
STEPS = 50
"""How many steps of a document's history are shown."""
CREATED = "documentCreated"
SAMPLE: Final[Mapping[str, Any]] = {
    "type": "NDA",
    "title": "A sample agreement",
    "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com",
    "counterpartyName": "Company A",
    "contractValue": 19_500,
}


class DocumentListView(Struct, frozen=True):
    page: ListPart[Document]
    given: Mapping[str, str]
    statuses: Sequence[str] = tuple(STATUSES)


@reads_in_turn
async def view(visit: Visit) -> DocumentListView:
    given = {name: visit.query.get(name, "").strip() for name in FILTERS}
    query = {parameter: given[name] for name, parameter in FILTERS.items()}
    page = await visit.calls.read("list_documents", DocumentPage, {**query, "cursor": visit.cursor})
    return DocumentListView(listed(visit, page, given), given)


class DocumentView(Struct, frozen=True):
    document: Document
    workflow: Workflow
    history: Sequence[HistoryEntry]
    """The newest first."""
    events: Sequence[LogEntry]
    """The newest first."""
    versions: Sequence[KeptVersion]
    deliveries: Sequence[Delivery]

    def changes(self) -> Mapping[str, Sequence[Difference]]:
        """What each event changed, by the event's id, as far as the event before it is known. Of fifty events that
        takes milliseconds, so it is asked as the page is drawn."""
        return changes_of(self.events)

    @property
    def passed(self) -> Sequence[str]:
        """The statuses that it had, the first one first."""
        return [each.status for each in reversed(self.history)]


async def view_one(visit: Visit) -> DocumentView:
    found = await _found(visit)
    history, events = await _past(visit)
    return replace(found, history=history, events=events)


@reads_in_turn
async def _past(visit: Visit) -> tuple[Sequence[HistoryEntry], Sequence[LogEntry]]:
    """What happened to it, and its events."""
    of = visit.params["id"]
    history = (await visit.calls.read("list_history", HistoryPage, {"limit": str(STEPS)}, externalId=of)).data
    return history, await events_of(visit, of, "latest", STEPS + 1) if any(each.event for each in history) else []


@only_reads
async def _found(visit: Visit) -> DocumentView:
    """All but its past."""
    of = visit.params["id"]
    document = await visit.calls.read("read_document", Document, externalId=of)
    workflow = await visit.calls.read("read_workflow", Workflow, externalId=of)
    versions = await visit.calls.read("list_versions", VersionPage, {"limit": str(STEPS)}, externalId=of)
    deliveries = await visit.calls.read("list_deliveries", DeliveryPage, {"externalId": of, "limit": "10"})
    return DocumentView(
        document=document,
        workflow=workflow,
        history=(),
        events=(),
        versions=versions.data,
        deliveries=deliveries.data,
    )


async def events_of(visit: Visit, external_id: str, before: str, count: int) -> Sequence[LogEntry]:
    """The document's events before one of the log, the newest first. If it has few, the log is not searched to its
    end for more."""
    query = {"before": before, "externalId": external_id, "limit": str(count)}
    return (await visit.calls.read("list_events", Feed, query)).data


def changes_of(newest_first: Sequence[LogEntry]) -> dict[str, Sequence[Difference]]:
    """What each event of a document changed, by its id. What the oldest changed is known only if it made the
    document."""
    changes = {
        entry.event.id: differences(before.event.data.kept_document, entry.event.data.kept_document)
        for entry, before in pairwise(newest_first)
        if entry.event.data.kept_document is not None and before.event.data.kept_document is not None
    }
    if newest_first and (oldest := newest_first[-1].event).type == CREATED:
        changes[oldest.id] = differences(None, oldest.data.kept_document)
    return changes


async def make_sample(visit: Visit) -> SeeOther:
    """Makes a document to look at, if there is none yet."""
    made = await visit.calls.change("create_document", SAMPLE, key=visit.given("key"))
    return SeeOther(f"/documents/{msgspec.json.decode(made, type=Document).external_id}", "sample")


PAGES = (
    Page(
        path="/documents",
        section="Documents",
        title="Documents",
        template="documents.html",
        view=view,
        forms={"sample": make_sample},
    ),
    Page(
        path="/documents/{id}",
        section="Documents",
        title="Document",
        template="document.html",
        view=view_one,
        done={"sample": "The sample is there. Its event is sent to every subscription that wants new documents."},
    ),
)
