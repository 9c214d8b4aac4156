"""Renders the results of commands as responses: the status, the headers, the paths and the JSON.

A response is rendered once its change is committed. Only the response to a call with an `Idempotency-Key` is rendered
earlier, inside the transaction, and stored with the change (`kept_answers`), so that a repeat gets the same bytes.

`ANSWERS` says how each result is answered. Documents and subscriptions, which are more than the members of their rows,
have functions of their own.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from signalpost.api.http.response import Response
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.shapes.access import (
    ErasureShown,
    Invitation,
    InvitedMember,
    MemberShown,
    NewKey,
    NewPortalLink,
    TenantShown,
)
from signalpost.api.routing.shapes.deliveries import ShownReplay, StartedReplay
from signalpost.api.routing.shapes.destinations import ConnectionShown
from signalpost.api.routing.shapes.shape import Shape
from signalpost.api.shown import document_json, known_state, subscription_shown
from signalpost.commands.batch import KeptAnswer
from signalpost.commands.command import Command, CompletedCommand, RepeatedCommand
from signalpost.commands.connections import ConnectionChanged, ConnectionCreated, ConnectionDeleted
from signalpost.commands.deliveries import RetryQueued
from signalpost.commands.documents import (
    DocumentCreated,
    DocumentDeleted,
    DocumentImported,
    DocumentPatched,
    Effect,
)
from signalpost.commands.erasures import ErasureStarted
from signalpost.commands.keys import KeyCreated, KeyRevoked
from signalpost.commands.members import MemberChanged, MemberInvited, MemberRemoved, MemberReset
from signalpost.commands.notices import NoticeMuted
from signalpost.commands.portal_links import PortalLinkCreated, PortalLinkRevoked
from signalpost.commands.replays import ReplayCancelled, ReplayStarted
from signalpost.commands.secrets import SecretRotated
from signalpost.commands.sources import SourceHeard, SourceRemoved
from signalpost.commands.subscriptions import SubscriptionChanged, SubscriptionCreated, SubscriptionDeleted
from signalpost.commands.tenants import TenantChanged, TenantCreated
from signalpost.commands.versions import VersionCreated
from signalpost.commands.workflow import ActionTaken
from signalpost.domain.connection import Connection
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.links import Links
from signalpost.domain.subscription import SIGNING, Subscription
from signalpost_receiver import standard_secret
from signalpost_receiver.sign import reader_key

EVENT_HEADER: Final = "signalpost-event"
"""The id of the event that the change made."""
EFFECT_STATUS: Final = {Effect.CREATED: 201, Effect.UPDATED: 200, Effect.DELETED: 204, Effect.UNCHANGED: 200}
_REPLAYED: Final = ("idempotent-replayed", "true")
_encode = msgspec.json.Encoder().encode
_encode_answer = msgspec.msgpack.Encoder().encode
_decode_answer = msgspec.msgpack.Decoder(Response).decode
Header = tuple[str, str]


class RowAnswer(NamedTuple):
    """How a result is answered that holds one row, and what is not the row's."""

    status: int
    shape: type[Shape] | None = None
    """What the row is shown as; None for an answer without a body."""
    location: str = ""
    """Where what was created is, with members of the answer in braces."""
    once: Collection[str] = ()
    """Names on the wire of members that are null in a late repeat."""


_OF_DOCUMENTS: Final = frozenset(
    (DocumentCreated, DocumentPatched, DocumentImported, DocumentDeleted, ActionTaken, VersionCreated)
)
_OF_SUBSCRIPTIONS: Final = frozenset((SubscriptionCreated, SubscriptionChanged, SecretRotated))
_GONE: Final = RowAnswer(204)
ANSWERS: Final[Mapping[type[Struct], RowAnswer]] = {
    ReplayStarted: RowAnswer(202, StartedReplay, "/v1/subscriptions/{shown.subscription_id}/replays/{shown.id}"),
    ReplayCancelled: RowAnswer(200, ShownReplay),
    RetryQueued: RowAnswer(202),
    SubscriptionDeleted: _GONE,
    ConnectionCreated: RowAnswer(201, ConnectionShown, "/v1/connections/{shown.id}"),
    ConnectionChanged: RowAnswer(200, ConnectionShown),
    ConnectionDeleted: _GONE,
    TenantCreated: RowAnswer(201, TenantShown, "/v1/tenants/{shown.name}"),
    TenantChanged: RowAnswer(200, TenantShown),
    ErasureStarted: RowAnswer(202, ErasureShown, "/v1/erasures/{shown.id}"),
    KeyCreated: RowAnswer(201, NewKey, "/v1/keys/{shown.id}", once=("key",)),
    KeyRevoked: _GONE,
    MemberInvited: RowAnswer(201, InvitedMember, "/v1/members/{shown.id}", once=("url",)),
    MemberChanged: RowAnswer(200, MemberShown),
    MemberReset: RowAnswer(201, Invitation, once=("url",)),
    MemberRemoved: _GONE,
    PortalLinkCreated: RowAnswer(201, NewPortalLink, "/v1/portal-links/{shown.id}", once=("url",)),
    PortalLinkRevoked: _GONE,
    NoticeMuted: _GONE,
    SourceHeard: _GONE,
    SourceRemoved: _GONE,
}
_SECRETS_OF_SUBSCRIPTIONS: Final = ("secret", "standardWebhooksSecret", "readerKey")
_ONCE: Final[Mapping[type[Struct], Collection[str]]] = {
    SubscriptionCreated: _SECRETS_OF_SUBSCRIPTIONS,
    SecretRotated: _SECRETS_OF_SUBSCRIPTIONS,
    **{result: answer.once for result, answer in ANSWERS.items() if answer.once},
}


async def submit(context: RequestContext, command: Command[Any]) -> Response:
    """The response to a call that asks for this change. Raises as `Engine.submit` does."""
    return respond(await context.services.engine.submit(asked(context, command)), context.services.links)


def asked(context: RequestContext, command: Command[Any]) -> Command[Any]:
    """The command, with the trace in which it is asked for, and who asks for it if the audit has to know."""
    if context.may_be_traced:
        command = command.traced(context.trace)
    return command if command.audited_as is None else command.asked_by(context.actor)


def respond(outcome: CompletedCommand[Any] | RepeatedCommand, links: Links) -> Response:
    """The response to the request for the change."""
    if isinstance(outcome, RepeatedCommand):
        first = _decode_answer(outcome.answer)
        return replace(first, headers=(*first.headers, _REPLAYED))
    return render(outcome, links) if outcome.answer is None else _decode_answer(outcome.answer)


def is_repeated(response: Response) -> bool:
    """Whether this is the answer to an earlier call with the same `Idempotency-Key`."""
    return _REPLAYED in response.headers


def kept_answers(links: Links) -> Callable[[CompletedCommand[Any]], KeptAnswer]:
    """Makes the answers that the store keeps under `Idempotency-Key`s."""

    def kept_answer(completed: CompletedCommand[Any]) -> KeptAnswer:
        response = render(completed, links)
        once = _ONCE.get(type(completed.result), ())
        return KeptAnswer(_encode_answer(response), _encode_answer(_without(response, once)) if once else None)

    return kept_answer


def _without(response: Response, secrets: Collection[str]) -> Response:
    """The same response with null for each of these members that it shows."""
    body = msgspec.json.decode(response.body, type=dict[str, Any])
    return replace(response, body=_encode(body | {name: None for name in secrets if name in body}))


def render(completed: CompletedCommand[Any], links: Links) -> Response:
    result, kind = completed.result, type(completed.result)
    if kind in _OF_DOCUMENTS:
        response = _document(result, links, completed.tenant_id, completed.at)
    elif kind in _OF_SUBSCRIPTIONS:
        response = _subscription(result)
    else:
        response = _of_row(result, ANSWERS[kind])
    if completed.event_id is None:
        return response
    return Response(response.status, response.body, (*response.headers, (EVENT_HEADER, completed.event_id)))


def _of_row(result: Struct, answer: RowAnswer) -> Response:
    """A result holds its row first; what else it has is shown, too."""
    if answer.shape is None:
        return Response(answer.status)
    row = getattr(result, fields(result)[0].name)
    shown = answer.shape.of(result, row)
    headers: list[Header] = [("etag", row.etag)] if isinstance(row, Connection) else []
    if answer.location:
        headers.append(("location", answer.location.format(shown=shown)))
    return Response(answer.status, _encode(shown), tuple(headers))


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


def document_response(
    row: DocumentRow, links: Links, tenant_id: int, at: int, status: int = 200, *headers: Header
) -> Response:
    return Response(status, document_json(row, links, tenant_id, at), (("etag", row.etag), *headers))


def subscription_response(subscription: Subscription) -> Response:
    """A subscription without its `health`, which only the engine knows."""
    return Response(200, _encode(subscription_shown(subscription)), (("etag", subscription.etag),))


def _response_with_secret(subscription: Subscription, secret: str, status: int = 200, *headers: Header) -> Response:
    """The only responses that show a secret, this once."""
    if subscription.kind not in SIGNING:
        return Response(status, _encode(subscription_shown(subscription)), (("etag", subscription.etag), *headers))
    secrets = {"secret": secret, "standardWebhooksSecret": standard_secret(secret)}
    if subscription.is_read:
        secrets["readerKey"] = reader_key(secret)
    body = _encode(subscription_shown(subscription))[:-1] + b"," + _encode(secrets)[1:]
    return Response(status, body, (("etag", subscription.etag), *headers))


def connection_response(connection: Connection) -> Response:
    """A connection without its config, of which only its kind knows what is secret."""
    return Response(200, _encode(ConnectionShown.of(connection)), (("etag", connection.etag),))
