"""Sources: programs that feed a tenant, and how they say they do."""

import re
from typing import Final

from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.queries import PageQuery, next_cursor
from signalpost.api.routing.route import CHANGES_DOCUMENTS, READS, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.sources import SourcePage, SourceShown
from signalpost.commands.sources import RemoveSource, ReportSource
from signalpost.domain.errors import FieldError, Invalid, NotFound
from signalpost.domain.source import SOURCE_NAME, Source, SourceReport

_NAME: Final = re.compile(SOURCE_NAME)
_PATH: Final = "/v1/sources/{source}"


def report(context: RequestContext) -> ReportSource:
    name = context.path_text("source")
    if _NAME.fullmatch(name) is None:
        detail = (
            "A source's name is 1 to 63 letters, digits, dots, hyphens and underscores; the first is a letter or digit."
        )
        raise Invalid([FieldError("source", "bad_name", detail)])
    asked = context.change()
    return ReportSource(
        tenant_id=context.tenant_id,
        source_id=context.new_id(),
        name=name,
        oldest_seconds=asked.body.oldest_seconds,
        dead=asked.body.dead,
        idempotency=asked.idempotency,
    )


async def list_all(context: RequestContext) -> SourcePage:
    query: PageQuery = context.query()
    found = await context.services.store.lists.page(Source, context.tenant_id, query.cursor, query.limit)
    now = context.services.clock.wall()
    shown = [SourceShown.of(each, state=each.state(now)) for each in found]
    return SourcePage(data=shown, next=next_cursor(found, query.limit))


def remove(context: RequestContext) -> RemoveSource:
    asked = context.change()
    return RemoveSource(tenant_id=context.tenant_id, name=context.path_text("source"), idempotency=asked.idempotency)


ROUTES = (
    Route(
        name="report_source",
        method="PUT",
        path=_PATH,
        summary="Say how a source does that feeds the tenant",
        roles=CHANGES_DOCUMENTS,
        handler=OneChange(report),
        body=RequestBody(SourceReport),
        idempotent=True,
        replies={204: Reply("Noted. A source that was not known is, from now on.")},
        example=Example({"oldestSeconds": 2, "dead": 0}),
    ),
    Route(
        name="list_sources",
        method="GET",
        path="/v1/sources",
        summary="List the sources that feed the tenant",
        roles=READS,
        handler=list_all,
        query=PageQuery,
        replies={200: Reply("A page, newest first.", SourcePage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="remove_source",
        method="DELETE",
        path=_PATH,
        summary="Remove a source that feeds the tenant no more",
        roles=CHANGES_DOCUMENTS,
        handler=OneChange(remove),
        idempotent=True,
        replies={204: Reply("Removed. It is there again once it says how it does.")},
        errors=(NotFound,),
        example=Example(),
    ),
)
