"""What the tests of kinds share: events in their contexts, replies of vendors, configs that are read as clients send
them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from signalpost.destinations.calls import Reply
from signalpost.destinations.destination import Context
from signalpost.destinations.registry import Destinations
from signalpost.domain.errors import Invalid

KINDS = Destinations.installed([])
DOCUMENT: dict[str, Any] = {
    "type": "Contract", "title": "Supply agreement", "status": "executed",
    "createdAt": "2026-01-02T03:04:05.000000+00:00", "sourceApp": "Signalpost", "startDate": "2026-02-01",
    "executedAt": "2026-01-15T09:30:00.000000+00:00", "expiryDate": "2027-01-31",
    "externalId": "d24c0644-1d31-47fa-960e-b0cc8b4f136c", "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com", "referenceId": "00Q5g00000ABCDE", "contractValue": 12000.5,
    "latestVersion": None, "additionalFacts": {"currency": "AUD"}, "counterpartyName": "Smith & Sons <Ltd>",
    "publishedVersion": None,
}  # fmt: skip
PEM = (Path(__file__).parents[1] / "oracles" / "assertion_key.pem").read_text(encoding="ascii")
KEY, SLOT = "0123456789abcdef" * 2, "fedcba9876543210" * 2


def context(event_type: str = "documentUpdated", **given: Any) -> Context:
    """An event about `DOCUMENT`. `before`, `made` and `attempt` are the context's, the rest the document's."""
    own: dict[str, Any] = {"before": {}, "made": {}, "attempt": 1}
    own |= {name: given[name] for name in given.keys() & {"account", *own}}
    document = {**DOCUMENT, **{name: value for name, value in given.items() if name not in own}}
    event = {
        "id": "019b0000-0000-7000-8000-000000000001",
        "type": event_type,
        "createdAt": "2026-01-15T09:30:00.000000+00:00",
        "data": {"document": document},
    }
    return Context(event=event, key=KEY, slot=SLOT, **own)


def reply(status: int, body: Any = b"", **headers: str) -> Reply:
    """A vendor's answer. A body that is no bytes is sent as JSON; underscores in names of headers are hyphens."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=status, body=raw, headers={name.replace("_", "-"): value for name, value in headers.items()})


def connection(kind: str, **config: Any) -> Any:
    """What a connection of that kind holds."""
    return KINDS.read_connection(kind, config)


def config(kind: str, of: Any, **said: Any) -> Any:
    """What a subscription of that kind says."""
    return KINDS.read_config(kind, said, of)


def pointers(of: Any) -> dict[str, str]:
    """Where a call finds fields bad, with the code of each."""
    with pytest.raises(Invalid) as refused:
        of()
    return {error.pointer: error.code for error in refused.value.errors}


def members(struct: type[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every member that the JSON Schema of a struct describes, the nested ones too, by where it stands."""
    definitions = msgspec.json.schema(struct)["$defs"]
    return [
        (f"{name}.{member}", schema)
        for name, definition in definitions.items()
        for member, schema in definition.get("properties", {}).items()
        if "enum" not in schema or "title" in schema or len(schema["enum"]) > 1  # a tag says itself
    ]
