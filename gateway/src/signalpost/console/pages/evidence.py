"""The page with the evidence of a delivery: a text to keep in a file, which `signalpost verify` checks."""

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import DeliveryWithAttempts
from signalpost.api.routing.shapes.subscriptions import Subscription
from signalpost.console.page import Page, Visit
from signalpost.domain.evidence import PATH


class EvidenceView(Struct, frozen=True):
    delivery: DeliveryWithAttempts
    subscription: Subscription
    text: str
    keys_path: str = PATH


async def view(visit: Visit) -> EvidenceView:
    of, event_id = visit.params["id"], visit.params["eventId"]
    return EvidenceView(
        await visit.calls.read("read_delivery", DeliveryWithAttempts, id=of, eventId=event_id),
        await visit.calls.read("read_subscription", Subscription, id=of),
        bytes(await visit.calls.read("read_evidence", msgspec.Raw, id=of, eventId=event_id)).decode(),
    )


PATH_OF_PAGE = "/subscriptions/{id}/deliveries/{eventId}/evidence"
PAGES = (
    Page(
        path=PATH_OF_PAGE,
        section="Deliveries",
        title="Evidence",
        template="evidence.html",
        view=view,
        is_shared=False,
    ),
)
