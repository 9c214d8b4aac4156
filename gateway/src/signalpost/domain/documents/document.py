"""A document: its attributes on the wire (C7–C12), the rules for each, and how its states follow one another.

A document is kept as the very bytes that its events carry, so that what was read, stored and sent cannot differ; only
the links of the gateway's own versions are put in where it is shown (`links.py`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from signalpost.domain.body import given
from signalpost.domain.documents.bodies import MAX_FACTS, DocumentPatch, LinkedVersion, NewDocument, Snapshot
from signalpost.domain.documents.version import MAX_ANOTHERS_PART, Number, read_number
from signalpost.domain.documents.workflow import Status, Workflow
from signalpost.domain.errors import FieldError, Invalid, NotFound
from signalpost.domain.fields import DateOrTimestamp, Timestamp, Uuid
from signalpost.domain.language.values import is_same

MAX_DOCUMENT_BYTES = 1_000_000
"""Room for the envelope within the 1 MiB of C13. The limits on the fields alone do not guarantee it: control
characters take six bytes each in JSON."""


class Version(Struct, frozen=True, gc=False, rename="camel"):
    """A version of the document's text (C9)."""

    number: str
    download_url: str
    """Empty of one that the gateway keeps itself: its links are made where they are shown."""

    @property
    def is_own(self) -> bool:
        """Whether the gateway keeps it, and not another system."""
        return not self.download_url


class Document(Struct, frozen=True, gc=False, kw_only=True, rename="camel"):
    """The attributes of C7, in its order. Timestamps are texts in the form of C4."""

    type: str
    title: str
    status: Status
    created_at: Timestamp
    source_app: str
    start_date: DateOrTimestamp | None = None
    executed_at: Timestamp | None = None
    expiry_date: DateOrTimestamp | None = None
    external_id: Uuid
    owner_email: str
    author_email: str
    reference_id: str | None = None
    contract_value: float | None = None
    latest_version: Version | None = None
    additional_facts: dict[str, str | int | float | bool] = {}
    counterparty_name: str | None = None
    published_version: Version | None = None


def own_version(number: Number) -> Version:
    return Version(str(number), "")


_encode = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(Document).decode
"""The inverse of `encode`."""
_NAMES = {field.name: field.encode_name for field in msgspec.structs.fields(Document)}
"""The names on the wire, in the order of C7."""


def encode(document: Document) -> bytes:
    """The document's JSON as every event carries it (C7). Raises Invalid if it would not fit into an event (C13)."""
    body = _encode(document)
    if len(body) > MAX_DOCUMENT_BYTES:
        detail = f"The document takes {len(body)} bytes as JSON; at most {MAX_DOCUMENT_BYTES} fit into an event."
        raise Invalid([FieldError("/additionalFacts", "too_large", detail)])
    return body


# --- How one state follows another ------------------------------------------------------------------------------------


def created(new: NewDocument, external_id: str, source_app: str, now: str) -> Document:
    """`source_app` makes it, unless the body says who does."""
    return Document(
        **{"source_app": source_app, **given(new)}, status="created", created_at=now, external_id=external_id
    )


def snapshot(said: Snapshot, external_id: str) -> Document:
    """The document that another system says there is."""
    return Document(
        type=said.type,
        title=said.title,
        status=said.status,
        created_at=said.created_at,
        source_app=said.source_app,
        start_date=said.start_date,
        executed_at=said.executed_at,
        expiry_date=said.expiry_date,
        external_id=external_id,
        owner_email=said.owner_email,
        author_email=said.author_email,
        reference_id=said.reference_id,
        contract_value=said.contract_value,
        latest_version=None if said.latest_version is None else _anothers(said.latest_version),
        additional_facts=said.additional_facts,
        counterparty_name=said.counterparty_name,
        published_version=None if said.published_version is None else _anothers(said.published_version),
    )


def _anothers(version: LinkedVersion) -> Version:
    return Version(version.number, version.download_url)


def changes(document: Document, patch: DocumentPatch) -> dict[str, Any]:
    """The attributes that a JSON merge patch names, and what they become (RFC 7396). Raises Invalid."""
    said = given(patch)
    if "additional_facts" in said:
        said["additional_facts"] = _merged(document.additional_facts, said["additional_facts"])
    return said


def with_version(document: Document, number: Number) -> Document:
    """The document once it has this version of the gateway's own."""
    own = own_version(number)
    published = own if number.is_published else document.published_version
    return msgspec.structs.replace(document, latest_version=own, published_version=published)


def last_number(document: Document, given: Number | None) -> Number | None:
    """The number after which the next one comes: the last that was `given`, or that another system gave since."""
    shown = [version for version in (document.latest_version, document.published_version) if version is not None]
    numbers = [given, *(read_number(version.number, MAX_ANOTHERS_PART) for version in shown if not version.is_own)]
    return max((number for number in numbers if number is not None), default=None)


def _merged(facts: dict[str, Any], patch: dict[str, Any] | None) -> dict[str, Any]:
    if patch is None:
        return {}
    merged = {name: value for name, value in {**facts, **patch}.items() if value is not None}
    if len(merged) > MAX_FACTS:
        detail = f"There can be at most {MAX_FACTS} facts; this would make {len(merged)}."
        raise Invalid([FieldError("/additionalFacts", "too_many", detail)])
    return merged


def former_values(before: Document, after: Document) -> bytes:
    """The attributes that a document had otherwise, as a JSON object with their former values; empty if there are
    none."""
    return _former(zip(_NAMES.values(), astuple(before), astuple(after), strict=True))


def overwritten(before: Document, changes: Mapping[str, Any]) -> bytes:
    """The `former_values` of a document of which nothing but these attributes can have changed."""
    return _former([(_NAMES[name], getattr(before, name), now) for name, now in changes.items()])


def _former(attributes: Iterable[tuple[str, Any, Any]]) -> bytes:
    """The former values among attributes, each with what it was and what it is. `is_same` is asked only of what is
    equal in Python and may still differ in JSON, which most attributes cannot."""
    former = {
        name: was
        for name, was, now in attributes
        if was is not now and (was != now or (type(was) is not str and not is_same(was, now)))
    }
    return _encode(former) if former else b""


def deleted(document: Document) -> Document:
    """The last attributes, as the event of a deletion carries them (C6)."""
    return msgspec.structs.replace(document, status="other")


class Facets(Struct, frozen=True, gc=False):
    """What lists of documents filter by."""

    type: str
    status: str
    reference_id: str | None
    owner_email: str


class DocumentRow(Struct, frozen=True, gc=False):
    """A document as it is kept. A deleted one stays as a tombstone, so that its version and source version go on."""

    external_id: str
    version: int
    """Counts every change; the ETag."""
    updated_at: int
    facets: Facets | None
    """None of a deleted one."""
    body: bytes
    """`encode` of the document; of a deleted one, empty."""
    source_version: int | None = None
    deleted_at: int | None = None
    workflow: Workflow | None = None
    """None if nothing but its status is known, and for a deleted document."""
    last_number: Number | None = None
    """The highest that a version of the gateway's own got, also before a deletion."""

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


def require_live(row: DocumentRow | None) -> DocumentRow:
    """The row, if the document exists. Raises NotFound for no row, and for a tombstone."""
    if row is None or row.deleted_at is not None:
        raise NotFound("document_not_found", "There is no document with this externalId.")
    return row


def new_row(document: Document, version: int, updated_at: int, source_version: int | None = None) -> DocumentRow:
    """The row of a new document. Raises Invalid as `encode` does."""
    return DocumentRow(document.external_id, version, updated_at, _facets(document), encode(document), source_version)


def next_row(row: DocumentRow, document: Document, at: int, workflow: Workflow | None = None) -> DocumentRow:
    """The row after a change of its document. A workflow that is not given goes on as long as the status is the same.
    Raises Invalid as `encode` does."""
    workflow = workflow or row.workflow
    return DocumentRow(
        row.external_id,
        row.version + 1,
        at,
        _facets(document),
        encode(document),
        row.source_version,
        workflow=workflow if workflow is not None and workflow.status == document.status else None,
        last_number=row.last_number,
    )


def _facets(document: Document) -> Facets:
    return Facets(document.type, document.status, document.reference_id, document.owner_email)


def tombstone(row: DocumentRow, at: int) -> DocumentRow:
    """What is kept of a document that is deleted: how its versions, of every kind, go on should it come again."""
    return msgspec.structs.replace(
        row, version=row.version + 1, updated_at=at, facets=None, body=b"", deleted_at=at, workflow=None
    )


def tombstone_of_unknown(external_id: str, at: int, source_version: int) -> DocumentRow:
    """What is kept of a document that was never there, and of which a source says that it was deleted."""
    return DocumentRow(external_id, 1, at, None, b"", source_version, deleted_at=at)
