"""Commands that keep the rows of conditions, and write the notices that tell of them. All are commands of the tenant
`operations`, and the gateway gives them itself, but for a mute.

Each decides on the rows as they are when it is committed. So if two nodes look at the same time, a condition opens
once, and each of its notices is written once.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, RowKey, Stamp
from signalpost.domain.access.tenant import OPERATIONS
from signalpost.domain.errors import NotFound
from signalpost.domain.event import EventType
from signalpost.domain.operations.conditions import ConditionRow, Fact, Telling, What, document_of, id_of
from signalpost.domain.operations.notices import Notice, notice_of
from signalpost.domain.timestamps import HOUR
from signalpost.sharing.command_queues import Queue


class ConditionKept(Struct, frozen=True):
    condition: ConditionRow


class NoticeWritten(Struct, frozen=True):
    """`notice` is None if there was nothing left to tell."""

    notice: Notice | None


class NoticeMuted(Struct, frozen=True):
    condition: ConditionRow


class _OfConditions(BaseCommand, frozen=True, kw_only=True):
    """`tenant_id` is that of `operations`."""

    queue: ClassVar[Queue] = Queue.BACKGROUND
    audited_as: ClassVar[str | None] = None


def _conditions(*ids: str, tenant: str = OPERATIONS) -> Reads:
    """The rows of conditions, of any tenant: a command that names a tenant in what it reads is shown all of them."""
    return Reads(rows=tuple(RowKey(ConditionRow, each) for each in ids), tenant=tenant)


class OpenCondition(_OfConditions, frozen=True, kw_only=True):
    """`tenant` is the name of the tenant that the fact is about: it may have been deleted since the fact was found."""

    adds: ClassVar[type[ConditionRow]] = ConditionRow
    tenant: str
    fact: Fact

    @property
    def reads(self) -> Reads:
        return _conditions(id_of(self.fact.key), tenant=self.tenant)

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConditionKept]:
        fact, tenant = self.fact, view.tenant_named(self.tenant)
        if tenant is None or tenant.id != fact.tenant_id:
            raise NotFound("tenant_not_found", "The tenant was deleted.")
        row_id = id_of(fact.key)
        found = view.row(ConditionRow, row_id, None)
        if found is not None:
            return Decision(result=ConditionKept(found))
        opened = ConditionRow(
            number=view.next_number(ConditionRow),
            id=row_id,
            tenant_id=fact.tenant_id,
            kind=fact.kind,
            subject=fact.subject,
            name=fact.name,
            detail=fact.detail,
            severity=fact.weight,
            since=fact.since,
            opened_at=stamp.now,
        )
        return Decision(result=ConditionKept(opened), rows=(opened,))


class FollowCondition(_OfConditions, frozen=True, kw_only=True):
    """Note that the fact of a condition went away, or, given a `fact`, that it is there. One that is worse than before
    is told again."""

    condition_id: str
    fact: Fact | None

    @property
    def reads(self) -> Reads:
        return _conditions(self.condition_id)

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConditionKept]:
        found, fact = view.row(ConditionRow, self.condition_id, None), self.fact
        if found is None:
            raise NotFound("notice_not_found", "This condition has closed.")
        if fact is None:
            changed = found if found.absent_since is not None else replace(found, absent_since=stamp.now)
        else:
            changed = replace(found, absent_since=None, detail=fact.detail)
            if fact.weight > found.severity:
                told_at = None if found.told_at is None else 0
                changed = replace(changed, severity=fact.weight, told_at=told_at)
        return Decision(result=ConditionKept(changed), rows=() if changed == found else (changed,))


class WriteNotice(_OfConditions, frozen=True, kw_only=True):
    """Tell of conditions that are still as they were when they were looked at, at `looked_at`. Those that close and
    were never told of close without a word. `tenants` are the names of tenants by their numbers.

    It reads all of the kind: another node may have told of more since, and then not all is resolved."""

    telling: Telling
    looked_at: int
    tenants: Mapping[int, str]
    public_url: str

    @property
    def reads(self) -> Reads:
        return Reads(rows=(RowKey(ConditionRow, self.telling.kind, "kind"),), tenant=OPERATIONS)

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[NoticeWritten]:
        rows = [row for each in self.telling.ids if (row := view.row(ConditionRow, each, None)) is not None]
        changed = [row for row in rows if self._is_due(row)]
        what = self.telling.what
        if what is What.CLOSED:
            written = tuple(replace(row, closed_at=stamp.now) for row in changed)
            told = [row for row in changed if row.told_at is not None]
        else:
            written = tuple(replace(row, told_at=stamp.now) for row in changed)
            told = changed
        if not told:
            return Decision(result=NoticeWritten(None), rows=written)
        notice = notice_of(what, told, self._known_beside(view, changed), self.tenants, self.public_url)
        return Decision(
            result=NoticeWritten(notice),
            rows=written,
            event=EventType.NOTICE,
            event_document=msgspec.json.encode(notice),
            about=document_of(self.telling.kind),
        )

    def _known_beside(self, view: BatchView, changed: Sequence[ConditionRow]) -> int:
        """How many more of the kind people know of, and stay open: also those that came back since the look."""
        ids = {row.id for row in changed}
        return sum(
            row.kind == self.telling.kind and row.told_at is not None and row.closed_at is None and row.id not in ids
            for row in view.rows_of(ConditionRow)
        )

    def _is_due(self, row: ConditionRow) -> bool:
        """Whether no notice told of it since it was looked at."""
        if row.closed_at is not None:
            return False
        match self.telling.what:
            case What.OPENED:
                return row.told_at is None and row.absent_since is None
            case What.STILL:
                return row.told_at is not None and row.told_at <= self.looked_at and row.absent_since is None
            case What.CLOSED:
                return row.is_over(self.looked_at)


class MuteNotice(_OfConditions, frozen=True, kw_only=True):
    """Tell no more of a condition for some hours, or, with none, again. That it closed is told in any case."""

    queue: ClassVar[Queue] = Queue.CONTROL
    audited_as: ClassVar[str] = "notice.mute"
    condition_id: str
    hours: int

    @property
    def reads(self) -> Reads:
        return _conditions(self.condition_id)

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[NoticeMuted]:
        found = view.row(ConditionRow, self.condition_id, None)
        if found is None:
            raise NotFound("notice_not_found", "Nothing with this id is open now.")
        muted = replace(found, muted_until=stamp.now + self.hours * HOUR if self.hours else None)
        return Decision(result=NoticeMuted(muted), rows=(muted,))
