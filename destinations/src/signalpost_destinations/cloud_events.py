"""CloudEvents 1.0: what a message says beside its body, which stays as webhooks get it.

What reads messages can select and order them by these attributes without reading the body.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from signalpost.destinations import Body, Context, Input, Preset

_Source = Annotated[
    str,
    Meta(
        title="Source",
        description="Where events come from, in the words of CloudEvents: a URI, or a name of yours.",
        examples=["https://contracts.example.com"],
        min_length=1,
        max_length=256,
        pattern="^[!-~]+$",
    ),
]
_DEFAULT_SOURCE: Final = "signalpost"
SOURCE_INPUT: Final = Input(
    name="source",
    title="Source",
    description="Where events come from, in the words of CloudEvents.",
    pointer="/config/source",
    example="https://contracts.example.com",
    default=_DEFAULT_SOURCE,
)


class EventConfig(Body, frozen=True, kw_only=True):
    """What every kind that sends whole events asks for, after what it asks for itself."""

    source: _Source = _DEFAULT_SOURCE


def every_event(kind: str, place: str, about: str, *inputs: Input) -> tuple[Preset]:
    """The preset that sends all events of documents to a place of a kind."""
    preset = Preset(
        name=f"{kind}-everything",
        title=f"Every event → {place}",
        about=about,
        body={"eventTypes": ["documentCreated", "documentUpdated", "documentDeleted"], "config": {}},
        inputs=inputs,
    )
    return (preset,)


def body_of(context: Context) -> str:
    """The event as webhooks get it."""
    return msgspec.json.encode(context.event).decode()


def document_of(context: Context) -> str | None:
    """The id of the event's document; None of an event that is about none."""
    found = context.document.get("externalId")
    return found if isinstance(found, str) and found else None


def attributes_of(context: Context, source: str) -> dict[str, str]:
    """What CloudEvents say of an event, by names with the prefix that messages have."""
    event, document = context.event, document_of(context)
    return {
        "ce-specversion": "1.0",
        "ce-id": event["id"],
        "ce-source": source,
        "ce-type": event["type"],
        "ce-time": event["createdAt"],
        **({} if document is None else {"ce-subject": document}),
    }


def message_attributes(context: Context, source: str) -> dict[str, str]:
    """The same, with what the message's text is."""
    return attributes_of(context, source) | {"content-type": "application/json"}
