"""Who is signed in, in a browser, the links that sign somebody in once, and how often passwords were tried."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from signalpost.domain.sign_in import Ground, Link, Purpose, Session
from signalpost.domain.sign_in_tries import Counts, Try

T = TypeVar("T")


class SignInStore(Protocol):
    """Sessions and links, which every node takes. What has ended is removed by the next one that begins."""

    async def begin(self, session: Session) -> None:
        """Keep a new session. The oldest one of the same ground makes room for it where that has too many."""
        ...

    async def find(self, digest: bytes, purpose: Purpose) -> Session | None:
        """The session with this hash, if it serves the purpose. It may have ended by its times."""
        ...

    async def of_ground(self, ground: Ground, purpose: Purpose) -> list[Session]:
        """The sessions of a ground that serve a purpose, the one that was used last first. Some may have ended by their
        times."""
        ...

    async def note_use(self, digest: bytes, at: int) -> None:
        """Keep when a session was used."""
        ...

    async def note_proof(self, digest: bytes, at: int) -> None:
        """Keep when the holder of a session showed a key or a password."""
        ...

    async def end(self, digest: bytes) -> bool:
        """End the session with this hash. Returns whether there was one."""
        ...

    async def end_all(self, ground: Ground) -> int:
        """End every session of a ground, and its links. Returns how many sessions there were."""
        ...

    async def keep_link(self, link: Link, now: int) -> None:
        """Keep a new link. The oldest one of the same ground and purpose makes room where there are too many."""
        ...

    async def use_link(self, digest: bytes, purpose: Purpose, now: int) -> Link | None:
        """Use up the link with this hash, and return it, if it serves the purpose and has not expired. Nobody else, on
        any node, can use it after that. A link with another purpose stays."""
        ...

    async def count_tries(self, of: Try, now: int, decide: Callable[[Counts], tuple[T, Counts]]) -> T:
        """Let `decide` see the counts that apply to a try, and store those that it changes. Meanwhile no other node
        sees or changes them. Counts that have expired at `now` are removed. Returns what `decide` returns along with
        the counts."""
        ...
