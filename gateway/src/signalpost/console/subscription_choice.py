"""The choice of one subscription among many: a list of some, and a search for the others by a part of their name.

The one that was chosen is always in the list, also if the page before named it and it is not among those that were
found: otherwise a browser would choose another in its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from signalpost.api.routing.queries import MAX_LIMIT
from signalpost.api.routing.shapes.overview import NamedSubscription, SubscriptionNames
from signalpost.console.calls import CallFailed
from signalpost.console.page import Visit

LISTED: Final = str(MAX_LIMIT)


class SubscriptionChoice(Struct, frozen=True):
    options: Sequence[NamedSubscription]
    chosen: str
    """The id of the chosen one; what the page means by none, if there is no such option."""
    named: str
    """What was searched for."""
    total: int
    """How many there are, no matter what they are called."""
    is_cut: bool
    """Whether more of them fit than are listed."""

    @property
    def is_searched(self) -> bool:
        return self.is_cut or bool(self.named)


async def subscription_choice(visit: Visit, chosen: str, *no_id: str) -> SubscriptionChoice:
    """`no_id` are values of the choice that are no subscription's id, besides the empty one."""
    named = visit.typed("named", visit.query.get("named", "")).strip()
    page = await visit.calls.read("list_subscription_names", SubscriptionNames, {"limit": LISTED, "name": named})
    options = page.data
    if chosen not in ("", *no_id, *(each.id for each in options)):
        options = [await _chosen(visit, chosen), *options]
    return SubscriptionChoice(options, chosen, named, page.total, page.next is not None)


async def _chosen(visit: Visit, chosen: str) -> NamedSubscription:
    try:
        names = await names_of(visit, [chosen])
    except CallFailed:  # it is no id at all, which is said once the form is sent
        names = {}
    return NamedSubscription(id=chosen, name=names.get(chosen, f"{chosen}, not here or no longer"))


async def names_of(visit: Visit, ids: Iterable[str]) -> Mapping[str, str]:
    """The names of subscriptions by their ids, of as many as one call tells; others are left out."""
    asked = ",".join([*dict.fromkeys(ids)][:MAX_LIMIT])
    if not asked:
        return {}
    page = await visit.calls.read("list_subscription_names", SubscriptionNames, {"limit": LISTED, "ids": asked})
    return {each.id: each.name for each in page.data}
