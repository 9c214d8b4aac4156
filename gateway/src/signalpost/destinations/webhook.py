"""The signed webhook: turns an event into the request that its endpoint gets (C13, C18–C20)."""

from enum import StrEnum

from signalpost import VERSION
from signalpost.domain import endpoint
from signalpost.domain.event import Event
from signalpost.domain.request import OutgoingRequest
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost_receiver import sign


class RequestKind(StrEnum):
    """What a request is for: its value is the header line that says so (C18)."""

    DELIVERY = ""
    REPLAY = f"{sign.REPLAY}: true\r\n"
    TEST = f"{sign.TEST}: true\r\n"


DELIVERY, REPLAY = RequestKind.DELIVERY, RequestKind.REPLAY
# Every delivery asks for one of them, and from its class that takes ten times as long.


class Webhook:
    """One subscription's requests. Pure; what does not change from one request to the next is prepared once."""

    def __init__(self, subscription: Subscription) -> None:
        url = endpoint.parse_url(subscription.url)
        self.target = url.target
        self._tenant_id = subscription.tenant_id
        self._signer = sign.Signer(subscription.secret)
        self._next = None if subscription.next_secret is None else sign.Signer(subscription.next_secret)
        self._promote_at = subscription.promote_at or 0
        lines = [
            f"POST {url.path} HTTP/1.1",
            f"host: {url.authority}",
            f"user-agent: Signalpost/{VERSION}",
            "content-type: application/json",
            "accept-encoding: identity",
            *(f"{name}: {value}" for name, value in subscription.headers.items()),
        ]
        self._start = "\r\n".join(lines)

    def prepare(self, event: Event, attempt: int, kind: RequestKind, now: int) -> OutgoingRequest:
        """The request of one attempt: `attempt` is 1, 2, … in its run, `now` the wall clock in µs."""
        body, timestamp = event.body, now // SECOND
        head = (
            f"{self._start}\r\n"
            f"content-length: {len(body)}\r\n"
            f"{self._signatures(event, timestamp, now)}"
            f"{sign.STANDARD_ID}: {event.id}\r\n"
            f"{sign.STANDARD_TIMESTAMP}: {timestamp}\r\n"
            f"{sign.SEQUENCE}: {event.sequence}\r\n"
            f"{sign.ATTEMPT}: {attempt}\r\n"
            f"{kind}\r\n"
        )
        traced = kind is not DELIVERY
        return OutgoingRequest(self.target, head.encode("ascii"), body, traced=traced, holder=self._tenant_id)

    def _signatures(self, event: Event, timestamp: int, now: int) -> str:
        """While a rotation's overlap lasts the old secret keeps the page's header (C21)."""
        body, signer, following = event.body, self._signer, self._next
        if following is not None and now >= self._promote_at:
            signer, following = following, None
        page, standard = signer.page_signature(body), signer.standard_signature(event.id, timestamp, body)
        lines = f"{sign.PAGE_SIGNATURE}: {page}\r\n{sign.STANDARD_SIGNATURE}: {standard}"
        if following is None:
            return f"{lines}\r\n"
        alternate, second = following.page_signature(body), following.standard_signature(event.id, timestamp, body)
        return f"{lines} {second}\r\n{sign.PAGE_SIGNATURE_ALTERNATE}: {alternate}\r\n"
