"""A subscription from a recipe: two or three blanks to fill in, and a look at what would be sent."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from signalpost.api.routing.shapes.destinations import Connection, ConnectionPage, Destination
from signalpost.api.routing.shapes.service import BadField, Problem
from signalpost.api.routing.shapes.subscriptions import NewSubscription
from signalpost.console.calls import Refusal
from signalpost.console.page import Page, SeeOther, Shown, Visit
from signalpost.console.pages.connections import kinds
from signalpost.destinations.destination import Input, Preset
from signalpost.destinations.presets import body_of
from signalpost.domain.checks import Several
from signalpost.engine.connectors.preview import Preview

LOOKED_AT = 10
"""How many past events a preview looks at."""


class Blank(Struct, frozen=True):
    name: str
    title: str
    about: str
    value: str
    example: str
    pointer: str


class View(Struct, frozen=True):
    kind: Destination
    preset: Preset
    connections: Sequence[Connection]
    """The connections of this kind."""
    connection: str
    name: str
    blanks: Sequence[Blank]
    looked: Sequence["Looked"] = ()
    """What it would make of the last events of its types."""
    shown: "Looked | None" = None
    """The one of them whose request is shown: the newest that is wanted, if any is."""


class Looked(Struct, frozen=True):
    event: str
    title: str
    """The document's."""
    preview: Preview


async def view(visit: Visit) -> View:
    kind, preset = await _find(visit)
    listed = await visit.calls.read("list_connections", ConnectionPage, {"limit": "250"})
    connections = [each for each in listed.data if each.kind == kind.kind]
    chosen = visit.given("connection") or visit.query.get("connection") or (connections[0].id if connections else "")
    return View(
        kind=kind,
        preset=preset,
        connections=connections,
        connection=chosen,
        name=visit.given("name"),
        blanks=[_blank(visit, each) for each in preset.inputs],
    )


async def _find(visit: Visit) -> tuple[Destination, Preset]:
    """Raises Refusal where there is no such recipe."""
    for kind in await kinds(visit):
        for preset in kind.presets:
            if preset.name == visit.params["preset"]:
                return kind, preset
    raise Refusal(_problem(404, "Not found", "There is no recipe with this name.", "preset_not_found"))


def _blank(visit: Visit, each: Input) -> Blank:
    default = "" if each.default is UNSET or each.default is None else each.default
    value = visit.given(f"blank.{each.name}") if visit.form else default
    return Blank(each.name, each.title, each.description, _text(value), _text(each.example), each.pointer)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _filled_in(visit: Visit, preset: Preset) -> dict[str, Any]:
    """The members of the subscription that the form describes. Raises Refusal."""
    inputs: dict[str, Any] = {}
    for each in preset.inputs:
        text = visit.given(f"blank.{each.name}")
        if text:
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
        raise Refusal(_problem(422, "Invalid fields", "Some blanks are not filled in.", "invalid", errors)) from None


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


async def preview(visit: Visit) -> Shown:
    """What would become of the last events of the types that the recipe wants: the request, or why there is none."""
    kind, preset = await _find(visit)
    body = _filled_in(visit, preset)
    asked: dict[str, Any] = {name: body[name] for name in ("config", "when", "after") if name in body}
    asked["connection"] = visit.given("connection")
    looked = [await _look(visit, kind.kind, asked, each) for each in await _newest(visit, body["eventTypes"])]
    wanted = next((each for each in looked if each.preview.request is not None), looked[0])
    return Shown("recipe.html", msgspec.structs.replace(await view(visit), looked=looked, shown=wanted))


async def _look(visit: Visit, kind: str, asked: Mapping[str, Any], entry: Mapping[str, Any]) -> Looked:
    event = entry["event"]
    answer = await visit.calls.change("preview_destination", {**asked, "eventId": event["id"]}, kind=kind)
    return Looked(event["id"], event["data"]["document"]["title"], msgspec.json.decode(answer, type=Preview))


async def _newest(visit: Visit, types: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """The last events of some types, newest first. Raises Refusal where none of those that are looked at is."""
    feed = await visit.calls.read("list_events", dict[str, Any], {"before": "latest", "limit": "250"})
    found = [
        entry
        for entry in feed["data"]
        if entry["event"]["type"] in types and entry["event"]["data"]["document"] is not None
    ]
    if found:
        return found[:LOOKED_AT]
    detail = f"None of the last 250 events is a {' or '.join(types)}. Change a document, then look again."
    raise Refusal(_problem(409, "Nothing to look at yet", detail, "no_event"))


async def save_paused(visit: Visit) -> SeeOther:
    return await _create(visit, "paused")


async def activate(visit: Visit) -> SeeOther:
    return await _create(visit, "active")


async def _create(visit: Visit, status: str) -> SeeOther:
    kind, preset = await _find(visit)
    body = {**_filled_in(visit, preset), "kind": kind.kind, "connection": visit.given("connection"), "status": status}
    body["name"] = visit.given("name") or f"{kind.title}: {preset.title}"
    made = await visit.calls.change("create_subscription", body, key=visit.given("key"))
    return SeeOther(f"/subscriptions/{msgspec.json.decode(made, type=NewSubscription).id}", status)


def _problem(status: int, title: str, detail: str, code: str, errors: list[BadField] | None = None) -> Problem:
    return Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id="",
        errors=UNSET if errors is None else errors,
    )


PAGES = (
    Page(
        path="/recipes/{preset}",
        section="Subscriptions",
        title="New subscription",
        template="recipe.html",
        view=view,
        forms={"preview": preview, "save": save_paused, "activate": activate},
    ),
)
