"""The real SQLite store, with faults to order before and after what it is asked for."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from signalpost.commands.command import Command
from signalpost.domain.event import Event
from signalpost.store.lanes import LaneFlush, LaneFlushed, LaneRow, LaneWanted
from signalpost.store.log import Page
from signalpost.store.sqlite.lanes import SqliteLanes
from signalpost.store.sqlite.log import SqliteLog
from signalpost.store.sqlite.readers import Readers
from signalpost.store.sqlite.retention import SqliteRetention
from signalpost.store.sqlite.store import SqliteStore
from signalpost.store.sqlite.writer import Writer
from signalpost.store.store import MAX_SCANNED, Published


class Operation(StrEnum):
    """What a store may fail at."""

    PUBLISH = "publish"
    RECORD = "record"
    PRUNE = "prune"
    PAGE = "page"
    """Reading a part of the log."""
    BODIES = "bodies"
    """Reading the bodies of some events."""
    LANES = "lanes"
    """Reading lanes."""


class StoreFaults:
    """What goes wrong with a store: nothing, unless a subclass says so. Each method may wait, or raise."""

    async def before(self, operation: Operation) -> None:
        """Called before the store does anything."""

    async def after(self, operation: Operation) -> None:
        """Called once it is done, and before the engine learns that."""


class FaultyLog(SqliteLog):
    """The log, with faults, and a count of what was asked of it."""

    def __init__(self, faults: StoreFaults, readers: Readers, max_scanned: int) -> None:
        super().__init__(readers, max_scanned)
        self._faults = faults
        self.pages_read = 0
        self.bodies_read = 0

    async def after(self, tenant_id: int, sequence: int, limit: int) -> Page:
        self.pages_read += 1
        await self._faults.before(Operation.PAGE)
        page = await super().after(tenant_id, sequence, limit)
        await self._faults.after(Operation.PAGE)
        return page

    async def events(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        self.bodies_read += len(sequences)
        await self._faults.before(Operation.BODIES)
        bodies = await super().events(tenant_id, sequences)
        await self._faults.after(Operation.BODIES)
        return bodies


class FaultyRetention(SqliteRetention):
    def __init__(self, faults: StoreFaults, readers: Readers, writer: Writer) -> None:
        super().__init__(readers, writer)
        self._faults = faults

    async def prune_log(self, tenant_id: int, floor: int, limit: int) -> int:
        await self._faults.before(Operation.PRUNE)
        pruned = await super().prune_log(tenant_id, floor, limit)
        await self._faults.after(Operation.PRUNE)
        return pruned


class FaultyLanes(SqliteLanes):
    """Lanes, with faults, and a count of what was asked of them."""

    def __init__(self, faults: StoreFaults, readers: Readers, writer: Writer) -> None:
        super().__init__(readers, writer)
        self._faults = faults
        self.refills = 0
        self.is_fenced = False
        """Whether a lane turned out to be another process's."""

    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        await self._faults.before(Operation.RECORD)
        self.refills += sum(flush.refill > 0 for flush in flushes)
        recorded = await super().record(flushes)
        self.is_fenced = self.is_fenced or len(recorded) < len(flushes)
        await self._faults.after(Operation.RECORD)
        return recorded

    async def load(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        await self._faults.before(Operation.LANES)
        rows = await super().load(wanted)
        await self._faults.after(Operation.LANES)
        return rows


class FaultyStore(SqliteStore):
    """SQLite with faults, and a count of what was asked of it."""

    def __init__(self, faults: StoreFaults, *args: Any) -> None:
        super().__init__(*args)
        self._faults = faults
        self.log: FaultyLog = FaultyLog(faults, self.readers, MAX_SCANNED)
        self.retention: FaultyRetention = FaultyRetention(faults, self.readers, self.writer)
        self.lanes: FaultyLanes = FaultyLanes(faults, self.readers, self.writer)

    async def publish(self, commands: Sequence[Command[Any]]) -> Published:
        await self._faults.before(Operation.PUBLISH)
        published = await super().publish(commands)
        await self._faults.after(Operation.PUBLISH)
        return published
