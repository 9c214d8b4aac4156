"""Renders the results of commands as responses: the status, the headers, the paths and the JSON.

A response is rendered once its change is committed. Only the response to a call with an `Idempotency-Key` is rendered
earlier, inside the transaction, and stored with the change (`kept_answers`), so that a repeat gets the same bytes.
"""

from collections.abc import Callable, Collection
from typing import Any, Final, assert_never

import msgspec
from msgspec.structs import asdict, replace

from signalpost.api.http.response import Response
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.shapes.access import (
    Invitation,
    InvitedMember,
    NewKey,
    NewPortalLink,
)
from signalpost.api.routing.shapes.deliveries import StartedReplay
from signalpost.api.shown import (
    connection_shown,
    document_json,
    erasure_shown,
    key_shown,
    known_state,
    member_shown,
    portal_link_shown,
    replay_shown,
    subscription_shown,
    tenant_shown,
)
from signalpost.commands.batch import KeptAnswer
from signalpost.commands.command import Command, Completed, Repeated
from signalpost.commands.connections import ConnectionChanged, ConnectionCreated, ConnectionDeleted
from signalpost.commands.documents import (
    DocumentCreated,
    DocumentDeleted,
    DocumentImported,
    DocumentPatched,
    Effect,
)
from signalpost.commands.erasures import ErasureStarted
from signalpost.commands.keys import KeyCreated, KeyRevoked
from signalpost.commands.members import (
    MemberChanged,
    MemberInvited,
    MemberKnown,
    MemberRemoved,
    MemberReset,
    PasswordSet,
)
from signalpost.commands.portal_links import PortalLinkCreated, PortalLinkOpened, PortalLinkRevoked
from signalpost.commands.replays import ReplayCancelled, ReplayStarted
from signalpost.commands.subscriptions import (
    RetryQueued,
    SecretRotated,
    SubscriptionChanged,
    SubscriptionCreated,
    SubscriptionDeleted,
)
from signalpost.commands.tenants import TenantChanged, TenantCreated
from signalpost.commands.versions import VersionCreated
from signalpost.commands.workflow import ActionTaken
from signalpost.domain.connection import Connection
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.links import Links
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost_receiver import standard_secret

EVENT_HEADER: Final = "signalpost-event"
"""The id of the event that the change made."""
EFFECT_STATUS: Final = {Effect.CREATED: 201, Effect.UPDATED: 200, Effect.DELETED: 204, Effect.UNCHANGED: 200}
_SHOWS_SECRETS: Final = (SubscriptionCreated, SecretRotated, KeyCreated)
_SHOWS_LINKS: Final = (MemberInvited, MemberReset, PortalLinkCreated)
_SECRETS: Final = ("secret", "standardWebhooksSecret", "key")
"""Members of the responses to these."""
_REPLAYED: Final = ("idempotent-replayed", "true")
_encode = msgspec.json.Encoder().encode
_encode_answer = msgspec.msgpack.Encoder().encode
_decode_answer = msgspec.msgpack.Decoder(Response).decode

Rendered = (
    DocumentCreated
    | DocumentPatched
    | DocumentImported
    | DocumentDeleted
    | ActionTaken
    | VersionCreated
    | SubscriptionCreated
    | SubscriptionChanged
    | SecretRotated
    | SubscriptionDeleted
    | RetryQueued
    | ReplayStarted
    | ReplayCancelled
    | ConnectionCreated
    | ConnectionChanged
    | ConnectionDeleted
    | TenantCreated
    | TenantChanged
    | ErasureStarted
    | KeyCreated
    | KeyRevoked
    | MemberInvited
    | MemberChanged
    | MemberReset
    | MemberRemoved
    | PasswordSet
    | MemberKnown
    | PortalLinkCreated
    | PortalLinkOpened
    | PortalLinkRevoked
)
"""The results of the commands that clients can ask for."""
Header = tuple[str, str]


async def submit(context: RequestContext, command: Command[Rendered]) -> Response:
    """The response to a call that asks for this change. Raises as `Engine.submit` does."""
    if command.audited_as is not None:
        command = command.asked_by(context.actor)
    return respond(await context.services.engine.submit(command), context.services.links)


def respond(outcome: Completed[Rendered] | Repeated, links: Links) -> Response:
    """The response to the request for the change."""
    if isinstance(outcome, Repeated):
        first = _decode_answer(outcome.answer)
        return replace(first, headers=(*first.headers, _REPLAYED))
    return render(outcome, links) if outcome.answer is None else _decode_answer(outcome.answer)


def is_repeated(response: Response) -> bool:
    """Whether this is the answer to an earlier call with the same `Idempotency-Key`."""
    return _REPLAYED in response.headers


def kept_answers(links: Links) -> Callable[[Completed[Any]], KeptAnswer]:
    """Makes the answers that the store keeps under `Idempotency-Key`s."""

    def kept_answer(completed: Completed[Rendered]) -> KeptAnswer:
        response = render(completed, links)
        if isinstance(completed.result, _SHOWS_SECRETS):
            return KeptAnswer(_encode_answer(response), _encode_answer(_without(response, _SECRETS)))
        if isinstance(completed.result, _SHOWS_LINKS):
            return KeptAnswer(_encode_answer(response), _encode_answer(_without(response, ("url",))))
        return KeptAnswer(_encode_answer(response))

    return kept_answer


def _without(response: Response, secrets: Collection[str]) -> Response:
    """The same response with null for each of these members that it shows."""
    body = msgspec.json.decode(response.body, type=dict[str, Any])
    return replace(response, body=_encode(body | {name: None for name in secrets if name in body}))


def render(completed: Completed[Rendered], links: Links) -> Response:
    response = _response(completed, links)
    if completed.event_id is None:
        return response
    headers = (*response.headers, (EVENT_HEADER, completed.event_id))
    return Response(response.status, response.body, headers)


def _response(completed: Completed[Rendered], links: Links) -> Response:
    match completed.result:
        case (
            DocumentCreated()
            | DocumentPatched()
            | DocumentImported()
            | DocumentDeleted()
            | ActionTaken()
            | VersionCreated()
        ):
            return _document(completed.result, links, completed.tenant_id, completed.at)
        case SubscriptionCreated() | SubscriptionChanged() | SecretRotated():
            return _subscription(completed.result)
        case ReplayStarted() | ReplayCancelled() | ErasureStarted():
            return _work(completed.result)
        case KeyCreated() | TenantCreated() | TenantChanged() | PortalLinkCreated():
            return _access(completed.result)
        case MemberInvited() | MemberChanged() | MemberReset():
            return _member(completed.result)
        case RetryQueued():
            return Response(202)
        case ConnectionCreated() | ConnectionChanged():
            return _connection(completed.result)
        case (
            SubscriptionDeleted()
            | ConnectionDeleted()
            | KeyRevoked()
            | MemberRemoved()
            | PasswordSet()
            | MemberKnown()
            | PortalLinkOpened()
            | PortalLinkRevoked()
        ):
            return Response(204)
    assert_never(completed.result)


def _document(
    result: DocumentCreated | DocumentPatched | DocumentImported | DocumentDeleted | ActionTaken | VersionCreated,
    links: Links,
    tenant_id: int,
    at: int,
) -> Response:
    match result:
        case DocumentCreated(row):
            location = ("location", f"/v1/documents/{row.external_id}")
            return document_response(row, links, tenant_id, at, 201, location)
        case DocumentPatched(row) | ActionTaken(row):
            return document_response(row, links, tenant_id, at)
        case DocumentImported(row, effect):
            return document_response(row, links, tenant_id, at, EFFECT_STATUS[effect], _changed(effect))
        case DocumentDeleted(row, effect):
            known = b"" if effect is Effect.DELETED else _encode(known_state(row))
            return Response(EFFECT_STATUS[effect], known, (_changed(effect),))
        case VersionCreated(row, version):
            location = ("location", f"/v1/documents/{row.external_id}/versions/{version.number}/file")
            return Response(201, _encode({"number": str(version.number)}), (("etag", row.etag), location))


def _changed(effect: Effect) -> Header:
    return "signalpost-changed", "false" if effect is Effect.UNCHANGED else "true"


def _subscription(result: SubscriptionCreated | SubscriptionChanged | SecretRotated) -> Response:
    match result:
        case SubscriptionCreated(subscription):
            location = ("location", f"/v1/subscriptions/{subscription.id}")
            return _response_with_secret(subscription, subscription.secret, 201, location)
        case SubscriptionChanged(subscription):
            return subscription_response(subscription)
        case SecretRotated(subscription, secret):
            return _response_with_secret(subscription, secret)


def _work(result: ReplayStarted | ReplayCancelled | ErasureStarted) -> Response:
    """What goes on after its call."""
    match result:
        case ReplayStarted(replay, subscription_id, left_out):
            location = ("location", f"/v1/subscriptions/{subscription_id}/replays/{replay.id}")
            started = StartedReplay(**asdict(replay_shown(replay, subscription_id)), left_out=left_out)
            return Response(202, _encode(started), (location,))
        case ReplayCancelled(replay, subscription_id):
            return Response(200, _encode(replay_shown(replay, subscription_id)))
        case ErasureStarted(erasure):
            location = ("location", f"/v1/erasures/{erasure.id}")
            return Response(202, _encode(erasure_shown(erasure)), (location,))


def _access(result: KeyCreated | TenantCreated | TenantChanged | PortalLinkCreated) -> Response:
    match result:
        case KeyCreated(key, text, tenant):
            body = _encode(NewKey(**asdict(key_shown(key, tenant, None)), key=text))
            return Response(201, body, (("location", f"/v1/keys/{key.id}"),))
        case TenantCreated(made):
            return Response(201, _encode(tenant_shown(made)), (("location", f"/v1/tenants/{made.name}"),))
        case TenantChanged(changed):
            return Response(200, _encode(tenant_shown(changed)))
        case PortalLinkCreated(link, url):
            shown = NewPortalLink(**asdict(portal_link_shown(link, link.created_at)), url=url)
            return Response(201, _encode(shown), (("location", f"/v1/portal-links/{link.id}"),))


def _member(result: MemberInvited | MemberChanged | MemberReset) -> Response:
    match result:
        case MemberInvited(member, url, tenant):
            body = _encode(InvitedMember(**asdict(member_shown(member, tenant)), url=url))
            return Response(201, body, (("location", f"/v1/members/{member.id}"),))
        case MemberChanged(member, tenant):
            return Response(200, _encode(member_shown(member, tenant)))
        case MemberReset(member, url):
            until = None if member.invited_until is None else format_timestamp(member.invited_until)
            return Response(201, _encode(Invitation(url=url, expires_at=until)))


def _connection(result: ConnectionCreated | ConnectionChanged) -> Response:
    shown = connection_response(result.connection)
    if isinstance(result, ConnectionChanged):
        return shown
    location = ("location", f"/v1/connections/{result.connection.id}")
    return replace(shown, status=201, headers=(*shown.headers, location))


def document_response(
    row: DocumentRow, links: Links, tenant_id: int, at: int, status: int = 200, *headers: Header
) -> Response:
    return Response(status, document_json(row, links, tenant_id, at), (("etag", row.etag), *headers))


def subscription_response(subscription: Subscription) -> Response:
    """A subscription without its `health`, which only the engine knows."""
    return Response(200, _encode(subscription_shown(subscription)), (("etag", subscription.etag),))


def _response_with_secret(subscription: Subscription, secret: str, status: int = 200, *headers: Header) -> Response:
    """The only responses that show a secret, this once."""
    if subscription.kind != WEBHOOK:
        return Response(status, _encode(subscription_shown(subscription)), (("etag", subscription.etag), *headers))
    secrets = {"secret": secret, "standardWebhooksSecret": standard_secret(secret)}
    body = _encode(subscription_shown(subscription))[:-1] + b"," + _encode(secrets)[1:]
    return Response(status, body, (("etag", subscription.etag), *headers))


def connection_response(connection: Connection) -> Response:
    """A connection without its config, of which only its kind knows what is secret."""
    return Response(200, _encode(connection_shown(connection)), (("etag", connection.etag),))
