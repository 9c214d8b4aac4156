"""The signed webhook: turns an event into the request that its endpoint gets (C13, C18–C20)."""

from signalpost import VERSION
from signalpost.domain import endpoint
from signalpost.domain.event import Event
from signalpost.domain.request import Request
from signalpost.domain.subscription import Subscription
from signalpost_receiver import sign


class Webhook:
    """One subscription's requests. Pure; what does not change from one request to the next is prepared once."""

    def __init__(self, subscription: Subscription) -> None:
        url = endpoint.parse_url(subscription.url)
        self.target = url.target
        self._signer = sign.Signer(subscription.secret)
        lines = [
            f"POST {url.path} HTTP/1.1",
            f"host: {url.authority}",
            f"user-agent: Signalpost/{VERSION}",
            "content-type: application/json",
            "accept-encoding: identity",
            *(f"{name}: {value}" for name, value in subscription.headers.items()),
        ]
        self._start = "\r\n".join(lines)

    def prepare(self, event: Event, attempt: int, *, replay: bool, timestamp: int) -> Request:
        """The request of one attempt: `attempt` is 1, 2, … in its run, `timestamp` now in seconds since the epoch."""
        body = event.body
        head = (
            f"{self._start}\r\n"
            f"content-length: {len(body)}\r\n"
            f"{sign.PAGE_SIGNATURE}: {self._signer.page_signature(body)}\r\n"
            f"{sign.STANDARD_ID}: {event.id}\r\n"
            f"{sign.STANDARD_TIMESTAMP}: {timestamp}\r\n"
            f"{sign.STANDARD_SIGNATURE}: {self._signer.standard_signature(event.id, timestamp, body)}\r\n"
            f"{sign.SEQUENCE}: {event.sequence}\r\n"
            f"{sign.ATTEMPT}: {attempt}\r\n"
            f"{sign.REPLAY + ': true' + CRLF if replay else ''}\r\n"
        )
        return Request(self.target, head.encode("ascii"), body)


CRLF = "\r\n"
