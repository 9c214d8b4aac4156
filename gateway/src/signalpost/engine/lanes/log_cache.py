"""The recent end of every tenant's log, in memory, for all lanes of the process.

It is filled by commits and by the pages that lanes read, keyed by tenant and sequence, and bounded by bytes: the oldest
entries leave first, and no lane can prevent that. After a miss, the store is read.
"""

from collections import deque
from collections.abc import Iterable

from signalpost.domain.erasure import Erasure, erased
from signalpost.domain.event import Event
from signalpost.engine.lanes.erased import ErasedEvents

MAX_BYTES = 64 * 1024 * 1024
_OVERHEAD = 600
"""Roughly how many bytes an event takes in addition to its body."""


class LogCache:
    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._events: dict[tuple[int, int], Event] = {}
        self._order: deque[tuple[int, int]] = deque()
        """The keys in the order in which they came. (Finding the first key of a dict gets slower the more keys before
        it were removed.)"""
        self.bytes = 0
        self._max_bytes = max_bytes
        self.end: dict[int, int] = {}
        """The last sequence of each tenant's log, as far as this node has heard."""
        self.seen: dict[int, int] = {}
        """Up to which sequence a tenant's log was offered to its sleeping lanes. It may be below `end`, because this
        node hears of other nodes' commits before it reads them. A sleeping lane may pass no event beyond it unread."""
        self.erased = ErasedEvents()

    def get(self, tenant_id: int, sequence: int) -> Event | None:
        return self._events.get((tenant_id, sequence))

    def forget(self) -> None:
        """Forget everything: this node begins anew, and others may have written meanwhile."""
        self._events.clear()
        self._order.clear()
        self.bytes = 0
        self.end.clear()
        self.seen.clear()
        self.erased.forget()

    def erase(self, erasure: Erasure) -> None:
        """Forget the events that are being erased, those too that are being read right now."""
        self.erased.note(erasure)
        for key, event in self._events.items():
            if erasure.covers(event):
                self._events[key] = shell = erased(event)
                self.bytes += len(shell.body) - len(event.body)

    def put(self, events: Iterable[Event]) -> None:
        known, order, size = self._events, self._order, 0
        for event in self.erased.as_kept(events):
            key = (event.tenant_id, event.sequence)
            if key not in known:
                known[key] = event
                order.append(key)
                size += len(event.body) + _OVERHEAD
        self.bytes += size
        while self.bytes > self._max_bytes:
            oldest = self._events.pop(self._order.popleft())
            self.bytes -= len(oldest.body) + _OVERHEAD
