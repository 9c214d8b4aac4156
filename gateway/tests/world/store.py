"""The real SQLite store, with faults to order before and after what it is asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from signalpost.commands.command import Command
from signalpost.domain.event import Event
from signalpost.store.fleet import ALONE, Beat, TenantConfig, TenantMark, Terms
from signalpost.store.lanes import LaneFlush, LaneFlushed, LaneRow, LaneWanted
from signalpost.store.log import LogPart
from signalpost.store.sqlite.fleet import SqliteFleet
from signalpost.store.sqlite.lanes import SqliteLanes
from signalpost.store.sqlite.log import SqliteLog
from signalpost.store.sqlite.readers import Readers
from signalpost.store.sqlite.retention import SqliteRetention
from signalpost.store.sqlite.store import SqliteStore
from signalpost.store.sqlite.writer import Writer
from signalpost.store.store import MAX_SCANNED, Published
from signalpost.store.vault import Vault


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
    BEAT = "beat"
    CLAIM = "claim"
    RELEASE = "release"
    FOLLOW = "follow"
    """Reading what other nodes committed."""


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

    async def after(self, tenant_id: int, sequence: int, limit: int) -> LogPart:
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

    def __init__(
        self, faults: StoreFaults, readers: Readers, writer: Writer, node_id: Callable[[], int | None]
    ) -> None:
        super().__init__(readers, writer, node_id)
        self._faults = faults
        self.refills = 0
        self.is_fenced = False
        """Whether a lane turned out to be another process's."""
        self.refused: set[int] = set()
        """The lanes of which this process was refused a record, and has not found since that they are its own."""

    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        await self._faults.before(Operation.RECORD)
        self.refills += sum(flush.refill > 0 for flush in flushes)
        recorded = await super().record(flushes)
        self.is_fenced = self.is_fenced or len(recorded) < len(flushes)
        await self._faults.after(Operation.RECORD)
        self.refused |= {flush.subscription_number for flush in flushes} - recorded.keys()
        return recorded

    async def load(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        await self._faults.before(Operation.LANES)
        rows = await super().load(wanted)
        await self._faults.after(Operation.LANES)
        self.refused -= {number for number, row in rows.items() if row.owner == self._node_id()}
        return rows


class FaultyFleet(SqliteFleet):
    """The fleet, with faults. `on_claimed` is told which lanes this node found to be its own, `on_announced` what it
    announces, and `on_marks` is what it hears of others with."""

    def __init__(
        self, faults: StoreFaults, readers: Readers, writer: Writer, vault: Vault, now: Callable[[], int], terms: Terms
    ) -> None:
        super().__init__(readers, writer, vault, now, terms)
        self._faults = faults
        self.on_claimed: Callable[[Iterable[int]], None] = lambda _numbers: None
        self.on_announced: Callable[[Mapping[int, TenantMark]], None] = lambda _marks: None
        self.on_marks: Callable[[Mapping[int, TenantMark]], None] = lambda _marks: None

    async def beat(self, lanes: int = 0) -> Beat | None:
        await self._faults.before(Operation.BEAT)
        beat = await super().beat(lanes)
        await self._faults.after(Operation.BEAT)
        return beat

    async def claim(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        await self._faults.before(Operation.CLAIM)
        rows = await super().claim(wanted)
        await self._faults.after(Operation.CLAIM)
        self.on_claimed(rows)
        return rows

    async def release(self, subscription_numbers: Iterable[int]) -> None:
        await self._faults.before(Operation.RELEASE)
        await super().release(subscription_numbers)
        await self._faults.after(Operation.RELEASE)

    async def news(self, seen: Mapping[int, int], limit: int) -> dict[int, LogPart]:
        await self._faults.before(Operation.FOLLOW)
        pages = await super().news(seen, limit)
        await self._faults.after(Operation.FOLLOW)
        return pages

    async def config(self, tenant_id: int) -> TenantConfig | None:
        await self._faults.before(Operation.FOLLOW)
        config = await super().config(tenant_id)
        await self._faults.after(Operation.FOLLOW)
        return config

    def announce(self, marks: Mapping[int, TenantMark]) -> None:
        self.on_announced(marks)

    def listen(self, on_marks: Callable[[Mapping[int, TenantMark]], None]) -> None:
        self.on_marks = on_marks


class FaultyStore(SqliteStore):
    """SQLite with faults, and a count of what was asked of it."""

    def __init__(self, faults: StoreFaults, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        terms: Terms = named.get("terms", ALONE)
        self._faults = faults
        self.log: FaultyLog = FaultyLog(faults, self.readers, MAX_SCANNED)
        self.retention: FaultyRetention = FaultyRetention(faults, self.readers, self.writer)
        self.fleet: FaultyFleet = FaultyFleet(faults, self.readers, self.writer, self._vault, self._now, terms)
        self.fleet.on_claimed = lambda numbers: self.lanes.refused.difference_update(numbers)
        self.lanes: FaultyLanes = FaultyLanes(faults, self.readers, self.writer, lambda: self.fleet.node_id)

    async def publish(self, commands: Sequence[Command[Any]]) -> Published:
        await self._faults.before(Operation.PUBLISH)
        published = await super().publish(commands)
        await self._faults.after(Operation.PUBLISH)
        return published
