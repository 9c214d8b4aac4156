"""A new endpoint beside the old one: makes a shadow, shows how it answers, and promotes it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from signalpost.api.routing.shapes.shadows import ComparedEvent, Comparison
from signalpost.api.routing.shapes.subscriptions import NewSubscription, Subscription
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit
from signalpost.console.pages.subscription import read
from signalpost.console.pages.subscriptions import HEADER_ROWS, typed_headers

TAB = "/shadow"
PART = "20"
"""How many differing answers are shown."""


class ShadowView(Struct, frozen=True):
    subscription: Subscription
    original: Subscription | None
    """None if the subscription is no shadow and has none, and so for what follows."""
    shadow: Subscription | None
    comparison: Comparison | None
    differing: ListPart[ComparedEvent] | None
    headers: Sequence[tuple[str, str]]
    """What was typed into the rows for additional headers."""


async def view(visit: Visit) -> ShadowView:
    subscription, headers = await read(visit), typed_headers(visit)
    headers += [("", "")] * (HEADER_ROWS - len(headers))
    original, shadow = await _both(visit, subscription)
    if shadow is None:
        return ShadowView(subscription, None, None, None, None, headers)
    query = {"limit": PART, "cursor": visit.cursor}
    comparison = await visit.calls.read("compare_shadow", Comparison, query, id=shadow.id)
    return ShadowView(subscription, original, shadow, comparison, listed(visit, comparison), headers)


async def _both(visit: Visit, found: Subscription) -> tuple[Subscription, Subscription | None]:
    """A subscription and its shadow; `found` is either of them."""
    if found.shadow_of is not UNSET:
        return await visit.calls.read("read_subscription", Subscription, id=found.shadow_of), found
    if found.shadow is UNSET:
        return found, None
    return found, await visit.calls.read("read_subscription", Subscription, id=found.shadow)


async def create(visit: Visit) -> ShownOnce:
    body: dict[str, Any] = {"shadowOf": visit.params["id"], "url": visit.given("url")}
    if headers := typed_headers(visit):
        body["headers"] = dict(headers)
    made = await visit.calls.change("create_subscription", body, key=visit.given("key"))
    return ShownOnce("created.html", msgspec.json.decode(made, type=NewSubscription))


async def promote(visit: Visit) -> SeeOther:
    return await _promote(visit, anyway=False)


async def promote_anyway(visit: Visit) -> SeeOther:
    return await _promote(visit, anyway=True)


async def _promote(visit: Visit, *, anyway: bool) -> SeeOther:
    original, shadow = await _both(visit, await read(visit))
    of = visit.params["id"] if shadow is None else shadow.id
    await visit.calls.change("promote_shadow", {"anyway": anyway}, key=visit.given("key"), id=of)
    return SeeOther(f"/subscriptions/{original.id}{TAB}", "swapped")


PAGES = (
    Page(
        path=f"/subscriptions/{{id}}{TAB}",
        section="Subscriptions",
        title="Shadow",
        template="shadow.html",
        view=view,
        forms={"create": create, "promote": promote, "promote-anyway": promote_anyway},
        done={"swapped": "The endpoints were swapped, with their secrets. The former one is the shadow from now on."},
    ),
)
