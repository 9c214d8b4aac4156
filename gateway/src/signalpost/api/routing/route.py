"""What an entry of the route table says of a call. Routing, authorisation, checks and OpenAPI all follow it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from signalpost.api.http.request import Request
from signalpost.api.http.response import Json, Response, StreamedResponse
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.deprecation import Deprecation
from signalpost.api.routing.queries import Query
from signalpost.api.routing.services import Services
from signalpost.commands.command import Command
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.access.tenant import TENANT_NAME
from signalpost.domain.errors import CallerError
from signalpost.domain.operations.unsubscribing import TOKEN_CHARACTERS
from signalpost.domain.source import SOURCE_NAME
from signalpost.sharing.command_queues import Queue

JSON: Final = "application/json"
OPERATOR: Final = frozenset({Role.OPERATOR})
ABOUT_ACCESS: Final = (
    "/v1/keys", "/v1/console-links", "/v1/tenants", "/v1/audit", "/v1/erasures", "/v1/master-key", "/v1/nodes",
    "/v1/gateway", "/v1/members",
)  # fmt: skip
"""Paths about the gateway and who may use it, not about the data of a tenant. Only operators may call them."""
NOT_OF_TENANTS: Final = (*ABOUT_ACCESS, "/v1/sources")
"""Paths of calls that change nothing of a tenant's own. How a source does can be said while its tenant is paused."""
READS: Final = frozenset(Role)
"""Documents and their files, and the sources that they come from, which every role may read."""
CHANGES_DOCUMENTS: Final = frozenset({Role.OPERATOR, Role.APP})
FOLLOWS: Final = frozenset({Role.OPERATOR, Role.SUBSCRIBER, Role.VIEWER})
"""Reads events, deliveries, subscriptions and what these need."""
SUBSCRIBES: Final = frozenset({Role.OPERATOR, Role.SUBSCRIBER})


class Reply(Struct, frozen=True):
    """One answer of a call that went well."""

    description: str
    body: Any = None
    """The type of what it carries; None for nothing."""
    headers: Sequence[str] = ()
    """Names of `RESPONSE_HEADERS` that the answer carries."""
    media_type: str = JSON
    example: Any = None


class Binary:
    """The body of a reply that is bytes and no JSON."""


class Example(Struct, frozen=True):
    """A request that a reader can make sense of: its body or its query."""

    body: Any = None
    query: Mapping[str, str] = {}


class OneChange(Struct, frozen=True):
    """What a call does that makes one change and waits for nothing else: its result is the answer."""

    command: Callable[[RequestContext], Command[Any]]
    """May be called again with the same request (`NotYet`)."""


class Route(Struct, frozen=True, kw_only=True, dict=True):
    name: str
    """What programs call it: the operation's id, from which generated clients make a function's name."""
    method: str
    path: str
    summary: str
    roles: frozenset[Role]
    handler: Callable[[RequestContext], Awaitable[Struct | Response | StreamedResponse | None]] | OneChange
    """Returns what the call shows, a struct that `replies` have under one status, or `Json`, or None for nothing; or
    the command whose result is the answer; or a whole response. If all that the call does is one change, says which."""
    changes: bool = False
    """Whether all that it is asked for is to change something, as every `OneChange` is. Changes have queues and limits
    of their own."""
    complete: Callable[[RequestContext, Response], Awaitable[Response]] | None = None
    """Adds to the answer to a change what the one that is kept under an `Idempotency-Key` lacks, such as health."""
    portal: Capability | None = None
    """What a portal link has to allow for it; None for what customers never do. An `id` in its path is a
    subscription's."""
    for_readers: bool = False
    """Whether it is made with the key of a subscription's reader, and with no other. The `id` in its path is the
    subscription's."""
    query: type[Query] = Query
    body: RequestBody | None = None
    conditional: bool = False
    """Whether it takes `If-Match`."""
    idempotent: bool = False
    """Whether it takes `Idempotency-Key`."""
    replies: Mapping[int, Reply]
    errors: Sequence[type[CallerError]] = ()
    """Errors that may happen in addition to those that the other entries imply."""
    example: Example
    deprecation: Deprecation | None = None
    """What is announced if it will go."""

    @cached_property
    def statuses(self) -> Mapping[Any, int]:
        """The status of each answer, by its type, and of one that is encoded already, if there is no other. A type that
        has several is left out: the handler says which, in a response."""
        types = [reply.body for reply in self.replies.values()]
        statuses = {reply.body: status for status, reply in self.replies.items() if types.count(reply.body) == 1}
        return statuses if len(types) > 1 else {**statuses, Json: next(iter(self.replies))}

    @cached_property
    def is_timed(self) -> bool:
        """Whether what a call takes of the event loop's time is measured, and its tenant's next one waits for it. No
        change does: few would be committed together."""
        return not (self.changes or isinstance(self.handler, OneChange))

    @cached_property
    def changes_tenant(self) -> bool:
        """Whether it changes something of the tenant, or sends something for it: not while the tenant is paused."""
        return self.method != "GET" and not self.path.startswith(NOT_OF_TENANTS)

    @cached_property
    def shows_configuration(self) -> bool:
        """Whether it needs what nodes remember, which has to be what any of them changed by now: not if it is about
        documents alone, which are read where they are stored."""
        return not self.path.startswith("/v1/documents")

    @cached_property
    def intake(self) -> Queue | None:
        """Where its change waits for its commit; None if it makes none, or (an import) is never refused for that."""
        if not self.idempotent:
            return None
        return Queue.DOCUMENT if self.path.startswith("/v1/documents") else Queue.CONTROL


class OpenRoute(Struct, frozen=True, kw_only=True):
    """A call that anyone may make, without a key."""

    name: str
    path: str
    method: Literal["GET", "POST"] = "GET"
    summary: str
    handler: Callable[[Services, Request], Awaitable[Response | StreamedResponse]]
    replies: Mapping[int, Reply]
    errors: Sequence[type[CallerError]] = ()


def _text(description: str, pattern: str) -> Mapping[str, Any]:
    return {"description": description, "schema": {"type": "string", "pattern": pattern}}


class PathParameter(NamedTuple):
    description: str
    schema: Mapping[str, str] = {"type": "string", "format": "uuid"}


PATH: Final[Mapping[str, PathParameter]] = {
    "externalId": PathParameter("ID of the document."),
    "id": PathParameter("ID of the resource."),
    "eventId": PathParameter("ID of the event."),
    "replayId": PathParameter("ID of the replay."),
    "kind": PathParameter(
        "Kind of destination, such as `slack`.", {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"}
    ),
    "name": PathParameter("Name of the tenant.", {"type": "string", "pattern": TENANT_NAME}),
    "number": PathParameter(
        "Number of the version, such as `1.0`.", {"type": "string", "pattern": r"^[0-9]{1,10}\.[0-9]{1,10}$"}
    ),
    "schema": PathParameter(
        "File name of the schema, such as `documentCreated.json`.", {"type": "string", "pattern": r"^[A-Za-z]+\.json$"}
    ),
    "contact": PathParameter(
        "The signed token that the link ends in.",
        {"type": "string", "pattern": f"^[A-Za-z0-9_-]{{{TOKEN_CHARACTERS}}}$"},
    ),
    "source": PathParameter("Name of the source.", {"type": "string", "pattern": SOURCE_NAME}),
    "token": PathParameter(
        "The signed token that the link ends in.", {"type": "string", "pattern": "^[A-Za-z0-9_-]{92}$"}
    ),
}
"""Parameters in paths. What has another form cannot be there."""

RESPONSE_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "etag": _text("Version of the resource, for `If-Match`; SHA-256 of a file, for `If-Range`.", '^"[0-9a-f]+"$'),
    "location": _text("URL of the created resource, or where to download the file.", "^(/v1/|https?://)"),
    "set-cookie": _text("Binds the consent to this browser.", "^signalpost-consent="),
    "content-disposition": _text("File name to save the download under.", "^attachment; "),
    "content-security-policy": _text("Keeps browsers from running anything in the file.", "^sandbox"),
    "x-content-type-options": _text("Keeps browsers from guessing another content type.", "^nosniff$"),
    "accept-ranges": _text("Range requests are supported.", "^bytes$"),
    "content-range": _text(
        "The byte range returned, or the total size if the range is unsatisfiable.", r"^bytes (\d+-\d+|\*)/\d+$"
    ),
    "last-modified": _text("When the version was uploaded or published.", " GMT$"),
    "signalpost-event": {
        **_text("ID of the event that the change made, if it made one.", "^[0-9a-f-]{36}$"),
        "required": False,
    },
    "signalpost-sequence": _text(
        "The page has all that the events up to this one changed: read its documents, then follow the log after it. If "
        "there are several pages, follow it after the sequence of the first one.",
        r"^\d+$",
    ),
    "signalpost-changed": _text("`true` if the import or deletion changed anything.", "^(true|false)$"),
    "request-id": _text("ID of this request in the gateway's log.", "^[0-9a-f]{16}$"),
    "retry-after": _text("Seconds to wait before repeating the request.", r"^\d+$"),
    "www-authenticate": _text("The authentication scheme.", "^Bearer$"),
}
