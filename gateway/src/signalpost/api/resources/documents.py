"""Documents: create, list, read, patch and delete them, and import snapshots from another system."""

from typing import Annotated

from msgspec import Meta

from signalpost.api.http.pages import page
from signalpost.api.http.response import Response
from signalpost.api.rendering import document_response
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.only_reads import only_reads
from signalpost.api.routing.queries import FromText, ListQuery, Moment, Query, bad_cursor, cursor_to, write_cursor
from signalpost.api.routing.route import CHANGES_DOCUMENTS, READS, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.documents import Document, DocumentPage, KnownState
from signalpost.commands.documents import CreateDocument, DeleteDocument, ImportDocument, PatchDocument
from signalpost.domain.access.api_key import Role
from signalpost.domain.checks import Bad, Check
from signalpost.domain.documents import document
from signalpost.domain.documents.bodies import DocumentPatch, NewDocument, Snapshot, SourceVersion
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.workflow import Status
from signalpost.domain.errors import Conflict, FieldError, Invalid, NotFound
from signalpost.domain.fields import Email, Text
from signalpost.runtime.own_time import on_thread
from signalpost.store.nouns.documents import DocumentFilter, DocumentPosition, DocumentRows
from signalpost.store.nouns.log import END_OF_LOG


class DocumentQuery(ListQuery, frozen=True):
    status: Status | None = None
    type: Text | None = None
    reference_id: Text | None = None
    owner_email: Email | None = None
    updated_after: Annotated[
        Moment, Meta(description="Only documents that changed after this moment, most recently changed first.")
    ] = None
    cursor: Annotated[FromText, cursor_to(DocumentPosition)] = None


class SourceQuery(Query, frozen=True):
    source_version: (
        Annotated[SourceVersion, Meta(description="The source system's version number. An older one changes nothing.")]
        | None
    ) = None


def _named_source(_source: str) -> str:
    raise Bad("not_allowed", "Only an operator may name another source than the key that creates the document.")


def create(context: RequestContext) -> CreateDocument:
    is_operator = context.principal.role is Role.OPERATOR
    change = context.change(**({} if is_operator else {"sourceApp": _named_source}))
    return CreateDocument(
        tenant_id=context.tenant_id,
        caller=context.principal.key_id,
        document_id=context.new_id(),
        new=change.body,
        source_app=context.principal.name,
        idempotency=change.idempotency,
    )


async def list_all(context: RequestContext) -> Response:
    query: DocumentQuery = context.query()
    store = context.services.store
    wanted = DocumentFilter(
        status=query.status,
        type=query.type,
        reference_id=query.reference_id,
        owner_email=query.owner_email,
        updated_after=query.updated_after,
    )
    below: DocumentPosition | None = query.cursor
    if below is not None and below.number == 0 and wanted.updated_after is None:
        bad = bad_cursor()  # only a list with `updatedAfter` walks through the log
        raise Invalid([FieldError("?cursor", bad.code, bad.detail)])

    async def read_page() -> tuple[int, DocumentRows]:
        # Looked up first, so that the page holds whatever the events up to there say.
        holds = (await store.log.after(context.tenant_id, END_OF_LOG, 1)).last
        return holds, await store.documents.page(context.tenant_id, wanted, below, query.limit)

    def shown() -> bytes:
        return page((_shown(context, row).body for row in found.data), {"next": write_cursor(found.next)})

    holds, found = await store.reading_in_turn(context.tenant_id, read_page)
    body = await on_thread(context.services.off_loop, shown) if context.is_on_loop else shown()
    return Response(200, body, (("signalpost-sequence", str(holds)),))


@only_reads
async def read(context: RequestContext) -> Response:
    context.query()
    return _shown(context, await find_document(context))


def patch(context: RequestContext) -> PatchDocument:
    change = context.change()
    return PatchDocument(
        tenant_id=context.tenant_id,
        caller=context.principal.key_id,
        document_id=document_id_of(context),
        patch=change.body,
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


def delete(context: RequestContext) -> DeleteDocument:
    change = context.change()
    return DeleteDocument(
        tenant_id=context.tenant_id,
        caller=context.principal.key_id,
        document_id=document_id_of(context),
        source_version=change.query.source_version,
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


def put(context: RequestContext) -> ImportDocument:
    document_id = _import_id(context)
    change = context.change(externalId=_same_as(document_id))
    return ImportDocument(
        tenant_id=context.tenant_id,
        caller=context.principal.key_id,
        document_id=document_id,
        snapshot=change.body,
        source_version=change.query.source_version,
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


def _shown(context: RequestContext, row: DocumentRow) -> Response:
    return document_response(row, context.services.links, context.tenant_id, context.services.clock.wall())


async def find_document(context: RequestContext) -> DocumentRow:
    """The document that the path names. Raises NotFound."""
    return document.require_live(await context.services.store.documents.get(context.tenant_id, document_id_of(context)))


def document_id_of(context: RequestContext) -> str:
    return context.path_uuid("externalId", "document")


def _import_id(context: RequestContext) -> str:
    try:
        return document_id_of(context)
    except NotFound:
        detail = "The externalId in the path must be a UUID, such as d24c0644-1d31-47fa-960e-b0cc8b4f136c."
        raise Invalid([FieldError("externalId", "not_a_uuid", detail)]) from None


def _same_as(document_id: str) -> Check:
    def check(value: str) -> str:
        if value != document_id:
            raise Bad("mismatch", "This must be the externalId of the path, or be left out.")
        return value

    return check


_PATH = "/v1/documents/{externalId}"
_NEW = {"type": "NDA", "title": "Mutual NDA", "ownerEmail": "owner@example.com", "authorEmail": "author@example.com"}
_SNAPSHOT = {**_NEW, "status": "approved", "createdAt": "2026-01-15T09:30:00Z", "sourceApp": "archive"}

ROUTES = (
    Route(
        name="create_document",
        method="POST",
        path="/v1/documents",
        summary="Create a document",
        roles=CHANGES_DOCUMENTS,
        handler=OneChange(create),
        body=RequestBody(NewDocument),
        idempotent=True,
        replies={
            201: Reply(
                "The document. A `documentCreated` event will be delivered.",
                Document,
                ("etag", "location", "signalpost-event"),
            )
        },
        example=Example(_NEW),
    ),
    Route(
        name="list_documents",
        method="GET",
        path="/v1/documents",
        summary="List documents",
        roles=READS,
        handler=list_all,
        query=DocumentQuery,
        replies={
            200: Reply(
                "A page, newest first. It may be short and still have a `next`.", DocumentPage, ("signalpost-sequence",)
            )
        },
        example=Example(query={"status": "approved", "limit": "10"}),
    ),
    Route(
        name="read_document",
        method="GET",
        path=_PATH,
        summary="Read a document",
        roles=READS,
        handler=read,
        replies={200: Reply("The document.", Document, ("etag",))},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="patch_document",
        method="PATCH",
        path=_PATH,
        summary="Change a document (JSON merge patch)",
        roles=CHANGES_DOCUMENTS,
        handler=OneChange(patch),
        body=RequestBody(DocumentPatch),
        conditional=True,
        idempotent=True,
        replies={
            200: Reply(
                "The document. If anything changed, a `documentUpdated` event will be delivered.",
                Document,
                ("etag", "signalpost-event"),
            )
        },
        errors=(NotFound,),
        example=Example({"title": "Mutual NDA, second draft", "contractValue": 1500.0}),
    ),
    Route(
        name="import_document",
        method="PUT",
        path=_PATH,
        summary="Import a snapshot of a document that another system keeps",
        roles=CHANGES_DOCUMENTS,
        handler=OneChange(put),
        query=SourceQuery,
        body=RequestBody(Snapshot),
        conditional=True,
        idempotent=True,
        replies={
            200: Reply("The document as it is now.", Document, ("etag", "signalpost-changed", "signalpost-event")),
            201: Reply(
                "The document, which did not exist before.",
                Document,
                ("etag", "signalpost-changed", "signalpost-event"),
            ),
        },
        errors=(Conflict,),
        example=Example(_SNAPSHOT, {"sourceVersion": "7"}),
    ),
    Route(
        name="delete_document",
        method="DELETE",
        path=_PATH,
        summary="Delete a document",
        roles=CHANGES_DOCUMENTS,
        handler=OneChange(delete),
        query=SourceQuery,
        conditional=True,
        idempotent=True,
        replies={
            200: Reply(
                "Nothing changed: with a `sourceVersion`, a deletion that a later state has overtaken, or that is known"
                " already. If the document was never there, a later import needs a higher `sourceVersion`.",
                KnownState,
                ("signalpost-changed",),
            ),
            204: Reply(
                "Deleted. A `documentDeleted` event will be delivered.",
                headers=("signalpost-changed", "signalpost-event"),
            ),
        },
        errors=(NotFound,),
        example=Example(query={"sourceVersion": "8"}),
    ),
)
