"""What a store remembers, so that an event is handled once and a document's events in order.

An event is *claimed* before it is handled and *committed* after. A claim that is neither committed nor released,
because its process died, ends with its lease. So an event is handled at least once, and twice only if a handler ran for
longer than its lease, or if its commit did not get through.

For receivers that keep the order there is a *mark* for each document: the position of the last event that was handled.
It outlives the document, as its tombstone, and is forgotten when the last of its events is. A document's lease says
that one of its events is being handled. Events that are *held* wait in the store, with their bodies, for those that may
still arrive before them.

All times are those of the receivers' clocks, in seconds since the epoch, and are passed in.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import ClassVar, Protocol, TypeAlias, Union

from signalpost_receiver.event import Event

_YEAR_1 = datetime(1, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Item:
    """An event as stores know it."""

    event_id: str
    document: str | None
    """The document whose events are handled in order; None if the order does not matter."""
    position: str
    """The event's place among those of its document, as a text: digits and letters only, which every database
    compares alike."""


def item_of(event: Event, *, ordered: bool) -> Item:
    """How stores identify an event. An event without a document has no place in any order."""
    if not ordered:
        return Item(event.id, None, "")
    document = event.id if event.document is None else event.document.external_id
    return Item(event.id, document, position_of(event))


def position_of(event: Event) -> str:
    """The order of a document's events: by `createdAt`, then `id` (C5)."""
    return f"{(event.created_at - _YEAR_1) // _MICROSECOND:018d}{event.id.encode().hex()}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """No other process handles the event until the lease ends."""

    token: str
    """Proves the claim; a later claim of the same event has another."""


@dataclass(frozen=True, slots=True)
class Handled:
    """The event was handled before, or waits to be: this one is a duplicate."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A later event of the document was handled before."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The event, or another one of its document, is being handled at this moment."""

    until: float
    """When the lease ends, at the latest."""


Claim: TypeAlias = Union[Claimed, Handled, Stale, Busy]  # noqa: UP007  # Python 3.10
"""The answer to a request to handle an event."""


@dataclass(frozen=True, slots=True)
class Held:
    """A held event that is claimed, to be handled now."""

    item: Item
    token: str
    body: bytes
    hints: str
    """What came beside the body, as it was given to `hold`."""


class Store(Protocol):
    """Remembers events and documents. Each call is one transaction; anything that it raises means that it failed."""

    blocking: ClassVar[bool]
    """Whether calls wait for a disk or a network: `areceive` makes those on a thread."""

    def claim(self, item: Item, *, now: float, lease_until: float) -> Claim:
        """Ask to handle an event, and with it to be the only one that handles its document."""
        ...

    def commit(self, item: Item, token: str, *, now: float, forget_at: float) -> bool:
        """Record that the event was handled, and move its document's mark. False if the lease ended and another
        claim was made: the other one counts."""
        ...

    def release(self, item: Item, token: str, *, again_at: float) -> None:
        """Give up a claim. An event that was held is held again; nothing of its document is taken until `again_at`."""
        ...

    def hold(self, item: Item, body: bytes, hints: str, *, now: float, due_at: float) -> Claim:
        """Keep an event until it is taken, at `due_at` or later. Claimed means that it is kept."""
        ...

    def take(self, *, now: float, lease_until: float) -> Held | None:
        """Claim the next held event: the first of a document of which some event is due. None if there is none.

        Events before their document's mark are not returned: they end as if they had been handled.
        """
        ...

    def forget(self, event_id: str) -> None:
        """Forget that an event was handled or held, so that it is handled if it is sent again."""
        ...


class AsyncStore(Protocol):
    """A `Store` whose calls are awaited."""

    blocking: ClassVar[bool]

    def claim(self, item: Item, *, now: float, lease_until: float) -> Awaitable[Claim]:
        """See `Store.claim`, whose result is awaited here."""
        ...

    def commit(self, item: Item, token: str, *, now: float, forget_at: float) -> Awaitable[bool]:
        """See `Store.commit`, whose result is awaited here."""
        ...

    def release(self, item: Item, token: str, *, again_at: float) -> Awaitable[None]:
        """See `Store.release`, which is awaited here."""
        ...

    def hold(self, item: Item, body: bytes, hints: str, *, now: float, due_at: float) -> Awaitable[Claim]:
        """See `Store.hold`, whose result is awaited here."""
        ...

    def take(self, *, now: float, lease_until: float) -> Awaitable[Held | None]:
        """See `Store.take`, whose result is awaited here."""
        ...

    def forget(self, event_id: str) -> Awaitable[None]:
        """See `Store.forget`, which is awaited here."""
        ...
