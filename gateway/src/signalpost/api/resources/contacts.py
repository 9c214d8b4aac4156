"""Contacts who want no more mail: where the link in each mail leads.

What fetches a link ahead of a person changes nothing: GET shows a button, and only POST unsubscribes, which the button
of a mailbox does by itself (RFC 8058). Neither page says whose address it is, because mails are passed on.
"""

import asyncio
from base64 import b64encode
from hashlib import sha256
from typing import Final

from signalpost.api.http.request import Request
from signalpost.api.http.response import CONTENT_TYPE, Response
from signalpost.api.routing.route import Binary, OpenRoute, Reply
from signalpost.api.routing.services import Services
from signalpost.commands.correspondence import UnsubscribeContact
from signalpost.domain.audit import Actor
from signalpost.domain.errors import Forbidden, NotFound
from signalpost.domain.operations.unsubscribing import PATH
from signalpost.domain.subscription import Subscription
from signalpost.engine.lanes.lane_views import COUNTED_IN_A_ROW, OF_THE_GATEWAY

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;"
    "padding:0 1rem}button{font:inherit;padding:.5rem 1rem}"
)
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    f"<title>{{title}}</title><style>{_STYLE.replace('{', '{{').replace('}', '}}')}</style>"
    "<main><h1>{title}</h1>{said}</main></html>"
)
_ASKED: Final = _PAGE.format(
    title="No more of these mails?",
    said="<p>They tell you when a subscription fails, is about to be disabled or was, and when that is over. Press the "
    "button, and you get no more of them, about any subscription that has your address now.</p>"
    '<form method="post"><button>Send me no more</button></form>',
)
_DONE: Final = _PAGE.format(
    title="You get no more of these mails",
    said="<p>To be told again, have somebody who may change the subscription remove your address from its contacts, "
    "and add it once more.</p>",
)
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", _POLICY),
)


async def ask(services: Services, request: Request) -> Response:
    _contact(services, request)
    return Response(200, _ASKED.encode(), _HEADERS)


async def unsubscribe(services: Services, request: Request) -> Response:
    contact = _contact(services, request)
    source = request.source(services.installation.trusted_proxies)
    actor = Actor(kind="contact", id=contact, name="contact", source=source, request=request.id)
    commands = (
        UnsubscribeContact(tenant_id=each.tenant_id, subscription_id=each.id, address=address).asked_by(actor)
        for each, address in await _subscriptions_of(services, contact)
    )
    begun = [await services.engine.enqueue_eventless(command) for command in commands]
    for outcome in await asyncio.gather(*begun, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, NotFound):  # it was deleted meanwhile
            raise outcome
    return Response(200, _DONE.encode(), _HEADERS)


def _contact(services: Services, request: Request) -> str:
    """The contact whose link it is. Raises Forbidden."""
    found = services.unsubscribe_links.read(request.path_params["contact"], services.clock.wall())
    if found is None:
        raise Forbidden("link_refused", "This link was altered, or is older than a year. Take that of a newer mail.")
    return found


async def _subscriptions_of(services: Services, contact: str) -> list[tuple[Subscription, str]]:
    """The subscriptions, of any tenant, of which mails are sent to a contact, each with its address."""
    found: list[tuple[Subscription, str]] = []
    ids = services.unsubscribe_links.ids
    with_contacts = [each for each in services.directory.all_subscriptions() if each.contacts]
    for looked_at, subscription in enumerate(with_contacts, 1):
        if looked_at % COUNTED_IN_A_ROW == 0:
            await services.engine.turns.turn(OF_THE_GATEWAY)
        found += [(subscription, each) for each in subscription.told_contacts if ids.of(each) == contact]
    return found


OPEN_ROUTES = (
    OpenRoute(
        name="ask_to_unsubscribe",
        path=PATH + "{contact}",
        summary="Show a contact a button that has no more mail sent to them",
        handler=ask,
        replies={200: Reply("A page with the button.", Binary, ("content-security-policy",))},
        errors=(Forbidden,),
    ),
    OpenRoute(
        name="unsubscribe_contact",
        method="POST",
        path=PATH + "{contact}",
        summary="Send no more mail to a contact (RFC 8058)",
        handler=unsubscribe,
        replies={200: Reply("A page that says so.", Binary, ("content-security-policy",))},
        errors=(Forbidden,),
    ),
)
