"""Members: people who sign in to the console. Only operators invite them, so no one can grant more than they have."""

from msgspec import UNSET

from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.queries import PageQuery, next_cursor
from signalpost.api.routing.route import OPERATOR, Example, OneChange, Reply, Route
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.access import Invitation, InvitedMember, MemberPage, MemberShown
from signalpost.commands.members import ChangeMember, InviteMember, RemoveMember, ResetMember, member_not_found
from signalpost.domain.access.member import Member, MemberPatch, MemberRequest
from signalpost.domain.access.sign_in import hash_token, make_token
from signalpost.domain.errors import Conflict, NotFound


def invite(context: RequestContext) -> InviteMember:
    asked = context.change()
    token = make_token(context.services.secret_bytes)
    return InviteMember(
        tenant_id=context.tenant_id,
        tenant=context.tenant_name,
        member_id=context.new_id(),
        name=asked.body.name,
        email=asked.body.email.lower(),
        role=asked.body.role,
        url=_invitation(context, token),
        invitation=hash_token(token),
        created_by=context.principal.name,
        idempotency=asked.idempotency,
    )


async def list_all(context: RequestContext) -> MemberPage:
    query: PageQuery = context.query()
    services = context.services
    found = await services.store.lists.page(Member, context.within, query.cursor, query.limit)
    shown = [_shown(member, services) for member in found]
    return MemberPage(data=shown, next=next_cursor(found, query.limit))


async def show(context: RequestContext) -> MemberShown:
    context.query()
    member = await _found(context)
    return _shown(member, context.services)


async def change(context: RequestContext) -> ChangeMember:
    asked = await context.read_change()
    member = await _found(context)
    return ChangeMember(
        tenant_id=context.tenant_id,
        tenant=_shown(member, context.services).tenant,
        member_id=member.id,
        within=context.within,
        name=asked.body.name,
        email=UNSET if asked.body.email is UNSET else asked.body.email.lower(),
        role=asked.body.role,
        idempotency=asked.idempotency,
    )


def remove(context: RequestContext) -> RemoveMember:
    asked = context.change()
    return RemoveMember(
        tenant_id=context.tenant_id,
        member_id=context.path_uuid("id", "member"),
        within=context.within,
        idempotency=asked.idempotency,
    )


def reset(context: RequestContext) -> ResetMember:
    asked = context.change()
    token = make_token(context.services.secret_bytes)
    return ResetMember(
        tenant_id=context.tenant_id,
        member_id=context.path_uuid("id", "member"),
        within=context.within,
        url=_invitation(context, token),
        invitation=hash_token(token),
        idempotency=asked.idempotency,
    )


def _invitation(context: RequestContext, token: str) -> str:
    return f"{context.services.installation.public_url}/console/join/{token}"


async def _found(context: RequestContext) -> Member:
    """Raises NotFound."""
    member = await context.services.store.access.member(context.path_uuid("id", "member"))
    if member is None or member.removed_at is not None or context.within not in (None, member.tenant_id):
        raise member_not_found()
    return member


def _shown(member: Member, services: Services) -> MemberShown:
    tenant = services.directory.tenant_with(member.tenant_id)
    return MemberShown.of(member, tenant="" if tenant is None else tenant.name)


ROUTES = (
    Route(
        name="invite_member",
        method="POST",
        path="/v1/members",
        summary="Invite a person to the console",
        roles=OPERATOR,
        handler=OneChange(invite),
        body=RequestBody(MemberRequest),
        idempotent=True,
        replies={201: Reply("The member, and the link that is shown only this once.", InvitedMember, ("location",))},
        errors=(Conflict,),
        example=Example({"name": "Ada", "email": "ada@example.com", "role": "viewer"}),
    ),
    Route(
        name="list_members",
        method="GET",
        path="/v1/members",
        summary="List the members of the tenant that the call names, or of all tenants",
        roles=OPERATOR,
        handler=list_all,
        query=PageQuery,
        replies={200: Reply("A page, newest first.", MemberPage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="read_member",
        method="GET",
        path="/v1/members/{id}",
        summary="Read a member",
        roles=OPERATOR,
        handler=show,
        replies={200: Reply("The member.", MemberShown)},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="change_member",
        method="PATCH",
        path="/v1/members/{id}",
        summary="Change a member's name, address or role",
        roles=OPERATOR,
        handler=change,
        changes=True,
        body=RequestBody(MemberPatch),
        idempotent=True,
        replies={200: Reply("The member. With another role or address, their sessions have ended.", MemberShown)},
        errors=(NotFound, Conflict),
        example=Example({"role": "subscriber"}),
    ),
    Route(
        name="remove_member",
        method="DELETE",
        path="/v1/members/{id}",
        summary="Remove a member",
        roles=OPERATOR,
        handler=OneChange(remove),
        idempotent=True,
        replies={204: Reply("Removed. Their sessions have ended.")},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="reset_member",
        method="POST",
        path="/v1/members/{id}/invitation",
        summary="Invite a member again, after a forgotten password or an expired invitation",
        roles=OPERATOR,
        handler=OneChange(reset),
        idempotent=True,
        replies={201: Reply("The link. The old password, sessions and links no longer work.", Invitation)},
        errors=(NotFound,),
        example=Example(),
    ),
)
