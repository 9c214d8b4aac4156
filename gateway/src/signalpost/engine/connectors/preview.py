"""What a subscription would make of an event: whether it is wanted, and the exact request. Nothing is sent."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from signalpost.destinations.destination import Context, Skip
from signalpost.destinations.fields import filled, secrets_in
from signalpost.destinations.members import origin_of
from signalpost.destinations.registry import Destinations
from signalpost.domain.checks import Bad
from signalpost.domain.condition_reader import read_condition
from signalpost.domain.connection import Connection
from signalpost.domain.event import Event
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.template_filters import TemplateError
from signalpost.engine.connectors.secrets import STRUCK, Secrets
from signalpost.engine.lanes.subject import not_sent, subject_of


class PreviewedRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """A request as it would be sent, with secrets struck out."""

    method: str
    url: str
    headers: dict[str, str]
    body: Any


class Preview(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a subscription would make of an event."""

    wanted: bool
    why: str | None
    """A sentence for people: why nothing would be sent."""
    request: PreviewedRequest | None


def preview(
    destinations: Destinations,
    subscription: Subscription,
    connection: Connection | None,
    event: Event,
    made: Mapping[str, str],
) -> Preview:
    """Pure. `connection` is that of the subscription. Raises Invalid if the config does not fit it."""
    subject = subject_of(event, made)
    why = None if subscription.when is None else read_condition(subscription.when).why_not(subject)
    if why is not None:
        return Preview(wanted=False, why=not_sent(why), request=None)
    if subscription.kind == WEBHOOK:
        return Preview(wanted=True, why=None, request=_of_webhook(subscription, event))
    assert connection is not None
    holds = destinations.read_connection(connection.kind, connection.config)
    config = destinations.read_config(subscription.kind, subscription.config, holds)
    kind = destinations.kinds[subscription.kind]
    secrets = Secrets(secrets_in(holds))
    account = {} if connection.granted is None else connection.granted.account
    try:
        context = Context(
            event=subject.event,
            before=subject.before,
            made=made,
            account=account,
            key="0" * 32,
            slot="0" * 32,
            attempt=1,
        )
        call = kind.prepare(holds, filled(config, subject, kind.escape), context)
    except TemplateError as error:
        return Preview(wanted=True, why=f"The vendor would get nothing: {error}", request=None)
    except Exception as error:  # the kind is somebody's code
        said = secrets.strike(f"{type(error).__name__}: {error}")
        return Preview(wanted=True, why=f"The destination {kind.kind} failed: {said}", request=None)
    if isinstance(call, Skip):
        return Preview(wanted=False, why=not_sent(call.why), request=None)
    is_authorised = call.authorised and kind.access(holds) is not None
    headers = {**call.headers, **({"authorization": STRUCK} if is_authorised else {})}
    body: Any = dict(call.form) if call.form is not UNSET else None if call.json is UNSET else call.json
    return Preview(
        wanted=True,
        why=None,
        request=PreviewedRequest(
            method=call.method,
            url=_without_secrets(call.url, secrets),
            headers={name: secrets.strike(value) for name, value in headers.items()},
            body=msgspec.json.decode(secrets.strike_bytes(msgspec.json.encode(body))),
        ),
    )


def _without_secrets(url: str, secrets: Secrets) -> str:
    """A URL with its secrets struck out. Its origin is none, also where the whole URL is one."""
    try:
        origin = origin_of(url)
    except Bad:
        return secrets.strike(url)
    return origin + secrets.strike(url.removeprefix(origin))


def _of_webhook(subscription: Subscription, event: Event) -> PreviewedRequest:
    headers = dict.fromkeys(subscription.headers, STRUCK)
    return PreviewedRequest(
        method="POST",
        url=subscription.url,
        headers={"content-type": "application/json", **headers},
        body=msgspec.json.decode(event.body),
    )
