"""Sessions and links, and how often passwords were tried."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import apsw

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
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.writer import Writer, writing

T = TypeVar("T")
_OF_GROUND: Final = "ground_kind = ? AND ground_id = ?"


class SqliteSignIns:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    @writing
    def begin(self, connection: apsw.Connection, session: Session) -> None:
        connection.execute("DELETE FROM session WHERE used_at <= ?", (session.began_at - IDLE,))
        connection.execute(
            "DELETE FROM session WHERE hash IN"  # noqa: S608
            f" (SELECT hash FROM session WHERE {_OF_GROUND} ORDER BY began_at DESC LIMIT -1 OFFSET ?)",
            (*session.ground[:2], MAX_OF_GROUND - 1),
        )
        _insert(connection, "session", SESSION_COLUMNS, pack_session(session))

    @reading
    def find(self, connection: apsw.Connection, digest: bytes, purpose: Purpose) -> Session | None:
        statement = f"SELECT {SESSION_COLUMNS} FROM session WHERE hash = ? AND purpose = ?"  # noqa: S608
        found = rows(connection, statement, (digest, str(purpose)))
        return unpack_session(found[0]) if found else None

    @reading
    def of_ground(self, connection: apsw.Connection, ground: Ground, purpose: Purpose) -> list[Session]:
        statement = (
            f"SELECT {SESSION_COLUMNS} FROM session WHERE {_OF_GROUND} AND proof = ? AND purpose = ?"  # noqa: S608
            " ORDER BY used_at DESC, hash"
        )
        return [unpack_session(columns) for columns in rows(connection, statement, (*ground, str(purpose)))]

    @writing
    def note_use(self, connection: apsw.Connection, digest: bytes, at: int) -> None:
        connection.execute("UPDATE session SET used_at = ?2 WHERE hash = ?1 AND used_at < ?2", (digest, at))

    @writing
    def note_proof(self, connection: apsw.Connection, digest: bytes, at: int) -> None:
        connection.execute("UPDATE session SET proved_at = ?2 WHERE hash = ?1", (digest, at))

    @writing
    def end(self, connection: apsw.Connection, digest: bytes) -> bool:
        connection.execute("DELETE FROM session WHERE hash = ?", (digest,))
        return connection.changes() > 0

    @writing
    def end_all(self, connection: apsw.Connection, ground: Ground) -> int:
        connection.execute(f"DELETE FROM sign_in_link WHERE {_OF_GROUND}", ground[:2])  # noqa: S608
        connection.execute(f"DELETE FROM session WHERE {_OF_GROUND}", ground[:2])  # noqa: S608
        return connection.changes()

    @writing
    def keep_link(self, connection: apsw.Connection, link: Link, now: int) -> None:
        connection.execute("DELETE FROM sign_in_link WHERE expires_at <= ?", (now,))
        connection.execute(
            "DELETE FROM sign_in_link WHERE hash IN (SELECT hash FROM sign_in_link"  # noqa: S608
            f" WHERE {_OF_GROUND} AND purpose = ? ORDER BY expires_at DESC LIMIT -1 OFFSET ?)",
            (*link.ground[:2], str(link.purpose), MAX_OF_GROUND - 1),
        )
        _insert(connection, "sign_in_link", LINK_COLUMNS, pack_link(link))

    @writing
    def use_link(self, connection: apsw.Connection, digest: bytes, purpose: Purpose, now: int) -> Link | None:
        found = rows(
            connection,
            f"DELETE FROM sign_in_link WHERE hash = ? AND purpose = ? AND expires_at > ? RETURNING {LINK_COLUMNS}",  # noqa: S608
            (digest, str(purpose), now),
        )
        return unpack_link(found[0]) if found else None

    @writing
    def count_tries(
        self, connection: apsw.Connection, of: Try, now: int, decide: Callable[[Counts], tuple[T, Counts]]
    ) -> T:
        found = rows(connection, "SELECT subject, clear_at, kept_until FROM sign_in_try WHERE subject IN (?, ?, ?)", of)
        said, changed = decide({subject: Count(*count) for subject, *count in found})
        connection.executemany(
            "INSERT OR REPLACE INTO sign_in_try (subject, clear_at, kept_until) VALUES (?, ?, ?)",
            [(subject, *count) for subject, count in changed.items()],
        )
        connection.execute("DELETE FROM sign_in_try WHERE kept_until <= ?", (now,))
        return said


def _insert(connection: apsw.Connection, table: str, columns: str, values: tuple[Any, ...]) -> None:
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608
