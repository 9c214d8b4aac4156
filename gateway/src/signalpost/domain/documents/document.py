"""A document: its attributes on the wire (C7–C12), the rules for each, and how its states follow one another.

A document is kept as the very bytes that its events carry, so that what was read, stored and sent cannot differ; only
the links of the gateway's own versions are put in where it is shown (`links.py`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from signalpost.domain import checks, fields
from signalpost.domain.checks import Bad, Check, Several
from signalpost.domain.documents.version import MAX_ANOTHERS_PART, Number, read_number
from signalpost.domain.documents.workflow import STATUSES, Status, Workflow
from signalpost.domain.errors import FieldError, Invalid, NotFound
from signalpost.domain.fields import DateOrTimestamp, Field, Timestamp, Uuid, nullable

MAX_FACTS = 64
MAX_FACT_NAME_CHARACTERS = 128
MAX_FACT_VALUE_BYTES = 4096
MAX_DOCUMENT_BYTES = 1_000_000
"""Room for the envelope within the 1 MiB of C13. The limits on the fields alone do not guarantee it: control
characters take six bytes each in JSON."""


class Version(Struct, frozen=True, rename="camel"):
    """A version of the document's text (C9)."""

    number: str
    download_url: str
    """Empty of one that the gateway keeps itself: its links are made where they are shown."""

    @property
    def is_own(self) -> bool:
        """Whether the gateway keeps it, and not another system."""
        return not self.download_url


class Document(Struct, frozen=True, kw_only=True, rename="camel"):
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
_decode = msgspec.json.Decoder(Document).decode


def encode(document: Document) -> bytes:
    """The document's JSON as every event carries it (C7). Raises Invalid if it would not fit into an event (C13)."""
    body = _encode(document)
    if len(body) > MAX_DOCUMENT_BYTES:
        detail = f"The document takes {len(body)} bytes as JSON; at most {MAX_DOCUMENT_BYTES} fit into an event."
        raise Invalid([FieldError("/additionalFacts", "too_large", detail)])
    return body


def decode(body: bytes) -> Document:
    """The inverse of `encode`."""
    return _decode(body)


# --- What each field may be -------------------------------------------------------------------------------------------


def _check_fact_name(name: Any) -> None:
    try:
        checks.plain_text(name, MAX_FACT_NAME_CHARACTERS)
    except Bad as bad:
        raise Bad(bad.code, f"The fact's name: {bad.detail}") from None


_double_or_whole: Check = checks.number(None, None)


def _fact(value: Any) -> str | int | float | bool:
    if isinstance(value, bool):
        return value
    if checks.is_number(value):
        value = _double_or_whole(value)
        # 64 bits are what every JSON reader that keeps integers apart can hold.
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise Bad("out_of_range", "A whole number must fit into 64 bits.")
        return value  # type: ignore[no-any-return]
    if not isinstance(value, str):
        raise Bad("wrong_type", "A fact is a text, a number, or true or false.")
    checks.plain_text(value, MAX_FACT_VALUE_BYTES, least=0)
    if len(value.encode()) > MAX_FACT_VALUE_BYTES:
        raise Bad("wrong_length", f"A fact can have at most {MAX_FACT_VALUE_BYTES} bytes.")
    return value


def _facts(value: Any, *, removable: bool) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Bad("wrong_type", "This must be a JSON object of names and values.")
    bads: list[Bad] = []
    checked: dict[str, Any] = {}
    for name, given in value.items():
        if len(bads) >= Invalid.MAX_NAMED:
            break
        try:
            _check_fact_name(name)
            checked[name] = None if given is None and removable else _fact(given)
        except Bad as bad:
            bads.append(Bad(bad.code, bad.detail, (name,)))
    if len(value) > MAX_FACTS and not removable:
        bads.append(Bad("too_many", f"There can be at most {MAX_FACTS} facts."))
    if bads:
        raise Several(bads)
    return checked


_FACT: Final = {
    "anyOf": [
        {
            "type": "string",
            "maxLength": MAX_FACT_VALUE_BYTES,
            "pattern": checks.NO_NUL,
            "description": "At most 4096 bytes in UTF-8.",
        },
        {"type": "number", "description": "What is written as a whole number fits into 64 bits."},
        {"type": "boolean"},
    ]
}
_FACT_NAME: Final = {"minLength": 1, "maxLength": MAX_FACT_NAME_CHARACTERS, "pattern": checks.NO_NUL}


@fields.field(type="object", maxProperties=MAX_FACTS, propertyNames=_FACT_NAME, additionalProperties=_FACT)
def additional_facts(value: Any) -> dict[str, Any]:
    return _facts(value, removable=False)


@fields.field(
    type=["object", "null"],
    propertyNames=_FACT_NAME,
    additionalProperties={"anyOf": [*_FACT["anyOf"], {"type": "null"}]},
    description="A merge patch: null removes a fact, or all of them.",
)
def additional_facts_patch(value: Any) -> dict[str, Any] | None:
    """A merge patch of the facts: null removes one, or all of them."""
    return None if value is None else _facts(value, removable=True)


_MAX_LINK_CHARACTERS = 4096
_VERSION: Final = {"number": fields.text(), "downloadUrl": fields.text(_MAX_LINK_CHARACTERS)}


@fields.field(**fields.object_schema(_VERSION, _VERSION))
def version(value: Any) -> Version:
    """A version that another system keeps: its link is passed on as it is (C10)."""
    try:
        checked = fields.check_object(value, _VERSION, required=_VERSION)
    except Invalid as invalid:
        raise Several([Bad(e.code, e.detail, fields.tokens(e.pointer)) for e in invalid.errors]) from None
    return Version(checked["number"], checked["downloadUrl"])


_EDITABLE: Final[dict[str, Field]] = {
    "type": fields.text(),
    "title": fields.text(),
    "startDate": nullable(fields.date_or_timestamp),
    "expiryDate": nullable(fields.date_or_timestamp),
    "ownerEmail": fields.email,
    "authorEmail": fields.email,
    "referenceId": nullable(fields.text()),
    "contractValue": nullable(fields.money),
    "counterpartyName": nullable(fields.text()),
    "additionalFacts": additional_facts,
}
NEW: Final[dict[str, Field]] = {**_EDITABLE, "sourceApp": fields.text()}
"""What `POST /v1/documents` takes."""
NEW_REQUIRED: Final = ("type", "title", "ownerEmail", "authorEmail")
PATCH: Final[dict[str, Field]] = {**_EDITABLE, "additionalFacts": additional_facts_patch}
"""What a merge patch may name."""
SNAPSHOT: Final[dict[str, Field]] = {
    **_EDITABLE,
    "status": fields.one_of(*STATUSES),
    "createdAt": fields.timestamp,
    "sourceApp": fields.text(),
    "executedAt": nullable(fields.timestamp),
    "externalId": fields.uuid,
    "latestVersion": nullable(version),
    "publishedVersion": nullable(version),
}
"""What an import takes: all of C7."""
SNAPSHOT_REQUIRED: Final = ("type", "title", "status", "createdAt", "sourceApp", "ownerEmail", "authorEmail")

ATTRIBUTES: Final[dict[str, str]] = {f.encode_name: f.name for f in msgspec.structs.fields(Document)}
"""From a name on the wire to the attribute's name."""


# --- How one state follows another ------------------------------------------------------------------------------------


def created(checked: Mapping[str, Any], external_id: str, source_app: str, now: str) -> Document:
    """A new document from the checked fields of NEW."""
    given = {ATTRIBUTES[name]: value for name, value in checked.items()}
    return Document(**{"source_app": source_app, **given}, status="created", created_at=now, external_id=external_id)


def snapshot(checked: Mapping[str, Any], external_id: str) -> Document:
    """The document that another system says there is, from the checked fields of SNAPSHOT."""
    given = {ATTRIBUTES[name]: value for name, value in checked.items()}
    given["external_id"] = external_id
    return Document(**given)


def patched(document: Document, checked: Mapping[str, Any]) -> Document:
    """The document after a JSON merge patch (RFC 7396) whose fields were checked by PATCH. Raises Invalid."""
    changes = {ATTRIBUTES[name]: value for name, value in checked.items()}
    if "additional_facts" in changes:
        changes["additional_facts"] = _merged(document.additional_facts, changes["additional_facts"])
    return msgspec.structs.replace(document, **changes)


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


def deleted(document: Document) -> Document:
    """The last attributes, as the event of a deletion carries them (C6)."""
    return msgspec.structs.replace(document, status="other")


class Facets(NamedTuple):
    """What lists of documents filter by."""

    type: str
    status: str
    reference_id: str | None
    owner_email: str


class DocumentRow(Struct, frozen=True):
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
    """None where its status is all that there is to know of it, and of a deleted one."""
    last_number: Number | None = None
    """The highest that a version of the gateway's own got, also before a deletion."""

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


def require_live(row: DocumentRow | None) -> DocumentRow:
    """The row of a document that is there. Raises NotFound for none, and for a tombstone."""
    if row is None or row.deleted_at is not None:
        raise NotFound("document_not_found", "There is no document with this externalId.")
    return row


def new_row(document: Document, version: int, updated_at: int, source_version: int | None = None) -> DocumentRow:
    """The row of a new document. Raises Invalid as `encode` does."""
    return DocumentRow(document.external_id, version, updated_at, _facets(document), encode(document), source_version)


def next_row(row: DocumentRow, document: Document, at: int, workflow: Workflow | None = None) -> DocumentRow:
    """What comes of a row as its document changes; its workflow, if it is not given, goes on as long as the status is
    the same. Raises Invalid as `encode` does."""
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
