"""The real SQLite store, with faults to order before and after what it is asked for."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, TypeVar

from msgspec.structs import replace

from signalpost.commands.command import Command
from signalpost.domain.event import Event
from signalpost.store.nouns.data_keys import DataKeyStore
from signalpost.store.nouns.fleet import (
    ALONE,
    Beat,
    Changes,
    LaneInbox,
    NodeProcess,
    NodeRole,
    TenantConfig,
    TenantMark,
    Terms,
)
from signalpost.store.nouns.lanes import LaneFlush, LaneFlushed, LaneRow, LaneWanted
from signalpost.store.nouns.log import LatestOfTypes, LogPart
from signalpost.store.sqlite.nouns.connections import SqliteConnections
from signalpost.store.sqlite.nouns.fleet import SqliteFleet
from signalpost.store.sqlite.nouns.lanes import SqliteLanes
from signalpost.store.sqlite.nouns.log import SqliteLog
from signalpost.store.sqlite.nouns.retention import SqliteRetention
from signalpost.store.sqlite.readers import Readers
from signalpost.store.sqlite.store import SqliteStore
from signalpost.store.sqlite.writer import Writer
from signalpost.store.store import MAX_SCANNED, PublishedBatch
from signalpost.store.vault import Vault

T = TypeVar("T")


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
    MADE = "made"
    """Reading what deliveries made at a vendor."""
    BEAT = "beat"
    CLAIM = "claim"
    RELEASE = "release"
    FOLLOW = "follow"
    """Reading what other nodes committed."""
    LOOK = "look"
    """Reading which tenants and API keys others changed."""
    MARKS = "marks"
    """Reading how far tenants are."""
    HISTORY = "history"
    JOIN = "join"
    LEAVE = "leave"


class StoreFaults:
    """What goes wrong with a store: nothing, unless a subclass says so. `before` and `after` may wait, or raise."""

    at_work = 0
    """How many operations the store has begun and not ended."""

    async def before(self, operation: Operation) -> None:
        """Called before the store does anything."""

    async def after(self, operation: Operation) -> None:
        """Called once it is done, and before the engine learns that."""

    @property
    def history(self) -> str:
        """Which history of the database beats tell of."""
        return ""

    @asynccontextmanager
    async def around(self, operation: Operation) -> AsyncIterator[None]:
        """What goes wrong before and after the store does something."""
        await self.before(operation)
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1
        await self.after(operation)


class FaultyLog(SqliteLog):
    """The log, with faults, and a count of what was asked of it."""

    def __init__(self, faults: StoreFaults, readers: Readers, max_scanned: int) -> None:
        super().__init__(readers, max_scanned)
        self._faults = faults
        self.pages_read = 0
        self.bodies_read = 0

    @asynccontextmanager
    async def _around(self, operation: Operation) -> AsyncIterator[None]:
        """What is read together waits, and goes wrong, as a whole: see `FaultyStore.reading`."""
        if self._readers.is_reading_together:
            yield
        else:
            async with self._faults.around(operation):
                yield

    async def after(self, tenant_id: int, sequence: int, limit: int) -> LogPart:
        self.pages_read += 1
        async with self._around(Operation.PAGE):
            return await super().after(tenant_id, sequence, limit)

    async def latest(self, tenant_id: int, after: int) -> LatestOfTypes:
        async with self._around(Operation.PAGE):
            return await super().latest(tenant_id, after)

    async def newest(self, tenant_id: int, document_id: str) -> Event | None:
        async with self._around(Operation.PAGE):
            return await super().newest(tenant_id, document_id)

    async def events(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        self.bodies_read += len(sequences)
        async with self._around(Operation.BODIES):
            return await super().events(tenant_id, sequences)


class FaultyConnections(SqliteConnections):
    def __init__(self, faults: StoreFaults, readers: Readers) -> None:
        super().__init__(readers)
        self._faults = faults

    async def made(self, subscription_number: int, document_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        async with self._faults.around(Operation.MADE):
            return await super().made(subscription_number, document_ids)


class FaultyRetention(SqliteRetention):
    def __init__(self, faults: StoreFaults, readers: Readers, writer: Writer) -> None:
        super().__init__(readers, writer)
        self._faults = faults

    async def prune_log(self, tenant_id: int, floor: int, limit: int) -> int:
        async with self._faults.around(Operation.PRUNE):
            return await super().prune_log(tenant_id, floor, limit)


class FaultyLanes(SqliteLanes):
    """Lanes, with faults, and a count of what was asked of them."""

    def __init__(
        self, faults: StoreFaults, readers: Readers, writer: Writer, node_id: Callable[[], int | None]
    ) -> None:
        super().__init__(readers, writer, node_id, MAX_SCANNED)
        self._faults = faults
        self.refills = 0
        self.is_fenced = False
        """Whether a lane turned out to be another process's."""
        self.refused: set[int] = set()
        """The lanes of which this process was refused a record, and has not found since that they are its own."""

    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        async with self._faults.around(Operation.RECORD):
            self.refills += sum(flush.refill > 0 for flush in flushes)
            recorded = await super().record(flushes)
            self.is_fenced = self.is_fenced or len(recorded) < len(flushes)
        self.refused |= {flush.subscription_number for flush in flushes} - recorded.keys()
        return recorded

    async def record_read(self, flush: LaneFlush) -> bool:
        async with self._faults.around(Operation.RECORD):
            return await super().record_read(flush)

    async def load(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        async with self._faults.around(Operation.LANES):
            rows = await super().load(wanted)
        self.refused -= {number for number, row in rows.items() if row.owner == self._node_id()}
        return rows


class FaultyFleet(SqliteFleet):
    """The fleet, with faults. `on_claimed` is told which lanes this node found to be its own, `on_announced` what it
    announces, and `on_marks` is what it hears of others with."""

    def __init__(
        self,
        faults: StoreFaults,
        readers: Readers,
        writer: Writer,
        data_keys: DataKeyStore,
        vault: Vault,
        now: Callable[[], int],
        terms: Terms,
    ) -> None:
        super().__init__(readers, writer, data_keys, vault, now, terms)
        self._faults = faults
        self.on_claimed: Callable[[Iterable[int]], None] = lambda _numbers: None
        self.on_announced: Callable[[Mapping[int, TenantMark]], None] = lambda _marks: None
        self.on_marks: Callable[[Mapping[int, TenantMark]], None] = lambda _marks: None

    async def beat(self, lanes: int = 0) -> Beat | None:
        async with self._faults.around(Operation.BEAT):
            beat = await super().beat(lanes)
        return beat and replace(beat, history=self._faults.history)

    async def history(self) -> str:
        async with self._faults.around(Operation.HISTORY):
            return self._faults.history

    async def join(self, role: NodeRole, program: str, process: NodeProcess = NodeProcess()) -> int:  # noqa: B008 - it is frozen
        async with self._faults.around(Operation.JOIN):
            return await super().join(role, program, process)

    async def _leave(self, number: int | None, joined_at: int) -> None:
        async with self._faults.around(Operation.LEAVE):
            await super()._leave(number, joined_at)

    async def claim(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        async with self._faults.around(Operation.CLAIM):
            rows = await super().claim(wanted)
        self.on_claimed(rows)
        return rows

    async def release(self, subscription_numbers: Iterable[int]) -> None:
        async with self._faults.around(Operation.RELEASE):
            await super().release(subscription_numbers)

    async def changes(self, since: str | None) -> Changes:
        async with self._faults.around(Operation.LOOK):
            return await super().changes(since)

    async def marks(self) -> dict[int, TenantMark]:
        async with self._faults.around(Operation.MARKS):
            return await super().marks()

    async def inbox(self, subscription_numbers: Iterable[int]) -> dict[int, LaneInbox]:
        async with self._faults.around(Operation.FOLLOW):
            return await super().inbox(subscription_numbers)

    async def news(self, seen: Mapping[int, int], limit: int) -> dict[int, LogPart]:
        async with self._faults.around(Operation.FOLLOW):
            return await super().news(seen, limit)

    async def config(self, tenant_id: int) -> TenantConfig | None:
        async with self._faults.around(Operation.FOLLOW):
            return await super().config(tenant_id)

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
        self.connections: FaultyConnections = FaultyConnections(faults, self.readers)
        self.retention: FaultyRetention = FaultyRetention(faults, self.readers, self.writer)
        self.fleet: FaultyFleet = FaultyFleet(
            faults, self.readers, self.writer, self.data_keys, self._vault, self._now, terms
        )
        self.fleet.on_claimed = lambda numbers: self.lanes.refused.difference_update(numbers)
        self.lanes: FaultyLanes = FaultyLanes(faults, self.readers, self.writer, lambda: self.fleet.node_id)

    async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        async with self._faults.around(Operation.PUBLISH):
            return await super().publish(commands)

    async def reading(self, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self.readers.is_reading_together:
            return await super().reading(asking)
        async with self._faults.around(Operation.PAGE):
            return await super().reading(asking)

    async def reading_in_turn(self, tenant_id: int, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self.readers.is_reading_together:
            return await super().reading_in_turn(tenant_id, asking)
        async with self._faults.around(Operation.PAGE):
            return await super().reading_in_turn(tenant_id, asking)
