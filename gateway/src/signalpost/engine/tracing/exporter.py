"""Hands spans to the operator's collector, in batches, beside all other work.

Spans wait in a queue that is bounded: beyond it they are dropped and counted. One batch is under way at a time. If the
collector cannot be reached, or asks to be left alone (429, 502, 503, 504), the batch is sent again after a while; what
it refuses otherwise is dropped. So a collector that is away, slow or broken costs a queue of memory, and nothing else:
no commit, delivery or request waits for it, and a stop waits no longer than a second.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from signalpost.domain import endpoint, spans
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.request import OutgoingRequest
from signalpost.runtime.logger import log
from signalpost.sender.transport import Transport, answered

MAX_WAITING: Final = 4_096
MAX_BATCH: Final = 512
GATHERING_SECONDS: Final = 1.0
"""How long spans wait for others before they are sent."""
EXPORT_SECONDS: Final = 10.0
"""How long a collector may take for a batch."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
STOP_SECONDS: Final = 0.7
"""How long a stop waits until all is exported."""
HANG_UP_SECONDS: Final = 0.3
"""How long it then waits for the connection to be closed."""
_AGAIN: Final = frozenset({429, 502, 503, 504})
"""The answers after which OTLP has a client send the same again."""


class Collector(Struct, frozen=True):
    """Where spans go, and what goes with them."""

    url: str
    headers: Mapping[str, str]
    resource: Mapping[str, str]
    """The attributes of the service that the spans are of."""

    def __repr__(self) -> str:
        """Shows no header: it may hold a key."""
        return f"Collector({self.url!r})"


class _PartialSuccess(Struct, rename="camel"):
    rejected_spans: str | int = 0
    error_message: str = ""


class _Answer(Struct, rename="camel"):
    partial_success: _PartialSuccess | None = None


class SpanExporter:
    def __init__(self, collector: Collector, transport: Transport) -> None:
        """`transport` leads to the collector alone, and is closed with the exporter."""
        url = endpoint.parse_url(collector.url)
        self._target = url.target
        self._start = endpoint.head_of_posts(url, collector.headers)
        self._resource = collector.resource
        self._transport = transport
        self._waiting: deque[bytes] = deque()
        self._came = asyncio.Event()
        """Set while there are spans that wait."""
        self._filled = asyncio.Event()
        """Set while as many wait as a batch has, and once it stops."""
        self._stops = False
        self._fails = False
        """Whether the last batch could not be handed over, which is logged once."""
        self._running: asyncio.Task[None] | None = None
        self.dropped = 0
        """How many spans no collector has."""

    def start(self) -> None:
        self._running = asyncio.create_task(self._run())

    def add(self, span: bytes) -> None:
        """Have a span exported some time, or count it as dropped."""
        waiting = self._waiting
        if len(waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        waiting.append(span)
        self._came.set()
        if len(waiting) >= MAX_BATCH:
            self._filled.set()

    async def close(self) -> None:
        """Hand over what waits, unless the collector does not take it at once, and drop the rest."""
        self._stops = True
        self._came.set()
        self._filled.set()
        if self._running is not None:
            if not self._fails:
                await asyncio.wait([self._running], timeout=STOP_SECONDS)
            self._running.cancel()
        self._drop(len(self._waiting))
        self._waiting.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(HANG_UP_SECONDS):
                await self._transport.close(0)

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while self._waiting or not self._stops:
            await self._came.wait()
            await self._pause(0.0 if self._fails else GATHERING_SECONDS)
            if not self._waiting:
                continue
            if await self._export():
                pause = FIRST_PAUSE
            elif self._stops:
                return
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _pause(self, seconds: float) -> None:
        """Wait for a full batch, but not for longer."""
        try:
            async with asyncio.timeout(seconds):
                await self._filled.wait()
        except TimeoutError:
            return

    async def _export(self) -> bool:
        """Hand over the batch that waited longest. Returns False if it has to be sent again."""
        count = min(len(self._waiting), MAX_BATCH)
        body = spans.batch([self._waiting[place] for place in range(count)], self._resource)
        outcome = await self._sent(body)
        if outcome.failure is not None and (outcome.status is None or outcome.status in _AGAIN):
            self._note(outcome.detail)
            return False
        for _ in range(count):
            self._waiting.popleft()
        if not self._waiting:
            self._came.clear()
        if len(self._waiting) < MAX_BATCH and not self._stops:
            self._filled.clear()
        if outcome.failure is not None:
            self._drop(count)
            self._note(outcome.detail)
        else:
            self._drop(_refused(outcome.answer))
            self._note(None)
        return True

    async def _sent(self, body: bytes) -> Outcome:
        head = f"{self._start}\r\ncontent-length: {len(body)}\r\n\r\n".encode("ascii")
        request = OutgoingRequest(self._target, head, body, keeps=True, seconds=EXPORT_SECONDS)
        return await answered(self._transport, request)

    def _drop(self, count: int) -> None:
        self.dropped += count

    def _note(self, trouble: str | None) -> None:
        """Log that spans cannot be handed over, and that they can be again."""
        if (trouble is not None) != self._fails:
            self._fails = trouble is not None
            if trouble is None:
                log.info("spans are exported again")
            else:
                log.warning("spans cannot be exported", error=trouble, dropped=self.dropped)


def _refused(answer: bytes) -> int:
    """How many spans of a batch a collector that took it has refused."""
    try:
        said = msgspec.json.decode(answer, type=_Answer).partial_success
        return 0 if said is None else max(0, int(said.rejected_spans))
    except (msgspec.DecodeError, ValueError):
        return 0
