"""A subscription to a vendor without a recipe: everything that its kind takes, as a form."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.destinations import Connection, ConnectionPage, Destination
from signalpost.api.routing.shapes.subscriptions import NewSubscription
from signalpost.console.calls import CallFailed
from signalpost.console.condition_form import ConditionForm, condition_form, typed_condition
from signalpost.console.delay_form import AfterForm, after_form, typed_after
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit
from signalpost.console.pages.connections import kinds
from signalpost.console.pages.previews import Previews, previews, problem
from signalpost.console.pages.subscription import CONFIG
from signalpost.console.schema_form import SchemaForm, schema_form, typed_below
from signalpost.domain.event import BY_WIRE


class View(Struct, frozen=True):
    kind: Destination
    connections: Sequence[Connection]
    """The connections of this kind."""
    connection: str
    name: str
    form: SchemaForm
    when: ConditionForm
    after: AfterForm
    chosen: Sequence[str]
    types: Sequence[str] = tuple(BY_WIRE)
    previews: Previews | None = None


async def view(visit: Visit) -> View:
    kind = await _find(visit)
    listed = await visit.calls.read("list_connections", ConnectionPage, {"limit": "250"})
    connections = [each for each in listed.data if each.kind == kind.kind]
    chosen = visit.given("connection") or visit.query.get("connection") or (connections[0].id if connections else "")
    return View(
        kind=kind,
        connections=connections,
        connection=chosen,
        name=visit.given("name"),
        form=_form(visit, kind),
        when=condition_form("when.", "/when", None, visit.form),
        after=after_form(None, visit.form),
        chosen=visit.form.get("type", list(BY_WIRE)),
    )


async def _find(visit: Visit) -> Destination:
    """Raises CallFailed where no such kind is installed."""
    for kind in await kinds(visit):
        if kind.kind == visit.params["kind"]:
            return kind
    raise CallFailed(problem(404, "Not found", "No kind of this name is installed.", "kind_not_found"))


def _form(visit: Visit, kind: Destination) -> SchemaForm:
    return schema_form(kind.config, {**visit.query, **typed_below(CONFIG, visit.form)}, "/config")


def _said(visit: Visit, kind: Destination) -> dict[str, Any]:
    """The members of the subscription that the form describes."""
    body: dict[str, Any] = {
        "connection": visit.given("connection"),
        "eventTypes": visit.form.get("type", []),
        "config": _form(visit, kind).body(typed_below(CONFIG, visit.form)),
        "when": typed_condition("when.", visit.form),
        "after": typed_after(visit.form),
    }
    return {name: value for name, value in body.items() if value is not None}


async def preview(visit: Visit) -> ShownOnce:
    """What would become of the last events, before anything is saved."""
    kind = await _find(visit)
    found = await previews(visit, kind.kind, _said(visit, kind))
    return ShownOnce("from_scratch.html", msgspec.structs.replace(await view(visit), previews=found))


async def save_paused(visit: Visit) -> SeeOther:
    return await _create(visit, "paused")


async def activate(visit: Visit) -> SeeOther:
    return await _create(visit, "active")


async def _create(visit: Visit, status: str) -> SeeOther:
    kind = await _find(visit)
    name = visit.given("name") or kind.title
    body = {**_said(visit, kind), "kind": kind.kind, "name": name, "status": status}
    made = await visit.calls.change("create_subscription", body, key=visit.given("key"))
    return SeeOther(f"/subscriptions/{msgspec.json.decode(made, type=NewSubscription).id}", status)


PAGES = (
    Page(
        path="/subscriptions/new/{kind}",
        section="Subscriptions",
        title="New subscription",
        template="from_scratch.html",
        view=view,
        forms={"preview": preview, "save": save_paused, "activate": activate},
    ),
)
