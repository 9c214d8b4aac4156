"""TLS sessions that a new connection may go on with, so that it need not look at certificates again.

A session is what a whole handshake leaves: keys that the same server alone can go on with, once its certificate was
found good for the host. So it is offered to no other target than the one it was made with, for `KEPT_SECONDS` and not
beyond the certificate's own end, and it is thrown away by a handshake that fails. A server that does not want it does a
whole handshake, whose session takes its place. Losing them costs handshakes, nothing else.

One session is offered again and again. TLS would rather have a new one for each connection, so that no observer sees
that two are from the same client; a gateway that calls the same endpoint has no such secret. And Python copies a
session by writing and parsing it: to take a new one each time costs a third of what it saves.
"""

import ssl
from collections.abc import Callable

from msgspec import Struct

from signalpost.domain.request import Target

KEPT_SECONDS = 3_600.0
MAX_SESSIONS = 1_000
"""Some 19 KB each."""


class _Kept(Struct, frozen=True):
    session: ssl.SSLSession
    until: float


class Sessions:
    def __init__(self, context: ssl.SSLContext, now: Callable[[], float], most: int = MAX_SESSIONS) -> None:
        """`now` is the wall clock in seconds, which certificates are valid by."""
        self._context = context
        self._now = now
        self._most = most
        self._kept: dict[Target, _Kept] = {}
        """The first made comes first."""

    def handshake(self, target: Target) -> "Handshake":
        """For one new connection to this target."""
        kept = self._kept.get(target)
        if kept is not None and kept.until <= self._now():
            del self._kept[target]
            kept = None
        return Handshake(self, self._context, target, None if kept is None else kept.session)

    def forget(self, target: Target) -> None:
        self._kept.pop(target, None)

    def keep(self, target: Target, tls: ssl.SSLObject) -> None:
        """Keep what a whole handshake left."""
        session, certificate = tls.session, tls.getpeercert()
        if session is None or not session.has_ticket or not certificate:
            return
        ends = float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))
        self._kept.pop(target, None)
        self._kept[target] = _Kept(session, min(self._now() + KEPT_SECONDS, ends))
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]


class Handshake:
    """Stands for the context while one connection is made: an event loop has no argument for a session, and asks a
    context for nothing but `wrap_bio`."""

    def __init__(
        self, sessions: Sessions, context: ssl.SSLContext, target: Target, session: ssl.SSLSession | None
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

    def served(self) -> None:
        """The first answer came: by now the server has said what to go on with."""
        if self._tls is not None and not self._tls.session_reused:
            self._sessions.keep(self._target, self._tls)
