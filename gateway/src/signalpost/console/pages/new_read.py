"""A new subscription whose customer reads its events: nothing is sent, so there is nothing to test."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.rehearsals import Rehearsal
from signalpost.api.routing.shapes.subscriptions import NewSubscription
from signalpost.console.page import Page, ShownOnce, Visit
from signalpost.console.pages.beginning import BeginningForm, beginning_form, typed_beginning
from signalpost.console.pages.rehearsals import of_new
from signalpost.domain.subscription import POLL

PATH = f"/subscriptions/new/{POLL}"


class NewReadView(Struct, frozen=True):
    given: Mapping[str, str]
    chosen: Sequence[str]
    begins: BeginningForm
    rehearsal: Rehearsal | None = None
    """What its reader would have been handed, if that was asked for."""


async def view(visit: Visit) -> NewReadView:
    return NewReadView({"name": visit.given("name")}, visit.chosen("type", visit.event_types), beginning_form(visit))


async def create(visit: Visit) -> ShownOnce:
    return ShownOnce("created.html", await made(visit))


async def rehearse(visit: Visit) -> ShownOnce:
    """What its reader would have been handed of the last days."""
    found = await of_new(visit, _said(visit))
    return ShownOnce("new_read.html", msgspec.structs.replace(await view(visit), rehearsal=found))


def _said(visit: Visit) -> dict[str, Any]:
    """The body of the call that creates what the form says."""
    body: dict[str, Any] = {"kind": POLL, "eventTypes": visit.chosen("type", ()), **typed_beginning(visit)}
    if name := visit.given("name"):
        body["name"] = name
    return body


async def made(visit: Visit) -> NewSubscription:
    """The subscription that the form describes, once it is made."""
    body = _said(visit)
    answer = await visit.calls.change("create_subscription", body, key=visit.given("key"))
    return msgspec.json.decode(answer, type=NewSubscription)


PAGES = (
    Page(
        path=PATH,
        section="Subscriptions",
        title="New subscription",
        template="new_read.html",
        view=view,
        forms={"create": create, "rehearse": rehearse},
        is_shared=False,
    ),
)
