"""One connection to an endpoint, and the attempts that run on it, one at a time.

A connection is busy (it has an attempt), idle (it waits in the sender's pool) or lost. Nothing may come from
the endpoint while it is idle: a byte, or the end, loses it. The answer decides what follows a busy state:
back to idle if nothing about the exchange is in doubt (the whole request written, the whole answer read,
nothing behind it, the endpoint willing), else the connection is ended, so that no request's answer is ever
read as another's.

The sender is the authority on attempts: deadline, end, sending again. A connection tells it what it saw, once
per attempt, and forgets the attempt before it does.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, Protocol, cast

from msgspec import Struct

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.delivery.sentence_openings import SentenceOpening
from signalpost.domain.request import OutgoingRequest
from signalpost.sender.response_reader import MAX_BODY_BYTES, AnswerReader
from signalpost.sender.tls_sessions import Handshake

_ONE_WRITE_BYTES = 64 * 1024
"""Up to here copying head and body together is cheaper than handing over two buffers (and, with TLS, two
records)."""

_UNREAD = select.POLLIN | getattr(select, "POLLRDHUP", 0)


class Stage(StrEnum):
    """How far an attempt has come: the start of the sentence that its deadline ends."""

    RESOLVING = SentenceOpening.UNRESOLVED_IN_TIME
    CONNECTING = SentenceOpening.UNCONNECTED_IN_TIME
    TUNNELLING = "The operator's egress proxy made no connection"
    SECURING = SentenceOpening.UNSECURED_IN_TIME
    WAITING = "No answer came"
    ANSWERING = SentenceOpening.UNFINISHED_IN_TIME


WAITING = Stage.WAITING  # every attempt asks for it, and from its class it takes ten times as long


class TimeLimit:
    """Attempts in progress that may take equally long, and so in the order of their deadlines. One timer watches the
    first."""

    __slots__ = ("running", "seconds", "timer")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.running: dict[RunningAttempt, None] = {}
        self.timer: asyncio.TimerHandle | None = None


class Wire(NamedTuple):
    """What a connection is, for people to look at."""

    address: str | None
    tls: str | None


class RunningAttempt(Struct, eq=False):
    """One attempt in progress. The first call that ends it decides its outcome."""

    request: OutgoingRequest
    done: Callable[[Outcome], None]
    started: float
    started_at: int
    limit: TimeLimit
    stage: Stage = WAITING
    wire: Wire | None = None
    """The wire that the request was sent over; None before that."""
    stage_ended: dict[Stage, float] = {}
    """When each stage of making a connection for it ended."""
    certificate_ends: int | None = None
    connection: "EndpointConnection | None" = None
    dialling: asyncio.Task[None] | None = None


class Owner(Protocol):
    """The callbacks of a connection to its sender."""

    def opened(self, connection: "EndpointConnection") -> None:
        """The connection was established."""

    def idled(self, connection: "EndpointConnection") -> None:
        """The connection is idle, and another attempt can use it."""

    def lost(self, connection: "EndpointConnection") -> None:
        """The connection is gone. No callback follows."""

    def end(self, attempt: RunningAttempt, failure: Failure | None, detail: str, answer: AnswerReader) -> None:
        """End an attempt, as the answer on its connection says."""

    def unanswered(self, attempt: RunningAttempt) -> None:
        """A reused connection was closed without a byte of an answer to this attempt. Most likely the endpoint closed
        it as idle while the request was on its way."""


class EndpointConnection(asyncio.Protocol):
    """The protocol of one TCP or TLS connection."""

    __slots__ = (
        "_attempt",
        "_first",
        "_handshake",
        "_now",
        "_owner",
        "_poll",
        "_socket",
        "_transport",
        "answer",
        "idle_since",
        "opened_at",
        "served",
        "target",
        "wire",
    )

    def __init__(
        self,
        owner: Owner,
        raw: socket.socket,
        first: RunningAttempt,
        now: Callable[[], float],
        handshake: Handshake | None = None,
    ) -> None:
        """`handshake` describes the TLS handshake, if there was one. `now` is a clock."""
        self._now = now
        self._owner = owner
        self._handshake = handshake
        self._socket = raw
        self._poll = select.poll()
        self._transport: asyncio.Transport | None = None
        self._attempt: RunningAttempt | None = None
        self._first: RunningAttempt | None = first
        self.answer = AnswerReader()
        self.target = first.request.target
        self.opened_at = self.idle_since = now()
        self.wire = Wire(None, None)
        self.served = 0
        """The number of answers that arrived on this connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._poll.register(self._socket.fileno(), _UNREAD)
        self._owner.opened(self)
        peer = transport.get_extra_info("peername")
        self.wire = Wire(peer[0] if peer else None, None if self._handshake is None else self._handshake.version)
        # Written before anything can be read: what an endpoint says is always taken as an answer.
        first, self._first = self._first, None
        assert first is not None
        if self._handshake is not None:
            first.stage_ended[Stage.SECURING] = self._now()
        self.run(first)

    def is_fit(self) -> bool:
        """Whether an idle connection can be used: it is alive and nothing on it is unread. Unread bytes arrived before
        the request and cannot be its answer, or are the end of the connection."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and not self._poll.poll(0)

    def run(self, attempt: RunningAttempt) -> None:
        """Write the request and wait for its answer. Makes no callback before it returns."""
        transport = self._transport
        assert transport is not None
        assert self._attempt is None
        self._attempt = attempt
        attempt.connection = self
        attempt.wire = self.wire
        attempt.stage = WAITING
        request = attempt.request
        if request.keeps:
            self.answer.begin(MAX_BODY_BYTES)
        else:
            self.answer.begin()
        if len(request.body) < _ONE_WRITE_BYTES:
            transport.write(request.head + request.body)
        else:
            transport.writelines((request.head, request.body))

    def data_received(self, data: bytes) -> None:
        attempt = self._attempt
        if attempt is None:
            self.abort()
        elif self.answer.feed(data):
            failure, detail = self.answer.verdict()
            self._finish(attempt, failure, detail)

    def eof_received(self) -> None:
        # Returning None closes the transport; what an answer may still be worth is known now.
        if self._attempt is not None and self.answer.end():
            self._finish(self._attempt, *self.answer.verdict())

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.lost(self)
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        attempt.connection = None
        if exc is None and self.answer.end():
            self._owner.end(attempt, *self.answer.verdict(), self.answer)
        elif self.served and not self.answer.began and not isinstance(exc, ssl.SSLError):
            self._owner.unanswered(attempt)
        else:
            self._owner.end(attempt, *_loss(exc, self.answer), self.answer)

    def abandon(self) -> None:
        """The sender has ended the attempt. An answer that still arrives is dropped."""
        self._attempt = None
        self.abort()

    def release(self) -> None:
        """Let go of the socket of a lost connection, once the loop has closed the descriptor. uvloop forgets to where
        the connection ended while it was being made; the descriptor's number may be another file's by the time the
        object would close it."""
        if self._socket.fileno() != -1:
            self._socket.detach()

    def close(self) -> None:
        """Close an idle connection, with TLS's closing message."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection at once, even if something is still unwritten or unread."""
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, attempt: RunningAttempt, failure: Failure | None, detail: str) -> None:
        """Handle the end of an answer."""
        self._attempt = attempt.connection = None
        self.served += 1
        if self._handshake is not None:
            attempt.certificate_ends = self._handshake.served()
            self._handshake = None
        transport = self._transport
        assert transport is not None
        if self.answer.reusable and not transport.get_write_buffer_size() and not transport.is_closing():
            # Told last: `end` may well start the next attempt on this very connection, and begin a new
            # answer.
            self._owner.idled(self)
        else:
            transport.abort()
        self._owner.end(attempt, failure, detail, self.answer)


def _loss(exc: Exception | None, answer: AnswerReader) -> tuple[Failure, str]:
    if isinstance(exc, ssl.SSLError):
        return Failure.TLS_HANDSHAKE, "The endpoint ended the TLS connection with an error."
    if answer.began:
        return Failure.RESET, f"{SentenceOpening.CLOSED_MIDWAY}."
    return Failure.RESET, "The endpoint closed the connection before answering."
