"""The page with the evidence of a delivery: a text, and a file to keep, which `signalpost verify` checks."""

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import DeliveryWithAttempts
from signalpost.api.routing.shapes.subscriptions import Subscription
from signalpost.console.page import Download, Page, Visit, only_reads
from signalpost.domain.evidence import PATH


class EvidenceView(Struct, frozen=True):
    delivery: DeliveryWithAttempts
    subscription: Subscription
    text: str
    name: str
    """What the file is called when it is saved."""
    keys_path: str = PATH


async def view(visit: Visit) -> EvidenceView:
    of, event_id = visit.params["id"], visit.params["eventId"]
    delivery, subscription = await _found(visit)
    evidence = bytes(await visit.calls.read("read_evidence", msgspec.Raw, id=of, eventId=event_id))
    name = f"evidence-{delivery.event_id}.json"
    if visit.query.get("as") == "file":
        raise Download(name, "application/json", evidence)
    return EvidenceView(delivery, subscription, evidence.decode(), name)


@only_reads
async def _found(visit: Visit) -> tuple[DeliveryWithAttempts, Subscription]:
    of, event_id = visit.params["id"], visit.params["eventId"]
    delivery = await visit.calls.read("read_delivery", DeliveryWithAttempts, id=of, eventId=event_id)
    return delivery, await visit.calls.read("read_subscription", Subscription, id=of)


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
