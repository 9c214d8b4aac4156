"""At most one event of a document is in flight to a subscription, the lowest that is ready first; in strict order none
overtakes one that is neither delivered nor given up (C17)."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Entry, Subscriber
from gateway.tests.world.network import SentRequest

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess
    from gateway.tests.simulation.seeded_world import SeededWorld


class Order(Checker):
    def __init__(self, world: "SeededWorld") -> None:
        super().__init__(world)
        self._in_flight: dict[tuple[str, str], SentRequest] = {}
        self._settled: dict[tuple[str, str], int] = {}
        """Up to there, all of a document were seen to be settled."""
        self._sent: dict[tuple[str, str], int] = {}
        """Up to there, all of a document were seen to be sent."""

    def started(self, process: "SimulatedProcess") -> None:
        self._in_flight = {key: sent for key, sent in self._in_flight.items() if self.world.owns_lanes(sent.process)}
        self._settled.clear()

    def sent(self, sent: SentRequest) -> None:
        if sent.is_test:
            return
        subscriber = self.world.subscriber(sent.host)
        entry = self.world.entry(subscriber.tenant, sent.sequence)
        if entry is None:
            return
        key = (sent.host, entry.document_id)
        other = self._in_flight.get(key)
        if other is not None and other.process == sent.process:
            self.fail(f"{sent}: another one of its document is in flight: {other}")
        self._in_flight[key] = sent
        if sent.is_replay:
            return
        strict = subscriber.ordering.surely("strict", sent.at)
        done = self._settled if strict else self._sent
        reached = done.get(key, 0)
        for earlier in self._earlier(subscriber, entry, reached):
            delivery = self.world.delivery(subscriber, earlier.sequence)
            if delivery.sends and (delivery.is_over or not strict):
                continue
            if self.world.is_kept(earlier):
                self.fail(f"{sent} overtakes {earlier}{', in strict order' if strict else ''}: {delivery}")
        done[key] = max(reached, sent.sequence - 1)

    def _earlier(self, subscriber: Subscriber, entry: Entry, after: int) -> list[Entry]:
        """The earlier events of its document that the subscription surely waits for."""
        first = max(after, subscriber.skipped_to)
        return [
            each
            for each in self.world.documents[subscriber.tenant, entry.document_id]
            if first < each.sequence < entry.sequence and subscriber.wants(each.sequence, each.type)
        ]

    def ended(self, sent: SentRequest) -> None:
        if not sent.is_test:
            subscriber = self.world.subscriber(sent.host)
            entry = self.world.entries[subscriber.tenant][sent.sequence - 1]
            if self._in_flight.get((sent.host, entry.document_id)) is sent:
                del self._in_flight[sent.host, entry.document_id]
