"""The workflow of documents: take an action, see which actions are allowed, and read the history."""

from typing import Annotated

from msgspec import Meta

from signalpost.api.resources.documents import document_id_of, find_document
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.only_reads import only_reads, reads_in_turn
from signalpost.api.routing.queries import FromText, ListQuery, cursor_to, write_cursor
from signalpost.api.routing.route import CHANGES_DOCUMENTS, READS, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.documents import (
    Document,
    HistoryEntry,
    HistoryEvent,
    HistoryPage,
    Participant,
    Workflow,
)
from signalpost.commands.workflow import ActOnDocument, workflow_of
from signalpost.domain.documents import workflow
from signalpost.domain.documents.actions import RequestedAction, action_of, given_with
from signalpost.domain.documents.history import HistoryPosition
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.event import EventType
from signalpost.store.nouns.history import HistoryRow


def act(context: RequestContext) -> ActOnDocument:
    change = context.change()
    return ActOnDocument(
        tenant_id=context.tenant_id,
        caller=context.principal.key_id,
        document_id=document_id_of(context),
        action=action_of(change.body),
        given=given_with(change.body),
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


@only_reads
async def actions(context: RequestContext) -> Workflow:
    context.query()
    now = workflow_of(await find_document(context))
    return Workflow.of(
        now,
        allowed=list(workflow.allowed(now, context.services.clock.wall())),
        participants=[*map(Participant.of, now.participants)],
        awaited=list(now.awaited),
        status_before=now.leads_back_to,
    )


class HistoryQuery(ListQuery, frozen=True):
    deleted: Annotated[bool, Meta(description="Include a deleted document.")] = False
    cursor: Annotated[FromText, cursor_to(HistoryPosition)] = None


@reads_in_turn
async def history(context: RequestContext) -> HistoryPage:
    query: HistoryQuery = context.query()
    if not query.deleted:
        await find_document(context)
    found = await context.services.store.history.page(
        context.tenant_id, document_id_of(context), query.cursor, query.limit
    )
    if found is None:
        raise NotFound("document_not_found", "There has never been a document with this externalId.")
    return HistoryPage(data=[*map(_entry, found.data)], next=write_cursor(found.next))


def _entry(entry: HistoryRow) -> HistoryEntry:
    event = None
    if entry.event_id is not None and entry.event_type is not None:
        event_type = EventType(entry.event_type)
        event = HistoryEvent(id=entry.event_id, type=event_type.wire, sequence=entry.position.sequence)
    participants = list(entry.step.participants)
    return HistoryEntry.of(entry.step, at=entry.at, key=entry.caller, participants=participants, event=event)


_PATH = "/v1/documents/{externalId}"
_REQUEST = {
    "action": "requestSignature",
    "signers": ["ceo@example.com", "counterparty@example.org"],
    "expiresAt": "2099-01-31T12:00:00Z",
}

ROUTES = (
    Route(
        name="act_on_document",
        method="POST",
        path=f"{_PATH}/actions",
        summary="Act on a document: request a decision, decide, pause, resume or cancel",
        roles=CHANGES_DOCUMENTS,
        handler=OneChange(act),
        body=RequestBody(RequestedAction),
        conditional=True,
        idempotent=True,
        replies={
            200: Reply(
                "The document. If any attribute changed, a `documentUpdated` event will be delivered.",
                Document,
                ("etag", "signalpost-event"),
            )
        },
        errors=(NotFound, Conflict),
        example=Example(_REQUEST),
    ),
    Route(
        name="read_workflow",
        method="GET",
        path=f"{_PATH}/actions",
        summary="Read which actions are allowed now, and who has not decided yet",
        roles=READS,
        handler=actions,
        replies={200: Reply("The document's place in its workflow.", Workflow)},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="list_history",
        method="GET",
        path=f"{_PATH}/history",
        summary="List who did what to a document, and when",
        roles=READS,
        handler=history,
        query=HistoryQuery,
        replies={200: Reply("A page, newest first.", HistoryPage)},
        errors=(NotFound,),
        example=Example(query={"limit": "10"}),
    ),
)
