"""What was done to one subscription: who changed it, and what was sent to it again."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from signalpost.api.routing.shapes.access import AuditEntry, AuditPage
from signalpost.api.routing.shapes.deliveries import ReplayPage, ShownReplay
from signalpost.api.routing.shapes.subscriptions import Subscription
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, Visit
from signalpost.console.pages.subscription import read

_DEEDS: Final[Mapping[str, str]] = {
    "subscription.create": "Made",
    "subscription.change": "Changed",
    "subscription.disable": "Disabled",
    "subscription.rotate-secret": "Secret rotated",
    "subscription.promote-secret": "Old secret ended",
    "subscription.promote-shadow": "Endpoint swapped with that of the shadow",
    "subscription.retry-delivery": "A delivery sent again",
    "subscription.unsubscribe-contact": "A contact unsubscribed",
}
"""What an action of the audit is called among others about the same subscription."""
REPLAYS = "10"
"""How many replays are shown, the newest first."""


class HistoryView(Struct, frozen=True):
    subscription: Subscription
    changes: ListPart[AuditEntry] | None
    """None for those who may not read the audit."""
    replays: Sequence[ShownReplay]

    def deed(self, entry: AuditEntry) -> str:
        """What was done, in a few words."""
        return _DEEDS.get(entry.action, entry.action.replace(".", ": ").replace("-", " "))


async def view(visit: Visit) -> HistoryView:
    subscription = await read(visit)
    replays = await visit.calls.read("list_replays", ReplayPage, {"limit": REPLAYS}, id=subscription.id)
    changes = None
    if visit.is_operator:
        asked = {"newest": "true", "object": subscription.id, "cursor": visit.cursor}
        changes = listed(visit, await visit.calls.read("list_audit", AuditPage, asked))
    return HistoryView(subscription, changes, replays.data)


PAGES = (
    Page(
        path="/subscriptions/{id}/history",
        section="Subscriptions",
        title="History",
        template="subscription_history.html",
        view=view,
    ),
)
