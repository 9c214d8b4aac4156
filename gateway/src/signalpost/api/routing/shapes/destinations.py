"""What answers about kinds of destinations and their connections look like."""

from typing import Annotated, Any

from msgspec import Meta

from signalpost.api.routing.shapes.shape import Cursor, Shape
from signalpost.destinations.presets import Preset
from signalpost.domain import connection
from signalpost.domain.fields import Timestamp, Uuid


class Destination(Shape, frozen=True):
    """A kind of destination."""

    kind: str
    title: str
    about: str
    connection: Annotated[dict[str, Any], Meta(description="JSON Schema of a connection's `config`.")]
    config: Annotated[dict[str, Any], Meta(description="JSON Schema of a subscription's `config`.")]
    presets: Annotated[list[Preset], Meta(description="Prepared subscriptions with two or three blanks to fill in.")]


class DestinationList(Shape, frozen=True):
    """Every kind that is installed."""

    data: list[Destination]


class ConnectionShown(Shape, frozen=True):
    """A connection as the API shows it, without its config: only the kind knows which parts of that are secret."""

    id: Uuid
    kind: str
    name: str
    state: Annotated[
        connection.State,
        Meta(description="`needs_consent`: a person has to consent. `broken`: the vendor refuses access."),
    ]
    reason: Annotated[str | None, Meta(description="Why it is broken.")]
    held_until: Annotated[
        Timestamp | None,
        Meta(description="Until when the vendor last asked the gateway to wait, if that was for long."),
    ]
    account: Annotated[dict[str, str], Meta(description="What the vendor said about the account.")]
    created_at: Timestamp
    updated_at: Timestamp


class Connection(ConnectionShown, frozen=True):
    config: Annotated[dict[str, Any], Meta(description="Secrets are write-only: each is null.")]


class Revocation(Shape, frozen=True):
    """How the vendor answered the request to revoke the credentials."""

    succeeded: Annotated[bool, Meta(description="Whether the vendor revoked everything.")]
    detail: Annotated[str, Meta(description="What the vendor answered, in a sentence for people.")]


class DisconnectedConnection(Connection, frozen=True):
    revocation: Annotated[Revocation | None, Meta(description="Null if this repeats an earlier answer.")]


class ConnectionTest(Shape, frozen=True):
    """Whether the vendor grants access."""

    works: bool
    detail: Annotated[str, Meta(description="The result, in a sentence for people.")]


class ConsentAsked(Shape, frozen=True):
    """Where a person gives consent."""

    connected: Annotated[bool, Meta(description="Whether the submitted code was accepted.")]
    url: Annotated[str | None, Meta(description="For a browser that can reach the gateway; valid for ten minutes.")] = (
        None
    )
    authorize_url: Annotated[
        str | None,
        Meta(description="For other browsers: submit the `code` and `state` of the URL at which the browser ends up."),
    ] = None
    state: str | None = None


class ConnectionPage(Shape, frozen=True):
    data: list[Connection]
    next: Cursor
