"""A subscription from a recipe: two or three blanks to fill in, and a look at what would be sent."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from signalpost.api.routing.shapes.destinations import Destination
from signalpost.api.routing.shapes.rehearsals import Rehearsal
from signalpost.api.routing.shapes.service import BadField
from signalpost.console.calls import invalid, refused
from signalpost.console.contacts_form import CONTACTS, typed_contacts
from signalpost.console.delay_form import Duration, duration_of, seconds_of, typed_duration
from signalpost.console.page import Page, ShownOnce, Visit
from signalpost.console.pages.beginning import BeginningForm, beginning_form, typed_beginning
from signalpost.console.pages.connections import kinds
from signalpost.console.pages.previews import Previews, previews
from signalpost.console.pages.rehearsals import of_new
from signalpost.console.pages.vendor_subscription import ConnectionChoice, connections_of, saving
from signalpost.destinations.presets import Input, Preset, body_of
from signalpost.domain.checks import Several

_DELAY = "/after/seconds"
"""Where a blank leads that is a time to wait."""


class Blank(Struct, frozen=True):
    name: str
    title: str
    about: str
    value: str
    example: str
    pointer: str
    duration: Duration | None = None
    """What it says, if it is a time to wait."""


class RecipeView(Struct, frozen=True):
    kind: Destination
    preset: Preset
    connections: ConnectionChoice
    """The connections of this kind."""
    name: str
    blanks: Sequence[Blank]
    contacts: str
    begins: BeginningForm
    previews: Previews | None = None
    rehearsal: Rehearsal | None = None
    """What it would have sent, if that was asked for."""


async def view(visit: Visit) -> RecipeView:
    kind, preset = await _find(visit)
    return RecipeView(
        kind=kind,
        preset=preset,
        connections=await connections_of(visit, kind.kind),
        name=visit.given("name"),
        blanks=[_blank(visit, each) for each in preset.inputs],
        contacts=visit.given(CONTACTS),
        begins=beginning_form(visit),
    )


async def _find(visit: Visit) -> tuple[Destination, Preset]:
    """Raises CallFailed if there is no such recipe."""
    for kind in await kinds(visit):
        for preset in kind.presets:
            if preset.name == visit.params["preset"]:
                return kind, preset
    raise refused(404, "Not found", "There is no recipe with this name.", "preset_not_found")


def _blank(visit: Visit, each: Input) -> Blank:
    default = "" if each.default is UNSET or each.default is None else each.default
    name = f"blank.{each.name}"
    value = visit.given(name) if visit.form else default
    wait = typed_duration(name, visit.form) if name in visit.form else duration_of(default)
    return Blank(
        name=each.name,
        title=each.title,
        about=each.description,
        value=_text(value),
        example=_text(each.example),
        pointer=each.pointer,
        duration=wait if each.pointer == _DELAY else None,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _filled_in(visit: Visit, preset: Preset) -> dict[str, Any]:
    """The members of the subscription that the form describes. Raises CallFailed."""
    inputs: dict[str, Any] = {}
    for each in preset.inputs:
        text = visit.given(f"blank.{each.name}")
        if each.pointer == _DELAY:
            inputs[each.name] = seconds_of(typed_duration(f"blank.{each.name}", visit.form))
        elif text:
            inputs[each.name] = text if isinstance(each.example, str) else _value(text)
        elif each.default is None:
            inputs[each.name] = None
    try:
        return body_of(preset, inputs)
    except Several as several:
        pointers = {each.name: each.pointer for each in preset.inputs}
        errors = [
            BadField(pointer=pointers[str(bad.below[0])], code=bad.code, detail=bad.detail) for bad in several.bads
        ]
        raise invalid(errors, "Some blanks are not filled in.") from None


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


async def preview(visit: Visit) -> ShownOnce:
    """What the subscription would make of the last events that the recipe wants: the request, or why there is none."""
    kind, preset = await _find(visit)
    body = {**_filled_in(visit, preset), "connection": visit.given("connection")}
    found = await previews(visit, kind.kind, body)
    return ShownOnce("recipe.html", msgspec.structs.replace(await view(visit), previews=found))


async def _body(visit: Visit) -> dict[str, Any]:
    kind, preset = await _find(visit)
    return {
        **_filled_in(visit, preset),
        "kind": kind.kind,
        "connection": visit.given("connection"),
        "name": visit.given("name") or f"{kind.title}: {preset.title}",
        "contacts": typed_contacts(visit),
        **typed_beginning(visit),
    }


async def rehearse(visit: Visit) -> ShownOnce:
    """What the subscription would have sent of the last days."""
    found = await of_new(visit, await _body(visit))
    return ShownOnce("recipe.html", msgspec.structs.replace(await view(visit), rehearsal=found))


PAGES = (
    Page(
        path="/recipes/{preset}",
        section="Subscriptions",
        title="New subscription",
        template="recipe.html",
        view=view,
        forms={"preview": preview, "rehearse": rehearse, **saving(_body)},
    ),
)
