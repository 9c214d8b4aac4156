"""What receivers get, in JSON Schema 2020-12 and as OpenAPI's `webhooks`, made from the types of the log's events.

Receivers outlive the gateway's version, so these schemas are open: they allow attributes that are added later, and
values that an enumeration does not name. A receiver that is generated from them passes on what it does not know.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from signalpost.api.routing.shapes.documents import EventDocument
from signalpost.domain.documents import sample
from signalpost.domain.event import BY_WIRE, OF_DOCUMENTS, EventType
from signalpost.domain.operations.notices import Notice
from signalpost.domain.timestamps import parse_timestamp
from signalpost_receiver import ENVELOPE_KEYS, MAX_BODY_BYTES, sign

Schema = dict[str, Any]
Reference = Callable[[str], str]
"""Where the type of a name is, in the file that refers to it."""

DOCUMENT: Final = "WebhookDocument"
VERSION: Final = "WebhookVersion"
DATA: Final = "WebhookData"
NOTICE: Final = "WebhookNotice"
SUBJECT: Final = "WebhookNoticeSubject"
NOTICE_DATA: Final = "WebhookNoticeData"
NAMES: Final[Mapping[str, str]] = {
    **{wire: wire[0].upper() + wire[1:] for wire in OF_DOCUMENTS},
    EventType.NOTICE.wire: "NoticeEvent",
}
"""What the type of each event is called, by its name on the wire."""
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SUMMARIES: Final = {
    EventType.CREATED: "A document was created.",
    EventType.UPDATED: "An attribute of a document changed.",
    EventType.DELETED: "A document was deleted; `data` has its last attributes, with the status `other`.",
    EventType.NOTICE: "Something is wrong, still is, or is over; only in the tenant `operations`.",
}
_EXAMPLE_TIME: Final = parse_timestamp("2026-01-15T09:30:00.250174+00:00")


class WebhookHeader(NamedTuple):
    """A header that the gateway sends to receivers (C18 to C21)."""

    description: str
    schema: Schema
    required: bool = True


HEADERS: Final[Mapping[str, WebhookHeader]] = {
    sign.PAGE_SIGNATURE: WebhookHeader(
        "Lower-case hex of HMAC-SHA512 of the body, keyed with the secret.",
        {"type": "string", "pattern": "^[0-9a-f]{128}$"},
    ),
    sign.PAGE_SIGNATURE_ALTERNATE: WebhookHeader(
        "The same, keyed with the new secret, while the secret is being rotated.",
        {"type": "string", "pattern": "^[0-9a-f]{128}$"},
        required=False,
    ),
    sign.STANDARD_ID: WebhookHeader(
        "The event's id, as Standard Webhooks wants it.", {"type": "string", "format": "uuid"}
    ),
    sign.STANDARD_TIMESTAMP: WebhookHeader(
        "When this attempt was signed, in seconds since the epoch.", {"type": "string", "pattern": "^[0-9]+$"}
    ),
    sign.STANDARD_SIGNATURE: WebhookHeader(
        "The signature of Standard Webhooks; while the secret is being rotated two, with a space between them.",
        {"type": "string", "pattern": "^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*$"},
    ),
    sign.SEQUENCE: WebhookHeader(
        "The event's number in the log of its tenant; 0 for a sample.", {"type": "string", "pattern": "^[0-9]+$"}
    ),
    sign.ATTEMPT: WebhookHeader(
        "How often the event was sent, this time included.", {"type": "string", "pattern": "^[0-9]+$"}
    ),
    sign.REPLAY: WebhookHeader(
        "`true` if somebody asked for the event to be sent again.", {"type": "string", "const": "true"}, required=False
    ),
    sign.TEST: WebhookHeader(
        "`true` for a sample, which is in no log.", {"type": "string", "const": "true"}, required=False
    ),
    sign.SHADOW: WebhookHeader(
        "`true` if the endpoint is the shadow of another, which gets the event too.",
        {"type": "string", "const": "true"},
        required=False,
    ),
}


def summary_of(event_type: EventType) -> str:
    """What happened, in a sentence."""
    return _SUMMARIES[event_type]


# --- The types --------------------------------------------------------------------------------------------------------


def types(reference: Reference) -> dict[str, Schema]:
    """Every type by its name. They refer to one another by `reference`."""
    _, made = msgspec.json.schema_components((EventDocument, Notice), ref_template="{name}")
    renamed = {"EventDocument": DOCUMENT, "Version": VERSION, "Notice": NOTICE, "Subject": SUBJECT}
    own = {new: _open(made[old], lambda name: reference(renamed[name])) for old, new in renamed.items()}
    own[DOCUMENT]["description"] = "A document as it was at the event."
    own[VERSION]["description"] = "A version of the document's file. Its link works for 15 minutes from the event."
    own[DATA] = _object({"document": {"$ref": reference(DOCUMENT)}})
    own[NOTICE_DATA] = _object({"notice": {"$ref": reference(NOTICE)}})
    return own | {NAMES[name]: _event(name, kind, reference) for name, kind in BY_WIRE.items()}


def _event(name: str, kind: EventType, reference: Reference) -> Schema:
    data = NOTICE_DATA if kind is EventType.NOTICE else DATA
    envelope = _envelope({"type": "string", "const": name}, {"$ref": reference(data)})
    return {**envelope, "description": _SUMMARIES[kind]}


def _envelope(type_: Schema, data: Schema) -> Schema:
    members = (
        {"type": "string", "format": "uuid", "description": "The same on every attempt and replay of the event."},
        type_,
        {"type": "string", "format": "date-time", "description": "Sort by it for the true order."},
        data,
    )
    return _object(dict(zip(ENVELOPE_KEYS, members, strict=True)))


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _open(part: Any, reference: Reference) -> Any:
    """A part of a closed schema as receivers read it: every member is present, and an enumeration may grow."""
    if isinstance(part, list):
        return [_open(each, reference) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return {"$ref": reference(part["$ref"])}
    if "enum" in part:
        return {"anyOf": [{"type": "string", "enum": part["enum"]}, {"type": "string"}]}
    opened = {key: _open(value, reference) for key, value in part.items() if key not in ("default", "title")}
    if "properties" in part:
        # Not `opened`: an attribute of a document may be called `title`.
        opened["properties"] = {name: _open(member, reference) for name, member in part["properties"].items()}
        opened["required"] = list(part["properties"])
    return opened


# --- The files --------------------------------------------------------------------------------------------------------


@cache
def schema_files() -> Mapping[str, Schema]:
    """JSON Schemas by the name of their file. Each stands by itself: no tool has to fetch another."""
    defined = types("#/$defs/{}".format)
    shared = {name: defined[name] for name in (DATA, DOCUMENT, VERSION)}
    files = {"document": {**defined[DOCUMENT], "$defs": {VERSION: defined[VERSION]}}}
    of_notices = {name: defined[name] for name in (NOTICE_DATA, NOTICE, SUBJECT)}
    files |= {
        wire: {**defined[name], "$defs": shared if wire in OF_DOCUMENTS else of_notices} for wire, name in NAMES.items()
    }
    files["event"] = {**_any_event(), "$defs": shared}
    return {
        f"{name}.json": {"$schema": _DIALECT, "$id": f"urn:signalpost:schemas:{name}", **schema}
        for name, schema in files.items()
    }


def _any_event() -> Schema:
    """An event of any type; one of a document has it."""
    named: Schema = {"anyOf": [{"type": "string", "enum": list(BY_WIRE)}, {"type": "string"}]}
    return {
        **_envelope(named, {"type": "object"}),
        "description": "Any event. Pass on a type that you do not know.",
        "if": {"type": "object", "properties": {"type": {"enum": list(OF_DOCUMENTS)}}},
        "then": {"type": "object", "properties": {"data": {"$ref": f"#/$defs/{DATA}"}}},
    }


@cache
def example(event_type: EventType) -> Any:
    """The sample that tests an endpoint, always with the same ids and times."""
    return msgspec.json.decode(sample.event(event_type, 1, _EXAMPLE_TIME, lambda _bits: 0x30C2A9E1D0B84F77).body)


# --- OpenAPI ----------------------------------------------------------------------------------------------------------


def openapi_webhooks(reference: Reference) -> dict[str, Any]:
    """OpenAPI's `webhooks`: the request that an endpoint gets for each type of event, and how it answers."""
    return {name: {"post": _webhook(name, kind, reference)} for name, kind in BY_WIRE.items()}


def _webhook(name: str, kind: EventType, reference: Reference) -> dict[str, Any]:
    return {
        "operationId": f"receive_{kind.name.lower()}",
        "summary": _SUMMARIES[kind].split(";")[0].rstrip("."),
        "description": f"{_SUMMARIES[kind]} The body has at most {MAX_BODY_BYTES} bytes.",
        "security": [],
        "parameters": [
            {
                "name": header,
                "in": "header",
                "required": what.required,
                "description": what.description,
                "schema": what.schema,
            }
            for header, what in HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": reference(NAMES[name])}, "example": example(kind)}},
        },
        "responses": {
            "2XX": {"description": "Delivered. Only what arrives within 5 seconds counts."},
            "default": {"description": "Not delivered. The event is sent again, three times at most."},
        },
    }
