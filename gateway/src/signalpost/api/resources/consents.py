"""A person's consent: how it is asked for, brought back and forgotten (RFC 6749 with PKCE and RFC 9207).

    POST …/connect ──▶ `url` ──opened in a browser──▶ /oauth/start ──cookie──▶ the vendor ──▶ /oauth/callback

Where no browser can reach the gateway, the person opens `authorizeUrl` instead, and pastes what the vendor's redirect
brought into a second POST of `code` and `state`.
"""

from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple

from msgspec import UNSET

from signalpost.api.configs import left_of, opened_access
from signalpost.api.http.request import Request
from signalpost.api.http.response import CONTENT_TYPE, Response
from signalpost.api.rendering import is_repeated, submit
from signalpost.api.resources.connections import PATH, find, with_more
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.route import OPERATOR, Binary, Example, OpenRoute, Reply, Route
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.destinations import ConnectionTest, ConsentAsked, DisconnectedConnection
from signalpost.commands.connections import DisconnectConnection, require_connection
from signalpost.destinations.access import Consent
from signalpost.destinations.members import origin_of
from signalpost.domain.access.consent import CALLBACK, COOKIE, Ticket, authorize_url, refused
from signalpost.domain.audit import Actor
from signalpost.domain.connection import Connection, ConsentBrought
from signalpost.domain.errors import Conflict, Forbidden, NotFound

_PAGE = "<!doctype html><meta charset=utf-8><title>Signalpost</title><p>Connected. You can close this page."
_POLICY = ("content-security-policy", "default-src 'none'")
_NONCE_BYTES = 18


async def test(context: RequestContext) -> ConnectionTest:
    context.query()
    tested = await context.services.engine.connectors.test(find(context))
    return ConnectionTest(works=tested.works, detail=tested.detail)


async def connect(context: RequestContext) -> ConsentAsked:
    context.query()
    brought: ConsentBrought = await context.read_body()
    services, found = context.services, find(context)
    consent = _consent(services, found)
    if brought.code is not UNSET:
        brings = _Brought(str(brought.code), brought.state or "", brought.iss or None, context.actor)
        await _bring(services, found, brings)
        return ConsentAsked(connected=True)
    now = services.clock.wall()
    ticket = services.tickets.make(found.tenant_id, found.id, services.secret_bytes(_NONCE_BYTES).hex(), now)
    state = services.tickets.write(ticket)
    return ConsentAsked(
        connected=False,
        url=f"{services.installation.public_url}/oauth/start?state={state}",
        authorize_url=_authorize_url(services, consent, ticket, state),
        state=state,
    )


async def disconnect(context: RequestContext) -> Response:
    change = await context.read_change()
    services, found = context.services, find(context)
    left, needs_consent = left_of(services, found)
    command = DisconnectConnection(
        tenant_id=context.tenant_id,
        connection_id=found.id,
        left=left,
        needs_consent=needs_consent,
        of_version=found.version,
        if_match=context.if_match,
        idempotency=change.idempotency,
    )
    disconnection = services.engine.connectors.disconnection(found)
    async with disconnection:
        answer = await submit(context, command)
    if is_repeated(answer):
        return with_more(context, answer, revocation=None)
    return with_more(context, answer, revocation=await disconnection.tell())


# --- What a browser asks for ------------------------------------------------------------------------------------------


async def start(services: Services, request: Request) -> Response:
    """Sends a browser to the vendor, with the cookie that it must bring back."""
    state = dict(request.query()).get("state", "")
    ticket = services.tickets.read(state, services.clock.wall())
    found = _connection(services, ticket)
    cookie = f"{COOKIE}={services.tickets.cookie(ticket)}; Path=/oauth; Max-Age=600; HttpOnly; SameSite=Lax"
    if services.installation.public_url.startswith("https:"):
        cookie += "; Secure"
    where = _authorize_url(services, _consent(services, found), ticket, state)
    return Response(302, b"", (("location", where), ("set-cookie", cookie), ("cache-control", "no-store")))


async def callback(services: Services, request: Request) -> Response:
    """Handle the redirect with which the vendor sends the person's browser back."""
    given = dict(request.query())
    state = given.get("state", "")
    ticket = services.tickets.read(state, services.clock.wall())
    if not services.tickets.is_cookie(ticket, _cookie(request)):
        raise refused()
    found = _connection(services, ticket)
    if "error" in given:
        services.tickets.use(ticket, services.clock.wall())
        raise Forbidden("consent_denied", "The vendor says that consent was denied. Connect the connection again.")
    source = request.source(services.installation.trusted_proxies)
    visitor = Actor(kind="consent", id="consent", name="consent", source=source, request=request.id)
    await _bring(services, found, _Brought(given.get("code", ""), state, given.get("iss"), visitor))
    return Response(200, _PAGE.encode(), ((CONTENT_TYPE, "text/html; charset=utf-8"), _POLICY))


class _Brought(NamedTuple):
    """What a vendor's redirect brought, and by whom it came here."""

    code: str
    state: str
    issuer: str | None
    actor: Actor


async def _bring(services: Services, found: Connection, brought: _Brought) -> None:
    """Exchange a code for what the vendor grants. An issuer that is named must be the vendor's own: else another
    vendor gave the code. Raises Forbidden, Conflict."""
    now = services.clock.wall()
    if brought.issuer is not None and brought.issuer != _issuer(_consent(services, found)):
        raise refused()
    ticket = services.tickets.read(brought.state, now)
    if (ticket.tenant_id, ticket.connection_id) != (found.tenant_id, found.id) or not brought.code:
        raise refused()
    services.tickets.use(ticket, now)
    verifier = services.tickets.verifier(ticket)
    redirect_uri = services.installation.public_url + CALLBACK
    await services.engine.connectors.store_consent(found, brought.code, redirect_uri, verifier, brought.actor)


def _connection(services: Services, ticket: Ticket) -> Connection:
    return require_connection(services.directory.connection(ticket.tenant_id, ticket.connection_id))


def _consent(services: Services, found: Connection) -> Consent:
    access = opened_access(services, found)
    if not isinstance(access, Consent):
        raise Conflict("no_consent_needed", "This connection needs no person's consent.")
    return access


def _authorize_url(services: Services, consent: Consent, ticket: Ticket, state: str) -> str:
    parameters: dict[str, Any] = {
        "response_type": "code",
        "client_id": consent.client_id,
        "redirect_uri": services.installation.public_url + CALLBACK,
        "scope": " ".join(consent.scopes),
        **consent.more,
        "state": state,
        "code_challenge": services.tickets.challenge(ticket),
        "code_challenge_method": "S256",
    }
    return authorize_url(consent.authorize_url, parameters)


def _issuer(consent: Consent) -> str:
    return consent.issuer or origin_of(consent.authorize_url)


def _cookie(request: Request) -> str:
    try:
        found = SimpleCookie(request.header(b"cookie") or "").get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


ROUTES = (
    Route(
        name="test_connection",
        method="POST",
        path=PATH + "/test",
        summary="Check that the vendor grants access, with a call that changes nothing",
        roles=OPERATOR,
        handler=test,
        replies={200: Reply("What the vendor said.", ConnectionTest)},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="connect_connection",
        method="POST",
        path=PATH + "/connect",
        summary="Ask for a person's consent, or submit the code that it brought",
        roles=OPERATOR,
        handler=connect,
        body=RequestBody(ConsentBrought, optional=True),
        replies={200: Reply("Where to send the person.", ConsentAsked)},
        errors=(NotFound, Conflict, Forbidden),
        example=Example({}),
    ),
    Route(
        name="disconnect_connection",
        method="POST",
        path=PATH + "/disconnect",
        summary="Forget the credentials, and have the vendor revoke them",
        roles=OPERATOR,
        handler=disconnect,
        changes=True,
        conditional=True,
        idempotent=True,
        replies={200: Reply("The connection, and what the vendor said.", DisconnectedConnection, ("etag",))},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
OPEN_ROUTES = (
    OpenRoute(
        name="start_consent",
        path="/oauth/start",
        summary="Send a person's browser to the vendor",
        handler=start,
        replies={302: Reply("Redirect to the vendor's page for consent.", None, ("location", "set-cookie"))},
        errors=(Forbidden, NotFound, Conflict),
    ),
    OpenRoute(
        name="finish_consent",
        path=CALLBACK,
        summary="Receive the answer with which a vendor sends the person's browser back",
        handler=callback,
        replies={
            200: Reply("A page that says whether the connection has access now.", Binary, ("content-security-policy",))
        },
        errors=(Forbidden, NotFound, Conflict),
    ),
)
