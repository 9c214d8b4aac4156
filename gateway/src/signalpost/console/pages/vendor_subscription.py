"""A new subscription to a vendor: which connection it uses, and how it is saved. Both the page of a recipe and the page
of a kind are made of this."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.destinations import Connection, ConnectionPage
from signalpost.api.routing.shapes.subscriptions import NewSubscription
from signalpost.console.page import Form, SeeOther, Visit
from signalpost.console.pages.subscriptions import SAVED

BodyOf = Callable[[Visit], Awaitable[Mapping[str, Any]]]
"""Makes of a form the subscription that it describes. Raises CallFailed."""


class ConnectionChoice(Struct, frozen=True):
    options: Sequence[Connection]
    """The newest connections of the kind, and the chosen one."""
    chosen: str
    """The id of the first, until the visitor chooses another or comes from another's page."""
    is_cut: bool
    """Whether there are older ones that are not listed."""


async def connections_of(visit: Visit, kind: str) -> ConnectionChoice:
    """The connections of a kind to choose from. Raises CallFailed."""
    listed = await visit.calls.read("list_connections", ConnectionPage, {"limit": "250"})
    found = [each for each in listed.data if each.kind == kind]
    chosen = visit.given("connection") or visit.query.get("connection", "")
    if chosen and chosen not in [each.id for each in found]:
        found.append(await visit.calls.read("read_connection", Connection, id=chosen))
    return ConnectionChoice(found, chosen or (found[0].id if found else ""), listed.next is not None)


def saving(body_of: BodyOf) -> Mapping[str, Form]:
    """The forms that save the subscription, paused or sending at once, and the one that checks what is typed."""
    return {
        "check": partial(_check, body_of),
        "save": partial(_create, body_of, "paused"),
        "activate": partial(_create, body_of, "active"),
    }


async def _check(body_of: BodyOf, visit: Visit) -> SeeOther:
    await visit.calls.change("check_subscription", await body_of(visit))
    return SeeOther("/subscriptions/new")


async def _create(body_of: BodyOf, status: str, visit: Visit) -> SeeOther:
    body = {**await body_of(visit), "status": status}
    made = await visit.calls.change("create_subscription", body, key=visit.given("key"))
    return SeeOther(f"/subscriptions/{msgspec.json.decode(made, type=NewSubscription).id}", SAVED[status])
