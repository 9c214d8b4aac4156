"""The search page. It takes the id of an event, a document or a subscription, a title, an e-mail address or a host."""

from collections.abc import Sequence

from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import DeliveryPage
from signalpost.api.routing.shapes.search import SearchResult, SearchResults
from signalpost.console.page import GoOn, Page, Visit

_PATHS = {"event": "/events/", "document": "/documents/", "subscription": "/subscriptions/"}


class SearchHit(Struct, frozen=True):
    what: str
    text: str
    detail: str
    path: str


class SearchView(Struct, frozen=True):
    asked: str
    found: Sequence[SearchHit]


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
    found = [SearchHit(result.kind.capitalize(), result.title, result.detail, f"{_PATHS[result.kind]}{result.id}")]
    if result.kind == "event":
        deliveries = await visit.calls.read("list_deliveries", DeliveryPage, {"eventId": result.id, "limit": "20"})
        found += [
            SearchHit(
                "Delivery",
                f"to {each.subscription_name}",
                each.cause.detail,
                f"/subscriptions/{each.subscription_id}/deliveries/{result.id}",
            )
            for each in deliveries.data
            if each.status is not None
        ]
        if deliveries.next is not None:
            found.append(SearchHit("Event", "More subscriptions", "All who got it are on its page.", found[0].path))
    return found


PAGES = (Page(path="/find", section="", title="Find", template="find.html", view=view),)
