"""The server side of HTTP/1.1 for `signalpost serve`, between the server and the application.

    NEW, WAITING ─head─▶ RECEIVING ─end_of_body─▶ ANSWERING ─answered─▶ WAITING
                            │                        └─answered_last─▶ LEAVING
                            └─answered─▶ LEAVING      the client cannot know how much of its body was read
    each of these ─refuse─▶ REFUSED ─answered_last─▶ LEAVING
    every state ─lose─▶ LOST

`connection_state.py` has this table, and those of whether another request may follow and of what the client sends.
Their inputs are what the network, the parser and the application say.

Requests are read one at a time, so many requests in one packet cost no more than their bytes. As with answers (see
`sender/response_reader.py`), two parsers share the work. `request_head.py` is the authority on where a head ends and
how long it may be; httptools (llhttp, strict) on whether the bytes are HTTP and where the body ends. It gets each head
whole, and no byte of the body beyond the length that the head declares. Both must agree, or one could take a byte for
the body and the other for the next request. Trailers are read and dropped.

A head that differs from the one before it in its request line and its content-length alone, and in nothing unusual, is
not parsed again: its headers were (`request_head.py`).

The application is told of a request once everything that has arrived is processed, which mostly is the whole request.
It is also told of one that is refused here, with the error in its head. So the application answers it like any other,
and the connection then leaves.

`connection_limits.py` says which connections may stay and how long one may wait. While a body arrives, the
application's own limits hold. A client that does not read its answer is ended by `overdue`, or by the kernel
(`cli/serving/gateway_process.py`) if it reads nothing at all.

With a certificate, `tls_connection.py` stands between it and the network.
"""

import asyncio
from typing import cast

import httptools
from msgspec.structs import replace

from signalpost.domain.errors import CallerError, TooManyConnections, Unavailable, Unparseable
from signalpost.listener.answer_taking import AnswerTaking
from signalpost.listener.application import Head
from signalpost.listener.connection_state import (
    INTAKES,
    PERSISTENCE,
    STAGES,
    ConnectionStage,
    Intake,
    IntakeInput,
    Persistence,
    PersistenceInput,
    StageInput,
)
from signalpost.listener.request_cycle import RequestCycle
from signalpost.listener.request_head import HeadFinder, KnownHeaders, read_head, unknown_head
from signalpost.listener.serving import Serving

BODY_HELD_BYTES = 64 * 1024
"""Maximum bytes of a body to hold for an application that does not read them; beyond it, the client has to wait."""
FIRST_REQUEST_SECONDS = 0.5
"""How long a new connection may still send its first request when the server stops."""

# Every request uses these. As names of this module they are found faster than members of their classes.
NEW, WAITING, RECEIVING, ANSWERING = (
    ConnectionStage.NEW,
    ConnectionStage.WAITING,
    ConnectionStage.RECEIVING,
    ConnectionStage.ANSWERING,
)
REFUSED, LEAVING, LOST = ConnectionStage.REFUSED, ConnectionStage.LEAVING, ConnectionStage.LOST
_IDLE = (NEW, WAITING, LEAVING)
KEPT, STOPPING, NO_MORE = Persistence.KEPT, Persistence.STOPPING, PersistenceInput.NO_MORE
PROCESSED, QUEUED, QUEUED_AND_ENDED = Intake.PROCESSED, Intake.QUEUED, Intake.QUEUED_AND_ENDED
ENDED, _UNPROCESSED = Intake.ENDED, (QUEUED, QUEUED_AND_ENDED)
HEAD, END_OF_BODY, ANSWERED = StageInput.HEAD, StageInput.END_OF_BODY, StageInput.ANSWERED
COME, PROCESS = IntakeInput.COME, IntakeInput.PROCESS


class ClientConnection(asyncio.Protocol):
    """The asyncio protocol of one client's connection."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._limits = serving.limits
        self.ended = serving.end
        """See `ResponseWriter`."""
        self._parser = httptools.HttpRequestParser(self)
        self._cycle: RequestCycle | None = None
        self._head: Head | None = None
        """The head of a request that the application does not know of yet."""
        self._known: KnownHeaders | None = None
        self._is_parsed = True
        """Whether the request is given to the parser: one with known headers is not."""
        self._unread = bytearray()
        self._heads = HeadFinder()
        self._left: int | None = 0
        """Bytes of the body that have not arrived yet; None for a chunked body."""
        self._stage = NEW
        self._persistence = KEPT
        self._intake = PROCESSED
        self._is_held = False
        """Whether requests that came behind one that was answered wait for the next round."""
        self._is_paused = False
        """What the transport was last told about reading."""
        self._taking = AnswerTaking()
        self.is_flowing = True
        """See `ResponseWriter`."""
        self._flows = asyncio.Event()
        """Set while the client reads fast enough, once it did not."""

    # --- Called by the server and the network -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._serving.enter(self)
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if peer and peer[0] else None
        self._scheme = "http" if transport.get_extra_info("ssl_object") is None else "https"
        if not self._limits.enter(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._serving.leave(self)
        self._limits.leave(self)
        self._stage = STAGES[self._stage][StageInput.LOSE]
        self._resume_flow()
        if self._cycle is not None:
            self._cycle.lose()
            self._serving.rounds.run(self._cycle.tell_of_loss)

    def data_received(self, data: bytes) -> None:
        if self._stage >= REFUSED:
            return
        self._unread += data
        before = self._intake
        self._intake = INTAKES[before][COME]
        if before is PROCESSED:
            self._serving.rounds.run(self._process)
        if self._intake is QUEUED:
            self._regulate()

    def eof_received(self) -> bool:
        """The client sends no more. Returns whether it may still receive an answer."""
        self._intake = INTAKES[self._intake][IntakeInput.END]
        return self._is_held or self._intake is QUEUED_AND_ENDED or self._end()

    def _process(self) -> None:
        if self._intake in _UNPROCESSED:
            self._intake = INTAKES[self._intake][PROCESS]
        self._go_on()
        if self._is_held:
            return
        if self._intake is ENDED and not self._end():
            self._transport.close()
        elif self._persistence is STOPPING and self._stage is not NEW:
            self._close_if_idle()

    def _end(self) -> bool:
        """All that the client sent was processed. Returns whether it may still receive an answer."""
        if self._cycle is None or self._stage is LOST:
            return False
        if self._stage is ANSWERING:
            self._cycle.leave()
        else:
            self._cycle.break_off()
        return True

    def pause_writing(self) -> None:
        self.is_flowing = False
        self._flows.clear()
        self._limits.wait(self)

    def resume_writing(self) -> None:
        self._resume_flow()
        if self._cycle is not None:
            self._limits.work(self)
        self._go_on()

    def _resume_flow(self) -> None:
        self.is_flowing = True
        self._flows.set()

    def shutdown(self) -> None:
        """The server stops. The request in progress may still be answered, and the first one of a new connection."""
        self._persistence = PERSISTENCE[self._persistence][PersistenceInput.STOP]
        if self._stage is NEW:
            asyncio.get_running_loop().call_later(FIRST_REQUEST_SECONDS, self._close_if_idle)
        else:
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._stage in _IDLE and self._intake not in _UNPROCESSED and not self._is_held:
            self._transport.close()

    # --- Called by the connection limits ------------------------------------------------------------------------------

    def overdue(self) -> None:
        """See `LimitedConnection`."""
        untaken = self._transport.get_write_buffer_size()
        if not untaken or self._taking.is_too_slow(untaken):
            self.abort()
        else:
            self._limits.wait(self)

    def abort(self) -> None:
        """See `LimitedConnection` and `ResponseWriter`."""
        self._transport.abort()

    # --- Requests -----------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Process the unread bytes as far as possible, and have the application answer what they brought."""
        while self._unread:
            if self._stage is RECEIVING:
                self._take_body()
            # A client that does not read its answers gets no further ones.
            elif self._stage >= ANSWERING or not self.is_flowing or not self._take_head():
                break
        if self._head is not None and self._cycle is not None:
            head, self._head = self._head, None
            self._cycle.begin(self._serving.app, head)
        self._regulate()

    def _take_head(self) -> bool:
        """Take the next request's head. Returns False while it is incomplete."""
        head: Head | None = None
        try:
            raw = self._heads.take(self._unread)
            if raw is None:
                return False
            head = None if self._known is None else self._known.recognise(raw)
            self._is_parsed = head is None
            if head is None:
                head = read_head(raw, self._client, self._scheme)
                self._parse(head, raw)
            else:
                self._stage = STAGES[self._stage][HEAD]
                if head.length == 0:
                    self._stage = STAGES[RECEIVING][END_OF_BODY]
            if not self._limits.work(self) and head.raw_path.decode("latin-1") not in self._serving.always_answered:
                raise TooManyConnections
        except (CallerError, Unavailable) as refusal:
            self._refuse(refusal, head)
        else:
            self._left = head.length
            self._let_in(head)
        return True

    def _parse(self, head: Head, raw: bytes) -> None:
        """Check that the parser agrees on the head. Raises Unparseable."""
        try:
            self._parser.feed_data(raw)
        except httptools.HttpParserUpgrade:
            # The gateway need not change the protocol; but to the parser, what follows is no longer HTTP.
            self._persistence = PERSISTENCE[self._persistence][NO_MORE]
            if head.length != 0:
                raise Unparseable("no_upgrade", "A request with a body cannot ask for another protocol.") from None
        except httptools.HttpParserError as error:
            raise Unparseable("malformed_head", f"The head of this request is malformed: {error}.") from None
        if self._stage is not (ANSWERING if head.length == 0 else RECEIVING):
            raise Unparseable("malformed_head", "The head of this request is malformed.")
        if not head.http_1_1:
            self._persistence = PERSISTENCE[self._persistence][NO_MORE]
        self._known = KnownHeaders.of(head, raw) if self._persistence is KEPT else None

    def _take_body(self) -> None:
        piece = bytes(self._unread if self._left is None else self._unread[: self._left])
        del self._unread[: len(piece)]
        if self._left is not None:
            self._left -= len(piece)
        if not self._is_parsed:
            assert self._cycle is not None
            if self._left == 0:
                self._stage = STAGES[RECEIVING][END_OF_BODY]
                self._cycle.take_last(piece)
            else:
                self._cycle.take(piece)
            return
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserError:
            # It may also have been whole, with something behind it: it is not known where that begins.
            self._persistence = PERSISTENCE[self._persistence][NO_MORE]
            if self._stage is RECEIVING:
                self._stage = STAGES[RECEIVING][StageInput.REFUSE]
                if self._cycle is not None:
                    self._cycle.break_off()

    def _refuse(self, refusal: CallerError | Unavailable, head: Head | None) -> None:
        """Let the application answer with the error. The connection reads nothing afterwards."""
        self._persistence = PERSISTENCE[self._persistence][NO_MORE]
        self._stage = STAGES[self._stage][StageInput.REFUSE]
        self._limits.work(self)
        self._let_in(replace(head or unknown_head(self._client, self._scheme), refusal=refusal, expects_continue=False))

    def _let_in(self, head: Head) -> None:
        """The request is in progress from now on."""
        self._head = head
        self._cycle = RequestCycle(self, head, self._serving.headers())
        self._serving.in_progress.add(self._cycle)
        if self._stage is ANSWERING:
            self._cycle.end_body()

    # --- Called by the cycle ------------------------------------------------------------------------------------------

    async def flow(self) -> None:
        """See `ResponseWriter`."""
        await self._flows.wait()

    def write(self, data: bytes) -> None:
        """See `ResponseWriter`."""
        self._taking.written += len(data)
        self._transport.write(data)

    def is_persistent(self) -> bool:
        """See `ResponseWriter`."""
        return self._persistence is KEPT

    def read_on(self) -> None:
        """See `ResponseWriter`."""
        if self._is_paused:
            self._regulate()

    def answered(self) -> None:
        """See `ResponseWriter`."""
        self._cycle = None
        self._stage = STAGES[self._stage][ANSWERED if self._persistence is KEPT else StageInput.ANSWERED_LAST]
        if self._transport.is_closing():
            return
        self._limits.wait(self)
        if self._stage is not WAITING:
            self._leave()
        elif self._unread:  # a client may have sent a thousand requests in one piece: one in each round
            self._is_held = True
            asyncio.get_running_loop().call_soon(self._release)
            return
        if self._intake is ENDED:
            self._transport.close()

    def _release(self) -> None:
        self._is_held = False
        if self._intake not in _UNPROCESSED:
            self._process()

    def _leave(self) -> None:
        self._unread.clear()
        self._regulate()
        if self._persistence is STOPPING:
            self._transport.close()
        else:
            # To close it now, with something of the client's unread, would take the answer from it.
            self._transport.write_eof()

    def _regulate(self) -> None:
        """Resume or pause reading from the client, as there is room for its bytes."""
        if self._stage >= REFUSED:
            pause = False
        elif self._is_held or self._intake in _UNPROCESSED:
            pause = len(self._unread) > BODY_HELD_BYTES
        elif self._stage is ANSWERING:
            pause = bool(self._unread)
        elif self._cycle is not None:
            pause = self._cycle.held_bytes > BODY_HELD_BYTES
        else:
            pause = not self.is_flowing and bool(self._unread)
        if pause != self._is_paused and not self._transport.is_closing():
            self._is_paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # --- Called by the parser -----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._stage is ANSWERING:
            raise ValueError("another request where a body ends")

    def on_headers_complete(self) -> None:
        self._stage = STAGES[self._stage][HEAD]
        if not self._parser.should_keep_alive():
            self._persistence = PERSISTENCE[self._persistence][NO_MORE]

    def on_body(self, body: bytes) -> None:
        if self._cycle is not None:
            self._cycle.take(body)

    def on_message_complete(self) -> None:
        self._stage = STAGES[self._stage][END_OF_BODY]
        if self._cycle is not None:
            self._cycle.end_body()
