"""The audit: who changed what. Only operators may read it."""

from typing import Annotated

from msgspec import Meta

from signalpost.api.http.pages import page
from signalpost.api.http.response import Json
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.queries import MAX_IN_CURSOR, PageQuery, Query, write_cursor
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.api.routing.shapes.access import AuditFault, AuditMark, AuditPage, AuditVerification
from signalpost.domain.audit import END_FILE, AuditEntry, Fault
from signalpost.store.nouns.audit import AuditFilter

_LACKS = "They were removed, or an earlier copy of the database took its place."
Identity = Annotated[str, Meta(min_length=1, max_length=200)]


class AuditQuery(PageQuery, frozen=True):
    after: Annotated[int, Meta(ge=0, le=MAX_IN_CURSOR, description="Only entries with a higher number.")] = 0
    actor: Annotated[Identity, Meta(description="Only changes by this actor, by its id.")] | None = None
    object: Annotated[Identity, Meta(description="Only changes of the object with this id.")] | None = None
    newest: Annotated[bool, Meta(description="Newest first.")] = False


async def list_all(context: RequestContext) -> Json[AuditPage]:
    query: AuditQuery = context.query()
    audit, wanted = context.services.store.audit, AuditFilter(query.actor, query.object)
    if query.newest:
        below = MAX_IN_CURSOR if query.cursor is None else query.cursor
        found = await audit.newest(context.tenant_id, wanted, query.after, below, query.limit)
    else:
        found = await audit.page(context.tenant_id, wanted, max(query.after, query.cursor or 0), query.limit)
    # Read after the page, so that no entry of the page has a higher number.
    mark = await audit.mark(context.tenant_id)
    beside = {
        "next": None if found.is_last else write_cursor((found.entries[-1].number,)),
        "mark": None if mark is None else AuditMark(number=mark.number, hash=mark.hash.hex()),
    }
    return Json(page(map(_shown, found.entries), beside))


def _shown(entry: AuditEntry) -> bytes:
    """The entry as it is kept, with its hash behind."""
    return entry.content[:-1] + b',"hash":"' + entry.hash.hex().encode() + b'"}'


class VerificationQuery(Query, frozen=True):
    end: (
        Annotated[
            str,
            Meta(
                max_length=200,
                pattern="^[0-9]{1,18}:[0-9a-f]{64}:[0-9a-f]{64}$",
                description="An end that was kept elsewhere, as an earlier verification showed it.",
            ),
        ]
        | None
    ) = None


async def verify(context: RequestContext) -> AuditVerification:
    query: VerificationQuery = context.query()
    audit = context.services.store.audit
    end, found = await audit.sealed_end(), await audit.verify()
    fault = None if found.fault is None else _fault(context, found.fault)
    if fault is None and not await context.services.audit_end.holds():
        fault = AuditFault(tenant=None, number=0, reason=f"It lacks entries that it had, as {END_FILE} says. {_LACKS}")
    if fault is None and query.end is not None and not await audit.has(query.end):
        fault = AuditFault(tenant=None, number=0, reason=f"It lacks entries that it had at the end given. {_LACKS}")
    return AuditVerification(entries=found.entries, fault=fault, end=end)


def _fault(context: RequestContext, fault: Fault) -> AuditFault:
    tenant = context.services.directory.tenant_with(fault.tenant_id)
    return AuditFault(tenant=None if tenant is None else tenant.name, number=fault.number, reason=fault.reason)


ROUTES = (
    Route(
        name="list_audit",
        method="GET",
        path="/v1/audit",
        summary="Read who changed what, oldest first",
        roles=OPERATOR,
        handler=list_all,
        query=AuditQuery,
        replies={200: Reply("A page of the tenant's entries.", AuditPage)},
        example=Example(query={"after": "0", "actor": "operator"}),
    ),
    Route(
        name="verify_audit",
        method="GET",
        path="/v1/audit/verification",
        summary="Verify that no entry of any tenant was changed, added, moved or removed",
        roles=OPERATOR,
        handler=verify,
        query=VerificationQuery,
        replies={
            200: Reply(
                "Whether every entry follows from the one before, and the first that does not.", AuditVerification
            )
        },
        example=Example(query={"end": f"0:{'0' * 64}:{'0' * 64}"}),
    ),
)
