"""The requests of an exam, before they are sent: events as JSON that can be changed, and headers that can be, too.

What is genuine comes from the gateway's own code; everything else is a change of that.
"""

import json
import random
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.event import event_id
from signalpost.domain.request import OutgoingRequest
from signalpost.domain.timestamps import format_timestamp
from signalpost.local import scenario
from signalpost.local.direct_delivery import endpoint, event_of

Envelope = dict[str, Any]
_chance = random.SystemRandom()


def envelope(event_type: str, now: int, **document: Any) -> Envelope:
    """An event, as an object that can be changed. Its document is a new one unless `externalId` says which."""
    made: Envelope = json.loads(scenario.event(event_type, {}, now, _chance.getrandbits).body)
    made["data"]["document"].update(document)
    return made


def created_at(envelope: Envelope, at: int) -> Envelope:
    """The event as if it had been created at a moment in µs, with the id of that moment."""
    return {**envelope, "id": event_id(at, _chance.getrandbits(62)), "createdAt": format_timestamp(at)}


def external_id(envelope: Envelope) -> str:
    """The id of the event's document."""
    return str(envelope["data"]["document"]["externalId"])


def encoded(envelope: Envelope) -> bytes:
    """The event's bytes as the gateway writes them."""
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


class RequestDraft(Struct, frozen=True):
    """A request that can still be changed. The names of headers are sent as they are."""

    webhook_request: OutgoingRequest
    start: str
    """The request line."""
    headers: Mapping[str, str]
    body: bytes

    def with_headers(self, **changes: str | None) -> "RequestDraft":
        """The request with other headers; an underscore is a hyphen, and None removes one."""
        headers = {**self.headers, **{name.replace("_", "-"): value for name, value in changes.items()}}
        return replace(self, headers={name: value for name, value in headers.items() if value is not None})

    def with_body(self, body: bytes) -> "RequestDraft":
        """The request with another body under the same signatures."""
        return replace(self, body=body)

    def request(self) -> OutgoingRequest:
        """The request as it goes out."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers.items())]
        head = "".join(f"{line}\r\n" for line in (*lines, f"content-length: {len(self.body)}", ""))
        return replace(self.webhook_request, head=head.encode("latin-1"), body=self.body)


class Drafts:
    """Makes requests to one URL as a gateway would that has this secret."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self.secret = secret
        """The receiver's secret."""

    def signed(
        self,
        event: Envelope | bytes,
        now: int,
        *,
        secret: str | None = None,
        next_secret: str | None = None,
        attempt: int = 1,
        kind: RequestKind = RequestKind.DELIVERY,
    ) -> RequestDraft:
        """A delivery of an event, or of any bytes, at `now` in µs: signed with the receiver's secret unless another is
        given. With `next_secret`, a rotation is under way."""
        body = event if isinstance(event, bytes) else encoded(event)
        named = event if isinstance(event, dict) else {}
        identity = str(named.get("id") or event_id(now, _chance.getrandbits(62)))
        webhook = Webhook(endpoint(self._url, secret or self.secret, next_secret))
        request = webhook.prepare(event_of(body, identity, identity, 1), attempt, kind, now)
        start, *lines = request.head.decode("ascii").strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        del headers["content-length"]
        return RequestDraft(request, start, headers, body)
