"""What clients send to create, change and import documents."""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType

from signalpost.domain.body import Body, checked_by, read_by
from signalpost.domain.checks import MAX_TEXT_CHARACTERS, NO_NUL, Bad, number, plain_text
from signalpost.domain.documents.workflow import Status
from signalpost.domain.fields import Email, GivenDateOrTimestamp, GivenTimestamp, Money, Text, Uuid

MAX_FACTS: Final = 64
MAX_FACT_NAME_CHARACTERS: Final = 128
MAX_FACT_VALUE_BYTES: Final = 4096
_MAX_LINK_CHARACTERS: Final = 4096

# --- Facts (C11) ------------------------------------------------------------------------------------------------------


def _fact_text(value: Any) -> str:
    text = plain_text(value, MAX_FACT_VALUE_BYTES, 0)
    if not text.isascii() and len(text.encode()) > MAX_FACT_VALUE_BYTES:
        raise Bad("wrong_length", f"A fact can have at most {MAX_FACT_VALUE_BYTES} bytes.")
    return text


def _fact_number(value: Any) -> int | float:
    if type(value) is int and _LEAST_WHOLE <= value <= _MOST_WHOLE:
        return value  # as many are
    checked: int | float = _number(value)
    # 64 bits are what every JSON reader that keeps integers apart can hold.
    if isinstance(checked, int) and not _LEAST_WHOLE <= checked <= _MOST_WHOLE:
        raise Bad("out_of_range", "A whole number must fit into 64 bits.")
    return checked


_number: Final = number(None, None)
_LEAST_WHOLE: Final = -(2**63)
_MOST_WHOLE: Final = 2**64 - 1


FactName = Annotated[str, Meta(min_length=1, max_length=MAX_FACT_NAME_CHARACTERS, pattern=NO_NUL)]
FactText = Annotated[
    str,
    Meta(
        max_length=MAX_FACT_VALUE_BYTES,
        pattern=NO_NUL,
        description="At most 4096 bytes in UTF-8.",
        extra=read_by(_fact_text),
    ),
]
FactNumber = Annotated[
    float,
    Meta(
        description="Whole numbers must fit into 64 bits.",
        extra=read_by(_fact_number),
    ),
]
Fact = FactText | FactNumber | bool
Facts = Annotated[dict[FactName, Fact], Meta(max_length=MAX_FACTS)]
FactsPatch = Annotated[
    dict[FactName, Fact | None] | None, Meta(description="A merge patch: null removes a fact, or all of them.")
]

# --- Bodies -----------------------------------------------------------------------------------------------------------


class _Attributes(Body, frozen=True, kw_only=True):
    """The attributes that people give a document."""

    type: Text
    title: Text
    start_date: GivenDateOrTimestamp | None = None
    expiry_date: GivenDateOrTimestamp | None = None
    owner_email: Email
    author_email: Email
    reference_id: Text | None = None
    contract_value: Money | None = None
    counterparty_name: Text | None = None
    additional_facts: Facts = {}


class NewDocument(_Attributes, frozen=True, kw_only=True):
    """What `POST /v1/documents` takes."""

    source_app: Text | UnsetType = UNSET
    """The system that makes it, if an operator calls for one; otherwise the name of the API key."""


class DocumentPatch(Body, frozen=True, kw_only=True):
    """A JSON merge patch (RFC 7396): an absent member leaves its value, null removes it."""

    type: Text | UnsetType = UNSET
    title: Text | UnsetType = UNSET
    start_date: GivenDateOrTimestamp | None | UnsetType = UNSET
    expiry_date: GivenDateOrTimestamp | None | UnsetType = UNSET
    owner_email: Email | UnsetType = UNSET
    author_email: Email | UnsetType = UNSET
    reference_id: Text | None | UnsetType = UNSET
    contract_value: Money | None | UnsetType = UNSET
    counterparty_name: Text | None | UnsetType = UNSET
    additional_facts: FactsPatch | UnsetType = UNSET


class LinkedVersion(Body, frozen=True, kw_only=True):
    """A version that another system keeps. Its link is passed on as it is."""

    number: Text
    download_url: Annotated[str, Meta(min_length=1, max_length=_MAX_LINK_CHARACTERS, pattern=NO_NUL)]


class Snapshot(_Attributes, frozen=True, kw_only=True):
    """A whole document, as the system that keeps it says it is."""

    status: Status
    created_at: GivenTimestamp
    source_app: Text
    executed_at: GivenTimestamp | None = None
    external_id: Uuid | UnsetType = UNSET
    latest_version: LinkedVersion | None = None
    published_version: LinkedVersion | None = None


SourceVersion = Annotated[
    int, Meta(ge=0, le=2**63 - 1, description="The source system's version number of this state or deletion.")
]


TraceParent = Annotated[
    str,
    Meta(
        max_length=MAX_TEXT_CHARACTERS,
        description="The `traceparent` of the work that this line belongs to; a malformed one is ignored.",
    ),
]


class SnapshotLine(Snapshot, frozen=True, kw_only=True):
    """One snapshot of many: it names its document, and may give the version number of this state."""

    external_id: Uuid
    source_version: SourceVersion | UnsetType = UNSET
    traceparent: TraceParent | None = None


def _check_deleted(value: Any) -> bool:
    if value is not True:
        raise Bad("wrong_value", "This must be true. To import a document, leave it out.")
    return value


class DeletionLine(Body, frozen=True, kw_only=True):
    """One deletion among many snapshots."""

    external_id: Uuid
    source_version: SourceVersion | UnsetType = UNSET
    traceparent: TraceParent | None = None
    deleted: Annotated[bool, Meta(extra_json_schema={"const": True}, extra=checked_by(_check_deleted))]
