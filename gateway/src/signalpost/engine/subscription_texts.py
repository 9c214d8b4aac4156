"""What subscriptions are found by: their names, their URLs as they are shown, and the addresses of their contacts.

The texts of subscriptions with neighbouring numbers are one string, made when a search first comes there and again once
one of them changed. So a search looks through a tenant's 100,000 subscriptions in milliseconds, and never at what of a
URL is hidden: how long it takes says nothing of that either.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from signalpost.domain.shown_url import shown_url
from signalpost.domain.subscription import Subscription

_NUMBERS: Final = 1_024
"""A part has the texts of subscriptions with so many numbers."""
_BETWEEN: Final = "\0"
"""Stands between two subscriptions: no text has it."""


class _Part(NamedTuple):
    subscriptions: Sequence[Subscription]
    text: str


class SubscriptionTexts:
    def __init__(self) -> None:
        self._parts: dict[tuple[int, int], list[_Part]] = {}
        """The parts that were searched since one of their subscriptions last changed, by tenant and place."""

    def clear(self) -> None:
        """Forget all."""
        self._parts.clear()

    def forget(self, subscription: Subscription) -> None:
        """Follow a change of a subscription, or its end."""
        self._parts.pop((subscription.tenant_id, subscription.number // _NUMBERS), None)

    def having(
        self, tenant_id: int, oldest_first: Sequence[Subscription], texts: Collection[str]
    ) -> Iterator[Subscription]:
        """The subscriptions of a tenant that have one of these texts. Any thread may ask."""
        wanted = [each.casefold() for each in texts]
        start = 0
        while start < len(oldest_first):
            place = oldest_first[start].number // _NUMBERS
            end = bisect_left(oldest_first, (place + 1) * _NUMBERS, start, key=attrgetter("number"))
            part = self._part((tenant_id, place), oldest_first, start, end)
            start = end
            if any(each in part.text for each in wanted):
                for found, text in zip(part.subscriptions, part.text.split(_BETWEEN), strict=True):
                    if any(each in text for each in wanted):
                        yield found

    def _part(self, place: tuple[int, int], oldest_first: Sequence[Subscription], start: int, end: int) -> _Part:
        # What a thread finds here is kept only where a change that it may have missed lets go of it; see `Directory`.
        kept = self._parts.setdefault(place, [])
        if not kept:
            subscriptions = oldest_first[start:end]
            kept.append(_Part(subscriptions, _BETWEEN.join(map(_text, subscriptions))))
        return kept[0]


def _text(found: Subscription) -> str:
    url = "" if found.is_read else shown_url(found.url)
    return "\n".join((found.name, url, *found.contacts)).casefold()
