"""Documents: create, read, change, delete, and import from a system that keeps them itself."""

from typing import Any

from signalpost.api.call import Call, integer
from signalpost.domain import document, fields
from signalpost.domain.batch import Answer
from signalpost.domain.document_commands import (
    CreateDocument,
    DeleteDocument,
    ImportDocument,
    PatchDocument,
    document_answer,
)
from signalpost.domain.errors import FieldError, Invalid, NotFound
from signalpost.domain.fields import Bad, Check


async def create(call: Call) -> Answer:
    asked = await call.asked(document.NEW, document.NEW_REQUIRED)
    return await call.services.engine.submit(
        CreateDocument(
            tenant_id=call.tenant_id,
            document_id=call.new_id(),
            checked=asked.fields,
            source_app=call.principal.name,
            idempotency=asked.idempotency,
        )
    )


async def read(call: Call) -> Answer:
    call.query()
    row = await call.services.store.document(call.tenant_id, _document_id(call))
    if row is None or row.deleted_at is not None:
        raise NotFound("document_not_found", "There is no document with this externalId.")
    return document_answer(row)


async def patch(call: Call) -> Answer:
    asked = await call.asked(document.PATCH)
    return await call.services.engine.submit(
        PatchDocument(
            tenant_id=call.tenant_id,
            document_id=_document_id(call),
            checked=asked.fields,
            if_match=call.if_match,
            idempotency=asked.idempotency,
        )
    )


async def delete(call: Call) -> Answer:
    asked = await call.asked()
    return await call.services.engine.submit(
        DeleteDocument(
            tenant_id=call.tenant_id,
            document_id=_document_id(call),
            if_match=call.if_match,
            idempotency=asked.idempotency,
        )
    )


async def put(call: Call) -> Answer:
    document_id = _import_id(call)
    checks = {**document.SNAPSHOT, "externalId": _same_as(document_id)}
    asked = await call.asked(checks, document.SNAPSHOT_REQUIRED, sourceVersion=integer(0, 2**63 - 1))
    return await call.services.engine.submit(
        ImportDocument(
            tenant_id=call.tenant_id,
            document_id=document_id,
            checked=asked.fields,
            source_version=asked.query.get("sourceVersion"),
            if_match=call.if_match,
            idempotency=asked.idempotency,
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


def _same_as(document_id: str) -> Check:
    def check(value: Any) -> str:
        if fields.uuid(value) != document_id:
            raise Bad("mismatch", "This must be the externalId of the path, or be left out.")
        return document_id

    return check
