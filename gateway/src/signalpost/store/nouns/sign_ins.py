"""Who is signed in, in a browser, the links that sign a person in once, and how often passwords were tried."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, TypeVar

from signalpost.domain.access.sign_in import IDLE, MAX_OF_GROUND, Ground, Link, Purpose, Session
from signalpost.domain.access.sign_in_tries import Counts, Try
from signalpost.store.packing.sign_ins import (
    LINK_COLUMNS,
    SESSION_COLUMNS,
    pack_link,
    pack_session,
    unpack_link,
    unpack_session,
)
from signalpost.store.statements import EVERY_TENANT, Row, RowReader, RowWriter, Statement

T = TypeVar("T")
_ALL: Final = 2**62
"""A limit, which SQLite wants before an offset, of all rows."""
_REMOVE_UNUSED: Final = "DELETE FROM session WHERE used_at <= $1"
_MAKE_ROOM: Final = (
    "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE ground_kind = $1 AND ground_id = $2"
    f" ORDER BY began_at DESC LIMIT {_ALL} OFFSET $3)"
)
_BEGIN: Final = f"INSERT INTO session ({SESSION_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_FIND: Final = f"SELECT {SESSION_COLUMNS} FROM session WHERE hash = $1 AND purpose = $2"
_OF_GROUND: Final = (
    f"SELECT {SESSION_COLUMNS} FROM session WHERE ground_kind = $1 AND ground_id = $2 AND proof = $3 AND purpose = $4"
    " ORDER BY used_at DESC, hash"
)
_NOTE_USE: Final = "UPDATE session SET used_at = $2 WHERE hash = $1 AND used_at < $2"
_NOTE_PROOF: Final = "UPDATE session SET proved_at = $2 WHERE hash = $1"
_END: Final = "DELETE FROM session WHERE hash = $1 RETURNING 1"
_END_ALL: Final = "DELETE FROM session WHERE ground_kind = $1 AND ground_id = $2 RETURNING 1"
_END_LINKS: Final = "DELETE FROM sign_in_link WHERE ground_kind = $1 AND ground_id = $2"
_REMOVE_EXPIRED: Final = "DELETE FROM sign_in_link WHERE expires_at <= $1"
_MAKE_ROOM_FOR_LINK: Final = (
    "DELETE FROM sign_in_link WHERE hash IN (SELECT hash FROM sign_in_link WHERE ground_kind = $1 AND ground_id = $2"
    f" AND purpose = $3 ORDER BY expires_at DESC LIMIT {_ALL} OFFSET $4)"
)
_KEEP_LINK: Final = f"INSERT INTO sign_in_link ({LINK_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)"
_USE_LINK: Final = (
    f"DELETE FROM sign_in_link WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING {LINK_COLUMNS}"
)


class SignInStore(ABC):
    """Sessions and links, which every node takes. What has ended is removed by the next one that begins."""

    def __init__(self, reads: RowReader, writes: RowWriter) -> None:
        self._reads = reads
        self._writes = writes

    async def begin(self, session: Session) -> None:
        """Keep a new session. The oldest one of the same ground makes room for it if that has too many."""
        await self._writes.all(
            EVERY_TENANT,
            [
                Statement(_REMOVE_UNUSED, (session.began_at - IDLE,)),
                Statement(_MAKE_ROOM, (*session.ground[:2], MAX_OF_GROUND - 1)),
                Statement(_BEGIN, pack_session(session)),
            ],
        )

    async def find(self, digest: bytes, purpose: Purpose) -> Session | None:
        """The session with this hash, if it serves the purpose. It may have ended by its times."""
        found = await self._reads.rows(EVERY_TENANT, _FIND, digest, str(purpose))
        return unpack_session(found[0]) if found else None

    async def of_ground(self, ground: Ground, purpose: Purpose) -> list[Session]:
        """The sessions of a ground that serve a purpose, the one that was used last first. Some may have ended by their
        times."""
        found = await self._reads.rows(EVERY_TENANT, _OF_GROUND, *ground, str(purpose))
        return [unpack_session(columns) for columns in found]

    async def note_use(self, digest: bytes, at: int) -> None:
        """Keep when a session was used."""
        await self._write(_NOTE_USE, digest, at)

    async def note_proof(self, digest: bytes, at: int) -> None:
        """Keep when the holder of a session showed a key or a password."""
        await self._write(_NOTE_PROOF, digest, at)

    async def end(self, digest: bytes) -> bool:
        """End the session with this hash. Returns whether there was one."""
        return bool(await self._write(_END, digest))

    async def end_all(self, ground: Ground) -> int:
        """End every session of a ground, and its links. Returns how many sessions there were."""
        ended = [Statement(_END_LINKS, ground[:2]), Statement(_END_ALL, ground[:2])]
        return len((await self._writes.all(EVERY_TENANT, ended))[1])

    async def keep_link(self, link: Link, now: int) -> None:
        """Keep a new link. The oldest one of the same ground and purpose makes room if there are too many."""
        await self._writes.all(
            EVERY_TENANT,
            [
                Statement(_REMOVE_EXPIRED, (now,)),
                Statement(_MAKE_ROOM_FOR_LINK, (*link.ground[:2], str(link.purpose), MAX_OF_GROUND - 1)),
                Statement(_KEEP_LINK, pack_link(link)),
            ],
        )

    async def use_link(self, digest: bytes, purpose: Purpose, now: int) -> Link | None:
        """Use up the link with this hash, and return it, if it serves the purpose and has not expired. No one else, on
        any node, can use it after that. A link with another purpose stays."""
        found = await self._write(_USE_LINK, digest, str(purpose), now)
        return unpack_link(found[0]) if found else None

    async def _write(self, sql: str, *parameters: str | bytes | int) -> list[Row]:
        [found] = await self._writes.all(EVERY_TENANT, [Statement(sql, parameters)])
        return found

    @abstractmethod
    async def count_tries(self, of: Try, now: int, decide: Callable[[Counts], tuple[T, Counts]]) -> T:
        """Let `decide` see the counts that apply to a try, and store those that it changes. Meanwhile no other node
        sees or changes them. Counts that have expired at `now` are removed. Returns what `decide` returns along with
        the counts."""
