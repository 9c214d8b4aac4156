"""The description of the events that receivers get, in AsyncAPI 3."""

from functools import cache
from typing import Any

from signalpost import VERSION
from signalpost.api.routing.webhooks import HEADERS, NAMES, example, types
from signalpost.domain.event import BY_WIRE, EventType

_ABOUT = """\
Signalpost POSTs every change of a document, signed, to each endpoint that subscribed to it. An attempt has 5 seconds;
a 2xx is a success, and anything else is retried three times. The order is loose: sort by `createdAt`. An event can
arrive more than once, with the same `id`."""


@cache
def describe_events() -> dict[str, Any]:
    """The AsyncAPI document. The gateway sends; a receiver's side is the mirror image."""
    schemas = types("#/components/schemas/{}".format)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Signalpost events", "version": VERSION, "description": _ABOUT},
        "defaultContentType": "application/json",
        "channels": {
            "subscription": {
                "address": None,
                "title": "A subscription's endpoint",
                "description": "The https URL of a subscription, which its owner chooses.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in BY_WIRE},
            }
        },
        "operations": {
            "deliver": {
                "action": "send",
                "channel": {"$ref": "#/channels/subscription"},
                "summary": "Deliver an event to a subscription",
                "messages": [{"$ref": f"#/channels/subscription/messages/{name}"} for name in BY_WIRE],
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            }
        },
        "components": {
            "messages": {name: _message(name, kind, schemas) for name, kind in BY_WIRE.items()},
            "schemas": schemas,
        },
    }


def _message(name: str, kind: EventType, schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": NAMES[name],
        "summary": schemas[NAMES[name]]["description"],
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {
                header: {**what.schema, "description": what.description} for header, what in HEADERS.items()
            },
            "required": [header for header, what in HEADERS.items() if what.required],
        },
        "payload": {"$ref": f"#/components/schemas/{NAMES[name]}"},
        "examples": [{"name": name, "payload": example(kind)}],
    }
