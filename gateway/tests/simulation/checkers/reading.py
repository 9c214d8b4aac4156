"""What people read is so: documents as their last event says, deliveries as receivers saw them."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Entry, Subscriber

from signalpost.domain.event import EventType
from signalpost.store.nouns.deliveries import DeliveryFilter

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess

_DOCUMENT = b'"data":{"document":'


class Reading(Checker):
    async def read(self, process: "SimulatedProcess") -> None:
        for (tenant, document), entries in self.world.documents.items():
            await self._check_document(process, tenant, document, entries[-1])
        for subscriber in self.world.clients.subscribers.values():
            if not any(subscriber.deleted.ever()):
                await self._check_deliveries(process, subscriber)

    async def _check_document(self, process: "SimulatedProcess", tenant: int, document: str, last: Entry) -> None:
        row = await process.store.documents.get(tenant, document)
        if row is None:
            self.fail(f"the document of {last} is gone")
        elif (row.deleted_at is not None) != (last.type == EventType.DELETED):
            self.fail(f"{last} is its last event, and the document is {row}")
        elif row.deleted_at is None and row.body != last.body[last.body.index(_DOCUMENT) + len(_DOCUMENT) : -2]:
            self.fail(f"{last} is its last event, and the document is {row.body!r}")

    async def _check_deliveries(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        found = process.engine.directory.subscription(subscriber.tenant, subscriber.id)
        assert found is not None
        listed: dict[int, str] = {}
        below = None
        while True:
            page = await process.store.deliveries.page(subscriber.tenant, [found], DeliveryFilter(), below, 250)
            listed |= {view.entry.sequence: view.status for view in page.data}
            if (below := page.next) is None:
                break
        self.world.read_log(process, subscriber.tenant)  # the retention may have gone on meanwhile
        for entry in self.world.entries[subscriber.tenant][self.world.floor[subscriber.tenant] - 1 :]:
            self._check_delivery(subscriber, entry, listed.get(entry.sequence))

    def _check_delivery(self, subscriber: Subscriber, entry: Entry, status: str | None) -> None:
        wants = subscriber.wants(entry.sequence, entry.type)
        delivery = self.world.delivery(subscriber, entry.sequence)
        if wants is False and status is not None:
            self.fail(f"{entry} is listed as {status}, and {subscriber} did not ask for it")
        if wants and status is None and entry.sequence > subscriber.skipped_to:
            self.fail(f"{entry} is not listed for {subscriber}")
        if status in ("pending", "retrying"):
            self.fail(f"{delivery} is listed as {status}")
        if status == "delivered" and not delivery.succeeded:
            self.fail(f"{delivery} is listed as delivered")
        was_asked_again = any(resend.first <= entry.sequence <= resend.last for resend in subscriber.resends)
        if status == "failed" and delivery.succeeded and not was_asked_again:
            self.fail(f"{delivery} is listed as failed")
