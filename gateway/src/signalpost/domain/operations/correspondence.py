"""What the contacts of subscriptions are told, by mail.

It follows from the conditions that are open, as notices do, and from what each address knows already: never from a
change. So a crash forgets nothing, what came and went is not told, and after hours without a mail server there is one
mail with what is so by then. For each subscription that an address was told is in trouble, it is told once that this is
over, if it still is a contact.

Between two mails to an address there are fifteen minutes. The second tells all that changed meanwhile, with whichever
subscriptions. A mail begins with a row that says so, and ends with what the address knows then. If the process ends in
between, the address is written to again, in a mail with the same id, once its time has come.

All of this is pure.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from signalpost.domain.operations.conditions import ConditionRow
from signalpost.domain.operations.notices import MOST_NAMED
from signalpost.domain.shown_url import is_url, shown_url
from signalpost.domain.timestamps import DAY, HOUR, MINUTE, readable

APART: Final = 15 * MINUTE
"""How long after a mail to an address the next one is sent at the earliest."""
MAX_NAME_CHARACTERS: Final = 100
"""How much of a subscription's name is told: a caller who may name it could write letters with it otherwise."""
UNREAD: Final = "subscriptionUnread"
OVER, READ, PAUSED = "over", "read", "paused"
"""How trouble ends: the conditions closed, which is told otherwise of one that was not read, or a caller paused the
subscription."""


class Wording(NamedTuple):
    """How news of one kind are told. `{name}` is the subscription, `{count}` is how many there are."""

    subject: tuple[str, str]
    """For one, and for several."""
    said: tuple[str, str]
    advice: str = ""
    after: int = 0
    """How long its condition must have been so before it is told, µs."""
    when: str = ""
    """What is said of a moment behind the name."""
    moment: int = 0
    """How long after the condition's own that moment is, µs."""


WORDINGS: Final[Mapping[str, Wording]] = {
    "subscriptionDisabled": Wording(
        ("{name} was disabled", "{count} subscriptions were disabled"),
        ("This subscription was disabled:", "These subscriptions were disabled:"),
        "Nothing more is sent there. Events wait until it is resumed.",
        when=", at {moment}",
    ),
    "subscriptionDisablingSoon": Wording(
        ("{name} is about to be disabled", "{count} subscriptions are about to be disabled"),
        (
            "This subscription is disabled within a day if nothing arrives there until then:",
            "These subscriptions are disabled within a day if nothing arrives there until then:",
        ),
        when=", at {moment}",
        moment=DAY,
    ),
    "subscriptionFailing": Wording(
        ("Nothing arrives at {name}", "Nothing arrives at {count} subscriptions"),
        ("Nothing that is sent arrives at this subscription:", "Nothing that is sent arrives at these subscriptions:"),
        "What is not delivered is kept for a while, and can be sent again.",
        after=HOUR,
        when=", since {moment}",
    ),
    UNREAD: Wording(
        ("No reader comes for {name}", "No readers come for {count} subscriptions"),
        (
            "Events of this subscription wait to be read, and no reader asks for them:",
            "Events of these subscriptions wait to be read, and no readers ask for them:",
        ),
        "They are kept for a while. See whether the program that reads them is at work.",
        when=", since {moment}",
    ),
    PAUSED: Wording(
        ("{name} was paused", "{count} subscriptions were paused"),
        ("This subscription was in trouble, and was paused:", "These subscriptions were in trouble, and were paused:"),
    ),
    READ: Wording(
        ("{name} is read again", "{count} subscriptions are read again"),
        (
            "The events of this subscription are read again, or none waits any more:",
            "The events of these subscriptions are read again, or none waits any more:",
        ),
    ),
    OVER: Wording(
        ("{name} no longer fails", "{count} subscriptions no longer fail"),
        (
            "This subscription is not failing or disabled any more:",
            "These subscriptions are not failing or disabled any more:",
        ),
    ),
}
"""What is told, by the kind of condition, or by how the trouble ended; what is gravest comes first."""
KINDS_TOLD: Final = tuple(kind for kind in WORDINGS if kind not in (OVER, READ, PAUSED))

SubscriptionKey = tuple[int, str]
"""Tenant and id."""


class Trouble(NamedTuple):
    """What the open conditions of a subscription say."""

    open: frozenset[str]
    """The kinds that are open, whether or not they are to be told by now. One that is away for a moment is open."""
    kind: str | None
    """The gravest that is to be told by now; None if there is none."""
    since: int
    """Since when that is so."""


class Knowledge(NamedTuple):
    """What an address knows of one subscription."""

    tenant_id: int
    kind: str
    """The kind of condition that it was told; empty if none was."""
    maybe: str = ""
    """What a mail said of which it is not known whether it was sent, because the process ended or no answer came."""

    def after(self, trouble: Trouble | None) -> str | None:
        """What it is taken to know. That something is over is told even if the mail that said so was perhaps lost."""
        return self.kind or (self.maybe if trouble is None else "") or None


class Correspondence(Struct, frozen=True, kw_only=True):
    """What one address was told. It says nothing of the address but an id that is made of it."""

    number: int
    id: str
    """See `ContactIds`."""
    tenant_id: int
    """Always `operations`, because an address may be a contact in several tenants."""
    opened_at: int
    begun_at: int
    """When the last mail began."""
    told_at: int | None = None
    """When the last mail that was sent, or refused for good, began."""
    known: Mapping[str, Knowledge] = {}
    """What it knows of each subscription that it was told is in trouble, by the subscription's id."""
    closed_at: int | None = None
    """When it closed: its row is removed as it is written."""

    @property
    def created_at(self) -> int:
        """What `Table.removals` holds against the end of a row."""
        return self.begun_at if self.closed_at is None else self.closed_at

    def is_due(self, now: int) -> bool:
        """Whether the next mail may be sent. One that began far in the future began by a clock that was ahead."""
        return abs(now - self.begun_at) >= APART


# --- What is so -------------------------------------------------------------------------------------------------------


def trouble_of(rows: Mapping[str, ConditionRow], now: int) -> Trouble:
    """The trouble of a subscription, of which these conditions are open, by their kinds."""
    for kind in KINDS_TOLD:
        row = rows.get(kind)
        if row is not None and row.absent_since is None and now >= row.since + WORDINGS[kind].after:
            return Trouble(frozenset(rows), kind, row.since)
    return Trouble(frozenset(rows), None, 0)


def news_of(known: str | None, trouble: Trouble | None, *, is_paused: bool) -> str | None:
    """What a contact is to be told of a subscription, who knows of a kind of condition or of none; None for nothing."""
    if trouble is None:
        over = READ if known == UNREAD else OVER
        return None if known is None else PAUSED if is_paused else over
    if trouble.kind is None or trouble.kind == known:
        return None
    is_worse = known is None or KINDS_TOLD.index(trouble.kind) < KINDS_TOLD.index(known)
    return trouble.kind if is_worse or known not in trouble.open else None


# --- What a mail says -------------------------------------------------------------------------------------------------


class News(NamedTuple):
    """What is told of one subscription."""

    what: str
    name: str
    since: int
    """Since when it is so; 0 if it is over."""


def subject_of(news: Sequence[News]) -> str:
    """The subject of a mail: what is gravest, and how much else there is."""
    by_what = _by_what(news)
    gravest = by_what[0]
    one, several = WORDINGS[gravest[0].what].subject
    said = one.format(name=_name(gravest[0])) if len(gravest) == 1 else several.format(count=f"{len(gravest):,}")
    others = len(news) - len(gravest)
    return f"{said}, and news of {others:,} more" if others else said


def text_of(news: Sequence[News], unsubscribe: str) -> str:
    """The whole text of a mail. It names a few of many subscriptions."""
    parts, room = [], MOST_NAMED
    for alike in _by_what(news):
        wording = WORDINGS[alike[0].what]
        named = alike[:room]
        room -= len(named)
        more = len(alike) - len(named)
        lines = [f"- {_name(each)}{_when(each)}" for each in named]
        lines += [f"- {'and ' if named else ''}{more:,} {'more' if named else 'of them'}"] if more else []
        parts.append("\n".join([wording.said[len(alike) > 1], *lines]))
        parts += [wording.advice] if wording.advice else []
    parts.append(
        "You get this because your address is given as a contact, and at most one such mail in fifteen minutes. "
        f"To get no more of them:\n{unsubscribe}"
    )
    return "\n\n".join(parts)


def mail_key(row: Correspondence, said: str) -> str:
    """The key of a mail: the same if what one says has to be sent again, and another for every other mail."""
    return uuid.uuid5(uuid.UUID(row.id), f"{row.told_at or row.opened_at}/{said}").hex


def _by_what(news: Sequence[News]) -> list[list[News]]:
    found = ([each for each in news if each.what == what] for what in WORDINGS)
    return [alike for alike in found if alike]


def _name(news: News) -> str:
    name = " ".join((shown_url(news.name) if is_url(news.name) else news.name).split())
    return name if len(name) <= MAX_NAME_CHARACTERS else f"{name[: MAX_NAME_CHARACTERS - 1]}…"


def _when(news: News) -> str:
    wording = WORDINGS[news.what]
    return wording.when.format(moment=readable(news.since + wording.moment))
