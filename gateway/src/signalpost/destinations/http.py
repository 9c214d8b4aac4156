"""Any service with an HTTP API: a fixed origin, a method, a path, headers and JSON, filled in with the document.

For services that have no kind of their own. A 2xx means done; 429 waits, 408, 425 and 5xx are tried again, and any
other answer refuses the event for good. Each call carries an `idempotency-key`, the same on every attempt, for services
that know it.

The maker of a subscription need not be trusted with all that the connection's credentials open. So a connection lists
the calls that may be made through it, each a method and a path, and other subscriptions are refused. If it lists none,
only those who may change the connection say what a subscription sends.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, unquote

from msgspec import UNSET, Meta, UnsetType

from signalpost.destinations.access import Access, Fixed, client_grant
from signalpost.destinations.calls import Call, Skip
from signalpost.destinations.destination import Context, Destination
from signalpost.destinations.fields import JsonTemplate, PathTemplate, Private, SecretText, Template, secret
from signalpost.destinations.members import ClientId, Origin, basic_authorization, origin_of
from signalpost.destinations.presets.http import PRESETS
from signalpost.domain.body import Body, checked_by
from signalpost.domain.checks import Bad, Several
from signalpost.domain.endpoint import MAX_HEADER_NAME_CHARACTERS, MAX_HEADERS, EndpointUrl, check_header_name
from signalpost.domain.language.templates import MAX_CHARACTERS, read_template

Method = Literal["POST", "PUT", "PATCH", "DELETE"]
HeaderName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_HEADER_NAME_CHARACTERS,
        pattern="^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        extra=checked_by(check_header_name),
    ),
]
_VISIBLE: Final = "".join(chr(code) for code in range(0x21, 0x7F))
_IN_PATHS: Final = _VISIBLE.replace("#", "")
_DOTS: Final = frozenset({".", ".."})
_OWN_HEADERS: Final = ("authorization", "idempotency-key")
_OF_A_SECRET: Final = re.compile("authorization|cookie|password|secret|token|(access|api|auth)[-_]?key", re.IGNORECASE)
"""What the names of headers have in them that carry secrets."""
_OVERRIDES: Final = frozenset(
    {"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"}
)
"""Headers that some services take for another method or another path than the request's."""
MAX_CALLS: Final = 50
_MAX_SHOWN: Final = 5
"""How many allowed calls a refusal names."""


def _fault_of_path(path: str) -> str | None:
    """What is wrong with a path, as a sentence; None if nothing is."""
    if not path.startswith("/") or path.startswith("//"):
        return "This must begin with one /."
    if _leads_elsewhere(path):
        return "No part of the path can be . or .., because the request would go elsewhere."
    return None


def _leads_elsewhere(path: str) -> bool:
    return not _DOTS.isdisjoint(unquote(path.partition("?")[0]).split("/"))


def _checked_call(value: str) -> str:
    path = value.partition(" ")[2]
    if (fault := _fault_of_path(path)) is not None:
        raise Bad("bad_path", fault)
    read_template(path)
    return value


AllowedCall = Annotated[
    str, Meta(max_length=MAX_CHARACTERS, pattern="^(POST|PUT|PATCH|DELETE) /", extra=checked_by(_checked_call))
]

# --- Ways to sign in --------------------------------------------------------------------------------------------------


class Nothing(Body, frozen=True, kw_only=True, tag_field="with", tag="nothing"):
    """The service lets anyone in, or only the path is secret."""


class Bearer(Private, frozen=True, kw_only=True, tag_field="with", tag="bearer"):
    """A fixed token in the header `authorization`."""

    token: Annotated[
        SecretText, secret("Token", "What follows “Bearer” in the header.", "eyJhbGciOi"), Meta(pattern="^[!-~]+$")
    ]


class Basic(Private, frozen=True, kw_only=True, tag_field="with", tag="basic"):
    """A user's name and password in the header `authorization`."""

    username: Annotated[
        str,
        Meta(
            title="User name",
            description="It cannot contain a colon.",
            examples=["signalpost"],
            min_length=1,
            max_length=256,
            pattern="^[^:\\u0000-\\u001f]+$",
        ),
    ]
    password: Annotated[SecretText, secret("Password", "Or what the service takes for one.", "k3y")]


class KeyInHeader(Private, frozen=True, kw_only=True, tag_field="with", tag="apiKey"):
    """A key in a header of the service's own, such as `x-api-key`."""

    header: Annotated[
        HeaderName, Meta(title="Header", description="The header that carries the key.", examples=["x-api-key"])
    ]
    key: Annotated[SecretText, secret("Key", "The header's value.", "3f9ac1"), Meta(pattern="^[!-~]+$")]


class BodyKey(Private, frozen=True, kw_only=True, tag_field="with", tag="bodyKey"):
    """A key in a member of the body, such as `routing_key`."""

    member: Annotated[
        str,
        Meta(
            title="Member",
            description="The member of the JSON body that carries the key. No subscription may set it.",
            examples=["routing_key"],
            min_length=1,
            max_length=64,
        ),
    ]
    key: Annotated[SecretText, secret("Key", "The member's value.", "3f9ac1"), Meta(pattern="^[!-~]+$")]


class ClientCredentials(Private, frozen=True, kw_only=True, tag_field="with", tag="clientCredentials"):
    """Tokens that the service gives for a client's id and secret (OAuth 2, client credentials)."""

    token_url: Annotated[
        EndpointUrl,
        Meta(
            title="Token URL",
            description="The URL of the token endpoint.",
            examples=["https://login.example.com/oauth2/token"],
        ),
    ]
    client_id: ClientId
    client_secret: Annotated[SecretText, secret("Client secret", "As the service shows it, once.", "s3cr3t")]
    scope: Annotated[
        str,
        Meta(
            title="Scope",
            description="The scope to request, if the service needs one.",
            examples=["contracts.write"],
            max_length=1024,
        ),
    ] = ""
    credentials_in: Annotated[
        Literal["header", "form"],
        Meta(
            title="Credentials in",
            description="Whether id and secret go in the header `authorization` or as fields of the form.",
            examples=["header"],
        ),
    ] = "header"


class HttpConnection(Body, frozen=True, kw_only=True):
    """A service, and how the gateway signs in there."""

    origin: Annotated[
        Origin,
        Meta(
            title="Address",
            description="Scheme and host of the service. This connection calls no other host.",
            examples=["https://api.example.com"],
        ),
    ]
    sign_in: Annotated[
        Nothing | Bearer | Basic | KeyInHeader | BodyKey | ClientCredentials,
        Meta(
            title="Signs in with",
            description="How the gateway signs in to the service.",
            examples=[{"with": "bearer", "token": "eyJhbGciOi"}],
        ),
    ]
    calls: Annotated[
        tuple[AllowedCall, ...],
        Meta(
            title="Allowed calls",
            description="The calls that subscriptions may make: a method and a path each, written as subscriptions "
            "write them. Without any, only operators can make or change subscriptions of this connection.",
            examples=[["POST /events", "PATCH /contracts/{{ document.externalId }}"]],
            max_length=MAX_CALLS,
        ),
    ] = ()


class HttpConfig(Body, frozen=True, kw_only=True):
    """The request that an event becomes."""

    method: Annotated[Method, Meta(title="Method", description="The HTTP method.", examples=["POST"])] = "POST"
    path: Annotated[
        PathTemplate,
        Meta(
            title="Path",
            description="Where the request goes, from the / on, with a query if there is one. Values of placeholders "
            "are percent-encoded.",
            examples=["/contracts/{{ document.externalId }}"],
            min_length=1,
        ),
    ]
    headers: Annotated[
        dict[HeaderName, Template],
        Meta(
            title="Headers",
            description="Further headers. Put no secrets here: they belong to the connection.",
            examples=[{"x-source": "signalpost"}],
            max_length=MAX_HEADERS,
        ),
    ] = {}
    json: Annotated[
        JsonTemplate | UnsetType,
        Meta(
            title="Body",
            description="The JSON to send. Without it, the event is sent as webhooks receive it. A DELETE has no body.",
            examples=[{"name": "{{ document.title }}", "value": "{{ document.contractValue }}"}],
        ),
    ] = UNSET


class Http(Destination[HttpConnection, HttpConfig]):
    """Makes one request of each event."""

    kind = "http"
    title = "HTTP service"
    seconds = 15.0
    connection = HttpConnection
    config = HttpConfig
    presets = PRESETS

    def check(self, connection: HttpConnection, config: HttpConfig) -> None:
        """The path stays on the origin, the connection allows the call, no header is one that the gateway sets, and a
        DELETE has no body."""
        bads: list[Bad] = []
        if (fault := _fault_of_path(config.path)) is not None:
            bads.append(Bad("bad_path", fault, ("path",)))
        elif connection.calls and f"{config.method} {config.path}" not in connection.calls:
            bads.append(Bad("call_not_allowed", _allowed(connection.calls), ("path",)))
        sign_in = connection.sign_in
        reserved = {*_OWN_HEADERS, sign_in.header.lower() if isinstance(sign_in, KeyInHeader) else ""}
        bads += [
            Bad("reserved_header", "The connection or the gateway sets this header.", ("headers", name))
            for name in config.headers
            if name.lower() in reserved
        ]
        bads += [
            Bad("reserved_header", "Some services take it for another method or path.", ("headers", name))
            for name in config.headers
            if name.lower() in _OVERRIDES
        ]
        bads += [
            Bad(
                "secret_header",
                "Everyone who may read the subscription would see it. Put credentials into the connection.",
                ("headers", name),
            )
            for name in config.headers
            if _OF_A_SECRET.search(name) and name.lower() not in reserved
        ]
        if config.method == "DELETE" and config.json is not UNSET:
            bads.append(Bad("not_allowed", "A DELETE has no body.", ("json",)))
        if (
            isinstance(connection.sign_in, BodyKey)
            and (misfit := _fault_of_body(connection.sign_in, config)) is not None
        ):
            bads.append(misfit)
        if bads:
            raise Several(bads)

    def is_open(self, connection: HttpConnection) -> bool:
        """Whether it lists what may be called."""
        return bool(connection.calls)

    def origins(self, connection: HttpConnection) -> tuple[str, ...]:
        """The service's, and where its tokens come from."""
        if isinstance(connection.sign_in, ClientCredentials):
            return tuple(dict.fromkeys((connection.origin, origin_of(connection.sign_in.token_url))))
        return (connection.origin,)

    def access(self, connection: HttpConnection) -> Access:
        """A key in a header of its own or in the body is no authorisation in HTTP's sense: `prepare` adds it."""
        match connection.sign_in:
            case Bearer(token=token):
                return Fixed(f"Bearer {token}")
            case Basic(username=username, password=password):
                return Fixed(basic_authorization(username, password))
            case ClientCredentials() as client:
                in_header = client.credentials_in == "header"
                return client_grant(
                    client.token_url, client.client_id, client.client_secret, client.scope, in_header=in_header
                )
        return None

    def prepare(self, connection: HttpConnection, config: HttpConfig, context: Context) -> Call | Skip:
        """The request."""
        if _leads_elsewhere(config.path):
            return Skip("The path would lead elsewhere: a part of it is . or .. for this document.")
        headers = {name: _header_value(value) for name, value in config.headers.items()}
        headers["idempotency-key"] = context.key
        if isinstance(connection.sign_in, KeyInHeader):
            headers[connection.sign_in.header] = connection.sign_in.key
        body: Any = context.event if config.json is UNSET else config.json
        if isinstance(connection.sign_in, BodyKey):
            body = {**body, connection.sign_in.member: connection.sign_in.key}
        return Call(
            method=config.method,
            url=connection.origin + quote(config.path, safe=_IN_PATHS),
            json=UNSET if config.method == "DELETE" else body,
            headers=headers,
        )


def _fault_of_body(sign_in: BodyKey, config: HttpConfig) -> Bad | None:
    """Why the key has no place in the body."""
    if config.method == "DELETE":
        return Bad("not_allowed", "The connection's key goes in the body, and a DELETE has none.", ("method",))
    if config.json is UNSET:
        return None
    if not isinstance(config.json, dict):
        return Bad("wrong_type", "The connection's key goes in the body, so this must be an object.", ("json",))
    if sign_in.member in config.json:
        return Bad("not_allowed", "The connection sets this member.", ("json", sign_in.member))
    return None


def _allowed(calls: Sequence[str]) -> str:
    more = f" and {len(calls) - _MAX_SHOWN} more" if len(calls) > _MAX_SHOWN else ""
    return f"The connection allows other calls: {', '.join(calls[:_MAX_SHOWN])}{more}."


def _header_value(value: str) -> str:
    """What a header can carry: everything but printable ASCII is percent-encoded, so no line can end in it."""
    return quote(value.strip(), safe=f" {_VISIBLE}")
