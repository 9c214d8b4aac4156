"""Erasures: remove for good what a deleted document left, and follow the progress. Only operators may.

The erasure of a tenant begins with its deletion (`tenants.py`).
"""

from signalpost.api.resources.documents import document_id_of
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.queries import PageQuery, next_cursor
from signalpost.api.routing.route import OPERATOR, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.access import ErasurePage, ErasureShown
from signalpost.commands.erasures import EraseDocument
from signalpost.domain.errors import Conflict, NotFound


def erase_document(context: RequestContext) -> EraseDocument:
    change = context.change()
    return EraseDocument(
        tenant_id=context.tenant_id,
        tenant=context.tenant_name,
        document_id=document_id_of(context),
        erasure_id=context.new_id(),
        idempotency=change.idempotency,
    )


async def list_all(context: RequestContext) -> ErasurePage:
    query: PageQuery = context.query()
    found = await context.services.store.erasures.page(query.cursor, query.limit)
    return ErasurePage(data=[*map(ErasureShown.of, found)], next=next_cursor(found, query.limit))


async def read(context: RequestContext) -> ErasureShown:
    context.query()
    found = await context.services.store.erasures.get(context.path_uuid("id", "erasure"))
    if found is None:
        raise NotFound("erasure_not_found", "There is no erasure with this id.")
    return ErasureShown.of(found)


ROUTES = (
    Route(
        name="erase_document",
        method="POST",
        path="/v1/documents/{externalId}/erase",
        summary="Erase what remains of a deleted document",
        roles=OPERATOR,
        handler=OneChange(erase_document),
        idempotent=True,
        replies={
            202: Reply(
                "The erasure. The document's events stay, with null in its place, and are no longer sent.",
                ErasureShown,
                ("location",),
            )
        },
        errors=(NotFound, Conflict),
        example=Example(),
    ),
    Route(
        name="list_erasures",
        method="GET",
        path="/v1/erasures",
        summary="List erasures, of all tenants",
        roles=OPERATOR,
        handler=list_all,
        query=PageQuery,
        replies={200: Reply("A page, newest first.", ErasurePage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="read_erasure",
        method="GET",
        path="/v1/erasures/{id}",
        summary="Read the progress of an erasure",
        roles=OPERATOR,
        handler=read,
        replies={200: Reply("The erasure.", ErasureShown)},
        errors=(NotFound,),
        example=Example(),
    ),
)
