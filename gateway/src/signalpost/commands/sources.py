"""Commands with which sources say how they do, and with which they are removed."""

from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, RowKey, Stamp
from signalpost.domain.errors import Forbidden, NotFound
from signalpost.domain.source import MOST_SOURCES, Source


class SourceHeard(Struct, frozen=True):
    source: Source


class SourceRemoved(Struct, frozen=True):
    source: Source


class _SourceCommand(BaseCommand, frozen=True, kw_only=True):
    """A command about a source, which reads all of its tenant: they are few, and a new one must know how many."""

    name: str

    @property
    def reads(self) -> Reads:
        return Reads(rows=(RowKey(Source, str(self.tenant_id), "tenant"),))

    def _known(self, view: BatchView) -> dict[str, Source]:
        """The sources of the tenant, by their names."""
        rows = view.rows_of(Source)
        return {row.name: row for row in rows if row.tenant_id == self.tenant_id and row.deleted_at is None}


class ReportSource(_SourceCommand, frozen=True, kw_only=True):
    """Note how a source does. It is a new one if there was none of this name; `source_id` is its id then."""

    audited_as: ClassVar[str] = "source.add"  # what it says from then on has no entry
    adds: ClassVar[type[Source]] = Source
    source_id: str
    oldest_seconds: int
    dead: int

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SourceHeard]:
        known = self._known(view)
        found = known.get(self.name)
        if found is None:
            heard = self._new(view, len(known), stamp)
        else:
            heard = replace(found, oldest_seconds=self.oldest_seconds, dead=self.dead, heard_at=stamp.now)
        return Decision(result=SourceHeard(heard), rows=(heard,))

    def _new(self, view: BatchView, count: int, stamp: Stamp) -> Source:
        if count >= MOST_SOURCES:
            detail = f"The tenant has {count} sources, and cannot have more. Remove those that feed it no more."
            raise Forbidden("source_limit", detail)
        return Source(
            number=view.next_number(Source),
            tenant_id=self.tenant_id,
            id=self.source_id,
            name=self.name,
            oldest_seconds=self.oldest_seconds,
            dead=self.dead,
            added_at=stamp.now,
            heard_at=stamp.now,
        )


class RemoveSource(_SourceCommand, frozen=True, kw_only=True):
    audited_as: ClassVar[str] = "source.remove"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SourceRemoved]:
        found = self._known(view).get(self.name)
        if found is None:
            raise NotFound("source_not_found", "There is no source with this name.")
        removed = replace(found, deleted_at=stamp.now)
        return Decision(result=SourceRemoved(removed), rows=(removed,))
