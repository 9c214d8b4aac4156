"""TLS sessions that a new connection resumes, so that it need not check certificates again.

A session is the result of a full handshake: keys with which only the same server can continue, after its certificate
was verified for the host. So it is offered to no target but its own, for `KEPT_SECONDS` and not beyond the
certificate's end, and a handshake that fails discards it. A server that does not accept it makes a full handshake,
whose session replaces it. Losing sessions costs handshakes and nothing else.

One session is offered many times. TLS recommends a new one for each connection, so that no observer sees that two come
from the same client; a gateway that calls the same endpoint has no such secret. And Python copies a session by
serialising and parsing it, so that a new one each time would cost a third of what resuming saves.
"""

import ssl
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from signalpost.domain.request import EndpointTls, Target
from signalpost.domain.timestamps import SECOND

KEPT_SECONDS = 3_600.0
MAX_SESSIONS = 1_000
"""Maximum number of sessions to keep, some 19 KB each."""
MAX_CONTEXTS = 200
"""Maximum number of contexts of single subscriptions to keep; those that trust the system's authorities are large."""


class _KeptSession(Struct, frozen=True):
    session: ssl.SSLSession
    until: float


class TlsSessions:
    def __init__(
        self,
        context: ssl.SSLContext,
        now: Callable[[], float],
        most: int = MAX_SESSIONS,
        context_of: Callable[[EndpointTls], ssl.SSLContext] | None = None,
    ) -> None:
        """`now` returns the wall clock's time in seconds, by which certificates expire. `context_of` makes the context
        of a subscription that speaks TLS in its own way; it takes 10 ms, so they are kept."""
        self._context = context
        self._context_of = None if context_of is None else lru_cache(MAX_CONTEXTS)(context_of)
        self._now = now
        self._most = most
        self._kept: dict[Target, _KeptSession] = {}
        """Sessions by target, oldest first."""

    def handshake(self, target: Target) -> "Handshake":
        """A stand-in for the TLS context, for one new connection to this target."""
        kept = self._kept.get(target)
        if kept is not None and kept.until <= self._now():
            del self._kept[target]
            kept = None
        return Handshake(self, self._context_for(target), target, None if kept is None else kept.session)

    def _context_for(self, target: Target) -> ssl.SSLContext:
        """Raises ssl.SSLError if OpenSSL cannot use what a subscription has."""
        if target.tls is None:
            return self._context
        assert self._context_of is not None
        return self._context_of(target.tls)

    def forget(self, target: Target) -> None:
        self._kept.pop(target, None)

    def keep(self, target: Target, tls: ssl.SSLObject) -> int | None:
        """Keep the session of a full handshake. Returns when the certificate ends, µs since the epoch, if it says."""
        session, certificate = tls.session, tls.getpeercert()
        if not certificate:
            return None
        ends = float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))
        if session is not None and session.has_ticket:
            self._put(target, session, ends)
        return int(ends * SECOND)

    def _put(self, target: Target, session: ssl.SSLSession, ends: float) -> None:
        self._kept.pop(target, None)
        self._kept[target] = _KeptSession(session, min(self._now() + KEPT_SECONDS, ends))
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]


class Handshake:
    """Stands in for the TLS context while one connection is made. Event loops have no argument for a session, and call
    no method of a context but `wrap_bio`."""

    def __init__(
        self, sessions: TlsSessions, context: ssl.SSLContext, target: Target, session: ssl.SSLSession | None
    ) -> None:
        self._sessions = sessions
        self._context = context
        self._target = target
        self._session = session
        self._tls: ssl.SSLObject | None = None

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - as the context's
        server_hostname: str | None = None,
    ) -> ssl.SSLObject:
        self._tls = self._context.wrap_bio(incoming, outgoing, server_side, server_hostname, self._session)
        return self._tls

    @property
    def version(self) -> str | None:
        """The version of TLS that was agreed on."""
        return None if self._tls is None else self._tls.version()

    def served(self) -> int | None:
        """The first answer has arrived, so the server has sent the session to resume. Keep it. Returns when the
        certificate ends (µs since the epoch) if it was checked on this connection."""
        if self._tls is None or self._tls.session_reused:
            return None
        return self._sessions.keep(self._target, self._tls)
