"""The page of deliveries: what was sent, and with what result."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.subscriptions import Subscription
from signalpost.console.html import moment
from signalpost.console.listed import ListPart, listed, query_of
from signalpost.console.page import Page, Visit, only_reads
from signalpost.console.pages.subscription import read
from signalpost.console.subscription_choice import SubscriptionChoice, subscription_choice
from signalpost.domain.timestamps import SECOND

FILTERS = {
    "status": "status",
    "subscription": "subscriptionId",
    "type": "eventType",
    "document": "externalId",
    "event": "eventId",
    "from": "from",
    "to": "to",
}
"""The fields of the form, and the parameters of the call."""
REPLAYED = {"failed": "failed", "retrying": "waiting"}
"""What a replay calls deliveries of a status; it sends all others only with everything."""
WALK_SECONDS: Final = 0.05
"""For how long a page looks further back if it found nothing."""
STATUSES = ("pending", "retrying", "failed", "delivered", "skipped")
_MINUTE: Final = "%Y-%m-%dT%H:%M:%S"


class DeliveryListView(Struct, frozen=True):
    page: ListPart[Delivery]
    looked_back_to: str | None
    again: str
    """The query of the page that sends these again."""
    given: Mapping[str, str]
    spans: Callable[[], Sequence[tuple[str, str]]]
    """Times that people ask for: the words, and the query of the page that has them."""
    choice: SubscriptionChoice | None = None
    """None on the page of one subscription."""
    subscription: Subscription | None = None
    """The one whose page it is."""
    statuses: Sequence[str] = STATUSES

    @property
    def nothing(self) -> str:
        return none_listed(self.page, self.looked_back_to)

    @property
    def when(self) -> str:
        """The time that is looked at, in words."""
        start, end = (_in_words(self.given[name]) for name in ("from", "to"))
        if start and end:
            return f"from {start} to {end}"
        return f"since {start}" if start else f"until {end}" if end else ""


def none_listed(page: ListPart[Delivery], looked_back_to: str | None) -> str:
    """What a list without a delivery says: a page may be empty and yet have a next one."""
    if page.next is not None:
        those = "among the newest" if looked_back_to is None else f"back to {moment(looked_back_to)}"
        return f"No delivery {those} is like that. Older ones may be."
    return "No delivery is like that." if page.same else "Nothing was sent yet."


@only_reads
async def view(visit: Visit) -> DeliveryListView:
    found = await _found(visit)
    return replace(found, choice=await subscription_choice(visit, found.given["subscription"]))


@only_reads
async def view_of_one(visit: Visit) -> DeliveryListView:
    """The deliveries of the subscription whose page it is."""
    return replace(await _found(visit, visit.params["id"]), subscription=await read(visit))


async def _found(visit: Visit, of: str | None = None) -> DeliveryListView:
    """What the form above the list asks for; `of` is the id of the only subscription that is looked at."""
    given = {name: visit.query.get(name, "").strip() for name in FILTERS}
    if of is not None:
        given["subscription"] = of
    query = {parameter: given[name] for name, parameter in FILTERS.items()}
    query |= {name: moment_of(given[name]) for name in ("from", "to")}
    page = await walked(visit, {**query, "cursor": visit.cursor})
    typed = {name: value for name, value in given.items() if of is None or name != "subscription"}
    return DeliveryListView(
        page=listed(visit, page, typed),
        looked_back_to=page.looked_back_to,
        again=query_of({**given, "status": REPLAYED.get(given["status"], "all")}),
        given=given,
        spans=partial(spans, visit, typed),
    )


def spans(visit: Visit, given: Mapping[str, str]) -> list[tuple[str, str]]:
    """Times that people ask for: the words, and the query of a page with that time and what else was typed."""
    now = next_minute(visit)
    today = now.replace(hour=0, minute=0)
    found = {
        "Last hour": (now - timedelta(hours=1), now),
        "Today": (today, now),
        "Yesterday": (today - timedelta(days=1), today),
        "Last 7 days": (now - timedelta(days=7), now),
    }
    return [
        (word, query_of({**given, "from": start.strftime(_MINUTE), "to": end.strftime(_MINUTE)}))
        for word, (start, end) in found.items()
    ]


def next_minute(visit: Visit) -> datetime:
    """The end of the present minute, in UTC."""
    return datetime.fromtimestamp(visit.now / SECOND, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)


def _in_words(typed: str) -> str:
    """The moment that was typed, as people write it; what is none stays as it is."""
    try:
        return moment(moment_of(typed)) if typed else ""
    except ValueError:
        return typed


async def walked(
    visit: Visit, query: Mapping[str, str | None], seconds: Callable[[], float] = time.monotonic
) -> DeliveryPage:
    """A page of deliveries. While it is empty and there is a next one, it is that one, for a short time."""
    began = seconds()
    page = await visit.calls.read("list_deliveries", DeliveryPage, query)
    while not page.data and page.next is not None and seconds() - began < WALK_SECONDS:
        page = await visit.calls.read("list_deliveries", DeliveryPage, {**query, "cursor": page.next})
    return page


def moment_of(value: str) -> str:
    """A timestamp of what was typed. A browser's field for a moment leaves out the seconds and the time zone, which is
    UTC here."""
    if value and "Z" not in value and "+" not in value:
        return f"{value}:00Z" if value.count(":") == 1 else f"{value}Z"
    return value


PAGES = (
    Page(path="/deliveries", section="Deliveries", title="Deliveries", template="deliveries.html", view=view),
    Page(
        path="/subscriptions/{id}/deliveries",
        section="Subscriptions",
        title="Deliveries",
        template="subscription_deliveries.html",
        view=view_of_one,
    ),
)
