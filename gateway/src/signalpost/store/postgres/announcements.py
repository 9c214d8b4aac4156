"""What nodes announce to one another right after commits: how far tenants are.

An announcement only wakes other nodes. Nothing depends on it, because nodes also read the marks regularly. It is sent
in a transaction of its own, since a NOTIFY inside a batch would have all commits of the database wait for one another.
What is announced within a few milliseconds goes together.

A node that listens has a connection of its own, and asks it now and then whether it still works: one that is only
silent cannot be told from one that is dead. Behind a pooler nothing is ever heard; then marks are read alone.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import msgspec
import psycopg
from psycopg.sql import SQL, Identifier

from signalpost.domain.errors import StartError
from signalpost.runtime.logger import log
from signalpost.store.nouns.fleet import TenantMark
from signalpost.store.postgres.connect import DatabaseConnection, is_pooled, trip
from signalpost.store.postgres.sessions import SessionPool
from signalpost.store.postgres.source import DatabaseSource
from signalpost.store.statements import Statement

GATHERED: Final = 0.005
"""For how many seconds announcements are gathered."""
AT_ONCE: Final = 150
"""How many marks one notification has at most: it may have 8,000 bytes."""
PROBED_EVERY: Final = 10.0
"""After how many seconds of silence the connection is asked whether it still works."""
_CHANNEL: Final = "signalpost_"
"""What the name of the channel begins with; the schema's follows."""
_NOTIFY: Final = f"SELECT pg_notify('{_CHANNEL}' || current_schema(), $1)"
OnMarks = Callable[[Mapping[int, TenantMark]], None]


class _Announcement(msgspec.Struct, array_like=True):
    node: int | None
    marks: dict[int, TenantMark]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Announcement).decode


class Announcements:
    def __init__(self, source: DatabaseSource) -> None:
        self._source = source
        self._sessions = SessionPool(source.connect_anyway, 1)
        self._node: int | None = None
        self._waiting: dict[int, TenantMark] = {}
        self._sending: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self.are_heard = False
        """Whether a connection listens that was not found dead."""

    def speak_as(self, node: int) -> None:
        """From now on announcements are those of this node, which does not hear its own."""
        self._node = node

    def announce(self, marks: Mapping[int, TenantMark]) -> None:
        """Tell others, a moment later; what is given later for a tenant takes the place of what has not gone out."""
        self._waiting.update(marks)
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    def listen(self, on_marks: OnMarks) -> None:
        """Have `on_marks` called with what other nodes announce, until this is closed."""
        self._listening = asyncio.get_running_loop().create_task(self._listen(on_marks))

    async def close(self) -> None:
        """Send what waits, and stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
        if self._sending is not None:
            await self._sending
        await self._sessions.close()

    # --- Speaking -----------------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(GATHERED)
                marks, self._waiting = [*self._waiting.items()], {}
                parts = [dict(marks[first : first + AT_ONCE]) for first in range(0, len(marks), AT_ONCE)]
                said = [Statement(_NOTIFY, (_encode(_Announcement(self._node, part)).decode(),)) for part in parts]
                with suppress(psycopg.Error):  # whoever is not told reads it
                    async with self._sessions.connection() as connection:
                        await trip(connection, said)
        finally:
            self._sending = None

    # --- Listening ----------------------------------------------------------------------------------------------------

    async def _listen(self, on_marks: OnMarks) -> None:
        is_told = False
        while True:
            try:
                async with await self._source.connect_anyway() as connection:
                    if await is_pooled(connection):
                        log.warning("a pooler is in front of the database: other nodes' changes are seen by polling")
                        return
                    await self._hear(connection, on_marks)
            except (psycopg.Error, StartError) as error:
                if self.are_heard or not is_told:
                    log.warning("the connection for announcements was lost; connecting again", error=str(error))
                is_told = True
            finally:
                self.are_heard = False
            await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311

    async def _hear(self, connection: DatabaseConnection, on_marks: OnMarks) -> None:
        [[(schema,)]] = await trip(connection, [Statement("SELECT current_schema()")])
        await connection.execute(SQL("LISTEN {}").format(Identifier(_CHANNEL + schema)), prepare=False)
        self.are_heard = True
        while True:
            async for notification in connection.notifies(timeout=PROBED_EVERY):
                said = _decode(notification.payload)
                if said.node is None or said.node != self._node:
                    on_marks(said.marks)
            await trip(connection, [Statement("SELECT")])
