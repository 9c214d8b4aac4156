"""The network of a simulated process, up to the receivers at its other end.

It takes the place of the real sender (`sender/transport.py`). A receiver sees a request at the moment it is sent, and
decides then what happens to it. The process learns that later, or never if it ends before.
"""

import asyncio
import json
from collections.abc import Callable
from typing import NamedTuple, Protocol

from gateway.tests.world.virtual_time import WallClock
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingMail, OutgoingRequest
from signalpost.domain.timestamps import SECOND

ATTEMPT_TIMEOUT = 5.0
"""The seconds that an attempt has (C15)."""
NEVER = 1e9
"""More seconds than any attempt has."""
UNAUTHORISED = 401
ASKS_TO_WAIT = (429, 503)
"""The status codes with which a `Retry-After` counts (C16)."""


class Reply(NamedTuple):
    """How a receiver takes one request."""

    status: int | None = 200
    """The status code of the answer; None if no answer comes."""
    after: float = 0.01
    """The seconds until then. As many as an attempt has, or more, make it a timeout."""
    failure: Failure | None = None
    """What went wrong; not needed for a status that is no success."""
    retry_after: str | None = None
    """The header of that name."""
    asked_for: float = 0.0
    """The seconds of waiting that `retry_after` surely asks for."""
    body: bytes = b""
    """What the answer says."""


BROKEN = Reply(status=500)
REFUSED = Reply(status=None, failure=Failure.CONNECT)
HANG = Reply(status=None, after=NEVER)


class SentRequest:
    """A request as it left a process."""

    __slots__ = (
        "asked_for", "at", "attempt", "body", "certificate", "ended_at", "event_id", "headers", "host", "is_replay",
        "is_test", "outcome", "path", "process", "sequence", "wall",
    )  # fmt: skip

    def __init__(self, request: OutgoingRequest, process: int, at: float, wall: int) -> None:
        start, *lines = request.head.decode("ascii").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            if line:
                name, _, value = line.partition(": ")
                assert name not in headers, f"the header {name} is there twice"
                headers[name] = value
        self.process = process
        """The number of the process that sent it."""
        self.at = at
        """When it was sent, in seconds of virtual time."""
        self.wall = wall
        """What the wall clock showed then, µs since the epoch."""
        self.host = request.target.host
        self.path = start.split(" ")[1]
        self.headers = headers
        self.certificate = b"" if request.target.tls is None else request.target.tls.chain
        """The chain of the client certificate that is offered, in PEM; empty if none is."""
        self.body = request.body
        self.event_id = headers["webhook-id"]
        self.sequence = int(headers["signalpost-sequence"])
        self.attempt = int(headers["signalpost-attempt"])
        self.is_replay = "signalpost-replay" in headers
        self.is_test = "signalpost-test" in headers
        self.asked_for = 0.0
        """The seconds that the answer surely asked to wait."""
        self.outcome: Outcome | None = None
        """None while it is under way, and for ever if its process ended before."""
        self.ended_at = 0.0
        """When the process learned the outcome, in seconds of virtual time; 0 before."""

    @property
    def signed_at(self) -> int:
        """The time that its signature names, seconds since the epoch."""
        return int(self.headers["webhook-timestamp"])

    @property
    def document_id(self) -> str:
        """The document that its event is about."""
        found: str = json.loads(self.body)["data"]["document"]["externalId"]
        return found

    @property
    def is_delivered(self) -> bool:
        """Whether the process knows that it was delivered."""
        return self.outcome is not None and self.outcome.failure is None

    @property
    def is_failed(self) -> bool:
        """Whether the process knows that it failed."""
        return self.outcome is not None and self.outcome.failure not in (None, Failure.INTERRUPTED)

    @property
    def is_unauthorised(self) -> bool:
        """Whether the process knows that it was not let in."""
        return self.outcome is not None and self.outcome.status == UNAUTHORISED

    @property
    def is_cut(self) -> bool:
        """Whether its process ended first, or cut it short to end, so that no one knows what happened to it."""
        return self.outcome is None or self.outcome.failure is Failure.INTERRUPTED

    def __repr__(self) -> str:
        kind = " replay" if self.is_replay else " test" if self.is_test else ""
        end = "" if self.outcome is None else f", {self.outcome.failure or 'delivered'} at {self.ended_at:.3f}"
        return (
            f"{self.host} #{self.sequence} attempt {self.attempt}{kind} of process {self.process} at {self.at:.3f}{end}"
        )


class VendorCall(NamedTuple):
    """A request to a vendor as it left a process."""

    process: int
    at: float
    """When it was sent, in seconds of virtual time."""
    wall: int
    host: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    holder: int
    """The tenant whose look-ups it waits for."""


class VendorReply(NamedTuple):
    """How a vendor takes a call."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = {}
    after: float = 0.01
    """The seconds until the answer."""
    failure: Failure | None = None
    """What went wrong if no answer came."""


class Vendor(Protocol):
    """What answers calls of connectors at a host."""

    def answer(self, call: VendorCall) -> VendorReply:
        """Decide what happens to a call, at the moment it is sent."""


class Receiver(Protocol):
    """What answers at a host."""

    def answer(self, sent: SentRequest) -> Reply:
        """Decide what happens to a request, at the moment it is sent."""


class Observer(Protocol):
    """An onlooker who sees everything that goes over the network, and knows the receivers."""

    wall: WallClock

    def receiver(self, host: str) -> Receiver:
        """What answers at that host."""

    def vendor(self, host: str) -> Vendor | None:
        """What answers calls of connectors at that host, if it is a vendor's."""

    def sent(self, sent: SentRequest) -> None:
        """Take note of a request, before its receiver sees it."""

    def ended(self, sent: SentRequest) -> None:
        """Take note of a request's outcome, before the process does."""


class Network:
    """The transport of one process."""

    def __init__(
        self,
        observer: Observer,
        loop: asyncio.AbstractEventLoop,
        process: int,
        attempt_timeout: float = ATTEMPT_TIMEOUT,
    ) -> None:
        self._observer = observer
        self._attempt_timeout = attempt_timeout
        self._loop = loop
        self._process = process
        self._calls: dict[int, Callable[[Outcome], None]] = {}
        """Calls to vendors that are under way."""
        self._next_call = 0
        self._under_way: dict[SentRequest, Callable[[Outcome], None]] = {}
        self._is_cut = False
        self._is_closed = False
        self.max_in_flight = 0
        """The most requests that were under way at a time."""

    def send(self, request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        if self._is_cut:
            return
        assert not self._is_closed, "the engine sends after it closed its transport"
        now = self._loop.time()
        wall = self._observer.wall.at(now)
        vendor = self._observer.vendor(request.target.host)
        if vendor is not None:
            self._call(vendor, request, VendorCall(self._process, now, wall, *_read(request), request.holder), done)
            return
        sent = SentRequest(request, self._process, now, wall)
        self._under_way[sent] = done
        self.max_in_flight = max(self.max_in_flight, len(self._under_way))
        self._observer.sent(sent)
        reply = self._observer.receiver(sent.host).answer(sent)
        sent.asked_for = reply.asked_for
        most = self._attempt_timeout
        self._loop.call_later(min(reply.after, most), self._end, sent, _outcome(reply, wall, most))

    def _call(
        self, vendor: Vendor, request: OutgoingRequest, call: VendorCall, done: Callable[[Outcome], None]
    ) -> None:
        number = self._next_call = self._next_call + 1
        self._calls[number] = done
        reply = vendor.answer(call)
        most = self._attempt_timeout if request.seconds is None else request.seconds
        self._loop.call_later(min(reply.after, most), self._end_call, number, _vendor_outcome(reply, call, most))

    async def send_mail(self, mail: OutgoingMail) -> Outcome:
        """A mail is a call to the vendor at its server's name, which answers with SMTP's codes."""
        head = f"MAIL / HTTP/1.1\r\nfrom: {mail.sender}\r\nto: {', '.join(mail.recipients)}\r\n"
        request = OutgoingRequest(mail.target, head.encode(), mail.message, seconds=mail.seconds, holder=mail.holder)
        ended: asyncio.Future[Outcome] = self._loop.create_future()
        self.send(request, ended.set_result)
        outcome = await ended
        return replace(outcome, detail=f"{outcome.status} {outcome.answer.decode()}") if outcome.status else outcome

    def _end_call(self, number: int, outcome: Outcome) -> None:
        done = self._calls.pop(number, None)
        if done is not None and not self._is_cut:
            done(outcome)

    def _end(self, sent: SentRequest, outcome: Outcome) -> None:
        done = self._under_way.pop(sent, None)
        if done is None or self._is_cut:
            return
        sent.outcome, sent.ended_at = outcome, self._loop.time()
        self._observer.ended(sent)
        done(outcome)

    def cut(self) -> None:
        """Let nothing through any more, and tell no one: the process has ended."""
        self._is_cut = True
        self._under_way.clear()
        self._calls.clear()

    async def close(self, grace: float) -> None:
        deadline = self._loop.time() + grace
        while (self._under_way or self._calls) and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        for sent in list(self._under_way):
            self._end(sent, Outcome(failure=Failure.INTERRUPTED, detail="cut", started_at=sent.wall))
        for number in list(self._calls):
            self._end_call(number, Outcome(failure=Failure.INTERRUPTED, detail="cut"))
        self._is_closed = True


def _outcome(reply: Reply, wall: int, most: float) -> Outcome:
    if reply.after >= most:
        elapsed = round(most * SECOND)
        return Outcome(failure=Failure.TIMEOUT, detail="no answer", started_at=wall, elapsed_us=elapsed)
    is_success = reply.status is not None and 200 <= reply.status < 300
    return Outcome(
        failure=reply.failure or (None if is_success else Failure.STATUS),
        status=reply.status,
        retry_after=reply.retry_after if reply.status in ASKS_TO_WAIT else None,
        answer=reply.body,
        started_at=wall,
        elapsed_us=round(reply.after * SECOND),
    )


def _read(request: OutgoingRequest) -> tuple[str, str, str, dict[str, str], bytes]:
    start, *lines = request.head.decode("ascii").split("\r\n")
    method, path, _ = start.split(" ")
    headers = dict(line.split(": ", 1) for line in lines if line)
    return request.target.host, method, path, headers, request.body


def _vendor_outcome(reply: VendorReply, call: VendorCall, most: float) -> Outcome:
    if reply.after >= most:
        return Outcome(failure=Failure.TIMEOUT, detail="no answer", started_at=call.wall)
    if reply.failure is not None:
        return Outcome(failure=reply.failure, detail="no answer", started_at=call.wall)
    head = f"HTTP/1.1 {reply.status} Word\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in reply.headers.items()
    )
    return Outcome(
        failure=None if 200 <= reply.status < 300 else Failure.STATUS,
        status=reply.status,
        answer=reply.body,
        head=f"{head}\r\n".encode(),
        started_at=call.wall,
        elapsed_us=round(reply.after * SECOND),
    )
