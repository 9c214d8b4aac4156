"""Who is signed in, and the links that sign somebody in once.

Both are known by random tokens of 256 bits, of which only the hash is kept. They are in this process's memory, so a
restart signs everybody out. A session is as good as the key with which it began: once that is revoked or has expired,
whatever the session is used for is refused.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final, NamedTuple

from signalpost.api.http.principals import Principal
from signalpost.domain.timestamps import SECOND

IDLE: Final = 30 * 60 * SECOND
"""A session that was not used for so long has ended (µs)."""
LIFETIME: Final = 12 * 3600 * SECOND
"""A session ends so long after it began, whatever it was used for (µs)."""
LINK_LIFETIME: Final = 15 * 60 * SECOND
"""A link signs somebody in within this time (µs)."""
MAX_SESSIONS: Final = 1_000
MAX_LINKS: Final = 100
TOKEN_BYTES: Final = 32


class _Session(NamedTuple):
    principal: Principal
    began: int
    used: int


class _Link(NamedTuple):
    principal: Principal
    expires: int


class Sessions:
    def __init__(self, now: Callable[[], int], random_bytes: Callable[[int], bytes]) -> None:
        """`now` is a clock in µs that is never set back."""
        self._now = now
        self._random_bytes = random_bytes
        self._sessions: dict[bytes, _Session] = {}
        self._links: dict[bytes, _Link] = {}

    # --- Sessions -----------------------------------------------------------------------------------------------------

    def open(self, principal: Principal) -> str:
        """Begin a session. Returns its token, which always is a new one. The oldest session makes room for it where
        there are too many."""
        self._drop_ended()
        if len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda each: self._sessions[each].used)]
        token, now = self._token(), self._now()
        self._sessions[_hash(token)] = _Session(principal, now, now)
        return token

    def find(self, token: str) -> Principal | None:
        """Who has the session with this token; None where there is none, or it has ended."""
        key = _hash(token)
        session = self._sessions.get(key)
        if session is None or self._has_ended(session):
            return None
        self._sessions[key] = session._replace(used=self._now())
        return session.principal

    def close(self, token: str) -> None:
        """End a session, if it is still there."""
        self._sessions.pop(_hash(token), None)

    def _has_ended(self, session: _Session) -> bool:
        now = self._now()
        return now - session.used >= IDLE or now - session.began >= LIFETIME

    def _drop_ended(self) -> None:
        self._sessions = {key: each for key, each in self._sessions.items() if not self._has_ended(each)}

    # --- Links that sign somebody in ----------------------------------------------------------------------------------

    def make_link(self, principal: Principal) -> str:
        """The token of a link that signs `principal` in, once. The oldest link makes room for it where there are too
        many."""
        now = self._now()
        self._links = {key: link for key, link in self._links.items() if link.expires > now}
        if len(self._links) >= MAX_LINKS:
            del self._links[min(self._links, key=lambda each: self._links[each].expires)]
        token = self._token()
        self._links[_hash(token)] = _Link(principal, now + LINK_LIFETIME)
        return token

    def link(self, base: str, principal: Principal) -> str:
        """A link that signs `principal` in, once. `base` is where browsers reach the gateway."""
        return f"{base}/console/enter/{self.make_link(principal)}"

    def use_link(self, token: str) -> Principal | None:
        """Whom the link with this token signs in; None where it was used, has expired or never was."""
        link = self._links.pop(_hash(token), None)
        return None if link is None or link.expires <= self._now() else link.principal

    def _token(self) -> str:
        return urlsafe_b64encode(self._random_bytes(TOKEN_BYTES)).decode().rstrip("=")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
