"""What a gateway is fed with, and what it has made of it."""

import uuid
from collections import defaultdict

from connect.tests.conftest import FedGateway
from gateway.tests.acceptance.client import until

from signalpost_client import Client
from signalpost_connect.testing import Change


def changes(*titles: str) -> list[Change]:
    """The states of a new document."""
    document = str(uuid.uuid4())
    return [Change(document, version, title) for version, title in enumerate(titles, 1)]


def newest_of(gateway: FedGateway) -> int:
    """The sequence of the gateway's newest event; 0 if it has none."""
    with Client(gateway.url, gateway.operator_key) as client:
        page = client.events.list(before="latest", limit=1).data
        return page[0].sequence if page else 0


def until_fed_more(gateway: FedGateway, than: int | None = None) -> None:
    """Until the gateway has made an event since now, or after the one with this sequence: each kill interrupts work."""
    before = newest_of(gateway) if than is None else than
    until(lambda: newest_of(gateway) > before)


def told_of(gateway: FedGateway) -> dict[str, list[str]]:
    """The states of each document, titles and `deleted`, in the order of the gateway's events."""
    found: dict[str, list[str]] = defaultdict(list)
    after = 0
    with Client(gateway.url, gateway.operator_key) as client:
        while (page := client.events.list(after=after, limit=250)).data:
            for entry in page.data:
                document = entry.event.data.document
                assert document is not None
                is_deleted = entry.event.type == "documentDeleted"
                found[document.external_id].append("deleted" if is_deleted else document.title)
            after = page.last
    return found
