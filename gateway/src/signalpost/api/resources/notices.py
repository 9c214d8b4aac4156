"""Notices: what is wrong now, and for how long no notice tells of it again.

Operators see all of it, others what is about their tenant.
"""

from typing import Annotated, Final

from msgspec import Meta

from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.queries import PageQuery, next_cursor
from signalpost.api.routing.route import FOLLOWS, OPERATOR, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.notices import NoticeCount, NoticePage, OpenNotice
from signalpost.commands.notices import MuteNotice
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.body import Body
from signalpost.domain.errors import NotFound
from signalpost.domain.operations.conditions import ConditionRow, What
from signalpost.domain.operations.notices import notice_of
from signalpost.domain.timestamps import format_timestamp

MAX_HOURS: Final = 720


class Mute(Body, frozen=True, kw_only=True):
    hours: Annotated[
        int, Meta(ge=0, le=MAX_HOURS, description="Hours during which nobody is told of it again; 0 ends that.")
    ]


async def list_all(context: RequestContext) -> NoticePage:
    query: PageQuery = context.query()
    found = await context.services.store.lists.page(ConditionRow, _within(context), query.cursor, query.limit)
    return NoticePage(data=[_shown(context, each) for each in found], next=next_cursor(found, query.limit))


async def count(context: RequestContext) -> NoticeCount:
    context.query()
    watch, within = context.services.engine.watch, _within(context)
    return NoticeCount(count=len(watch.open) if within is None else watch.counts.of_tenants[within])


def _within(context: RequestContext) -> int | None:
    """The tenant of which the caller is shown what is wrong; None for all."""
    return None if context.principal.role is Role.OPERATOR else context.tenant_id


def _shown(context: RequestContext, found: ConditionRow) -> OpenNotice:
    services = context.services
    tenant = services.directory.tenant_with(found.tenant_id)
    tenants = {} if tenant is None else {tenant.id: tenant.name}
    notice = notice_of(What.OPENED, [found], 0, tenants, services.installation.public_url)
    return OpenNotice(
        id=found.id,
        kind=found.kind,
        severity=notice.severity,
        subject=notice.subjects[0],
        sentence=notice.sentence,
        url=notice.url,
        since=notice.since,
        opened_at=format_timestamp(found.opened_at),
        told_at=_time(found.told_at),
        gone_since=_time(found.absent_since),
        muted_until=_time(found.muted_until if found.is_muted(services.clock.wall()) else None),
    )


def _time(at: int | None) -> str | None:
    return format_timestamp(at) if at else None


def mute(context: RequestContext) -> MuteNotice:
    asked = context.change()
    return MuteNotice(
        tenant_id=OPERATIONS_TENANT,
        condition_id=context.path_uuid("id", "notice"),
        hours=asked.body.hours,
        idempotency=asked.idempotency,
    )


ROUTES = (
    Route(
        name="list_notices",
        method="GET",
        path="/v1/notices",
        summary="List what is wrong now",
        roles=FOLLOWS,
        handler=list_all,
        query=PageQuery,
        replies={200: Reply("A page, newest first: of every tenant for operators.", NoticePage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="count_notices",
        method="GET",
        path="/v1/notices/count",
        summary="Count what is wrong now",
        roles=FOLLOWS,
        handler=count,
        replies={200: Reply("The number at the last look, which was ten seconds ago or later.", NoticeCount)},
        example=Example(),
    ),
    Route(
        name="mute_notice",
        method="POST",
        path="/v1/notices/{id}/mute",
        summary="Have nobody told of something again for a while",
        roles=OPERATOR,
        handler=OneChange(mute),
        body=RequestBody(Mute),
        idempotent=True,
        replies={204: Reply("Muted. That it closes is told in any case, and ends this.")},
        errors=(NotFound,),
        example=Example({"hours": 8}),
    ),
)
