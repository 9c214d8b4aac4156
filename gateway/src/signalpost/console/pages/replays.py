"""What exactly will be sent again?"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import ReplayCount, ReplayPage, ShownReplay
from signalpost.api.routing.shapes.subscriptions import Subscription, SubscriptionPage
from signalpost.console.page import Page, SeeOther, Shown, Visit
from signalpost.console.pages.deliveries import moment_of
from signalpost.domain.timestamps import SECOND

MOST_AT_ONCE = 50
"""To how many subscriptions one form sends again."""


class Planned(Struct, frozen=True):
    """What a replay would send to one subscription."""

    subscription: Subscription
    count: int
    is_capped: bool


class View(Struct, frozen=True):
    subscriptions: Sequence[Subscription]
    given: Mapping[str, str]
    plan: Sequence[Planned] | None = None
    running: Sequence[tuple[Subscription, ShownReplay]] = ()

    @property
    def total(self) -> int:
        return sum(each.count for each in self.plan or ())


async def view(visit: Visit) -> View:
    listed = await visit.calls.read("list_subscriptions", SubscriptionPage, {"limit": "250"})
    running = [
        (each, replay)
        for each in listed.data[:MOST_AT_ONCE]
        for replay in (await visit.calls.read("list_replays", ReplayPage, {"limit": "3"}, id=each.id)).data
    ]
    return View(listed.data, _given(visit), running=sorted(running, key=lambda of: of[1].created_at, reverse=True)[:20])


def _given(visit: Visit) -> Mapping[str, str]:
    """What the form says, or the failures of the last day."""
    now = datetime.fromtimestamp(visit.now / SECOND, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    given = {
        "subscription": visit.query.get("subscription", ""),
        "from": f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%S}",
        "to": f"{now:%Y-%m-%dT%H:%M:%S}",
        "status": "failed",
    }
    return given | {name: visit.given(name) for name in given if name in visit.form}


def _asked(given: Mapping[str, str]) -> dict[str, Any]:
    return {"from": moment_of(given["from"]), "to": moment_of(given["to"]), "status": given["status"]}


async def plan(visit: Visit) -> Shown:
    """Counts, and sends nothing."""
    shown = await view(visit)
    planned = [
        Planned(each, counted.count, counted.count_is_capped)
        for each in _meant(shown)
        if (counted := await _counted(visit, each)).count
    ]
    return Shown("replays.html", msgspec.structs.replace(shown, plan=planned))


def _meant(shown: View) -> Sequence[Subscription]:
    """The subscription that was chosen, or all to which something was given up."""
    chosen = shown.given["subscription"]
    if chosen:
        return [each for each in shown.subscriptions if each.id == chosen]
    needy = [each for each in shown.subscriptions if each.health.failed or shown.given["status"] == "all"]
    return needy[:MOST_AT_ONCE]


async def _counted(visit: Visit, subscription: Subscription) -> ReplayCount:
    body = {**_asked(_given(visit)), "dryRun": True}
    return msgspec.json.decode(await visit.calls.change("start_replay", body, id=subscription.id), type=ReplayCount)


async def start(visit: Visit) -> SeeOther:
    """Sends again to each subscription of the plan that was ticked."""
    for subscription_id in visit.form.get("to_subscription", []):
        key = f"{visit.given('key')}-{subscription_id}"[:255]
        await visit.calls.change("start_replay", _asked(_given(visit)), key=key, id=subscription_id)
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
            "started": "It is being sent again, beside everything new.",
            "stopped": "The replay is stopped. What it has queued is still sent.",
        },
    ),
)
