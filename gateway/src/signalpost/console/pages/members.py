"""The page of members: who signs in here, and with which role."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.access import Invitation, InvitedMember, MemberPage, MemberShown
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit
from signalpost.console.replies import given
from signalpost.domain.access.api_key import Role


class MemberListView(Struct, frozen=True):
    page: ListPart[MemberShown]
    name: str
    email: str
    role: str
    roles: Sequence[str] = tuple(Role)


class InvitationLink(Struct, frozen=True):
    """The link of an invitation, shown once."""

    url: str | None
    until: str | None
    name: str | None = None


async def view(visit: Visit) -> MemberListView:
    page = await visit.calls.read("list_members", MemberPage, {"cursor": visit.cursor})
    invited = visit.form if visit.given("do") == "invite" else {}
    name, email, role = (given(invited, each) for each in ("name", "email", "role"))
    return MemberListView(listed(visit, page), name, email, role or Role.VIEWER)


async def invite(visit: Visit) -> ShownOnce:
    visit.need_proof()
    body = {"name": visit.given("name"), "email": visit.given("email"), "role": visit.given("role")}
    answer = await visit.calls.change("invite_member", body, key=visit.given("key"))
    made = msgspec.json.decode(answer, type=InvitedMember)
    return ShownOnce("invitation.html", InvitationLink(made.url, made.invited_until, made.name))


async def change(visit: Visit) -> SeeOther:
    visit.need_proof()
    member = await visit.calls.read("read_member", MemberShown, id=visit.given("id"))
    body = {name: visit.given(name) for name in ("email", "role") if visit.is_edited(name, getattr(member, name))}
    await visit.calls.change("change_member", body, key=visit.given("key"), id=visit.given("id"))
    return SeeOther("/members", "changed")


async def reset(visit: Visit) -> ShownOnce:
    visit.need_proof()
    answer = await visit.calls.change("reset_member", key=visit.given("key"), id=visit.given("id"))
    made = msgspec.json.decode(answer, type=Invitation)
    return ShownOnce("invitation.html", InvitationLink(made.url, made.expires_at))


async def remove(visit: Visit) -> SeeOther:
    await visit.calls.change("remove_member", key=visit.given("key"), id=visit.given("id"))
    return SeeOther("/members", "removed")


PAGES = (
    Page(
        path="/members",
        section="Members",
        title="Members",
        template="members.html",
        view=view,
        forms={"invite": invite, "change": change, "reset": reset, "remove": remove},
        done={
            "changed": "Saved. Sessions that were begun with another role or address have ended.",
            "removed": "The member is removed, and signed out everywhere.",
        },
    ),
)
