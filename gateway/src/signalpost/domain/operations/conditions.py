"""Conditions: what is wrong now, and when people are told of it.

A *fact* says that something is wrong at this moment: a subscription fails, the disk is low. Facts are found again and
again, by looking at what is so, never by waiting for a change. So a crash forgets nothing.

A *condition* is the stored row of a fact that has lasted long enough to be told. It opens when its fact has lasted for
`opens_after`, and closes once its fact was away for `closes_after`. What comes and goes meanwhile stays one condition,
and what is over before anybody could act is none at all.

A *notice* is one message about all conditions of a kind that opened, go on, or closed. Conditions of a kind that open
together are told together, and a kind is told again after a while only. So when a vendor fails for a thousand
subscriptions, there is one message, and another one when they work again.

All of this is pure: which kinds there are (`kinds.py`), what a look finds changed (`compare`), and what is to be told
by now (`to_be_told`).
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

from msgspec import Struct

from signalpost.domain.operations.kinds import KINDS, About, Severity
from signalpost.domain.timestamps import DAY, MINUTE

TOLD_AGAIN_AFTER: Final = 5 * MINUTE
"""What opens within this time after a kind was told of waits until then. Those that close wait as long for others that
are about to."""
MOST_APART: Final = 7
"""Reminders are at most so many times as far apart as the first one is from the notice before it."""
MOST_TOLD: Final = 1_000
"""How many conditions one notice tells of at most: they are written in one transaction."""
_NAMESPACE: Final = uuid.UUID("3f0c5a86-6a0e-5f2d-9a43-2f1e6b7d9c10")


class What(StrEnum):
    """What a notice tells of the conditions that it names."""

    OPENED = "opened"
    STILL = "still"
    """A reminder, or that it has become worse."""
    CLOSED = "closed"


Key = tuple[str, int, str]
"""The kind, the tenant and the subject of a condition."""


class Fact(Struct, frozen=True, kw_only=True):
    """Something that is wrong now. Of one subject there is at most one of a kind."""

    kind: str
    tenant_id: int
    """The tenant that it is about; for what is about no tenant, the one that notices are in."""
    subject: str
    """What it is about: an id, or the name of a machine."""
    name: str
    """The subject's name, for people."""
    since: int
    """Since when it is so, µs since the epoch."""
    detail: str = ""
    """What else there is to know, in a sentence."""
    severity: Severity | None = None
    """How bad it is, if that differs from what its kind says."""

    @property
    def key(self) -> Key:
        return self.kind, self.tenant_id, self.subject

    @property
    def weight(self) -> Severity:
        return KINDS[self.kind].severity if self.severity is None else self.severity


class ConditionRow(Struct, frozen=True, kw_only=True):
    """A condition that is open. Times are µs since the epoch."""

    number: int
    id: str
    tenant_id: int
    kind: str
    subject: str
    name: str
    detail: str
    severity: Severity
    since: int
    """Since when it is so."""
    opened_at: int
    told_at: int | None = None
    """When people were last told of it; None if they were not; 0 if they are to be told again."""
    absent_since: int | None = None
    """Since when its fact is away; None if it is there."""
    muted_until: int | None = None
    closed_at: int | None = None
    """When it closed: its row is removed as it is written."""

    @property
    def key(self) -> Key:
        return self.kind, self.tenant_id, self.subject

    @property
    def created_at(self) -> int:
        """What `Table.removals` holds against the end of a row."""
        return self.opened_at if self.closed_at is None else self.closed_at

    def is_muted(self, now: int) -> bool:
        return self.muted_until is not None and now < self.muted_until

    def is_over(self, now: int) -> bool:
        """Whether its fact has been away for long enough."""
        return self.absent_since is not None and _is_past(self.absent_since, KINDS[self.kind].closes_after, now)


def _is_past(moment: int, after: int, now: int) -> bool:
    """Whether so long has gone by since a moment. One that is far ahead was taken by a clock that was."""
    return abs(now - moment) >= after


def id_of(key: Key) -> str:
    """The id of a condition: the same each time that it opens."""
    kind, tenant_id, subject = key
    return str(uuid.uuid5(_NAMESPACE, f"{kind}/{tenant_id}/{subject}"))


def document_of(kind: str) -> str:
    """What stands for the document of all notices of a kind, so that they are delivered one after the other (C17)."""
    return str(uuid.uuid5(_NAMESPACE, kind))


class NoticeTerms(Struct, frozen=True, kw_only=True):
    """What operators set."""

    after: int = 2 * MINUTE
    """How long a subscription must fail before people are told, µs."""
    remind: int = DAY
    """How long after a notice the first reminder comes, if what it tells of goes on, µs."""


# --- What a look finds ------------------------------------------------------------------------------------------------


class Differences(NamedTuple):
    """What is to be written after a look."""

    opened: list[Fact]
    gone: list[ConditionRow]
    """Their facts went away."""
    back: list[tuple[ConditionRow, Fact]]
    """Their facts came back, or are worse."""


def compare(
    known: Iterable[ConditionRow],
    facts: Iterable[Fact],
    sees: Callable[[ConditionRow], bool],
    now: int,
    terms: NoticeTerms,
) -> Differences:
    """What changed since the rows that are `known` were written. Only a fact that the one who looks `sees` can be said
    to be away."""
    present = {fact.key: fact for fact in facts}
    opened = dict(present)
    gone, back = [], []
    for row in known:
        fact = opened.pop(row.key, None)
        if fact is None:
            if row.absent_since is None and sees(row):
                gone.append(row)
        elif row.absent_since is not None or fact.weight > row.severity:
            back.append((row, fact))
    return Differences([fact for fact in opened.values() if now >= fact.since + _opens_after(fact, terms)], gone, back)


def _opens_after(fact: Fact, terms: NoticeTerms) -> int:
    after = KINDS[fact.kind].opens_after
    return terms.after if after is None else after


# --- What is to be told -----------------------------------------------------------------------------------------------


class Telling(NamedTuple):
    """Conditions of one kind that are told of in one notice, by their ids."""

    what: What
    kind: str
    ids: tuple[str, ...]


def to_be_told(known: Iterable[ConditionRow], now: int, terms: NoticeTerms) -> list[Telling]:
    """What people are to be told of by now. The rows come in the order of their numbers. Of a kind, what closes comes
    first: a pager that resolves the kind with it then opens it again for what is new."""
    by_kind: dict[str, list[ConditionRow]] = {}
    for row in known:
        by_kind.setdefault(row.kind, []).append(row)
    return [
        Telling(what, kind, (*(row.id for row in told),))
        for kind, rows in sorted(by_kind.items())
        for what, due in ((What.CLOSED, _over), (What.OPENED, _new), (What.STILL, _to_remind_of))
        if (told := due(rows, now, terms)[:MOST_TOLD])
    ]


def _new(rows: Sequence[ConditionRow], now: int, _terms: NoticeTerms) -> list[ConditionRow]:
    """The new ones, once others that open with them had time to."""
    new = [row for row in rows if row.told_at is None and row.absent_since is None and not row.is_muted(now)]
    if not new:
        return []
    last_told = max((row.told_at for row in rows if row.told_at is not None and row.told_at <= now), default=0)
    kind = KINDS[new[0].kind]
    waits = 0 if kind.about is About.GATEWAY else kind.gathers_for  # of the gateway there are no others
    is_gathered = _is_past(min(row.opened_at for row in new), waits, now)
    return new if is_gathered and now >= last_told + TOLD_AGAIN_AFTER else []


def _to_remind_of(rows: Sequence[ConditionRow], now: int, terms: NoticeTerms) -> list[ConditionRow]:
    """All that go on, once it is time for one of them or one has become worse. What was told longest ago comes first,
    so that what one notice has no room for is in the next."""
    going_on = [row for row in rows if row.told_at is not None and row.absent_since is None and not row.is_muted(now)]
    is_due = any(now >= _told_again_at(row, terms) for row in going_on)
    return sorted(going_on, key=lambda row: row.told_at or 0) if is_due else []


def _told_again_at(row: ConditionRow, terms: NoticeTerms) -> float:
    """When people are told of a condition again. Of what is critical they are reminded each day; of the rest after a
    day, then two, four, and at last each week: who did not mend it at once knows of it."""
    told_at = row.told_at or 0
    if told_at == 0:
        return 0
    if not KINDS[row.kind].reminds:
        return inf
    # A clock that was set back may have told of it before it opened.
    was_open_for = 0 if row.severity is Severity.CRITICAL else abs(told_at - row.opened_at)
    return told_at + min(terms.remind + was_open_for, MOST_APART * terms.remind)


def _over(rows: Sequence[ConditionRow], now: int, _terms: NoticeTerms) -> list[ConditionRow]:
    """What is over, once all that went away with them are too, or some time has gone by."""
    over = [row for row in rows if row.is_over(now)]
    if not over:
        return []
    first = min(row.absent_since or 0 for row in over) + KINDS[over[0].kind].closes_after
    others_to_come = any(row.absent_since is not None and not row.is_over(now) for row in rows)
    return [] if others_to_come and not _is_past(first, TOLD_AGAIN_AFTER, now) else over
