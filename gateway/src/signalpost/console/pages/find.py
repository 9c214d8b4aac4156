"""The search page. It takes an id or its beginning, or a part of a title, an e-mail address, a name or a URL."""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from signalpost.api.resources.search import MAX_OF_A_KIND
from signalpost.api.routing.shapes.deliveries import DeliveryPage
from signalpost.api.routing.shapes.search import SearchResult, SearchResults
from signalpost.console.page import GoOn, Page, Visit

_PATHS = {"event": "/events/", "document": "/documents/", "subscription": "/subscriptions/"}


_ICONS = {"Event": "lines", "Delivery": "send", "Document": "file", "Subscription": "share"}
"""The icon of each kind of thing, which is that of its section."""


class SearchHit(Struct, frozen=True):
    what: str
    text: str
    detail: str
    path: str
    state: str | None = None
    """How a delivery stands."""
    found: SearchResult | None = None
    """What it is, unless it only leads further: its id and its time tell it from others of one title."""

    @property
    def icon(self) -> str:
        return _ICONS[self.what]


class SearchView(Struct, frozen=True):
    asked: str
    found: Sequence[SearchHit]

    @property
    def counted(self) -> str:
        """What was found, in a few words: `1 event, 3 deliveries`."""
        return ", ".join(_counted(what, count) for what, count in self._counts.items())

    @property
    def is_full(self) -> bool:
        """Whether there may be more of a kind than are listed."""
        return any(count >= MAX_OF_A_KIND for count in self._counts.values())

    @property
    def _counts(self) -> Counter[str]:
        return Counter(each.what.lower() for each in self.found)


def _counted(what: str, count: int) -> str:
    if count == 1:
        return f"1 {what}"
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count} {plural}{' or more' if count >= MAX_OF_A_KIND else ''}"


async def view(visit: Visit) -> SearchView:
    asked = visit.query.get("q", "").strip()
    if not asked:
        return SearchView(asked, ())
    results = await visit.calls.read("find_anything", SearchResults, {"q": asked})
    found = [each for result in results.data for each in await _found(visit, result)]
    if len(found) == 1:
        raise GoOn(found[0].path)
    return SearchView(asked, found)


async def _found(visit: Visit, result: SearchResult) -> list[SearchHit]:
    """What a result leads to: of an event, also what happened to it at each subscription."""
    found = [
        SearchHit(
            result.kind.capitalize(), result.title, result.detail, f"{_PATHS[result.kind]}{result.id}", found=result
        )
    ]
    if result.kind == "event":
        deliveries = await visit.calls.read(
            "list_deliveries", DeliveryPage, {"eventId": result.id, "limit": str(MAX_OF_A_KIND)}
        )
        found += [
            SearchHit(
                "Delivery",
                f"to {each.subscription_name}",
                each.cause.detail,
                f"/subscriptions/{each.subscription_id}/deliveries/{result.id}",
                each.status,
            )
            for each in deliveries.data
            if each.status is not None
        ]
        if deliveries.next is not None:
            found.append(SearchHit("Event", "More subscriptions", "All who got it are on its page.", found[0].path))
    return found


PAGES = (Page(path="/find", section="", title="Find", template="find.html", view=view),)
