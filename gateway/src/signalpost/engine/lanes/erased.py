"""What was erased lately, as far as this node has heard. An event that was read before may still arrive here, and an
attempt that was under way may still end: nothing of the document is kept of either."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from signalpost.domain.erasure import ERASED, Erasure, erased
from signalpost.domain.event import Event
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.lanes import LaneFlush

MAX_REMEMBERED: Final = 10_000
"""How many erasures are remembered. Each takes some milliseconds to carry out, so what a node read or sent before the
oldest of them has long ended."""


class ErasedEvents:
    def __init__(self) -> None:
        self._up_to: dict[tuple[int, str | None], int] = {}
        """The last sequence that was erased of each tenant and document (None for all of the tenant)."""

    def __bool__(self) -> bool:
        return bool(self._up_to)

    def forget(self) -> None:
        """Forget everything: the database may have gone back, and given the numbers of what was erased again."""
        self._up_to.clear()

    def note(self, erasure: Erasure) -> None:
        self.add(erasure.tenant_id, erasure.document_id, erasure.to_sequence)

    def of(self, tenant_id: int) -> list[tuple[str | None, int]]:
        """The documents of a tenant, each with the last sequence that was erased of it."""
        return [(document, up_to) for (of, document), up_to in self._up_to.items() if of == tenant_id]

    def add(self, tenant_id: int, document_id: str | None, up_to: int) -> None:
        """See `of`."""
        key = (tenant_id, document_id)
        self._up_to.pop(key, None)
        self._up_to[key] = up_to
        if len(self._up_to) > MAX_REMEMBERED:
            del self._up_to[next(iter(self._up_to))]

    def covers(self, tenant_id: int, document_id: str, sequence: int) -> bool:
        """Whether an event was erased."""
        return any(sequence <= self._up_to.get((tenant_id, of), 0) for of in (document_id, None))

    def has(self, event: Event) -> bool:
        """See `covers`."""
        return bool(self._up_to) and self.covers(event.tenant_id, event.document_id, event.sequence)

    def as_kept(self, events: Iterable[Event]) -> Iterable[Event]:
        """The events as the store has them now."""
        return (erased(each) if self.has(each) else each for each in events) if self else events

    def out_of(self, flushes: Sequence[LaneFlush]) -> Sequence[LaneFlush]:
        """What to record of lanes: of an erased event no answer and no reason, and nothing that it made."""
        return [*map(self._out_of, flushes)] if self else flushes

    def _out_of(self, flush: LaneFlush) -> LaneFlush:
        gone = {a.document_id for a in flush.attempts if self.covers(flush.tenant_id, a.document_id, a.sequence)}
        if not gone:
            return flush
        return replace(
            flush,
            attempts=[self._without_words(flush.tenant_id, attempt) for attempt in flush.attempts],
            made={document_id: made for document_id, made in flush.made.items() if document_id not in gone},
        )

    def _without_words(self, tenant_id: int, attempt: AttemptRow) -> AttemptRow:
        if attempt.detail.endswith(ERASED) or not self.covers(tenant_id, attempt.document_id, attempt.sequence):
            return attempt
        return replace(attempt, detail="", answer=b"", exchange=b"")
