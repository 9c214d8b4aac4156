"""What an entry of the route table says of a call. Routing, authorisation, checks and OpenAPI all follow it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from signalpost.api.http.asgi import Request, Streamed
from signalpost.api.routing.context import Body, Choice, RequestContext
from signalpost.api.routing.services import Services
from signalpost.commands.command_queues import Queue
from signalpost.commands.overlay import Answer
from signalpost.domain.api_key import Role
from signalpost.domain.errors import CallerError
from signalpost.domain.fields import Field

JSON: Final = "application/json"
OPERATOR: Final = frozenset({Role.OPERATOR})


class Reply(Struct, frozen=True):
    """One answer of a call that went well."""

    description: str
    body: Any = None
    """The type of what it carries; None for nothing."""
    headers: Sequence[str] = ()
    """Of `RESPONSE_HEADERS`."""
    media_type: str = JSON
    example: Any = None


class Binary:
    """Of a reply: bytes, and no JSON."""


class Example(Struct, frozen=True):
    """A request that a reader can make sense of: its body or its query."""

    body: Any = None
    query: Mapping[str, str] = {}


class Route(Struct, frozen=True, kw_only=True):
    name: str
    """What programs call it: the operation's id, from which generated clients make a function's name."""
    method: str
    path: str
    summary: str
    roles: frozenset[Role]
    handler: Callable[[RequestContext], Awaitable[Answer | Streamed]]
    query: Mapping[str, Field] = {}
    body: Body | Choice | None = None
    conditional: bool = False
    """It takes `If-Match`."""
    idempotent: bool = False
    """It takes `Idempotency-Key`."""
    replies: Mapping[int, Reply]
    errors: Sequence[type[CallerError]] = ()
    """What may go wrong beside what the other entries imply."""
    example: Example

    @property
    def intake(self) -> Queue | None:
        """Where its change waits for its commit; None where it makes none, or (an import) is never refused for that."""
        if not self.idempotent:
            return None
        return Queue.DOCUMENT if self.path.startswith("/v1/documents") else Queue.CONTROL


class OpenRoute(Struct, frozen=True, kw_only=True):
    """A GET that anyone may make, without a key."""

    name: str
    path: str
    summary: str
    handler: Callable[[Services, Request], Awaitable[Answer | Streamed]]
    replies: Mapping[int, Reply]
    errors: Sequence[type[CallerError]] = ()


def _text(description: str, pattern: str) -> Mapping[str, Any]:
    return {"description": description, "schema": {"type": "string", "pattern": pattern}}


class PathParameter(NamedTuple):
    description: str
    schema: Mapping[str, str] = {"type": "string", "format": "uuid"}


PATH: Final[Mapping[str, PathParameter]] = {
    "externalId": PathParameter("The document's id."),
    "id": PathParameter("Its id."),
    "eventId": PathParameter("The event's id."),
    "replayId": PathParameter("The replay's id."),
    "number": PathParameter("The version's number.", {"type": "string", "pattern": r"^[0-9]{1,10}\.[0-9]{1,10}$"}),
    "token": PathParameter("What the link ends in.", {"type": "string", "pattern": "^[A-Za-z0-9_-]{92}$"}),
}
"""Parameters in paths. What has another form cannot be there."""

RESPONSE_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "etag": _text("Its state, for `If-Match`; of a file its SHA-256, for `If-Range`.", '^"[0-9a-f]+"$'),
    "location": _text("Its own path; of a file where it is to be had.", "^(/v1/|https?://)"),
    "content-disposition": _text("The name to save it under.", "^attachment; "),
    "content-security-policy": _text("It runs nothing.", "^sandbox"),
    "x-content-type-options": _text("It is what its content type says.", "^nosniff$"),
    "accept-ranges": _text("Ranges of it can be asked for.", "^bytes$"),
    "content-range": _text("What of it this is, or how much there is.", r"^bytes (\d+-\d+|\*)/\d+$"),
    "last-modified": _text("When it was uploaded or published.", " GMT$"),
    "signalpost-event": {
        **_text("The id of the event that the change made, if it made one.", "^[0-9a-f-]{36}$"),
        "required": False,
    },
    "signalpost-changed": _text("`true` if the import changed anything.", "^(true|false)$"),
    "request-id": _text("Names this call in the gateway's log.", "^[0-9a-f]{16}$"),
    "retry-after": _text("Seconds.", r"^\d+$"),
    "www-authenticate": _text("How to send a key.", "^Bearer$"),
}
