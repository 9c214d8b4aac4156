"""The page of replays: exactly what will be sent again, and the replays so far."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.deliveries import NamedReplay, NamedReplayPage, ReplayOfOne, ReplaysOfMany
from signalpost.api.routing.shapes.subscriptions import TestResult
from signalpost.console.calls import CallFailed
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit, whole
from signalpost.console.pages.deliveries import moment_of, next_minute, spans
from signalpost.console.subscription_choice import SubscriptionChoice, subscription_choice

CONFIRMED_FROM = 10_000
"""A person who sends more deliveries than this again first types a name, and proves that it is still them."""

TESTED_AT_ONCE = 20
"""How many endpoints one press of a button tests."""
_MINUTE: Final = "%Y-%m-%dT%H:%M:%S"


class ReplayListView(Struct, frozen=True):
    choice: SubscriptionChoice
    given: Mapping[str, str]
    replays: Sequence[NamedReplay]
    plan: ReplaysOfMany | None = None
    """What would be sent, once the visitor asked for it."""
    confirmed_by: str = ""
    """The name to type before it is sent, if it is much."""
    is_unconfirmed: bool = False
    """Whether it was to be sent, and that name was not typed."""
    tested: Mapping[str, bool] = {}
    """Whether an endpoint that had failed has just taken a test, by its subscription."""
    is_unticked: bool = False
    """Whether it was to be sent, and no subscription was ticked."""
    refused: Sequence[ReplayOfOne] = ()
    """Replays that could not be started just now."""
    spans: Callable[[], Sequence[tuple[str, str]]] = tuple
    """Times that people ask for: the words, and the query of the page that has them."""

    @property
    def has_doubtful(self) -> bool:
        """Whether the last attempt of some endpoints failed, and they have not been tested since."""
        return self.plan is not None and any(
            each.still_failing and each.subscription_id not in self.tested for each in self.plan.data
        )

    def is_ticked(self, of: ReplayOfOne) -> bool:
        """Whether it is sent there unless the visitor unticks it: to an endpoint whose last attempt failed only if it
        has taken a test since, or is the one that was asked for."""
        if self.is_unticked or self.is_unconfirmed:
            return self.is_unconfirmed
        is_chosen = self.given["subscription"] == of.subscription_id
        return not of.still_failing or is_chosen or self.tested.get(of.subscription_id, False)

    def sent(self, replay: NamedReplay) -> str:
        """The query of the list of deliveries that shows what a replay sent."""
        asked = {"subscription": replay.subscription_id, "from": replay.from_, "to": replay.to}
        if replay.external_id:
            asked["document"] = replay.external_id
        return urlencode(asked)


async def view(visit: Visit) -> ReplayListView:
    given = typed_span(visit)
    choice = await subscription_choice(visit, given["subscription"])
    replays = await visit.calls.read("list_all_replays", NamedReplayPage, {"limit": "20"})
    return ReplayListView(choice, given, replays.data, spans=partial(_spans, visit))


async def find(visit: Visit) -> ShownOnce:
    """Lists the subscriptions with a name that was searched for. Everything else that was typed stays."""
    return ShownOnce("replays.html", await view(visit))


def _spans(visit: Visit) -> list[tuple[str, str]]:
    return spans(visit, {name: value for name, value in typed_span(visit).items() if name not in ("from", "to")})


def typed_span(visit: Visit) -> Mapping[str, str]:
    """What the form says, or the link to this page; else the failures of the last day."""
    now = next_minute(visit)
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
    return await _plan(visit)


async def _plan(visit: Visit, *, is_unticked: bool = False, tested: Mapping[str, bool] | None = None) -> ShownOnce:
    chosen = visit.given("subscription")
    plan = await _counted(visit, _asked(visit, [chosen] if chosen else []))
    shown = replace(
        await view(visit),
        plan=plan,
        confirmed_by=_confirmed_by(visit, plan),
        is_unticked=is_unticked,
        tested=tested or {},
    )
    return ShownOnce("replays.html", shown)


async def test(visit: Visit) -> ShownOnce:
    """Finds out which of the endpoints that failed last take something again, before anything is sent to them."""
    chosen = visit.given("subscription")
    plan = await _counted(visit, _asked(visit, [chosen] if chosen else []))
    doubtful = [each.subscription_id for each in plan.data if each.still_failing][:TESTED_AT_ONCE]
    taken = await asyncio.gather(*(_takes_a_test(visit, each) for each in doubtful))
    return await _plan(visit, tested=dict(zip(doubtful, taken, strict=True)))


async def _takes_a_test(visit: Visit, subscription_id: str) -> bool:
    try:
        result = await visit.calls.change("test_subscription", {}, id=subscription_id)
    except CallFailed:
        return False
    return msgspec.json.decode(result, type=TestResult).delivered


def _confirmed_by(visit: Visit, plan: ReplaysOfMany) -> str:
    """The name to type before many are sent: the subscription's if there is one, else the tenant's; empty for few."""
    if plan.count <= CONFIRMED_FROM:
        return ""
    return plan.data[0].subscription_name.strip() if len(plan.data) == 1 else visit.tenant


async def _counted(visit: Visit, asked: Mapping[str, Any]) -> ReplaysOfMany:
    counted = await visit.calls.change("start_replays", {**asked, "dryRun": True})
    return msgspec.json.decode(counted, type=ReplaysOfMany)


async def start(visit: Visit) -> SeeOther | ShownOnce:
    """Sends again to each subscription of the plan that was ticked. If that is much, it is counted again and a name
    must be typed."""
    ticked = visit.form.get("to_subscription", [])
    if not ticked:
        return await _plan(visit, is_unticked=True)
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
        section="Send again",
        title="Send again",
        template="replays.html",
        view=view,
        forms={"find": find, "plan": plan, "test": test, "start": start, "stop": stop},
        done={
            "nothing": "There is nothing left to send: it arrived in the meantime, or is no longer kept.",
            "started": "It is being sent again, along with everything new.",
            "stopped": "The replay is stopped. What it has queued is still sent.",
        },
    ),
)
