"""TLS between the network and an HTTP connection: to the network it is a protocol, to the HTTP connection a transport.

Its states are a table (`tls_state.py`). Whether the HTTP connection takes what arrives, and whether the client has sent
its last byte, depend on neither that nor each other.

While it is shaking, it *waits* like a client that has sent no request (`connection_limits.py`): it has as long for all
of it as others for a head, and is the first to go if connections are needed. So handshakes are bounded by the number of
connections, and slow ones in time. Nothing is spent on a client before its first byte.

A client that speaks plain HTTP here gets one answer in plain HTTP that says so. Event loops have TLS of their own, but
none that can be left half open for a client to read the last answer, or that answers a client without TLS.

A connection that the client ends without TLS's closing message is taken as one with it: where a body ends, HTTP says.
"""

import asyncio
import contextlib
import json
import ssl
from typing import Any, cast

from signalpost.listener.certificate import Certificate
from signalpost.listener.http_connection import ClientConnection
from signalpost.listener.serving import Serving
from signalpost.listener.tls_state import TLS_STAGES, TlsInput, TlsStage

# Every read uses these. As names of this module they are found ten times as fast as members of their classes.
SHAKING, REFUSED, OPEN, OVER = TlsStage

READ_BYTES = 64 * 1024
_HANDSHAKE = 0x16
"""The first byte of every TLS connection."""
_PROBLEM = json.dumps(
    {
        "type": "about:blank",
        "title": "This port speaks TLS",
        "status": 400,
        "detail": "Begin the address with https://.",
        "code": "tls_only",
    }
).encode()
_PLAIN_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_PROBLEM), _PROBLEM)
)


class TlsConnection(asyncio.Protocol, asyncio.Transport):
    def __init__(self, certificate: Certificate, serving: Serving) -> None:
        asyncio.Transport.__init__(self)
        self._certificate = certificate
        self._serving = serving
        self._http = ClientConnection(serving)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._stage = SHAKING
        self._paused = False
        self._ended = False
        """The client sends no more, which the HTTP connection is told once it has all that came before."""

    # --- Called by the server and the network -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)
        self._serving.enter(self)
        if not self._serving.limits.enter(self):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._move(TlsInput.END)
        if self._stage >= OPEN:
            self._http.connection_lost(exc)
        else:
            self._leave()

    def data_received(self, data: bytes) -> None:
        if self._stage is REFUSED or self._stage is OVER:
            return
        if self._tls is None:
            if data[0] != _HANDSHAKE:
                self._answer_plainly()
                return
            self._tls = self._certificate.context().wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(data)
        if self._stage is OPEN or self._shake(self._tls):
            self._read()

    def eof_received(self) -> bool:
        """Returns whether the client may still receive an answer."""
        if self._stage is not OPEN:
            return False
        self._ended = True
        self._read()  # what came before the end goes first, and may have to wait
        return self._stage is OPEN

    def pause_writing(self) -> None:
        if self._stage >= OPEN:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        if self._stage >= OPEN:
            self._http.resume_writing()

    def shutdown(self) -> None:
        """The server stops, and no request can be in progress: the HTTP connection would have been told."""
        self.abort()

    def overdue(self) -> None:
        """See `LimitedConnection`."""
        self.abort()

    # --- The state ----------------------------------------------------------------------------------------------------

    def _move(self, given: TlsInput) -> None:
        self._stage = TLS_STAGES[self._stage][given]

    def _shake(self, tls: ssl.SSLObject) -> bool:
        """Go on with the handshake. Returns whether it is done."""
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError:
            self._flush()  # the alert, which says why
            self._move(TlsInput.END)
            self._raw.close()
            return False
        self._flush()
        self._leave()
        self._move(TlsInput.SHAKEN)
        self._http.connection_made(self)
        return True

    def _leave(self) -> None:
        """The HTTP connection takes its place, or nothing does."""
        self._serving.limits.leave(self)
        self._serving.leave(self)

    def _read(self) -> None:
        """Pass on what has arrived, while the HTTP connection takes it."""
        tls = self._tls
        assert tls is not None
        while self._stage is OPEN and not self._paused:
            try:
                data = tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError:
                self._flush()
                self.abort()
                return
            if not data:
                if not self._http.eof_received():
                    self.close()
                return
            self._http.data_received(data)
        self._flush()
        if self._ended and self._stage is OPEN and not self._paused:
            self._ended = False
            if not self._http.eof_received():
                self.close()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())

    def _answer_plainly(self) -> None:
        self._move(TlsInput.END)
        self._raw.write(_PLAIN_ANSWER)
        self._raw.write_eof()

    def _end(self) -> None:
        """Tell the client that nothing more is sent, and stop reading."""
        if self._stage is not OPEN:
            return
        self._move(TlsInput.END)
        assert self._tls is not None
        with contextlib.suppress(ssl.SSLError):  # the client has not said it yet, and need not
            self._tls.unwrap()
        self._flush()

    # --- Called by the HTTP connection, as a transport ----------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._tls if name == "ssl_object" else self._raw.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._raw.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        self._raw.resume_reading()
        # Some of it may have been decrypted, or have arrived, before.
        asyncio.get_running_loop().call_soon(self._read)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._tls is not None and data and self._stage is OPEN:
            self._tls.write(data)
            self._flush()

    def write_eof(self) -> None:
        self._end()
        self._raw.write_eof()

    def close(self) -> None:
        self._end()
        self._raw.close()

    def abort(self) -> None:
        """See `LimitedConnection`, and asyncio's transports."""
        self._move(TlsInput.END)
        self._raw.abort()
