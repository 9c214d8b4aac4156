"""Search: from an id, the beginning of a title, reference or e-mail address, a name or a host to what it belongs to.

Everything is found by an index or in memory. Who may not read something (a key that follows deliveries may read all of
these) does not find it: the route has the roles of what it shows.
"""

from itertools import islice
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.queries import Query
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.search import SearchResult, SearchResults
from signalpost.domain import fields
from signalpost.domain.checks import Bad
from signalpost.domain.event import EventType, title_of
from signalpost.domain.fields import Text
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.runtime.own_time import on_thread
from signalpost.store.store import MAX_SCANNED

MAX_OF_A_KIND: Final = 20


class SearchQuery(Query, frozen=True):
    q: Annotated[
        Text,
        Meta(
            description="An id, a part of a subscription's name or host, or the beginning of a document's title, "
            "reference or owner's e-mail address. Without it nothing is found."
        ),
    ] = ""


async def search(context: RequestContext) -> SearchResults:
    query: SearchQuery = context.query()
    text = query.q.strip()
    try:
        found = await _by_id(context, fields.uuid(text))
    except Bad:
        found = [*await _subscriptions(context, text), *await _documents(context, text)] if text else []
    return SearchResults(data=found)


async def _by_id(context: RequestContext, identity: str) -> list[SearchResult]:
    store, tenant_id = context.services.store, context.tenant_id
    found = []
    if (subscription := context.services.directory.subscription(tenant_id, identity)) is not None:
        found.append(_subscription(subscription))
    if (event := await store.log.by_id(tenant_id, identity)) is not None:
        detail = " · ".join(filter(None, (title_of(event.body), f"sequence {event.sequence}")))
        title, at = EventType(event.type).wire, format_timestamp(event.at)
        found.append(SearchResult(kind="event", id=identity, title=title, detail=detail, at=at))
    document = await store.documents.get(tenant_id, identity)
    facets = None if document is None else document.facets
    if document is not None and facets is not None:
        title, at = msgspec.json.decode(document.body)["title"], format_timestamp(document.updated_at)
        found.append(SearchResult(kind="document", id=identity, title=title, detail=facets.status, at=at))
    return found


async def _subscriptions(context: RequestContext, text: str) -> list[SearchResult]:
    every = context.services.directory.subscriptions(context.tenant_id)
    wanted = text.casefold()

    def look() -> list[SearchResult]:
        matching = (
            _subscription(each)
            for each in every[-MAX_SCANNED:]
            if wanted in each.name.casefold() or wanted in urlsplit(each.url).netloc.casefold()
        )
        return [*islice(matching, MAX_OF_A_KIND)]

    # With thousands of subscriptions this takes milliseconds. The event loop delivers meanwhile.
    return await on_thread(context.services.off_loop, look)


def _subscription(found: Subscription) -> SearchResult:
    return SearchResult(
        kind="subscription",
        id=found.id,
        title=found.name,
        detail=urlsplit(found.url).netloc,
        at=format_timestamp(found.updated_at),
    )


async def _documents(context: RequestContext, text: str) -> list[SearchResult]:
    found = await context.services.store.documents.begins_with(context.tenant_id, text, MAX_OF_A_KIND)
    return [
        SearchResult(
            kind="document",
            id=each.external_id,
            title=each.title,
            detail=" · ".join(filter(None, (each.status, each.type, each.reference_id, each.owner_email))),
            at=format_timestamp(each.updated_at),
        )
        for each in found[:MAX_OF_A_KIND]
    ]


ROUTES = (
    Route(
        name="find_anything",
        method="GET",
        path="/v1/search",
        summary="Find events, documents and subscriptions by id, title, e-mail address, reference, name or host",
        roles=FOLLOWS,
        handler=search,
        query=SearchQuery,
        replies={200: Reply("At most 20 subscriptions and 20 documents, or what the id belongs to.", SearchResults)},
        example=Example(query={"q": "Mutual NDA"}),
    ),
)
