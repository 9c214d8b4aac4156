"""One end of the socket between a gateway and a worker.

Items are gathered until the turn of the loop is over and go as one frame: a system call and the wake-up of another
process cost more than all else of an item. While the other side does not read, items wait here as the objects that the
process holds anyway, and not as bytes, so that a worker that hangs costs no memory.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast

from msgspec import msgpack

from signalpost.runtime.logger import log
from signalpost.workers.frames import LENGTH_BYTES, ToGateway, ToWorker, size

Item = TypeVar("Item", bound=ToWorker | ToGateway)

FRAME_BYTES: Final = 128 * 1024
"""A frame takes no further item beyond so many bytes, and no further frame is made while so many are unwritten."""

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
"""A frame that says it is longer ends the connection: no worker can have the gateway gather more than that."""

_encode: Final = msgpack.Encoder().encode


class Channel(asyncio.Protocol, Generic[Item]):
    """`Item` is what this end says."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        decode: Callable[[memoryview], list[Any]],
        take: Callable[[Any], None],
        lost: Callable[[], None],
    ) -> None:
        """`decode` reads a frame of the other side, for whose items `take` is called. `lost` is called once when the
        other side has gone."""
        self._loop = loop
        self._decode = decode
        self._take = take
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._items: deque[Item] = deque()
        self._is_scheduled = False
        self._is_paused = False
        self._unread = bytearray()

    @property
    def is_paused(self) -> bool:
        """Whether the other side has much to read."""
        return self._is_paused

    def put(self, item: Item) -> None:
        """Send an item, with the others of this turn of the loop."""
        self._items.append(item)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._flush)

    def say(self, item: Item) -> None:
        """Send an item at once, behind everything that was put before, however much that is."""
        self._items.append(item)
        self._write_all()

    def close(self) -> None:
        """Close the connection once everything is written."""
        self._write_all()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        self._is_scheduled = False
        while self._items and not self._is_paused:
            self._write(self._next_items())

    def _write_all(self) -> None:
        while self._items:
            self._write(self._next_items())

    def _next_items(self) -> list[Item]:
        items = self._items
        taken: list[Item] = []
        taken_bytes = 0
        while items and taken_bytes < FRAME_BYTES:
            item = items.popleft()
            taken.append(item)
            taken_bytes += size(item)
        return taken

    def _write(self, items: list[Item]) -> None:
        if self._transport is None:
            return
        try:
            encoded = _encode(items)
        except Exception:
            # The other side would wait for these items for ever: so it learns that this one is gone.
            log.exception("a frame cannot be written; the connection to the other process is closed")
            self._items.clear()
            self.abort()
            return
        self._transport.write(len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded)

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=FRAME_BYTES)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._flush()

    def data_received(self, data: bytes) -> None:
        unread, at = self._unread, 0
        unread += data
        with memoryview(unread) as view:
            while len(view) - at >= LENGTH_BYTES:
                begin = at + LENGTH_BYTES
                length = int.from_bytes(view[at:begin], "big")
                if length > MAX_FRAME_BYTES:
                    self.abort()
                    return
                end = begin + length
                if len(view) < end:
                    break
                for item in self._decode(view[begin:end]):
                    self._take(item)
                at = end
        del unread[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._items.clear()
        self._lost()
