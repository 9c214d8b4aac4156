"""Reads the gateway's log of events and writes it to a sink, some at a time.

The sink's cursor says where to go on, and is asked for again after each failure of the sink: only there it is known
whether the last events were written.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from signalpost_client import Answer, AsyncClient, Call, Gone, Problem, SignalpostError, UnexpectedAnswer, path
from signalpost_connect.progress import DrainProgress, Pauses
from signalpost_connect.sink import Entry, Sink, SinkAway

MOST_EVENTS: Final = 250
LOOK_SECONDS: Final = 1.0
"""For how long nothing is asked after the log's end was reached."""

log = logging.getLogger("signalpost_connect")


class _Document(Struct, rename="camel"):
    external_id: str | None = None


class _Data(Struct):
    document: _Document | None = None


class _Head(Struct, rename="camel"):
    id: str
    type: str
    created_at: str
    data: _Data


class _LogEntry(Struct):
    sequence: int
    event: Raw


class _Page(Struct):
    data: list[_LogEntry]
    last: int
    """Up to which sequence the log was looked through: below what was asked for, the log ends there."""


class EventsLost(Exception):
    """Events that were not written are no longer kept by the gateway."""


class LogEnded(Exception):
    """The log ends before the last event that was written: it is another one, or was restored from a copy."""


class Drain:
    """Moves events from a gateway's log to a sink."""

    def __init__(
        self,
        sink: Sink,
        client: AsyncClient,
        after: int,
        progress: DrainProgress,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Events with a sequence up to `after` are not written."""
        self._sink = sink
        self._client = client
        self._begin = after
        self._progress = progress
        self._now = now
        self._sleep = sleep
        self._pauses = Pauses()
        self._written: int | None = None
        """The sequence of the last event that is written, or need not be; None while only the sink knows."""
        self._is_new = False
        """Whether nothing was ever written: then it begins with the oldest event that is kept."""

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            if pause := await self.round():
                await self._sleep(pause)

    async def round(self) -> float:
        """Write the next events. Returns for how many seconds nothing should be asked."""
        try:
            entries = await self._next()
            if entries:
                await self._write(entries)
        except SinkAway as error:
            self._written = None
            return self._failed(f"The sink: {error}", None)
        except SignalpostError as error:
            return self._failed(f"The gateway: {error}", error.retry_after if isinstance(error, Problem) else None)
        except (EventsLost, LogEnded) as error:
            return self._failed(str(error), None)
        self._progress.written([each.sequence for each in entries], self._age(entries))
        self._progress.went_well()
        self._pauses = Pauses()
        return 0.0 if entries else LOOK_SECONDS

    async def _next(self) -> Sequence[Entry]:
        """The events after the last one that is written."""
        if self._written is None:
            cursor = await self._sink.cursor()
            self._is_new = cursor is None and not self._begin
            self._written = max(cursor or 0, self._begin)
        try:
            return await self._read(self._written)
        except Gone as error:
            if error.oldest is None:
                raise
            if not self._is_new:
                raise EventsLost(
                    f"The events {self._written + 1} to {error.oldest - 1} were not written, and the gateway no longer"
                    f" keeps them. To go on without them, set `after = {error.oldest - 1}`."
                ) from None
            return await self._read(error.oldest - 1)

    async def _read(self, after: int) -> Sequence[Entry]:
        """Read a page as it stands: what is written is what webhooks get, byte for byte."""
        answer: Answer = await self._client.send(page_after(after))
        try:
            entries, last = entries_of(answer.content)
        except msgspec.MsgspecError as error:
            raise UnexpectedAnswer(f"its log of events cannot be read ({error}). Is the URL right?") from None
        if last < after and after > self._begin:
            raise LogEnded(
                f"The sink has events up to {after}, and the log of the gateway ends at {last}: it was restored from a"
                " copy, or the key is of another tenant. Write this log to another place, with a cursor of its own."
            )
        return entries

    async def _write(self, entries: Sequence[Entry]) -> None:
        await self._sink.write(entries)
        self._written, self._is_new = entries[-1].sequence, False

    def _age(self, entries: Sequence[Entry]) -> float:
        if not entries:
            return 0.0
        return max(0.0, (self._now() - datetime.fromisoformat(entries[0].created_at)).total_seconds())

    def _failed(self, trouble: str, asked: float | None) -> float:
        if self._progress.failed(trouble):
            log.warning("%s It is tried again.", trouble)
        return self._pauses.next(asked)


def page_after(sequence: int) -> Call[Any]:
    """Asks for the events after a sequence."""
    return Call("GET", path("events"), {}, query={"after": sequence, "limit": MOST_EVENTS})


def entries_of(page: bytes) -> tuple[Sequence[Entry], int]:
    """The events of a page, and up to which sequence the log was looked through. Raises MsgspecError."""
    found = msgspec.json.decode(page, type=_Page)
    return [_entry(each) for each in found.data], found.last


def _entry(found: _LogEntry) -> Entry:
    head = msgspec.json.decode(found.event, type=_Head)
    document = None if head.data.document is None else head.data.document.external_id
    return Entry(found.sequence, head.id, head.type, head.created_at, document, bytes(found.event))
