"""A new subscription whose customer reads its events: nothing is sent, so there is nothing to test."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.subscriptions import NewSubscription
from signalpost.console.page import Page, ShownOnce, Visit
from signalpost.console.pages.beginning import BeginningForm, beginning_form, typed_beginning
from signalpost.domain.subscription import POLL

PATH = f"/subscriptions/new/{POLL}"


class NewReadView(Struct, frozen=True):
    given: Mapping[str, str]
    chosen: Sequence[str]
    begins: BeginningForm


async def view(visit: Visit) -> NewReadView:
    return NewReadView({"name": visit.given("name")}, visit.chosen("type", visit.event_types), beginning_form(visit))


async def create(visit: Visit) -> ShownOnce:
    return ShownOnce("created.html", await made(visit))


async def made(visit: Visit) -> NewSubscription:
    """The subscription that the form describes, once it is made."""
    body: dict[str, Any] = {"kind": POLL, "eventTypes": visit.chosen("type", ()), **typed_beginning(visit)}
    if name := visit.given("name"):
        body["name"] = name
    answer = await visit.calls.change("create_subscription", body, key=visit.given("key"))
    return msgspec.json.decode(answer, type=NewSubscription)


PAGES = (
    Page(
        path=PATH,
        section="Subscriptions",
        title="New subscription",
        template="new_read.html",
        view=view,
        forms={"create": create},
        is_shared=False,
    ),
)
