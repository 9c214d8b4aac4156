"""The page of replays: exactly what will be sent again, and the replays so far."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.deliveries import NamedReplay, NamedReplayPage, ReplayOfOne, ReplaysOfMany
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit, whole
from signalpost.console.pages.deliveries import moment_of
from signalpost.console.subscription_choice import SubscriptionChoice, subscription_choice
from signalpost.domain.event import BY_WIRE
from signalpost.domain.timestamps import SECOND

CONFIRMED_FROM = 10_000
"""A person who sends more deliveries than this again first types a name, and proves that it is still them."""

_MINUTE: Final = "%Y-%m-%dT%H:%M:%S"


class View(Struct, frozen=True):
    choice: SubscriptionChoice
    given: Mapping[str, str]
    replays: Sequence[NamedReplay]
    plan: ReplaysOfMany | None = None
    """What would be sent, once somebody asked for it."""
    confirmed_by: str = ""
    """The name to type before it is sent, where it is much."""
    is_unconfirmed: bool = False
    """Whether it was to be sent, and that name was not typed."""
    refused: Sequence[ReplayOfOne] = ()
    """Replays that could not be started just now."""
    spans: Sequence[tuple[str, str]] = ()
    """Times that people ask for: the words, and the query of the page that has them."""
    types: Sequence[str] = tuple(BY_WIRE)

    def sent(self, replay: NamedReplay) -> str:
        """The query of the list of deliveries that shows what a replay sent."""
        asked = {"subscription": replay.subscription_id, "from": replay.from_, "to": replay.to}
        if replay.external_id:
            asked["document"] = replay.external_id
        return urlencode(asked)


async def view(visit: Visit) -> View:
    given = typed_span(visit)
    choice = await subscription_choice(visit, given["subscription"])
    replays = await visit.calls.read("list_all_replays", NamedReplayPage, {"limit": "20"})
    return View(choice, given, replays.data, spans=_spans(visit))


async def find(visit: Visit) -> ShownOnce:
    """Lists the subscriptions with a name that was searched for. Everything else that was typed stays."""
    return ShownOnce("replays.html", await view(visit))


def _now(visit: Visit) -> datetime:
    return datetime.fromtimestamp(visit.now / SECOND, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)


def _spans(visit: Visit) -> list[tuple[str, str]]:
    now = _now(visit)
    today = now.replace(hour=0, minute=0)
    spans = {
        "Last hour": (now - timedelta(hours=1), now),
        "Today": (today, now),
        "Yesterday": (today - timedelta(days=1), today),
        "Last 7 days": (now - timedelta(days=7), now),
    }
    chosen = {name: value for name, value in typed_span(visit).items() if value and name not in ("from", "to")}
    return [
        (word, urlencode({**chosen, "from": start.strftime(_MINUTE), "to": end.strftime(_MINUTE)}))
        for word, (start, end) in spans.items()
    ]


def typed_span(visit: Visit) -> Mapping[str, str]:
    """What the form says, or the link to this page; else the failures of the last day."""
    now = _now(visit)
    given = {
        "subscription": "",
        "from": (now - timedelta(days=1)).strftime(_MINUTE),
        "to": now.strftime(_MINUTE),
        "event": "",
        "status": "failed",
        "type": "",
        "document": "",
    }
    linked = {name: value for name, value in visit.query.items() if name in given and value}
    return given | linked | {name: visit.given(name) for name in given if name in visit.form}


def _asked(visit: Visit, subscription_ids: Sequence[str]) -> dict[str, Any]:
    """The body of the call. Without subscriptions it is about all with failed deliveries."""
    given = typed_span(visit)
    asked: dict[str, Any] = {"to": moment_of(given["to"]), "status": given["status"]}
    if event := given["event"].replace(",", ""):
        asked["fromSequence"] = whole(event)
    else:
        asked["from"] = moment_of(given["from"])
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
    plan = await _counted(visit, _asked(visit, [chosen] if chosen else []))
    return ShownOnce("replays.html", replace(await view(visit), plan=plan, confirmed_by=_confirmed_by(visit, plan)))


def _confirmed_by(visit: Visit, plan: ReplaysOfMany) -> str:
    """The name to type before much is sent: the only subscription's or, of several, the tenant's; empty for less."""
    if plan.count <= CONFIRMED_FROM:
        return ""
    return plan.data[0].subscription_name.strip() if len(plan.data) == 1 else visit.tenant


async def _counted(visit: Visit, asked: Mapping[str, Any]) -> ReplaysOfMany:
    counted = await visit.calls.change("start_replays", {**asked, "dryRun": True})
    return msgspec.json.decode(counted, type=ReplaysOfMany)


async def start(visit: Visit) -> SeeOther | ShownOnce:
    """Sends again to each subscription of the plan that was ticked. Much is counted again first, and a name typed."""
    ticked = visit.form.get("to_subscription", [])
    if not ticked:
        return SeeOther("/replays", "none")
    asked = _asked(visit, ticked)
    plan = await _counted(visit, asked)
    if name := _confirmed_by(visit, plan):
        if visit.given("confirm") != name:
            shown = replace(await view(visit), plan=plan, confirmed_by=name, is_unconfirmed=True)
            return ShownOnce("replays.html", shown)
        visit.need_proof()
    answer = await visit.calls.change("start_replays", asked, key=visit.given("key"))
    started = msgspec.json.decode(answer, type=ReplaysOfMany).data
    if refused := [each for each in started if each.refused]:
        return ShownOnce("replays.html", replace(await view(visit), refused=refused))
    return SeeOther("/replays", "started" if started else "nothing")


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
        forms={"find": find, "plan": plan, "start": start, "stop": stop},
        done={
            "nothing": "There is nothing left to send: it arrived in the meantime, or is no longer kept.",
            "none": "No subscription was ticked, so nothing is sent.",
            "started": "It is being sent again, along with everything new.",
            "stopped": "The replay is stopped. What it has queued is still sent.",
        },
    ),
)
