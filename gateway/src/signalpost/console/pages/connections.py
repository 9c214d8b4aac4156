"""The vendors that the gateway may call, and how it signs in to them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.destinations import (
    Connection,
    ConnectionPage,
    ConnectionTest,
    ConsentAsked,
    Destination,
    DestinationList,
)
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import GoOn, Page, SeeOther, ShownOnce, Visit
from signalpost.console.schema_form import SchemaForm, schema_form


class ConnectionListView(Struct, frozen=True):
    page: ListPart[Connection]
    kinds: Sequence[Destination]


async def view(visit: Visit) -> ConnectionListView:
    page = await visit.calls.read("list_connections", ConnectionPage, {"cursor": visit.cursor})
    return ConnectionListView(listed(visit, page), await kinds(visit))


async def kinds(visit: Visit) -> Sequence[Destination]:
    """The kinds that are installed, with the presets for events that the tenant has."""
    found, types = (await visit.calls.read("list_destinations", DestinationList)).data, {*visit.event_types}
    return [
        replace(kind, presets=[each for each in kind.presets if types.issuperset(each.body["eventTypes"])])
        for kind in found
    ]


class NewConnectionView(Struct, frozen=True):
    kinds: Sequence[Destination]
    kind: Destination | None
    form: SchemaForm | None
    name: str


async def view_new(visit: Visit) -> NewConnectionView:
    """Which fields there are follows from the kind and from what was chosen, both in the query."""
    installed = await kinds(visit)
    kind = next((each for each in installed if each.kind == visit.query.get("kind")), None)
    form = None if kind is None else _form(visit, kind)
    return NewConnectionView(installed, kind, form, visit.typed("name", "" if kind is None else kind.title))


def _form(visit: Visit, kind: Destination, kept: Mapping[str, Any] | None = None) -> SchemaForm:
    return schema_form(kind.connection, {**visit.query, **_typed(visit)}, "/config", kept)


def _typed(visit: Visit) -> dict[str, str]:
    return {name: values[0] for name, values in visit.form.items()}


async def create(visit: Visit) -> SeeOther:
    kind = next((each for each in await kinds(visit) if each.kind == visit.query.get("kind")), None)
    if kind is None:
        raise GoOn("/connections/new")
    body = {"kind": kind.kind, "name": visit.given("name"), "config": _form(visit, kind).body(_typed(visit))}
    made = await visit.calls.change("create_connection", body, key=visit.given("key"))
    return SeeOther(f"/connections/{msgspec.json.decode(made, type=Connection).id}", "made")


class ConnectionView(Struct, frozen=True):
    connection: Connection
    version: str
    """The version that is shown, so that a form changes no other one."""
    presets: Sequence[tuple[str, str]]
    """The name and the title of each recipe that it can be used for."""
    form: SchemaForm | None = None
    """The fields of the config, to be changed; None if the kind is not installed."""
    test: ConnectionTest | None = None
    consent: ConsentAsked | None = None


async def view_one(visit: Visit) -> ConnectionView:
    connection, version = await visit.calls.read_version("read_connection", Connection, id=visit.params["id"])
    kind = await _kind_of(visit, connection)
    if kind is None:
        return ConnectionView(connection, version, ())
    presets = [(preset.name, preset.title) for preset in kind.presets]
    return ConnectionView(connection, version, presets, _form(visit, kind, connection.config))


async def _kind_of(visit: Visit, connection: Connection) -> Destination | None:
    return next((each for each in await kinds(visit) if each.kind == connection.kind), None)


async def change(visit: Visit) -> SeeOther:
    connection = await visit.calls.read("read_connection", Connection, id=visit.params["id"])
    kind = await _kind_of(visit, connection)
    body: dict[str, Any] = {"name": visit.given("name")} if visit.is_edited("name", connection.name) else {}
    if kind is not None and (config := _form(visit, kind, connection.config).patch(_typed(visit))):
        body["config"] = config
    version = visit.given("version")
    await visit.calls.change("patch_connection", body, key=visit.given("key"), if_match=version, id=connection.id)
    return SeeOther(f"/connections/{connection.id}", "changed")


async def test(visit: Visit) -> ShownOnce:
    result = await visit.calls.change("test_connection", id=visit.params["id"])
    found = await view_one(visit)
    tested = msgspec.json.decode(result, type=ConnectionTest)
    return ShownOnce("connection.html", replace(found, test=tested))


async def connect(visit: Visit) -> ShownOnce:
    """Asks for a person's consent. The browser goes to the vendor by a link: a form may not lead to another site."""
    asked = await visit.calls.change("connect_connection", {}, id=visit.params["id"])
    found = await view_one(visit)
    consent = msgspec.json.decode(asked, type=ConsentAsked)
    return ShownOnce("connection.html", replace(found, consent=consent))


async def disconnect(visit: Visit) -> SeeOther:
    await visit.calls.change("disconnect_connection", key=visit.given("key"), id=visit.params["id"])
    return SeeOther(f"/connections/{visit.params['id']}", "disconnected")


async def delete(visit: Visit) -> SeeOther:
    visit.need_name((await visit.calls.read("read_connection", Connection, id=visit.params["id"])).name)
    await visit.calls.change("delete_connection", key=visit.given("key"), id=visit.params["id"])
    return SeeOther("/connections", "deleted")


PAGES = (
    Page(
        path="/connections",
        section="Connections",
        title="Connections",
        template="connections.html",
        view=view,
        done={"deleted": "The connection is deleted."},
    ),
    Page(
        path="/connections/new",
        section="Connections",
        title="New connection",
        template="new_connection.html",
        view=view_new,
        forms={"create": create},
    ),
    Page(
        path="/connections/{id}",
        section="Connections",
        title="Connection",
        template="connection.html",
        view=view_one,
        forms={"test": test, "connect": connect, "change": change, "disconnect": disconnect, "delete": delete},
        done={
            "made": "The connection is saved. Test it, then use it for a subscription.",
            "changed": "Saved. Test it, and resume the subscriptions that were disabled because of it.",
            "disconnected": "Disconnected. Its secrets are forgotten, and revoked at the vendor if it has a call for "
            "that.",
        },
    ),
)
