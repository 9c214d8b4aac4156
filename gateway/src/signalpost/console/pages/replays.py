"""What exactly will be sent again?"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import NamedReplay, NamedReplayPage, ReplaysOfMany
from signalpost.api.routing.shapes.overview import NamedSubscription, SubscriptionNames
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit
from signalpost.console.pages.deliveries import moment_of
from signalpost.domain.event import BY_WIRE
from signalpost.domain.timestamps import SECOND

PROVED_FROM = 10_000
"""Whoever sends more deliveries than that again shows first that it is still them."""


class View(Struct, frozen=True):
    subscriptions: Sequence[NamedSubscription]
    given: Mapping[str, str]
    replays: Sequence[NamedReplay]
    plan: ReplaysOfMany | None = None
    """What would be sent, once somebody asked for it."""
    types: Sequence[str] = tuple(BY_WIRE)


async def view(visit: Visit) -> View:
    listed = await visit.calls.read("list_subscription_names", SubscriptionNames, {"limit": "250"})
    replays = await visit.calls.read("list_all_replays", NamedReplayPage, {"limit": "20"})
    return View(listed.data, typed_span(visit), replays.data)


def typed_span(visit: Visit) -> Mapping[str, str]:
    """What the form says, or the link to this page; else the failures of the last day."""
    now = datetime.fromtimestamp(visit.now / SECOND, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    given = {
        "subscription": "",
        "from": f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%S}",
        "to": f"{now:%Y-%m-%dT%H:%M:%S}",
        "status": "failed",
        "type": "",
        "document": "",
    }
    linked = {name: value for name, value in visit.query.items() if name in given and value}
    return given | linked | {name: visit.given(name) for name in given if name in visit.form}


def _asked(visit: Visit, subscription_ids: Sequence[str]) -> dict[str, Any]:
    """The body of the call. Without subscriptions it is about all with failed deliveries."""
    given = typed_span(visit)
    asked: dict[str, Any] = {
        "from": moment_of(given["from"]),
        "to": moment_of(given["to"]),
        "status": given["status"],
    }
    if given["type"]:
        asked["eventTypes"] = [given["type"]]
    if given["document"]:
        asked["externalId"] = given["document"]
    if subscription_ids:
        asked["subscriptionIds"] = subscription_ids
    return asked


async def plan(visit: Visit) -> ShownOnce:
    """Counts, and sends nothing."""
    chosen = visit.given("subscription")
    counted = await visit.calls.change("start_replays", {**_asked(visit, [chosen] if chosen else []), "dryRun": True})
    plan = msgspec.json.decode(counted, type=ReplaysOfMany)
    return ShownOnce("replays.html", msgspec.structs.replace(await view(visit), plan=plan))


async def start(visit: Visit) -> SeeOther:
    """Sends again to each subscription of the plan that was ticked."""
    ticked = visit.form.get("to_subscription", [])
    if not ticked:
        return SeeOther("/replays", "none")
    asked = _asked(visit, ticked)
    if not visit.is_proved:
        counted = await visit.calls.change("start_replays", {**asked, "dryRun": True})
        if msgspec.json.decode(counted, type=ReplaysOfMany).count > PROVED_FROM:
            visit.need_proof()
    await visit.calls.change("start_replays", asked, key=visit.given("key"))
    return SeeOther("/replays", "started")


async def stop(visit: Visit) -> SeeOther:
    of, replay = visit.given("of"), visit.given("replay")
    await visit.calls.change("cancel_replay", key=visit.given("key"), id=of, replayId=replay)
    return SeeOther("/replays", "stopped")


PAGES = (
    Page(
        path="/replays",
        section="Replays",
        title="Send again",
        template="replays.html",
        view=view,
        forms={"plan": plan, "start": start, "stop": stop},
        done={
            "none": "No subscription was ticked, so nothing is sent.",
            "started": "It is being sent again, along with everything new.",
            "stopped": "The replay is stopped. What it has queued is still sent.",
        },
    ),
)
