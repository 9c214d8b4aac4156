"""What was sent?"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.overview import NamedSubscription, SubscriptionNames
from signalpost.console.page import Page, Visit
from signalpost.domain.event import BY_WIRE

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
STATUSES = ("pending", "retrying", "failed", "delivered", "skipped")


class View(Struct, frozen=True):
    data: Sequence[Delivery]
    next: str | None
    is_first: bool
    same: str
    """The query that shows the same list from its beginning."""
    again: str
    """The query of the page that sends these again."""
    given: Mapping[str, str]
    subscriptions: Sequence[NamedSubscription]
    statuses: Sequence[str] = STATUSES
    types: Sequence[str] = tuple(BY_WIRE)


async def view(visit: Visit) -> View:
    given = {name: visit.query.get(name, "").strip() for name in FILTERS}
    cursor = visit.query.get("cursor")
    query = {parameter: given[name] for name, parameter in FILTERS.items()}
    query |= {name: moment_of(given[name]) for name in ("from", "to")}
    page = await visit.calls.read("list_deliveries", DeliveryPage, {**query, "cursor": cursor})
    subscriptions = await visit.calls.read("list_subscription_names", SubscriptionNames, {"limit": "250"})
    return View(
        data=page.data,
        next=page.next,
        is_first=cursor is None,
        same=_query(given),
        again=_query({**given, "status": REPLAYED.get(given["status"], "all")}),
        given=given,
        subscriptions=subscriptions.data,
    )


def _query(given: Mapping[str, str]) -> str:
    return urlencode({name: value for name, value in given.items() if value})


def moment_of(value: str) -> str:
    """A timestamp of what was typed. A browser's field for a moment leaves out the seconds and the time zone, which is
    UTC here."""
    if value and "Z" not in value and "+" not in value:
        return f"{value}:00Z" if value.count(":") == 1 else f"{value}Z"
    return value


PAGES = (Page(path="/deliveries", section="Deliveries", title="Deliveries", template="deliveries.html", view=view),)
