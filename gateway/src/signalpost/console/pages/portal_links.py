"""The page of portal links: which customers may see their own subscriptions, and a form for another link."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.access import NewPortalLink, PortalLinkPage, PortalLinkShown
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit, whole
from signalpost.console.subscription_choice import SubscriptionChoice, names_of, subscription_choice
from signalpost.domain.access.portal_link import Capability, Mode

CAPABILITIES: Final[Mapping[Capability, str]] = {
    Capability.PAYLOAD: "see what was sent, and what the endpoint answered",
    Capability.TEST: "send a test, or the ten cases",
    Capability.RETRY: "send a delivery again",
    Capability.REPLAY: "send many again",
    Capability.EDIT: "change the endpoint, pause and resume it",
    Capability.CREATE: "create endpoints (only with all subscriptions)",
    Capability.SECRET: "rotate the secret, check signatures",
}
"""What a link can allow in addition to viewing, as the form asks for it."""
ALLOWED: Final[Mapping[Capability, str]] = {
    Capability.PAYLOAD: "see what was sent",
    Capability.TEST: "send tests",
    Capability.RETRY: "send one again",
    Capability.REPLAY: "send many again",
    Capability.EDIT: "change endpoints",
    Capability.CREATE: "create endpoints",
    Capability.SECRET: "rotate secrets",
}
"""The same in the few words of the list."""
TICKED_AT_FIRST: Final = (Capability.PAYLOAD, Capability.TEST, Capability.RETRY)
HOURS: Final = (1, 4, 12)
ALL: Final = "all"
LABELS: Final[Mapping[str, str]] = {
    "/name": "Who it is for",
    "/subscriptions": "Shows",
    "/embed": "Pages that may show it in a frame",
    "/theme/name": "Title",
    "/theme/accent": "Colour",
    "/theme/radius": "Radius of corners, in pixels",
    "/theme/mode": "Light or dark",
    "/theme/logo": "Logo",
}
"""What the form calls the members of a link, by their pointers."""
LOOKS: Final = ("embed", "theme.name", "theme.accent", "theme.radius", "theme.mode", "theme.logo")
"""The fields that say where the page is shown and what it looks like. All may stay empty."""


class PortalLinkListView(Struct, frozen=True):
    page: ListPart[PortalLinkShown]
    names: Mapping[str, str]
    """The names of the subscriptions that the links show, by ids."""
    name: str
    choice: SubscriptionChoice
    """The subscription that was chosen, or that the link to this page names; else `all`."""
    can: Sequence[str]
    hours: str
    looks: Mapping[str, str]
    """What was typed into the fields `LOOKS`."""
    capabilities: Sequence[tuple[str, str]] = tuple(CAPABILITIES.items())
    ends: Sequence[int] = HOURS
    modes: Sequence[str] = tuple(Mode)

    @property
    def labels(self) -> Mapping[str, str]:
        return LABELS

    @property
    def has_looks(self) -> bool:
        """Whether any of them says something else than the form does at first."""
        return any(typed not in ("", Mode.AUTO) for typed in self.looks.values())

    def reached(self, link: PortalLinkShown) -> str:
        """What a link shows."""
        if link.subscriptions == ALL:
            return "all subscriptions"
        return ", ".join(self.names.get(each, each) for each in link.subscriptions) or "none"

    def allowed(self, link: PortalLinkShown) -> str:
        """What a link allows."""
        return ", ".join(said for each, said in ALLOWED.items() if each in link.can) or "only to look"


async def view(visit: Visit) -> PortalLinkListView:
    page = await visit.calls.read("list_portal_links", PortalLinkPage, {"cursor": visit.cursor})
    reached = [each for link in page.data if link.subscriptions != ALL for each in link.subscriptions]
    chosen = visit.given("subscription") or visit.query.get("subscription", ALL)
    return PortalLinkListView(
        page=listed(visit, page),
        names=await names_of(visit, reached),
        name=visit.given("name"),
        choice=await subscription_choice(visit, chosen, ALL),
        can=visit.form.get("can", []) if "name" in visit.form else TICKED_AT_FIRST,
        hours=visit.given("hours") or str(HOURS[0]),
        looks={name: visit.given(name) for name in LOOKS},
    )


async def find(visit: Visit) -> ShownOnce:
    """Lists the subscriptions with a name that was searched for. Everything else that was typed stays."""
    return ShownOnce("portal_links.html", await view(visit))


async def create(visit: Visit) -> ShownOnce:
    visit.need_proof()
    chosen, hours = visit.given("subscription"), visit.given("hours")
    body = {
        "name": visit.given("name"),
        "subscriptions": ALL if chosen == ALL else [chosen],
        "can": visit.form.get("can", []),
        "expiresIn": int(hours) * 3600 if hours in map(str, HOURS) else hours,
        "embed": visit.given("embed").replace(",", " ").split(),
        "theme": _theme(visit),
    }
    made = await visit.calls.change("create_portal_link", body, key=visit.given("key"))
    return ShownOnce("portal_link.html", msgspec.json.decode(made, type=NewPortalLink))


def _theme(visit: Visit) -> dict[str, Any]:
    """What was typed of a theme. Base64 may have line breaks, as programs print it."""
    typed = {
        **{name: visit.given(f"theme.{name}") for name in ("name", "accent", "mode")},
        "radius": whole(visit.given("theme.radius")),
        "logo": "".join(visit.given("theme.logo").split()),
    }
    return {name: value for name, value in typed.items() if value != ""}


async def revoke(visit: Visit) -> SeeOther:
    await visit.calls.change("revoke_portal_link", key=visit.given("key"), id=visit.given("id"))
    return SeeOther("/portal-links", "revoked")


PAGES = (
    Page(
        path="/portal-links",
        section="Portal links",
        title="Portal links",
        template="portal_links.html",
        view=view,
        forms={"find": find, "create": create, "revoke": revoke},
        done={"revoked": "The link is revoked. Whoever came by it is signed out at their next page."},
    ),
)
