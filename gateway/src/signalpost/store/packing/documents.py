"""Columns of documents, their versions, workflows and histories."""

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from signalpost.domain.documents.document import DocumentRow, Facets
from signalpost.domain.documents.history import Step
from signalpost.domain.documents.version import Number
from signalpost.domain.documents.workflow import Workflow
from signalpost.store.documents import SEARCHED_CHARACTERS

_encode = msgspec.json.Encoder().encode


class _WithTitle(Struct):
    title: str


_decode_title = msgspec.json.Decoder(_WithTitle).decode


def up_to_title(body: bytes) -> bytes:
    """The beginning of a document's JSON, up to its title. Within a text of it a quotation mark is escaped, so what is
    looked for cannot be found there."""
    return body[: body.find(b',"status":')]


def title_in(body: bytes) -> str:
    """The title in a document's JSON. The rest, which may be a megabyte, is not looked at."""
    return _decode_title(up_to_title(body) + b"}").title


def title_key(body: bytes) -> str:
    """What a document is found by that is searched for by how its title begins."""
    return title_in(body)[:SEARCHED_CHARACTERS].lower()


def pack_facets(facets: Facets | None) -> tuple[str | None, ...]:
    """The columns `type`, `status`, `reference_id` and `owner_email`."""
    return (None,) * 4 if facets is None else astuple(facets)


def pack_number(number: Number | None) -> int | None:
    """A version's number as an integer that sorts as numbers follow one another."""
    return None if number is None else number.major << 32 | number.minor


def unpack_number(packed: int | None) -> Number | None:
    """Undo `pack_number`."""
    return None if packed is None else Number(packed >> 32, packed & 0xFFFFFFFF)


def pack_workflow(workflow: Workflow | None) -> tuple[bytes | None, int | None]:
    """The columns `workflow` and `expires_at`; documents are found by the latter."""
    return (None, None) if workflow is None else (_encode(workflow), workflow.expires_at)


def pack_document(row: DocumentRow) -> tuple[Any, ...]:
    """The columns of a document from `version` to `expires_at`, without its key and without what is only searched
    for."""
    return (
        row.version,
        row.updated_at,
        *pack_facets(row.facets),
        row.body,
        row.source_version,
        row.deleted_at,
        pack_number(row.last_number),
        *pack_workflow(row.workflow),
    )


unpack_workflow = msgspec.json.Decoder(Workflow).decode
pack_step = msgspec.json.Encoder().encode
unpack_step = msgspec.json.Decoder(Step).decode
