"""The exact requests that a subscription would make of an event, as people are shown them. Nothing is sent."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from signalpost.destinations.calls import Call, Mail, Skip
from signalpost.destinations.destination import Context
from signalpost.destinations.fields import Filling, secrets_in
from signalpost.destinations.members import origin_of
from signalpost.destinations.registry import Destinations
from signalpost.destinations.rulings import Reject
from signalpost.destinations.webhook import DELIVERY, Webhook, with_authorization
from signalpost.domain.body import Body
from signalpost.domain.checks import Bad
from signalpost.domain.connection import Connection
from signalpost.domain.event import Event
from signalpost.domain.language.names import Subject
from signalpost.domain.language.template_filters import TemplateError
from signalpost.domain.request import OutgoingRequest
from signalpost.domain.secrets import STRUCK, Secrets
from signalpost.domain.shown_url import shown_url
from signalpost.domain.subscription import Subscription
from signalpost.engine.connectors.identity import key_of, slot_of
from signalpost.engine.connectors.wire import Impossible, request_of

NO_SECRET: Final = "this signature is an example"  # noqa: S105 - it opens nothing
"""What signs the requests of webhooks that are shown: a signature is not made with the subscription's own secret."""
_OF_THE_CONNECTION = ("host", "content-length")
"""Headers that add nothing to the address and the body."""


class ShownRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """A request as it would be sent, with secrets struck out."""

    method: str
    url: str
    headers: dict[str, str]
    body: Any


class VendorRequests:
    """What a subscription of a kind other than the webhook makes of events. Config and connection are read once."""

    def __init__(self, destinations: Destinations, subscription: Subscription, connection: Connection) -> None:
        """`connection` is that of the subscription. Raises Invalid if the config does not fit it."""
        self._subscription = subscription
        self._connection = connection
        self._holds: Body = destinations.read_connection(connection.kind, connection.config)
        self._kind = destinations.kinds[connection.kind]
        self._secrets = Secrets(secrets_in(self._holds))
        config = destinations.read_config(subscription.kind, subscription.config, self._holds)
        self._filling = Filling(config)

    def call(self, subject: Subject, document_id: str) -> Call | Mail | Skip:
        """What the kind makes of an event. Raises TemplateError, Impossible if the kind refuses it, and whatever the
        kind raises."""
        said = self._filling.filled(subject, self._kind.escape)
        made = self._kind.prepare(self._holds, said, self._context(subject, document_id))
        if isinstance(made, Reject):
            raise Impossible(made.detail)
        return made

    def calls(self, subject: Subject, document_id: str) -> Sequence[Call | Mail] | Skip:
        """What the kind makes of an event, with the calls that would follow. Raises as `call` does."""
        call = self.call(subject, document_id)
        match call:
            case Skip():
                return call
            case Mail():
                return (call,)
        said = self._filling.filled(subject, self._kind.escape)
        return (call, *self._kind.foreseen(self._holds, said, self._context(subject, document_id)))

    def why_unable(self, error: Exception) -> str:
        """A sentence about what making a call or its request raised."""
        match error:
            case TemplateError():
                return f"The vendor would get nothing: {error}"
            case Impossible():
                return self._secrets.strike(str(error))
        said = self._secrets.strike(f"{type(error).__name__}: {error}")  # a kind may come from any package
        return f"The destination {self._subscription.kind} failed: {said}"

    def request(self, call: Call) -> OutgoingRequest:
        """The request of a call as it would go out. Raises Impossible if it could not."""
        is_authorised = call.authorised and self._kind.access(self._holds) is not None
        authorization = STRUCK if is_authorised else None
        origins = self._kind.origins(self._holds)
        return request_of(call, authorization, origins, self._kind.seconds, self._connection.tenant_id)

    def shown(self, call: Call | Mail) -> ShownRequest:
        """Raises Impossible."""
        return self._shown_mail(call) if isinstance(call, Mail) else self._shown_call(call)

    def _context(self, subject: Subject, document_id: str) -> Context:
        granted, own = self._connection.granted, self._subscription.id
        return Context(
            event=subject.event,
            before=subject.before,
            made=subject.made,
            account={} if granted is None else granted.account,
            key=key_of(own, subject.event["id"]),
            slot=slot_of(own, document_id),
            attempt=1,
        )

    def _shown_call(self, call: Call) -> ShownRequest:
        body: Any = dict(call.form) if call.form is not UNSET else None if call.json is UNSET else call.json
        return ShownRequest(
            method=call.method,
            url=self._without_secrets(call.url),
            headers={
                name: self._secrets.strike(value)
                for name, value in _headers_of(self.request(call))
                if name not in _OF_THE_CONNECTION
            },
            body=msgspec.json.decode(self._secrets.strike_bytes(msgspec.json.encode(body))),
        )

    def _shown_mail(self, mail: Mail) -> ShownRequest:
        """A mail as it would be written. It goes where its connection says, which was checked with the connection."""
        return ShownRequest(
            method="MAIL",
            url=mail.url,
            headers={
                "from": f"{mail.sender_name} <{mail.sender}>".strip(),
                "to": ", ".join(mail.to),
                "subject": self._secrets.strike(mail.subject),
            },
            body=self._secrets.strike(mail.text),
        )

    def _without_secrets(self, url: str) -> str:
        """A URL with its secrets struck out. Its origin stays: people see the host even if the whole URL is a
        secret."""
        try:
            origin = origin_of(url)
        except Bad:
            return self._secrets.strike(url)
        return origin + self._secrets.strike(url.removeprefix(origin))


def webhook_request(subscription: Subscription, event: Event, now: int) -> ShownRequest:
    """The first attempt of an event to a webhook, as it would go out `now`, except that `NO_SECRET` signs it."""
    struck = dict.fromkeys(subscription.headers, STRUCK)
    webhook = Webhook(replace(subscription.signing_with(NO_SECRET), headers=struck))
    request = webhook.prepare(event, 1, DELIVERY, now)
    if subscription.oauth is not None:
        request = with_authorization(request, f"Bearer {STRUCK}")
    return ShownRequest(
        method="POST",
        url=shown_url(subscription.url),
        headers={name: value for name, value in _headers_of(request) if name not in _OF_THE_CONNECTION},
        body=msgspec.json.decode(event.body),
    )


def _headers_of(request: OutgoingRequest) -> list[tuple[str, str]]:
    lines = (line.partition(": ") for line in request.head.decode("ascii").split("\r\n")[1:] if line)
    return [(name, value) for name, _, value in lines]
