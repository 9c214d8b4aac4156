"""What needs somebody now?"""

from collections.abc import Sequence

from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.subscriptions import Subscription, SubscriptionPage
from signalpost.console.page import Page, Visit

_WORST_FIRST = ("disabled", "failing", "unknown", "paused", "healthy")
MOST = "250"


class Need(Struct, frozen=True):
    """A subscription that needs somebody, and why in a sentence."""

    subscription: Subscription
    sentence: str
    answer: str


class View(Struct, frozen=True):
    headline: str
    beside: str
    needs: Sequence[Need]
    latest: Sequence[Delivery]
    waiting: int
    failed: int
    behind: int
    lost: int
    subscriptions: int


async def view(visit: Visit) -> View:
    listed = await visit.calls.read("list_subscriptions", SubscriptionPage, {"limit": MOST})
    latest = await visit.calls.read("list_deliveries", DeliveryPage, {"limit": "8"})
    all_of_them = listed.data
    needs = [need(each) for each in sorted(all_of_them, key=_rank) if _needs_somebody(each)]
    active = [each for each in all_of_them if each.health.state in ("healthy", "failing")]
    lost = sum(each.health.lost for each in all_of_them)
    return View(
        headline=_headline(len(needs), len(all_of_them)),
        beside=_beside(len(all_of_them) - len(needs), lost, has_next=listed.next is not None),
        needs=needs,
        latest=latest.data,
        waiting=sum(each.health.waiting for each in all_of_them),
        failed=sum(each.health.failed for each in all_of_them),
        behind=max((each.health.lag for each in active), default=0),
        lost=lost,
        subscriptions=len(all_of_them),
    )


def _needs_somebody(subscription: Subscription) -> bool:
    health = subscription.health
    return health.state in ("disabled", "failing") or health.failed > 0


def _rank(subscription: Subscription) -> tuple[int, int, int]:
    health = subscription.health
    return _WORST_FIRST.index(health.state), -health.failed, -health.waiting


def need(subscription: Subscription) -> Need:
    health = subscription.health
    kept = "1 event waits" if health.waiting == 1 else f"{health.waiting:,} events wait"
    given_up = f" {health.failed:,} {'was' if health.failed == 1 else 'were'} given up." if health.failed else ""
    if health.state == "disabled":
        sentence = f"Disabled: {health.disabled_reason or 'its endpoint failed for days.'} {kept}.{given_up}"
    elif health.state == "failing":
        sentence = f"{kept}.{given_up}"
    else:
        sentence = f"It delivers now.{given_up}"
    return Need(subscription, sentence, health.last_error or "")


def _headline(needing: int, of: int) -> str:
    if of == 0:
        return "No subscription yet"
    if needing == 0:
        return "Everything arrives"
    return "One endpoint needs you" if needing == 1 else f"{needing} endpoints need you"


def _beside(well: int, lost: int, *, has_next: bool) -> str:
    others = (
        "" if well == 0 else "The other one gets everything. " if well == 1 else f"The other {well} get everything. "
    )
    nothing_lost = (
        "Nothing has been lost." if lost == 0 else f"{lost:,} events were removed before they were delivered."
    )
    more = f" Only the newest {MOST} subscriptions are looked at here." if has_next else ""
    return f"{others}{nothing_lost}{more}"


PAGES = (Page(path="", section="Overview", title="Overview", template="overview.html", view=view),)
