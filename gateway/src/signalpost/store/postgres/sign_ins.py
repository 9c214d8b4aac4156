"""Sessions and links, and how often passwords were tried."""

from collections.abc import Callable
from typing import Final, TypeVar

from signalpost.domain.sign_in import IDLE, MAX_OF_GROUND, Ground, Link, Purpose, Session
from signalpost.domain.sign_in_tries import Count, Counts, Try
from signalpost.store.packing.sign_ins import (
    LINK_COLUMNS,
    SESSION_COLUMNS,
    pack_link,
    pack_session,
    unpack_link,
    unpack_session,
)
from signalpost.store.postgres.columns import blobs, numbers
from signalpost.store.postgres.connect import Statement
from signalpost.store.postgres.sessions import EVERY_TENANT, ReadSessions, Steps, Writers

T = TypeVar("T")
_REMOVE_UNUSED: Final = "DELETE FROM session WHERE used_at <= $1"
_MAKE_ROOM: Final = (
    "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE ground_kind = $1 AND ground_id = $2"
    " ORDER BY began_at DESC OFFSET $3)"
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
    " AND purpose = $3 ORDER BY expires_at DESC OFFSET $4)"
)
_KEEP_LINK: Final = f"INSERT INTO sign_in_link ({LINK_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)"
_USE_LINK: Final = (
    f"DELETE FROM sign_in_link WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING {LINK_COLUMNS}"
)

_LOCK_COUNTS: Final = (
    "INSERT INTO sign_in_try (subject, clear_at, kept_until)"
    " SELECT subject, 0, 0 FROM unnest($1) AS asked (subject) ORDER BY subject"
    " ON CONFLICT (subject) DO UPDATE SET clear_at = sign_in_try.clear_at RETURNING subject, clear_at, kept_until"
)
"""Makes those that are not there, so that they are locked too."""
_KEEP_COUNTS: Final = (
    "UPDATE sign_in_try SET clear_at = changed.clear_at, kept_until = changed.kept_until"
    " FROM unnest($1, $2, $3) AS changed (subject, clear_at, kept_until)"
    " WHERE sign_in_try.subject = changed.subject"
)
_REMOVE_COUNTS: Final = (
    "DELETE FROM sign_in_try WHERE subject IN"
    " (SELECT subject FROM sign_in_try WHERE kept_until <= $1 FOR UPDATE SKIP LOCKED)"
)
"""What another node has locked it removes itself; to wait for it could be to wait for each other."""


class PostgresSignIns:
    def __init__(self, readers: ReadSessions, writers: Writers) -> None:
        self._readers = readers
        self._writers = writers

    async def begin(self, session: Session) -> None:
        await self._writers.all(
            EVERY_TENANT,
            [
                Statement(_REMOVE_UNUSED, (session.began_at - IDLE,)),
                Statement(_MAKE_ROOM, (*session.ground[:2], MAX_OF_GROUND - 1)),
                Statement(_BEGIN, pack_session(session)),
            ],
        )

    async def find(self, digest: bytes, purpose: Purpose) -> Session | None:
        found = await self._readers.rows(EVERY_TENANT, _FIND, digest, str(purpose))
        return unpack_session(found[0]) if found else None

    async def of_ground(self, ground: Ground, purpose: Purpose) -> list[Session]:
        found = await self._readers.rows(EVERY_TENANT, _OF_GROUND, *ground, str(purpose))
        return [unpack_session(columns) for columns in found]

    async def note_use(self, digest: bytes, at: int) -> None:
        await self._writers.rows(EVERY_TENANT, _NOTE_USE, digest, at)

    async def note_proof(self, digest: bytes, at: int) -> None:
        await self._writers.rows(EVERY_TENANT, _NOTE_PROOF, digest, at)

    async def end(self, digest: bytes) -> bool:
        return bool(await self._writers.rows(EVERY_TENANT, _END, digest))

    async def end_all(self, ground: Ground) -> int:
        ended = [Statement(_END_LINKS, ground[:2]), Statement(_END_ALL, ground[:2])]
        return len((await self._writers.all(EVERY_TENANT, ended))[1])

    async def keep_link(self, link: Link, now: int) -> None:
        await self._writers.all(
            EVERY_TENANT,
            [
                Statement(_REMOVE_EXPIRED, (now,)),
                Statement(_MAKE_ROOM_FOR_LINK, (*link.ground[:2], str(link.purpose), MAX_OF_GROUND - 1)),
                Statement(_KEEP_LINK, pack_link(link)),
            ],
        )

    async def use_link(self, digest: bytes, purpose: Purpose, now: int) -> Link | None:
        found = await self._writers.rows(EVERY_TENANT, _USE_LINK, digest, str(purpose), now)
        return unpack_link(found[0]) if found else None

    async def count_tries(self, of: Try, now: int, decide: Callable[[Counts], tuple[T, Counts]]) -> T:
        return await self._writers.run(EVERY_TENANT, _count_tries(of, now, decide))


def _count_tries(of: Try, now: int, decide: Callable[[Counts], tuple[T, Counts]]) -> Steps[T]:
    [found] = yield [Statement(_LOCK_COUNTS, (blobs(of),))]
    said, changed = decide({subject: Count(clear_at, kept_until) for subject, clear_at, kept_until in found})
    counts = changed.values()
    kept = (blobs(changed), numbers(each.clear_at for each in counts), numbers(each.kept_until for each in counts))
    yield [Statement(_KEEP_COUNTS, kept), Statement(_REMOVE_COUNTS, (now,))]
    return said
