"""Documents: create, read, change, delete, and import from a system that keeps them itself."""

from signalpost.api.call import Call, integer
from signalpost.domain import document
from signalpost.domain.batch import Answer
from signalpost.domain.document_commands import (
    CreateDocument,
    DeleteDocument,
    ImportDocument,
    PatchDocument,
    document_answer,
)
from signalpost.domain.errors import FieldError, Invalid, NotFound


async def create(call: Call) -> Answer:
    return await call.services.engine.submit(
        CreateDocument(
            tenant_id=call.tenant_id,
            document_id=call.new_id(),
            checked=await call.fields(document.NEW, document.NEW_REQUIRED),
            source_app=call.principal.name,
            idempotency=await call.idempotency(),
        )
    )


async def read(call: Call) -> Answer:
    call.query()
    row = await call.services.store.document(call.tenant_id, _document_id(call))
    if row is None or row.deleted_at is not None:
        raise NotFound("document_not_found", "There is no document with this externalId.")
    return document_answer(row)


async def patch(call: Call) -> Answer:
    return await call.services.engine.submit(
        PatchDocument(
            tenant_id=call.tenant_id,
            document_id=_document_id(call),
            checked=await call.fields(document.PATCH),
            if_match=call.if_match,
            idempotency=await call.idempotency(),
        )
    )


async def delete(call: Call) -> Answer:
    return await call.services.engine.submit(
        DeleteDocument(
            tenant_id=call.tenant_id,
            document_id=_document_id(call),
            if_match=call.if_match,
            idempotency=await call.idempotency(),
        )
    )


async def put(call: Call) -> Answer:
    query = call.query(sourceVersion=integer(0, 2**63 - 1))
    checked = await call.fields(document.SNAPSHOT, document.SNAPSHOT_REQUIRED)
    document_id = _import_id(call)
    if checked.get("externalId", document_id) != document_id:
        detail = "This must be the externalId of the path, or be left out."
        raise Invalid([FieldError("/externalId", "mismatch", detail)])
    return await call.services.engine.submit(
        ImportDocument(
            tenant_id=call.tenant_id,
            document_id=document_id,
            checked=checked,
            source_version=query.get("sourceVersion"),
            if_match=call.if_match,
            idempotency=await call.idempotency(),
        )
    )


def _document_id(call: Call) -> str:
    return call.path_uuid("externalId", "document")


def _import_id(call: Call) -> str:
    try:
        return _document_id(call)
    except NotFound:
        detail = "The externalId in the path must be a UUID, such as d24c0644-1d31-47fa-960e-b0cc8b4f136c."
        raise Invalid([FieldError("externalId", "not_a_uuid", detail)]) from None
