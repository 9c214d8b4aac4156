"""What a subscription would do with an event now: whether it wants the event, and the exact request. Nothing is
sent."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from signalpost.destinations.destination import Call, Context, Mail, Skip
from signalpost.destinations.fields import filled, secrets_in
from signalpost.destinations.members import origin_of
from signalpost.destinations.registry import Destinations
from signalpost.domain.body import Body
from signalpost.domain.checks import Bad
from signalpost.domain.connection import Connection
from signalpost.domain.erasure import ERASED, is_erased
from signalpost.domain.event import Event
from signalpost.domain.language.names import Subject
from signalpost.domain.language.subject import not_sent, subject_of
from signalpost.domain.language.template_filters import TemplateError
from signalpost.domain.secrets import STRUCK, Secrets
from signalpost.domain.shown_url import shown_url
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.wishes import Wishes, newest_kept
from signalpost.engine.connectors.identity import key_of, slot_of
from signalpost.engine.connectors.wire import Impossible, request_of

_OF_THE_CONNECTION = ("host", "content-length")
"""Headers that add nothing to the address and the body."""


class PreviewedRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """A request as it would be sent, with secrets struck out."""

    method: str
    url: str
    headers: dict[str, str]
    body: Any


class Preview(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a subscription would do with an event."""

    wanted: bool
    why: str | None
    """A sentence for people: why nothing would be sent."""
    waits: int | None
    """Seconds from the event until it is sent, if the subscription delays its events."""
    request: PreviewedRequest | None
    then: list[PreviewedRequest] = []
    """What would follow if the vendor has nothing of this document yet, for kinds that look first."""


class Past(Struct, frozen=True, kw_only=True):
    """An event, and what is known of its document."""

    event: Event
    newest: Event
    """The document's newest event, which is looked at when a delay ends."""
    made: Mapping[str, str]
    """What the subscription's last delivery for the document made."""


def preview(
    destinations: Destinations, subscription: Subscription, connection: Connection | None, past: Past
) -> Preview:
    """Pure. `connection` is that of the subscription. Raises Invalid if the config does not fit it."""
    after = subscription.after
    waits = None if after is None else after.seconds
    if is_erased(past.event):
        return Preview(wanted=False, why=not_sent(ERASED), waits=waits, request=None)
    wishes = Wishes(subscription, latest_wins=False)
    subject, newest = subject_of(past.event, past.made), subject_of(newest_kept(past.event, past.newest))
    if (why := wishes.why_not(subject) or wishes.why_no_longer(newest)) is not None:
        return Preview(wanted=False, why=why, waits=waits, request=None)
    if subscription.kind == WEBHOOK:
        return Preview(wanted=True, why=None, waits=waits, request=_of_webhook(subscription, past.event))
    assert connection is not None
    holds = destinations.read_connection(connection.kind, connection.config)
    secrets = Secrets(secrets_in(holds))
    try:
        calls = _prepared(destinations, subscription, connection, holds, subject, past.event.document_id)
        if isinstance(calls, Skip):
            return Preview(wanted=False, why=not_sent(calls.why), waits=waits, request=None)
        request, *then = [
            _shown_mail(call, secrets)
            if isinstance(call, Mail)
            else _shown(destinations, connection, holds, call, secrets)
            for call in calls
        ]
    except TemplateError as error:
        return Preview(wanted=True, why=f"The vendor would get nothing: {error}", waits=waits, request=None)
    except Impossible as error:
        return Preview(wanted=True, why=secrets.strike(str(error)), waits=waits, request=None)
    except Exception as error:  # the kind is somebody's code
        said = secrets.strike(f"{type(error).__name__}: {error}")
        why = f"The destination {subscription.kind} failed: {said}"
        return Preview(wanted=True, why=why, waits=waits, request=None)
    return Preview(wanted=True, why=None, waits=waits, request=request, then=then)


def _prepared(
    destinations: Destinations,
    subscription: Subscription,
    connection: Connection,
    holds: Body,
    subject: Subject,
    document_id: str,
) -> Sequence[Call | Mail] | Skip:
    """What the kind makes of the event: its call, and those that would follow. Raises TemplateError, and whatever the
    kind raises."""
    kind = destinations.kinds[subscription.kind]
    config = destinations.read_config(subscription.kind, subscription.config, holds)
    context = Context(
        event=subject.event,
        before=subject.before,
        made=subject.made,
        account={} if connection.granted is None else connection.granted.account,
        key=key_of(subscription.id, subject.event["id"]),
        slot=slot_of(subscription.id, document_id),
        attempt=1,
    )
    said = filled(config, subject, kind.escape)
    call = kind.prepare(holds, said, context)
    match call:
        case Skip():
            return call
        case Mail():
            return (call,)
    return (call, *kind.foreseen(holds, said, context))


def _shown(
    destinations: Destinations, connection: Connection, holds: Body, call: Call, secrets: Secrets
) -> PreviewedRequest:
    """The request of a call as it would go out. Raises Impossible if it could not."""
    kind = destinations.kinds[connection.kind]
    is_authorised = call.authorised and kind.access(holds) is not None
    authorization = STRUCK if is_authorised else None
    request = request_of(call, authorization, kind.origins(holds), kind.seconds, connection.tenant_id)
    lines = (line.partition(": ") for line in request.head.decode("ascii").split("\r\n")[1:] if line)
    body: Any = dict(call.form) if call.form is not UNSET else None if call.json is UNSET else call.json
    return PreviewedRequest(
        method=call.method,
        url=_without_secrets(call.url, secrets),
        headers={name: secrets.strike(value) for name, _, value in lines if name not in _OF_THE_CONNECTION},
        body=msgspec.json.decode(secrets.strike_bytes(msgspec.json.encode(body))),
    )


def _shown_mail(mail: Mail, secrets: Secrets) -> PreviewedRequest:
    """A mail as it would be written. It goes where its connection says, which was checked with the connection."""
    return PreviewedRequest(
        method="MAIL",
        url=mail.url,
        headers={
            "from": f"{mail.sender_name} <{mail.sender}>".strip(),
            "to": ", ".join(mail.to),
            "subject": secrets.strike(mail.subject),
        },
        body=secrets.strike(mail.text),
    )


def _without_secrets(url: str, secrets: Secrets) -> str:
    """A URL with its secrets struck out. Its origin stays: people see the host also where the whole URL is a secret."""
    try:
        origin = origin_of(url)
    except Bad:
        return secrets.strike(url)
    return origin + secrets.strike(url.removeprefix(origin))


def _of_webhook(subscription: Subscription, event: Event) -> PreviewedRequest:
    headers = dict.fromkeys(subscription.headers, STRUCK)
    return PreviewedRequest(
        method="POST",
        url=shown_url(subscription.url),
        headers={"content-type": "application/json", **headers},
        body=msgspec.json.decode(event.body),
    )
