"""A subscription to a vendor without a recipe: everything that its kind takes, as a form."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.destinations import Destination
from signalpost.api.routing.shapes.rehearsals import Rehearsal
from signalpost.console.calls import refused
from signalpost.console.condition_form import ConditionForm, condition_form, typed_condition
from signalpost.console.contacts_form import CONTACTS, typed_contacts
from signalpost.console.delay_form import AfterForm, after_form, typed_after
from signalpost.console.page import Page, ShownOnce, Visit
from signalpost.console.pages.beginning import BeginningForm, beginning_form, typed_beginning
from signalpost.console.pages.connections import kinds
from signalpost.console.pages.previews import Previews, previews
from signalpost.console.pages.rehearsals import of_new
from signalpost.console.pages.subscription_settings import CONFIG
from signalpost.console.pages.vendor_subscription import ConnectionChoice, connections_of, saving
from signalpost.console.schema_form import SchemaForm, schema_form, typed_below


class FromScratchView(Struct, frozen=True):
    kind: Destination
    connections: ConnectionChoice
    """The connections of this kind."""
    name: str
    form: SchemaForm
    when: ConditionForm
    after: AfterForm
    chosen: Sequence[str]
    contacts: str
    begins: BeginningForm
    previews: Previews | None = None
    rehearsal: Rehearsal | None = None
    """What it would have sent, if that was asked for."""


async def view(visit: Visit) -> FromScratchView:
    kind = await _find(visit)
    return FromScratchView(
        kind=kind,
        connections=await connections_of(visit, kind.kind),
        name=visit.given("name"),
        form=_form(visit, kind),
        when=condition_form("when.", "/when", None, visit.form),
        after=after_form(None, visit.form),
        chosen=visit.chosen("type", visit.event_types),
        contacts=visit.given(CONTACTS),
        begins=beginning_form(visit),
    )


async def _find(visit: Visit) -> Destination:
    """Raises CallFailed if no such kind is installed."""
    for kind in await kinds(visit):
        if kind.kind == visit.params["kind"]:
            return kind
    raise refused(404, "Not found", "No kind of this name is installed.", "kind_not_found")


def _form(visit: Visit, kind: Destination) -> SchemaForm:
    return schema_form(kind.config, {**visit.query, **typed_below(CONFIG, visit.form)}, "/config")


def _said(visit: Visit, kind: Destination) -> dict[str, Any]:
    """The members of the subscription that the form describes."""
    body: dict[str, Any] = {
        "connection": visit.given("connection"),
        "eventTypes": visit.chosen("type", ()),
        "config": _form(visit, kind).body(typed_below(CONFIG, visit.form)),
        "when": typed_condition("when.", visit.form),
        "after": typed_after(visit.form),
        "contacts": typed_contacts(visit) or None,
        **typed_beginning(visit),
    }
    return {name: value for name, value in body.items() if value is not None}


async def preview(visit: Visit) -> ShownOnce:
    """What the subscription would make of the last events, before anything is saved."""
    kind = await _find(visit)
    found = await previews(visit, kind.kind, _said(visit, kind))
    return ShownOnce("from_scratch.html", msgspec.structs.replace(await view(visit), previews=found))


async def _body(visit: Visit) -> dict[str, Any]:
    kind = await _find(visit)
    return {**_said(visit, kind), "kind": kind.kind, "name": visit.given("name") or kind.title}


async def rehearse(visit: Visit) -> ShownOnce:
    """What the subscription would have sent of the last days."""
    found = await of_new(visit, await _body(visit))
    return ShownOnce("from_scratch.html", msgspec.structs.replace(await view(visit), rehearsal=found))


PAGES = (
    Page(
        path="/subscriptions/new/{kind}",
        section="Subscriptions",
        title="New subscription",
        template="from_scratch.html",
        view=view,
        forms={"preview": preview, "rehearse": rehearse, **saving(_body)},
    ),
)
