"""Every lane at work, found by what is known of its subscription."""

from collections.abc import Iterable, Iterator

from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription
from signalpost.engine.lanes.lane_worker import LaneWorker


class LaneWorkers:
    def __init__(self) -> None:
        self._by_number: dict[int, LaneWorker] = {}
        self._by_id: dict[tuple[int, str], LaneWorker] = {}
        self._wanting: dict[tuple[int, int], dict[int, LaneWorker]] = {}
        """By tenant and type, as their subscriptions stand now."""

    def __iter__(self) -> Iterator[LaneWorker]:
        return iter(self._by_number.values())

    def add(self, worker: LaneWorker) -> None:
        subscription = worker.subscription
        self._by_number[subscription.number] = worker
        self._by_id[subscription.tenant_id, subscription.id] = worker
        self._index(worker)

    def remove(self, worker: LaneWorker) -> None:
        subscription = worker.subscription
        self._unindex(worker)
        del self._by_number[subscription.number]
        del self._by_id[subscription.tenant_id, subscription.id]

    def update(self, worker: LaneWorker, subscription: Subscription, now: int) -> None:
        """Let the worker follow a change of its subscription."""
        self._unindex(worker)
        worker.update(subscription, now)
        self._index(worker)

    def __getitem__(self, subscription_number: int) -> LaneWorker:
        return self._by_number[subscription_number]

    def get(self, subscription_number: int) -> LaneWorker | None:
        return self._by_number.get(subscription_number)

    def by_id(self, tenant_id: int, subscription_id: str) -> LaneWorker | None:
        return self._by_id.get((tenant_id, subscription_id))

    def of_tenant(self, tenant_id: int) -> list[LaneWorker]:
        return [worker for worker in self if worker.subscription.tenant_id == tenant_id]

    def wanting(self, tenant_id: int, event_type: int) -> Iterable[LaneWorker]:
        """Those of a tenant whose subscriptions ask for such events."""
        return self._wanting.get((tenant_id, event_type), {}).values()

    def _index(self, worker: LaneWorker) -> None:
        for event_type in EventType:
            if event_type & worker.subscription.filters[-1][1]:
                key = (worker.subscription.tenant_id, int(event_type))
                self._wanting.setdefault(key, {})[worker.subscription.number] = worker

    def _unindex(self, worker: LaneWorker) -> None:
        for event_type in EventType:
            wanting = self._wanting.get((worker.subscription.tenant_id, int(event_type)), {})
            wanting.pop(worker.subscription.number, None)
