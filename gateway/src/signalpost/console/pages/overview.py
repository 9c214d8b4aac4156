"""The overview: what needs attention now."""

from collections.abc import Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import asdict

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.overview import Overview, Stats, StatsPoint
from signalpost.api.routing.shapes.service import GatewayShown, Node, Nodes
from signalpost.console.charts import busiest
from signalpost.console.page import Page, SeeOther, Visit, only_reads
from signalpost.domain.source import SourceState

_LOOKS = {
    "failing": "failing",
    "disabled": "disabled",
    "held": "retrying",
    "lost": "failed",
    "given_up": "failed",
    "behind": "retrying",
}


_WORDS = {
    "failing": "Failing",
    "disabled": "Disabled",
    "held": "Held up",
    "lost": "Events lost",
    "given_up": "Given up",
    "behind": "Behind",
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


LATEST, STAYING = 8, 5
"""How many deliveries are shown as they happen, and how many of those that were given up stay below them."""


class MachinePart(Struct, frozen=True):
    """How the gateway itself is."""

    gateway: GatewayShown
    nodes: Sequence[Node]

    @property
    def up_since(self) -> str | None:
        """When the node that answers started; None while others have taken it for dead."""
        return next((node.joined_at for node in self.nodes if node.answers), None)

    @property
    def max_in_flight(self) -> str:
        return next(each.value or "" for each in self.gateway.settings if each.name == "IN_FLIGHT")


class OverviewView(Struct, frozen=True):
    overview: Overview
    headline: str
    beside: str
    hour: Sequence[StatsPoint]
    latest: Sequence[Delivery]
    """The latest, and then the latest of those that were given up: they stay until they are sent again."""
    machine: MachinePart | None
    """None for those who may not see it."""
    counts: Mapping[str, int]
    """How many subscriptions are in each state."""
    looks: Mapping[str, str]
    """The state that each need looks like."""
    words: Mapping[str, str]
    """What each need is called."""

    def scale(self, now: int) -> int:
        """The most attempts of a minute that one of the subscriptions had which need attention."""
        return max(busiest(each.last_hour, now) for each in self.overview.attention)

    @property
    def needy_sources(self) -> int:
        """How many sources need a person."""
        return _needy_sources(self.overview)

    @property
    def subscriptions(self) -> int:
        return sum(self.counts.values())


async def view(visit: Visit) -> OverviewView:
    overview = await visit.calls.read("read_overview", Overview)
    return await only_reads(partial(_with_rest, overview))(visit)


async def _with_rest(overview: Overview, visit: Visit) -> OverviewView:
    """The view, with what waits for nothing but the store."""
    stats = await visit.calls.read("read_stats", Stats)
    return OverviewView(
        overview=overview,
        headline=_headline(overview),
        beside=_beside(overview),
        hour=stats.data,
        latest=await _latest(visit, overview),
        machine=await _machine(visit) if visit.is_operator else None,
        counts=asdict(overview.subscriptions),
        looks=_LOOKS,
        words=_WORDS,
    )


async def _latest(visit: Visit, overview: Overview) -> list[Delivery]:
    latest = (await visit.calls.read("list_deliveries", DeliveryPage, {"limit": str(LATEST)})).data
    if not overview.failed:
        return latest
    query = {"status": "failed", "limit": str(STAYING)}
    failed = (await visit.calls.read("list_deliveries", DeliveryPage, query)).data
    shown = {(each.event_id, each.subscription_id) for each in latest}
    return [*latest, *(each for each in failed if (each.event_id, each.subscription_id) not in shown)]


async def _machine(visit: Visit) -> MachinePart:
    gateway = await visit.calls.read("read_gateway", GatewayShown)
    return MachinePart(gateway, (await visit.calls.read("list_nodes", Nodes)).data)


def _headline(overview: Overview) -> str:
    if not sum(asdict(overview.subscriptions).values()):
        return "No subscription yet"
    endpoints = len(overview.attention) + overview.more
    sources = _needy_sources(overview)
    needing = (endpoints, "endpoint"), (sources, "source")
    counted = " and ".join(_counted(count, word) for count, word in needing if count)
    if not counted:
        return "Nothing needs you"
    return f"{counted[0].upper()}{counted[1:]} {'needs' if endpoints + sources == 1 else 'need'} you"


def _needy_sources(overview: Overview) -> int:
    return sum(each.state is not SourceState.HEALTHY or each.dead > 0 for each in overview.sources)


def _counted(count: int, word: str) -> str:
    number = _NUMBERS[count] if count < len(_NUMBERS) else f"{count:,}"
    return f"{number} {word}" if count == 1 else f"{number} {word}s"


def _beside(overview: Overview) -> str:
    lost, counts = overview.lost, asdict(overview.subscriptions)
    total, states = sum(counts.values()), ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    said = f"{total:,} {'subscription' if total == 1 else 'subscriptions'}: {states}."
    if lost == 0:
        return said
    return f"{said} {lost:,} {'event was' if lost == 1 else 'events were'} removed before they were delivered."


async def stop(visit: Visit) -> SeeOther:
    of, replay = visit.given("subscription"), visit.given("replay")
    await visit.calls.change("cancel_replay", key=visit.given("key"), id=of, replayId=replay)
    return SeeOther("", "stopped")


PAGES = (
    Page(
        path="",
        section="Overview",
        title="Overview",
        template="overview.html",
        view=view,
        forms={"stop": stop},
        done={"stopped": "The replay is stopped. What it has queued is still sent."},
    ),
)
