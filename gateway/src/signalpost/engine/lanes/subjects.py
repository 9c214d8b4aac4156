"""Events as conditions and placeholders look at them, decoded once for all lanes that look at them.

A small event is decoded on the event loop. A large one takes some milliseconds, so a thread does it, in turns between
tenants and with rests, and asks the conditions of all lanes that wait for it there as well.

What was decoded is kept for a while, bounded by the bytes that it was decoded from: the oldest leaves first. Nothing
is kept of an event that was erased.
"""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, NamedTuple

from signalpost.domain.erasure import Erasure
from signalpost.domain.event import Event
from signalpost.domain.language.names import Subject
from signalpost.domain.language.subject import subject_of
from signalpost.domain.wishes import Wishes
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.sharing.resting_turns import Rest, RestingTurns

LARGE_BYTES: Final = 16 * 1024
"""Above this size an event is decoded off the event loop."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""The total size of the events that are kept decoded. In memory each takes some times its size."""
_OVERHEAD: Final = 2_000
"""Roughly how many bytes of this a small event takes."""


def is_large(event: Event) -> bool:
    return len(event.body) + len(event.before) > LARGE_BYTES


class _KeptSubject(NamedTuple):
    event: Event
    subject: Subject


class Subjects:
    def __init__(self, thread: Executor, turns: RestingTurns, erased: ErasedEvents, max_bytes: int = MAX_BYTES) -> None:
        """`thread` decodes large events, in these turns. `erased` says of which events nothing is to be kept."""
        self._thread = thread
        self._turns = turns
        self.erased = erased
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[int, int], _KeptSubject] = OrderedDict()
        self._bytes = 0

    def at_once(self, event: Event) -> Subject:
        """The subject of an event, decoded here if that has not been done. For a large one that takes milliseconds."""
        return self._known(event) or self._keep(event, subject_of(event))

    async def of(self, event: Event) -> Subject:
        if not is_large(event):
            return self.at_once(event)
        if (known := self._known(event)) is not None:
            return known
        subject, _ = await self.judged(event, ())
        return subject

    async def judged(self, event: Event, wishes: Sequence[Wishes]) -> tuple[Subject, list[str | None]]:
        """The subject of a large event, and for each of these wishes the sentence why it does not want the event, or
        None if it does."""
        judge = partial(self._judge, event, wishes)
        subject, whys = await self._turns.run(event.tenant_id, self._thread, judge)
        self._keep(event, subject)
        return subject, whys

    def erase(self, erasure: Erasure) -> None:
        """Forget the events that are being erased."""
        for key, kept in [*self._kept.items()]:
            if erasure.covers(kept.event):
                self._drop(key)

    def forget(self) -> None:
        """Forget everything: this node begins anew."""
        self._kept.clear()
        self._bytes = 0

    def _judge(self, event: Event, wishes: Sequence[Wishes], rest: Rest) -> tuple[Subject, list[str | None]]:
        """Runs on the thread. The lane that had the turn before may have decoded the event."""
        subject = self._known(event) or subject_of(event)
        whys = []
        for each in wishes:
            rest()
            whys.append(each.why_not(subject))
        return subject, whys

    def _known(self, event: Event) -> Subject | None:
        kept = self._kept.get((event.tenant_id, event.sequence))
        # Another node may have erased the event since: then it has the same id and another body.
        is_same = kept is not None and kept.event.id == event.id and kept.event.body == event.body
        return kept.subject if kept is not None and is_same else None

    def _keep(self, event: Event, subject: Subject) -> Subject:
        if self.erased.has(event):
            return subject
        key = (event.tenant_id, event.sequence)
        self._drop(key)
        self._kept[key] = _KeptSubject(event, subject)
        self._bytes += _size(event)
        while self._bytes > self._max_bytes and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return subject

    def _drop(self, key: tuple[int, int]) -> None:
        if (former := self._kept.pop(key, None)) is not None:
            self._bytes -= _size(former.event)


def _size(event: Event) -> int:
    return len(event.body) + len(event.before) + _OVERHEAD
