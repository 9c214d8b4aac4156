"""Search: from an id or its beginning, or a part of a title, reference, e-mail address, name or URL, to what it belongs
to.

Everything is found by an index, by texts that are kept for it, or in memory, and nothing that is hidden is looked at.
Who may not read something (a key that follows deliveries may read all of these) does not find it: the route has the
roles of what it shows.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.queries import Query
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.search import SearchResult, SearchResults
from signalpost.domain import fields
from signalpost.domain.checks import Bad
from signalpost.domain.event import Event, EventType, time_of, title_of
from signalpost.domain.fields import Text
from signalpost.domain.id_beginning import Ids, ids_beginning_with
from signalpost.domain.shown_url import STRUCK, is_url, shown_url
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.runtime.own_time import on_thread

MAX_OF_A_KIND: Final = 20


class SearchQuery(Query, frozen=True):
    q: Annotated[
        Text,
        Meta(
            description="An id or its beginning, from eight characters on; or a part, from three on, of a document's "
            "title, reference or owner's e-mail address, or of a subscription's name, URL or contacts. Without it "
            "nothing is found."
        ),
    ] = ""


async def search(context: RequestContext) -> SearchResults:
    query: SearchQuery = context.query()
    text = query.q.strip()
    try:
        found = await _by_id(context, fields.uuid(text))
    except Bad:
        found = await _by_text(context, text) if text else []
    return SearchResults(data=found)


async def _by_text(context: RequestContext, text: str) -> list[SearchResult]:
    subscriptions = await _subscriptions(context, text)
    return [*subscriptions, *await _documents(context, text), *await _events(context, text)]


async def _by_id(context: RequestContext, identity: str) -> list[SearchResult]:
    store, tenant_id = context.services.store, context.tenant_id
    found = []
    if (subscription := context.services.directory.subscription(tenant_id, identity)) is not None:
        found.append(_subscription(subscription))
    if (event := await store.log.by_id(tenant_id, identity)) is not None:
        found.append(_event(event))
    document = await store.documents.get(tenant_id, identity)
    facets = None if document is None else document.facets
    if document is not None and facets is not None:
        title, at = msgspec.json.decode(document.body)["title"], format_timestamp(document.updated_at)
        found.append(SearchResult(kind="document", id=identity, title=title, detail=facets.status, at=at))
    return found


async def _subscriptions(context: RequestContext, text: str) -> list[SearchResult]:
    directory, tenant_id = context.services.directory, context.tenant_id
    # Whoever has all of a URL finds what is shown of it.
    texts = {text, shown_url(text)} - {STRUCK} if is_url(text) else {text}
    ids = ids_beginning_with(text)

    def look() -> list[SearchResult]:
        with_ids = () if ids is None else _with_ids(directory.subscriptions(tenant_id), ids)
        every = chain(with_ids, directory.subscriptions_having(tenant_id, texts))
        found = {each.id: each for each in islice(every, MAX_OF_A_KIND)}
        return [*map(_subscription, found.values())]

    # With thousands of subscriptions this takes milliseconds. The event loop delivers meanwhile.
    return await on_thread(context.services.off_loop, look)


def _with_ids(every: Iterable[Subscription], ids: Ids) -> Iterator[Subscription]:
    return (each for each in every if ids.first <= each.id <= ids.last)


def _subscription(found: Subscription) -> SearchResult:
    return SearchResult(
        kind="subscription",
        id=found.id,
        title=found.name,
        detail="" if found.is_read else shown_url(found.url),
        at=format_timestamp(found.updated_at),
    )


async def _events(context: RequestContext, text: str) -> list[SearchResult]:
    ids = ids_beginning_with(text)
    if ids is None:
        return []
    log = context.services.store.log
    first = await log.sequence_at(context.tenant_id, time_of(ids.first))  # ids rise with the sequence
    found = await log.events(context.tenant_id, range(first, first + MAX_OF_A_KIND))
    return [_event(each) for each in found if ids.first <= each.id <= ids.last]


def _event(found: Event) -> SearchResult:
    detail = " · ".join(filter(None, (title_of(found.body), f"sequence {found.sequence}")))
    title, at = EventType(found.type).wire, format_timestamp(found.at)
    return SearchResult(kind="event", id=found.id, title=title, detail=detail, at=at)


async def _documents(context: RequestContext, text: str) -> list[SearchResult]:
    found = await context.services.store.documents.search(context.tenant_id, text, MAX_OF_A_KIND)
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
        summary="Find events, documents and subscriptions by id, title, e-mail address, reference, name or URL",
        roles=FOLLOWS,
        handler=search,
        query=SearchQuery,
        replies={200: Reply("At most 20 of a kind, or what the id belongs to.", SearchResults)},
        example=Example(query={"q": "Mutual NDA"}),
    ),
)
