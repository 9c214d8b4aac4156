"""The page of API keys: who may call, and with which role."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.access import Key, KeyPage, NewKey
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit
from signalpost.domain.access.api_key import Role


class KeyListView(Struct, frozen=True):
    page: ListPart[Key]
    name: str
    role: str
    expires: str
    """The day on which it expires, as it was typed."""
    roles: Sequence[str] = tuple(Role)


async def view(visit: Visit) -> KeyListView:
    page = await visit.calls.read("list_keys", KeyPage, {"cursor": visit.cursor})
    return KeyListView(
        listed(visit, page), visit.given("name"), visit.given("role") or Role.VIEWER, visit.given("expires")
    )


async def create(visit: Visit) -> ShownOnce:
    visit.need_proof()
    body = {"name": visit.given("name"), "role": visit.given("role")}
    if expires := visit.given("expires"):
        body["expiresAt"] = f"{expires}T00:00:00Z"
    made = await visit.calls.change("create_key", body, key=visit.given("key"))
    return ShownOnce("new_key.html", msgspec.json.decode(made, type=NewKey))


async def revoke(visit: Visit) -> SeeOther:
    await visit.calls.change("revoke_key", key=visit.given("key"), id=visit.given("id"))
    return SeeOther("/keys", "revoked")


PAGES = (
    Page(
        path="/keys",
        section="Keys",
        title="Keys",
        template="keys.html",
        view=view,
        forms={"create": create, "revoke": revoke},
        done={"revoked": "The key is revoked, and no longer works."},
    ),
)
