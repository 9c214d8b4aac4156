"""The tables of the outbox in MySQL or MariaDB.

The driver blocks, so each connection has a thread, which runs one statement after the other. A statement that no caller
waits for any more, as at a stop, still runs to its end: closing waits its turn behind it.

The lock is one of `GET_LOCK`, which ends with its connection. The server waits for ten minutes for one that is silent.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import pymysql
from pymysql.constants import ER

from signalpost_connect.outbox.database import BATCH_BYTES, Row
from signalpost_connect.source import SourceAway
from signalpost_connect.tls import tls_context

T = TypeVar("T")
_LOOPBACK: Final = ("", "localhost", "127.0.0.1", "::1")
_SESSION: Final = (
    # Without it, a statement would lock the gaps between rows, and the platform's INSERT wait for it.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION time_zone = '+00:00', wait_timeout = 600",
)
_LOCK: Final = "SELECT GET_LOCK(CONCAT('signalpost_outbox ', SHA1(CONCAT(DATABASE(), ' ', %s))), 0)"
_OLDEST: Final = """
SELECT id, document_id, COALESCE(source_version, id), snapshot, traceparent, seconds FROM (
  SELECT oldest.*,
    SUM(OCTET_LENGTH(snapshot)) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
  FROM (
    SELECT id, document_id, source_version, snapshot, traceparent,
      TIMESTAMPDIFF(MICROSECOND, at, CURRENT_TIMESTAMP(6)) / 1e6 AS seconds
    FROM signalpost_outbox WHERE tenant = %s AND id NOT IN %s ORDER BY id LIMIT %s
  ) AS oldest
) AS measured WHERE COALESCE(bytes_before, 0) < %s ORDER BY id
"""
_COUNT_DEAD: Final = "SELECT COUNT(*) FROM signalpost_outbox_dead WHERE tenant = %s"
_DIE: Final = """
REPLACE INTO signalpost_outbox_dead (tenant, id, document_id, source_version, snapshot, traceparent, at, problem)
SELECT tenant, id, document_id, source_version, snapshot, traceparent, at, %s FROM signalpost_outbox
WHERE tenant = %s AND id = %s
"""
_REMOVE: Final = "DELETE FROM signalpost_outbox WHERE tenant = %s AND id IN %s"


class MySqlOutbox:
    """The rows of one tenant."""

    def __init__(self, url: str, tenant: str) -> None:
        """Raises ValueError if `url` is none, or has a member that there is not."""
        self._settings = settings_of(url)
        self._tenant = tenant
        self._thread: ThreadPoolExecutor | None = None
        self._connected: Any = None
        """The driver's connection, which only the thread touches."""

    async def connect(self) -> bool:
        """Connect, and take the lock."""
        self._thread = ThreadPoolExecutor(1, "mysql")
        return await self._on_thread(self._connect)

    async def oldest(self, most: int, but: Collection[int]) -> Sequence[Row]:
        """The oldest rows."""
        without = [*but] or [0]  # a list of MySQL has something in it, and no id is 0
        rows = await self._on_thread(lambda: self._asked(_OLDEST, self._tenant, without, most, BATCH_BYTES))
        return [Row(*row) for row in rows]

    async def settle(self, done: Sequence[int], problems: Mapping[int, str]) -> None:
        """Delete and move rows."""
        await self._on_thread(lambda: self._settle(done, problems))

    async def count_dead(self) -> int:
        """How many rows are dead."""
        [[count]] = await self._on_thread(lambda: self._asked(_COUNT_DEAD, self._tenant))
        return int(count)

    async def close(self) -> None:
        """Close the connection, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            closing = asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)  # what was asked of it before is still done
            await closing

    async def _on_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (pymysql.MySQLError, RuntimeError) as error:
            raise SourceAway(_sentence(error)) from error

    # --- On the thread ------------------------------------------------------------------------------------------------

    def _connect(self) -> bool:
        self._connected = pymysql.connect(**self._settings)
        for statement in _SESSION:
            self._asked(statement)
        return self._asked(_LOCK, self._tenant) == [(1,)]

    def _asked(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._connected.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def _settle(self, done: Sequence[int], problems: Mapping[int, str]) -> None:
        self._connected.begin()
        for number, problem in problems.items():
            self._asked(_DIE, problem, self._tenant, number)
        if settled := [*done, *problems]:
            self._asked(_REMOVE, self._tenant, settled)
        self._connected.commit()

    def _close(self) -> None:
        connection, self._connected = self._connected, None
        if connection is not None:
            with suppress(pymysql.MySQLError):
                connection.close()


# --- The URL ----------------------------------------------------------------------------------------------------------


def settings_of(url: str) -> dict[str, Any]:
    """What the driver gets for a URL such as `mysql://user:password@host/database?ssl-ca=/etc/…`. Raises ValueError,
    which does not quote it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 3306
        asked = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise ValueError("what it refers to is not a URL of MySQL.") from None
    database = unquote(parts.path.removeprefix("/"))
    if not parts.username or not database:
        raise ValueError("the URL names a user and a database: mysql://user:password@host/database.")
    if unknown := asked.keys() - {"socket", "ssl-ca", "ssl-mode"}:
        raise ValueError(f"the URL has a parameter that there is not: {min(unknown)[:40]!r}.")
    return {
        "user": unquote(parts.username),
        "password": unquote(parts.password or ""),
        "host": host or "localhost",
        "port": port,
        "unix_socket": asked.get("socket"),
        "database": database,
        "charset": "utf8mb4",
        "autocommit": True,
        "connect_timeout": 10,
        "read_timeout": 60,
        "write_timeout": 60,
        **_encryption(host, asked),
    }


def _encryption(host: str, asked: Mapping[str, str]) -> dict[str, Any]:
    """Another machine has to prove who it is, unless the URL says otherwise."""
    mode = asked.get("ssl-mode", "disabled" if host in _LOOPBACK and "ssl-ca" not in asked else "verify-identity")
    if mode == "disabled":
        return {"ssl_disabled": True}
    if mode != "verify-identity":
        raise ValueError("ssl-mode of the URL is verify-identity or disabled.")
    try:
        return {"ssl": tls_context(asked.get("ssl-ca"))}
    except OSError as error:
        raise ValueError(f"the file that ssl-ca of the URL names cannot be used ({type(error).__name__}).") from None


def _sentence(error: Exception) -> str:
    if error.args[:1] == (ER.NO_SUCH_TABLE,):
        return "The database has no signalpost_outbox; run what `signalpost-connect outbox sql --mysql` prints."
    said = " ".join(str(error.args[-1] if error.args else "").split()).rstrip(".")
    return f"MySQL: {said or type(error).__name__}."
