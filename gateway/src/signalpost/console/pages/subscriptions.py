"""The pages of subscriptions: the list, and a form that tests a new endpoint before it is saved."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from signalpost.api.routing.shapes.destinations import Destination
from signalpost.api.routing.shapes.rehearsals import Rehearsal
from signalpost.api.routing.shapes.subscriptions import (
    NewSubscription,
    Subscription,
    SubscriptionPage,
    TestResult,
)
from signalpost.console.contacts_form import CONTACTS, typed_contacts
from signalpost.console.listed import ListPart, listed
from signalpost.console.objective_form import SHARE, WITHIN, edited_objective
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit, only_reads, whole
from signalpost.console.pages.beginning import BeginningForm, beginning_form, typed_beginning
from signalpost.console.pages.connections import kinds
from signalpost.console.pages.rehearsals import of_new
from signalpost_receiver import make_token

FILTERS: Final = ("name", "host", "state")
STATES: Final = ("healthy", "failing", "paused", "disabled")


class SubscriptionListView(Struct, frozen=True):
    page: ListPart[Subscription]
    given: Mapping[str, str]
    states: Sequence[str] = STATES


@only_reads
async def view(visit: Visit) -> SubscriptionListView:
    given = {name: visit.query.get(name, "").strip() for name in FILTERS}
    page = await visit.calls.read("list_subscriptions", SubscriptionPage, {**given, "cursor": visit.cursor})
    return SubscriptionListView(listed(visit, page, given), given)


class StartingPoint(Struct, frozen=True):
    """One of the subscriptions that can be begun without code: of a recipe, or of a kind from scratch."""

    path: str
    title: str
    about: str


class NewSubscriptionView(Struct, frozen=True):
    kinds: Sequence[Destination]
    to: str
    """The kind that was chosen; empty for an endpoint of one's own."""
    sought: str
    """What was searched for."""
    ways: Sequence[StartingPoint] | None
    """What can be begun with that kind, or was found; None for an endpoint of one's own."""
    given: Mapping[str, str]
    chosen: Sequence[str]
    headers: Sequence[tuple[str, str]]
    begins: BeginningForm
    test: TestResult | None = None
    """The result of the test that was just sent."""
    rehearsal: Rehearsal | None = None
    """What it would have sent, if that was asked for."""


HEADER_ROWS = 3
SAVED: Final[Mapping[str, str]] = {"active": "made", "paused": "kept-back"}
"""Which sentence of its page says how a subscription was saved."""


async def view_new(visit: Visit) -> NewSubscriptionView:
    given = {name: visit.given(name) for name in ("name", "url", "ordering", "rate", SHARE, WITHIN, CONTACTS)}
    given["secret"] = visit.given("secret") or make_token()
    headers = typed_headers(visit)
    headers += [("", "")] * (HEADER_ROWS - len(headers))
    installed, to, sought = await kinds(visit), visit.query.get("to", ""), visit.query.get("q", "").strip()
    return NewSubscriptionView(
        kinds=installed,
        to=to,
        sought=sought,
        ways=_ways(installed, to, sought),
        given=given,
        chosen=visit.chosen("type", visit.event_types),
        headers=headers,
        begins=beginning_form(visit),
    )


def _ways(installed: Sequence[Destination], to: str, sought: str) -> list[StartingPoint] | None:
    """What can be begun with a kind, or has all words that were searched for; None if neither is asked for."""
    if not to and not sought:
        return None
    found = [
        (f"{kind.title} {way.title} {way.about}", way)
        for kind in installed
        if to in ("", kind.kind)
        for way in (
            *(
                StartingPoint(f"/recipes/{each.name}", f"{kind.title}: {each.title}", each.about)
                for each in kind.presets
            ),
            StartingPoint(f"/subscriptions/new/{kind.kind}", f"{kind.title}: from scratch", kind.about),
        )
    ]
    words = sought.casefold().split()
    return [way for text, way in found if all(each in text.casefold() for each in words)]


def typed_headers(visit: Visit) -> list[tuple[str, str]]:
    names, values = visit.form.get("header", []), visit.form.get("value", [])
    return [(name.strip(), value) for name, value in zip(names, values, strict=False) if name.strip()]


def asked_for(visit: Visit) -> dict[str, Any]:
    """The body of the call that creates what the form says."""
    body: dict[str, Any] = {"url": visit.given("url"), "eventTypes": visit.chosen("type", ())}
    if name := visit.given("name"):
        body["name"] = name
    if headers := typed_headers(visit):
        body["headers"] = dict(headers)
    if secret := visit.given("secret"):
        body["secret"] = secret
    if rate := visit.given("rate"):
        body["rateLimit"] = whole(rate)
    if ordering := visit.given("ordering"):
        body["ordering"] = ordering
    if objective := edited_objective(visit, UNSET):
        body["objective"] = objective
    if contacts := typed_contacts(visit):
        body["contacts"] = contacts
    return body | typed_beginning(visit)


async def check(visit: Visit) -> SeeOther:
    """For a field that was left: the page says what is wrong with it, or nothing is."""
    await visit.calls.change("check_subscription", asked_for(visit))
    return SeeOther("/subscriptions/new")


async def test(visit: Visit) -> ShownOnce:
    """Sends a sample event to what the form says, signed with the secret that it shows; nothing is saved."""
    if not visit.given("secret"):
        visit = msgspec.structs.replace(visit, form={**visit.form, "secret": [make_token()]})
    result = await visit.calls.change("test_draft", asked_for(visit))
    shown = msgspec.structs.replace(await view_new(visit), test=msgspec.json.decode(result, type=TestResult))
    return ShownOnce("new_subscription.html", shown)


async def rehearse(visit: Visit) -> ShownOnce:
    """What the subscription would have sent of the last days."""
    found = await of_new(visit, asked_for(visit))
    return ShownOnce("new_subscription.html", msgspec.structs.replace(await view_new(visit), rehearsal=found))


async def save_paused(visit: Visit) -> SeeOther | ShownOnce:
    return await _create(visit, "paused")


async def activate(visit: Visit) -> SeeOther | ShownOnce:
    return await _create(visit, "active")


async def _create(visit: Visit, status: str) -> SeeOther | ShownOnce:
    """The form has shown the secret. If it was emptied, the gateway makes one, which is shown now."""
    body = {**asked_for(visit), "status": status}
    answer = await visit.calls.change("create_subscription", body, key=visit.given("key"))
    made = msgspec.json.decode(answer, type=NewSubscription)
    if not visit.given("secret"):
        return ShownOnce("created.html", made)
    return SeeOther(f"/subscriptions/{made.id}", SAVED[status])


class CodeView(Struct, frozen=True):
    """The page of code that verifies needs nothing."""


async def view_code(visit: Visit) -> CodeView:
    return CodeView()


PAGES = (
    Page(
        path="/subscriptions",
        section="Subscriptions",
        title="Subscriptions",
        template="subscriptions.html",
        view=view,
        done={"deleted": "The subscription is deleted. Nothing is sent there any more."},
    ),
    Page(
        path="/subscriptions/new",
        section="Subscriptions",
        title="New subscription",
        template="new_subscription.html",
        view=view_new,
        forms={"check": check, "test": test, "rehearse": rehearse, "save": save_paused, "activate": activate},
        is_shared=False,
    ),
    Page(
        path="/code",
        section="Subscriptions",
        title="Code that verifies",
        template="code.html",
        view=view_code,
    ),
)
