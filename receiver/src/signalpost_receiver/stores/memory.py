"""A store in the memory of one process: for tests, and for receivers of one process that may forget at a restart."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from .base import Busy, Claim, Claimed, Handled, Held, Item, Stale

MAX_EVENTS = 100_000


@dataclass(frozen=True, slots=True)
class _Record:
    """An event. `until` is when the lease ends (token), when a held event is due (body), or when it is forgotten."""

    item: Item
    until: float
    token: str = ""
    body: bytes | None = None
    hints: str = ""

    @property
    def is_held(self) -> bool:
        return self.body is not None


@dataclass(slots=True)
class _Mark:
    """A document. Its position counts until it is forgotten (`until`), as an event does."""

    position: str = ""
    until: float = 0.0
    token: str = ""
    lease_until: float = 0.0

    def position_at(self, now: float) -> str:
        return self.position if self.until > now else ""

    def end_lease(self, token: str, until: float) -> None:
        if self.token == token:
            self.token, self.lease_until = "", until


class MemoryStore:
    """Remembers up to `max_events` events that were handled, and forgets the oldest beyond.

    If the order is kept, it remembers every document until the process ends.
    """

    blocking: ClassVar[bool] = False

    def __init__(
        self, *, max_events: int = MAX_EVENTS, make_token: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self._events: OrderedDict[str, _Record] = OrderedDict()
        self._marks: dict[str, _Mark] = {}
        self._max_events = max_events
        self._make_token = make_token
        self._lock = threading.Lock()

    def claim(self, item: Item, *, now: float, lease_until: float) -> Claim:
        """See `Store.claim`; expired entries are overwritten."""
        with self._lock:
            known = self._known(item, now)
            if known is not None:
                return known
            token = self._make_token()
            if item.document is not None:
                mark = self._marks.get(item.document, _Mark())
                if mark.lease_until > now:
                    return Busy(mark.lease_until)
                if item.position <= mark.position_at(now):
                    return Stale()
                self._marks[item.document] = replace(mark, token=token, lease_until=lease_until)
            self._put(_Record(item, lease_until, token))
            return Claimed(token)

    def commit(self, item: Item, token: str, *, now: float, forget_at: float) -> bool:
        """See `Store.commit`; the mark only moves forward."""
        with self._lock:
            if not self._owns(item, token):
                return False
            self._put(_Record(item, forget_at))
            if item.document is not None:
                mark = self._marks[item.document]
                mark.position = max(mark.position_at(now), item.position)
                mark.until = max(mark.until, forget_at)
                mark.end_lease(token, 0.0)
            return True

    def release(self, item: Item, token: str, *, again_at: float) -> None:
        """See `Store.release`; a claim that another one replaced stays as it is."""
        with self._lock:
            if not self._owns(item, token):
                return
            record = self._events[item.event_id]
            if record.is_held:
                self._put(replace(record, token="", until=again_at))
            else:
                del self._events[item.event_id]
            if item.document is not None:
                self._marks[item.document].end_lease(token, again_at if record.is_held else 0.0)

    def hold(self, item: Item, body: bytes, hints: str, *, now: float, due_at: float) -> Claim:
        """See `Store.hold`; the body is kept in memory."""
        with self._lock:
            if self._known(item, now) is not None:
                return Handled()
            if item.document in self._marks and item.position <= self._marks[item.document].position_at(now):
                return Stale()
            self._put(_Record(item, due_at, "", body, hints))
            return Claimed("")

    def take(self, *, now: float, lease_until: float) -> Held | None:
        """See `Store.take`; it looks through all that is held."""
        with self._lock:
            due = sorted((each for each in self._held() if each.until <= now), key=lambda each: each.until)
            for record in due:
                held = self._take_first(record.item.document or "", now, lease_until)
                if held is not None:
                    return held
            return None

    def _take_first(self, document: str, now: float, lease_until: float) -> Held | None:
        mark = self._marks.setdefault(document, _Mark())
        if mark.lease_until > now:
            return None
        for first in sorted(self._held(document), key=lambda each: each.item.position):
            if first.item.position <= mark.position_at(now):
                del self._events[first.item.event_id]
                continue
            token = self._make_token()
            mark.token, mark.lease_until = token, lease_until
            self._put(replace(first, token=token, until=lease_until))
            return Held(first.item, token, first.body or b"", first.hints)
        return None

    def forget(self, event_id: str) -> None:
        """See `Store.forget`; it forgets nothing of the document."""
        with self._lock:
            self._events.pop(event_id, None)

    def _held(self, document: str | None = None) -> list[_Record]:
        every = (each for each in self._events.values() if each.is_held)
        return [each for each in every if document is None or each.item.document == document]

    def _known(self, item: Item, now: float) -> Busy | Handled | None:
        known = self._events.get(item.event_id)
        if known is None:
            return None
        if known.token and known.until > now:
            return Busy(known.until)
        return Handled() if known.is_held or known.until > now else None

    def _owns(self, item: Item, token: str) -> bool:
        known = self._events.get(item.event_id)
        return known is not None and known.token == token

    def _put(self, record: _Record) -> None:
        self._events.pop(record.item.event_id, None)
        self._events[record.item.event_id] = record
        while len(self._events) > self._max_events:
            oldest = next((each for each in self._events.values() if not each.is_held and not each.token), None)
            if oldest is None:
                return
            del self._events[oldest.item.event_id]
