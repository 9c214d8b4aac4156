"""How is this endpoint doing, and what should it get?"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.subscriptions import Subscription, TestResult
from signalpost.console.page import Page, SeeOther, Shown, Visit
from signalpost.domain.event import BY_WIRE


class View(Struct, frozen=True):
    subscription: Subscription
    latest: Sequence[Delivery]
    types: Sequence[str] = tuple(BY_WIRE)


class Rotated(Struct, frozen=True):
    subscription: Subscription
    secret: str | None
    standard_webhooks_secret: str | None


class _NewSecret(Struct, rename="camel"):
    secret: str | None
    standard_webhooks_secret: str | None


class Tested(Struct, frozen=True):
    subscription: Subscription
    result: TestResult


async def view(visit: Visit) -> View:
    subscription = await _read(visit)
    latest = await visit.calls.read(
        "list_subscription_deliveries", DeliveryPage, {"limit": "10"}, id=visit.params["id"]
    )
    return View(subscription, latest.data)


async def _read(visit: Visit) -> Subscription:
    return await visit.calls.read("read_subscription", Subscription, id=visit.params["id"])


async def _patch(visit: Visit, changed: Mapping[str, Any], done: str) -> SeeOther:
    await visit.calls.change("patch_subscription", changed, key=visit.given("key"), id=visit.params["id"])
    return _back(visit, done)


def _back(visit: Visit, done: str) -> SeeOther:
    return SeeOther(f"/subscriptions/{visit.params['id']}", done)


async def pause(visit: Visit) -> SeeOther:
    return await _patch(visit, {"status": "paused"}, "paused")


async def resume(visit: Visit) -> SeeOther:
    return await _patch(visit, {"status": "active"}, "resumed")


async def resume_at_the_end(visit: Visit) -> SeeOther:
    return await _patch(visit, {"status": "active", "skipBacklog": True}, "skipped")


async def change(visit: Visit) -> SeeOther:
    rate = visit.given("rate")
    changed = {
        "name": visit.given("name"),
        "url": visit.given("url"),
        "eventTypes": visit.form.get("type", []),
        "ordering": visit.given("ordering"),
        "rateLimit": None if not rate else int(rate) if rate.isdecimal() else rate,
    }
    return await _patch(visit, changed, "changed")


async def rotate(visit: Visit) -> Shown:
    visit.need_proof()
    made = await visit.calls.change("rotate_secret", {}, key=visit.given("key"), id=visit.params["id"])
    secret = msgspec.json.decode(made, type=_NewSecret)
    return Shown("rotated.html", Rotated(await _read(visit), secret.secret, secret.standard_webhooks_secret))


async def promote(visit: Visit) -> SeeOther:
    await visit.calls.change("promote_secret", key=visit.given("key"), id=visit.params["id"])
    return _back(visit, "promoted")


async def test(visit: Visit) -> Shown:
    result = await visit.calls.change("test_subscription", id=visit.params["id"])
    return Shown("tested.html", Tested(await _read(visit), msgspec.json.decode(result, type=TestResult)))


async def delete(visit: Visit) -> SeeOther:
    await visit.calls.change("delete_subscription", key=visit.given("key"), id=visit.params["id"])
    return SeeOther("/subscriptions", "deleted")


PAGES = (
    Page(
        path="/subscriptions/{id}",
        section="Subscriptions",
        title="Subscription",
        template="subscription.html",
        view=view,
        forms={
            "pause": pause,
            "resume": resume,
            "skip": resume_at_the_end,
            "change": change,
            "rotate": rotate,
            "promote": promote,
            "test": test,
            "delete": delete,
        },
        done={
            "paused": "Paused. Nothing is sent there, and nothing is lost: events wait.",
            "resumed": "Resumed. What waited is being sent now.",
            "skipped": "Resumed. What waited was skipped; only new events are sent.",
            "changed": "Saved.",
            "promoted": "The new secret is the only one now.",
        },
    ),
)
