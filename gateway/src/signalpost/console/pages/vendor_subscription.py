"""A new subscription to a vendor: which connection it uses, and how it is saved. Both the page of a recipe and the page
of a kind are made of this."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from signalpost.api.routing.shapes.destinations import Connection, ConnectionPage
from signalpost.api.routing.shapes.subscriptions import NewSubscription
from signalpost.console.page import Form, SeeOther, Visit

BodyOf = Callable[[Visit], Awaitable[Mapping[str, Any]]]
"""Makes of a form the subscription that it describes. Raises CallFailed."""


async def connections_of(visit: Visit, kind: str) -> tuple[Sequence[Connection], str]:
    """The connections of a kind, and the id of the chosen one: the first, until somebody chooses another."""
    listed = await visit.calls.read("list_connections", ConnectionPage, {"limit": "250"})
    found = [each for each in listed.data if each.kind == kind]
    return found, visit.given("connection") or visit.query.get("connection") or (found[0].id if found else "")


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
    return SeeOther(f"/subscriptions/{msgspec.json.decode(made, type=NewSubscription).id}", status)
