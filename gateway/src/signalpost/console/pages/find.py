"""Paste anything: an event, a document, a subscription, or part of its name."""

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import DeliveryPage
from signalpost.api.routing.shapes.documents import Document, LogEntry
from signalpost.api.routing.shapes.subscriptions import Subscription, SubscriptionPage
from signalpost.console.calls import Refusal
from signalpost.console.page import Page, Visit

_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Found(Struct, frozen=True):
    what: str
    text: str
    path: str


class View(Struct, frozen=True):
    asked: str
    found: Sequence[Found]


async def view(visit: Visit) -> View:
    asked = visit.query.get("q", "").strip()
    identity = _ID.search(asked)
    found = await (_by_id(visit, identity.group().lower()) if identity else _by_name(visit, asked))
    return View(asked, found)


async def _by_id(visit: Visit, identity: str) -> list[Found]:
    found: list[Found] = []
    if isinstance(event := await _try(visit, "read_event", LogEntry, id=identity), LogEntry):
        found.append(Found("Event", f"{event.event.type}, number {event.sequence:,}", f"/events/{identity}"))
        deliveries = await visit.calls.read("list_deliveries", DeliveryPage, {"eventId": identity, "limit": "20"})
        found += [
            Found("Delivery", f"to {each.subscription_name}: {each.cause.detail}",
                  f"/subscriptions/{each.subscription_id}/deliveries/{identity}")
            for each in deliveries.data
            if each.status is not None
        ]  # fmt: skip
    if isinstance(document := await _try(visit, "read_document", Document, externalId=identity), Document):
        found.append(Found("Document", document.title, f"/documents/{identity}"))
    if isinstance(subscription := await _try(visit, "read_subscription", Subscription, id=identity), Subscription):
        found.append(Found("Subscription", subscription.name, f"/subscriptions/{identity}"))
    return found


async def _try(visit: Visit, name: str, shape: Any, **path: str) -> object:
    try:
        return await visit.calls.read(name, shape, None, **path)
    except Refusal:
        return None


async def _by_name(visit: Visit, asked: str) -> list[Found]:
    if not asked:
        return []
    by_name = await visit.calls.read("list_subscriptions", SubscriptionPage, {"name": asked, "limit": "50"})
    by_host = await visit.calls.read("list_subscriptions", SubscriptionPage, {"host": asked, "limit": "50"})
    found = {each.id: each for each in (*by_name.data, *by_host.data)}
    return [Found("Subscription", f"{each.name}: {each.url}", f"/subscriptions/{each.id}") for each in found.values()]


PAGES = (Page(path="/find", section="", title="Find", template="find.html", view=view),)
