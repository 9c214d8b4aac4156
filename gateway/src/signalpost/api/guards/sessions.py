"""Begins, finds and ends sessions, and creates and uses links. `domain/access/sign_in.py` says what they are.

All of this is in the store, and each use reads it. So a session is valid on every node and survives a restart, and once
it was ended it has ended everywhere.
"""

from collections.abc import Callable

from signalpost.domain.access.sign_in import (
    LIFETIME,
    LINK_LIFETIME,
    UNKNOWN_WHENCE,
    Ground,
    Link,
    Purpose,
    Session,
    Whence,
    hash_token,
    make_token,
)
from signalpost.store.nouns.sign_ins import SignInStore


class BrowserSessions:
    """Every method raises Unavailable if the database does not answer."""

    def __init__(self, store: SignInStore, now: Callable[[], int], random_bytes: Callable[[int], bytes]) -> None:
        """`now` is the wall clock, in µs."""
        self._store = store
        self._now = now
        self._random_bytes = random_bytes

    async def begin(
        self,
        purpose: Purpose,
        ground: Ground,
        lifetime: int = LIFETIME,
        proved_at: int | None = None,
        whence: Whence = UNKNOWN_WHENCE,
    ) -> str:
        """Begin a session that ends after `lifetime` (µs) at the latest. `proved_at` is when its holder showed who they
        are, if that was not just now. Returns its token, which always is a new one."""
        token, now = make_token(self._random_bytes), self._now()
        session = Session(
            hash=hash_token(token),
            purpose=purpose,
            ground=ground,
            began_at=now,
            ends_at=now + lifetime,
            used_at=now,
            proved_at=now if proved_at is None else min(proved_at, now),
            whence=whence,
        )
        await self._store.begin(session)
        return token

    async def find(self, token: str, purpose: Purpose) -> Session | None:
        """The session with this token; None if there is none for this purpose, or it has ended."""
        session, now = await self._store.find(hash_token(token), purpose), self._now()
        if session is None or session.has_ended(now):
            return None
        if session.is_use_to_be_noted(now):
            await self._store.note_use(session.hash, now)
        return session

    async def look(self, token: str, purpose: Purpose) -> Session | None:
        """Like `find`, but it does not count as a use of the session."""
        session = await self._store.find(hash_token(token), purpose)
        return None if session is None or session.has_ended(self._now()) else session

    async def beside(self, session: Session) -> list[Session]:
        """The other sessions with the same ground and purpose as this one, the most recently used first."""
        now, found = self._now(), await self._store.of_ground(session.ground, session.purpose)
        return [each for each in found if each.hash != session.hash and not each.has_ended(now)]

    async def end_one_beside(self, session: Session, digest: bytes) -> bool:
        """End the session with this hash, if it is one of `beside`. Returns whether there was one."""
        is_beside = digest in {each.hash for each in await self.beside(session)}
        return is_beside and await self._store.end(digest)

    async def note_proof(self, session: Session) -> None:
        """Note that the holder of a session showed a key or a password now."""
        await self._store.note_proof(session.hash, self._now())

    async def end(self, token: str) -> None:
        """End a session, if it is still there."""
        await self._store.end(hash_token(token))

    async def end_all(self, ground: Ground) -> int:
        """End every session that comes from this, and its links. Returns how many sessions there were."""
        return await self._store.end_all(ground)

    async def make_link(self, purpose: Purpose, ground: Ground, lifetime: int = LINK_LIFETIME) -> str:
        """The token of a link that works once, within `lifetime` (µs)."""
        token, now = make_token(self._random_bytes), self._now()
        link = Link(hash=hash_token(token), purpose=purpose, ground=ground, expires_at=now + lifetime)
        await self._store.keep_link(link, now)
        return token

    async def use_link(self, token: str, purpose: Purpose) -> Link | None:
        """The link with this token, which works no more from now on; None if it was used, has expired, serves
        another purpose or never was."""
        return await self._store.use_link(hash_token(token), purpose, self._now())
