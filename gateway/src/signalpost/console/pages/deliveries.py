"""The page of deliveries: what was sent, and with what result."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.console.html import moment
from signalpost.console.listed import ListPart, listed, query_of
from signalpost.console.page import Page, Visit
from signalpost.console.subscription_choice import SubscriptionChoice, subscription_choice

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


class DeliveryListView(Struct, frozen=True):
    page: ListPart[Delivery]
    looked_back_to: str | None
    again: str
    """The query of the page that sends these again."""
    given: Mapping[str, str]
    choice: SubscriptionChoice
    statuses: Sequence[str] = STATUSES

    @property
    def nothing(self) -> str:
        return none_listed(self.page, self.looked_back_to)


def none_listed(page: ListPart[Delivery], looked_back_to: str | None) -> str:
    """What a list without a delivery says: a page may be empty and yet have a next one."""
    if page.next is not None:
        those = "among the newest" if looked_back_to is None else f"back to {moment(looked_back_to)}"
        return f"No delivery {those} is like that. Older ones may be."
    return "No delivery is like that." if page.same else "Nothing was sent yet."


async def view(visit: Visit) -> DeliveryListView:
    given = {name: visit.query.get(name, "").strip() for name in FILTERS}
    query = {parameter: given[name] for name, parameter in FILTERS.items()}
    query |= {name: moment_of(given[name]) for name in ("from", "to")}
    page = await walked(visit, {**query, "cursor": visit.cursor})
    return DeliveryListView(
        page=listed(visit, page, given),
        looked_back_to=page.looked_back_to,
        again=query_of({**given, "status": REPLAYED.get(given["status"], "all")}),
        given=given,
        choice=await subscription_choice(visit, given["subscription"]),
    )


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


PAGES = (Page(path="/deliveries", section="Deliveries", title="Deliveries", template="deliveries.html", view=view),)
