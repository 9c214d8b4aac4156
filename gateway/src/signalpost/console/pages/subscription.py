"""The page of one subscription: how its endpoint is doing."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.overview import Stats
from signalpost.api.routing.shapes.subscriptions import ObjectiveStatus, Subscription, TestResult
from signalpost.console.calls import refused
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit, only_reads, whole

LIMITED = "The rate limit is set. What comes faster waits for its turn."
_FAILED: Final = ("retrying", "failed")
"""Statuses of what did not arrive, the one with the later attempts first."""


class SubscriptionView(Struct, frozen=True):
    subscription: Subscription
    latest: Sequence[Delivery]
    hour: Stats
    """The attempts of the last hour, by outcome."""
    kept: ObjectiveStatus | None
    """How the objective is kept; None if there is none."""
    taken: str
    """What its last deliveries say of its endpoint, if it is well."""
    failed: Delivery | None
    """One that says why, if its endpoint fails."""


class EndpointTest(Struct, frozen=True):
    subscription: Subscription
    result: TestResult
    with_new_secret: bool = False
    """Whether only the new secret signed it."""


@only_reads
async def view(visit: Visit) -> SubscriptionView:
    subscription, of = await read(visit), visit.params["id"]
    latest = await visit.calls.read("list_subscription_deliveries", DeliveryPage, {"limit": "10"}, id=of)
    return SubscriptionView(
        subscription=subscription,
        latest=latest.data,
        hour=await visit.calls.read("read_stats", Stats, {"subscriptionId": of}),
        kept=await kept_objective(visit, subscription),
        taken=taken(subscription, latest),
        failed=await failed_of(visit, subscription, latest.data),
    )


async def failed_of(visit: Visit, subscription: Subscription, latest: Sequence[Delivery]) -> Delivery | None:
    """The newest delivery that did not arrive. While a breaker is open, the latest ones just wait."""
    if subscription.health.state not in ("failing", "disabled"):
        return None
    if shown := [each for each in latest if each.status in _FAILED]:
        return shown[0]
    for status in _FAILED:
        query = {"status": status, "limit": "1"}
        page = await visit.calls.read("list_subscription_deliveries", DeliveryPage, query, id=subscription.id)
        if page.data:
            return page.data[0]
    return None


async def kept_objective(visit: Visit, subscription: Subscription) -> ObjectiveStatus | None:
    """How a subscription keeps its objective; None if it has none."""
    if subscription.objective is UNSET:
        return None
    return await visit.calls.read("read_objective", ObjectiveStatus, id=subscription.id)


def taken(subscription: Subscription, latest: DeliveryPage) -> str:
    """What the last deliveries say of an endpoint that is well. Nothing, if all of them wait or were skipped."""
    if subscription.health.reading:
        return "Its events are read." if subscription.health.reading.read_at else "Nobody has read its events yet."
    if any(each.status == "delivered" for each in latest.data):
        return "Its endpoint takes what is sent."
    return "" if latest.data or latest.next else "Nothing was sent there yet."


async def read(visit: Visit) -> Subscription:
    """The subscription that the page is about. Raises CallFailed."""
    return await visit.calls.read("read_subscription", Subscription, id=visit.params["id"])


def need_change(visit: Visit) -> None:
    """For a page that has nothing but a form. Raises CallFailed for those who may not send it."""
    if not visit.may_change:
        raise refused(403, "Not allowed", "Your role does not allow changing subscriptions.", "forbidden")


async def patch(visit: Visit, changed: Mapping[str, Any]) -> None:
    """Change the subscription, but only the version that the form was made of, if it says which one that is."""
    of, version = visit.params["id"], visit.given("version")
    await visit.calls.change("patch_subscription", changed, key=visit.given("key"), if_match=version, id=of)


def back(visit: Visit, done: str, tab: str = "") -> SeeOther:
    """To one of the subscription's pages."""
    return SeeOther(f"/subscriptions/{visit.params['id']}{tab}", done)


async def _patch(visit: Visit, changed: Mapping[str, Any], done: str) -> SeeOther:
    await patch(visit, changed)
    return back(visit, done)


async def pause(visit: Visit) -> SeeOther:
    return await _patch(visit, {"status": "paused"}, "paused")


async def resume(visit: Visit) -> SeeOther:
    return await _patch(visit, {"status": "active"}, "resumed")


async def resume_at_the_end(visit: Visit) -> SeeOther:
    return await _patch(visit, {"status": "active", "skipBacklog": True}, "skipped")


async def limit(visit: Visit) -> SeeOther:
    """Sets how fast requests may follow one another, and nothing else."""
    return await _patch(visit, {"rateLimit": whole(visit.given("rate"))}, "limited")


async def test(visit: Visit) -> ShownOnce:
    return ShownOnce("tested.html", EndpointTest(await read(visit), await tested(visit, {})))


async def test_and_resume(visit: Visit) -> SeeOther | ShownOnce:
    """Resume what is disabled, if a sample event arrives."""
    result = await tested(visit, {})
    if not result.delivered:
        return ShownOnce("tested.html", EndpointTest(await read(visit), result))
    return await resume(visit)


async def tested(visit: Visit, body: Mapping[str, str]) -> TestResult:
    """Send a sample event to the endpoint."""
    result = await visit.calls.change("test_subscription", body, id=visit.params["id"])
    return msgspec.json.decode(result, type=TestResult)


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
            "limit": limit,
            "test": test,
            "test-resume": test_and_resume,
        },
        done={
            "paused": "Paused. Events wait until it is resumed.",
            "resumed": "Resumed. Waiting events are being sent now.",
            "skipped": "Resumed. Waiting events were skipped and replays cancelled; only new events are sent.",
            "limited": LIMITED,
            "sent": "Saved. What was missing is being sent, along with everything new.",
            "made": "Events go there from now on.",
            "kept-back": "It is saved, and paused. Test it, then resume it.",
        },
    ),
)
