"""The signed webhook: turns an event into the request that its endpoint gets (C13, C18–C20)."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec.structs import replace

from signalpost.destinations.key_pair_signer import KeyPairSigner, entries
from signalpost.destinations.old_signer import OldSigner, OldSigning
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
    TEST_REPLAY = f"{sign.REPLAY}: true\r\n{sign.TEST}: true\r\n"
    """A sample that arrives as a replay does."""


DELIVERY, REPLAY = RequestKind.DELIVERY, RequestKind.REPLAY
# Every delivery uses one of these. As names of this module they are found ten times as fast as members of their class.


class Signatures:
    """The signatures of one subscription's events. Pure; what does not change from one to the next is prepared once."""

    def __init__(self, subscription: Subscription) -> None:
        self._signer = sign.Signer(subscription.secret)
        self._next = None if subscription.next_secret is None else sign.Signer(subscription.next_secret)
        self._promote_at = subscription.promote_at or 0

    def headers(self, event: Event, attempt: int, now: int) -> dict[str, str]:
        """What an endpoint would get beside the body of an event, for who reads it: `now` is the wall clock in µs."""
        timestamp = now // SECOND
        signers = self._signers(now)
        pages = [each.page_signature(event.body) for each in signers]
        standards = [each.standard_signature(event.id, timestamp, event.body) for each in signers]
        headers = {sign.PAGE_SIGNATURE: pages[0], sign.STANDARD_SIGNATURE: " ".join(standards)}
        if len(pages) > 1:
            headers[sign.PAGE_SIGNATURE_ALTERNATE] = pages[1]
        return headers | {
            sign.STANDARD_ID: event.id,
            sign.STANDARD_TIMESTAMP: str(timestamp),
            sign.SEQUENCE: str(event.sequence),
            sign.ATTEMPT: str(attempt),
        }

    def _signers(self, now: int) -> tuple[sign.Signer, ...]:
        """During the overlap of a rotation, the old secret keeps the page's header, and the new one signs in additional
        headers (C21)."""
        if self._next is None:
            return (self._signer,)
        return (self._next,) if now >= self._promote_at else (self._signer, self._next)


class Webhook(Signatures):
    """One subscription's requests. Pure; what does not change from one request to the next is prepared once."""

    def __init__(self, subscription: Subscription) -> None:
        url = endpoint.parse_url(subscription.url)
        tls = subscription.tls
        self.target = url.target if tls is None else replace(url.target, tls=tls)
        self.tenant_id = subscription.tenant_id
        super().__init__(subscription)
        self._pairs = [KeyPairSigner(each) for each in subscription.key_pairs]
        self._old = [OldSigner(each) for each in subscription.sign_also]
        self._start = endpoint.head_of_posts(url, subscription.headers)
        if subscription.shadow_of is not None:
            self._start += f"\r\n{sign.SHADOW}: true"

    def prepare(
        self, event: Event, attempt: int, kind: RequestKind, now: int, traceparent: str | None = None
    ) -> OutgoingRequest:
        """The request of one attempt: `attempt` is 1, 2, … in its run, `now` the wall clock in µs. `traceparent` is
        sent if it is given."""
        timestamp = now // SECOND
        return self._request(event, attempt, kind, timestamp, self._signatures(event, timestamp, now), traceparent)

    def signing(self, event: Event, now: int) -> "Signing":
        """The signatures of an event whose body is given piece by piece; `now` is the wall clock in µs."""
        timestamp = now // SECOND
        return Signing(
            timestamp,
            [each.signing(event.id, timestamp) for each in self._signers(now)],
            [each.signing(event.id, timestamp) for each in self._old],
            lambda: entries(self._pairs_at(now), event.id, timestamp, event.body),
        )

    def signed(
        self, event: Event, attempt: int, kind: RequestKind, signing: "Signing", traceparent: str | None = None
    ) -> OutgoingRequest:
        """The request of one attempt, whose body was signed: see `prepare`."""
        return self._request(event, attempt, kind, signing.timestamp, signing.lines(), traceparent)

    def _request(
        self,
        event: Event,
        attempt: int,
        kind: RequestKind,
        timestamp: int,
        signatures: str,
        traceparent: str | None,
    ) -> OutgoingRequest:
        body = event.body
        trace = "" if traceparent is None else f"traceparent: {traceparent}\r\n"
        head = (
            f"{self._start}\r\n"
            f"content-length: {len(body)}\r\n"
            f"{signatures}"
            f"{sign.STANDARD_ID}: {event.id}\r\n"
            f"{sign.STANDARD_TIMESTAMP}: {timestamp}\r\n"
            f"{sign.SEQUENCE}: {event.sequence}\r\n"
            f"{sign.ATTEMPT}: {attempt}\r\n"
            f"{trace}{kind}\r\n"
        )
        traced = kind is not DELIVERY
        return OutgoingRequest(self.target, head.encode("ascii"), body, traced=traced, holder=self.tenant_id)

    def _pairs_at(self, now: int) -> Sequence[KeyPairSigner]:
        """During the overlap of a rotation, both key pairs sign."""
        return self._pairs[1:] if len(self._pairs) > 1 and now >= self._promote_at else self._pairs

    def _signatures(self, event: Event, timestamp: int, now: int) -> str:
        body = event.body
        with_pairs = entries(self._pairs_at(now), event.id, timestamp, body) if self._pairs else ""
        if self._next is None:  # which is asked of every delivery
            standard = self._signer.standard_signature(event.id, timestamp, body) + with_pairs
            own = _lines(self._signer.page_signature(body), standard)
        else:
            signers = self._signers(now)
            own = _lines_of_each(
                [(s.page_signature(body), s.standard_signature(event.id, timestamp, body)) for s in signers], with_pairs
            )
        if not self._old:
            return own
        return own + "".join(each.line(event.id, timestamp, body) for each in self._old)


def with_authorization(request: OutgoingRequest, authorization: str) -> OutgoingRequest:
    """The request with a token, which is printable ASCII."""
    return replace(request, head=request.head[:-2] + f"authorization: {authorization}\r\n\r\n".encode("ascii"))


class Signing:
    """The signatures of one request, whose body is given piece by piece."""

    def __init__(
        self,
        timestamp: int,
        begun: Sequence[sign.Signing],
        old: Sequence[OldSigning],
        with_pairs: Callable[[], str],
    ) -> None:
        """`with_pairs` signs with key pairs. Ed25519 reads a body twice, so it can take no pieces."""
        self.timestamp = timestamp
        self._begun = begun
        self._old = old
        self._with_pairs = with_pairs

    def update(self, piece: bytes) -> None:
        """Add the next piece of the body."""
        for own in self._begun:
            own.update(piece)
        for old in self._old:
            old.update(piece)

    def lines(self) -> str:
        """The header lines, once the whole body was given."""
        signatures = [(each.page_signature(), each.standard_signature()) for each in self._begun]
        own = _lines_of_each(signatures, self._with_pairs())
        return own + "".join(each.line() for each in self._old)


def _lines_of_each(signatures: Sequence[tuple[str, str]], with_pairs: str) -> str:
    """The header lines of each signer's two signatures; the first one's are the page's own. `with_pairs` follows those
    of secrets."""
    pages, standards = zip(*signatures, strict=True)
    lines = _lines(pages[0], " ".join(standards) + with_pairs)
    return lines + "".join(f"{sign.PAGE_SIGNATURE_ALTERNATE}: {alternate}\r\n" for alternate in pages[1:])


def _lines(page: str, standard: str) -> str:
    return f"{sign.PAGE_SIGNATURE}: {page}\r\n{sign.STANDARD_SIGNATURE}: {standard}\r\n"
