"""The lanes at work, indexed by subscription number, by tenant, and by the event types that they want."""

from collections.abc import Iterable, Iterator

from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription
from signalpost.engine.lanes.lane_worker import LaneWorker


class LaneWorkers:
    def __init__(self) -> None:
        self._by_number: dict[int, LaneWorker] = {}
        self._by_tenant: dict[int, dict[int, LaneWorker]] = {}
        self._listed: dict[int, tuple[LaneWorker, ...]] = {}
        """The lanes of tenants that were asked for since one came or went."""
        self._wanting: dict[tuple[int, int], dict[int, LaneWorker]] = {}
        """Lanes by tenant and by the event type that their subscriptions want now."""

    def __iter__(self) -> Iterator[LaneWorker]:
        return iter(self._by_number.values())

    def __len__(self) -> int:
        return len(self._by_number)

    def add(self, worker: LaneWorker) -> None:
        subscription = worker.subscription
        self._by_number[subscription.number] = worker
        self._listed.pop(subscription.tenant_id, None)
        self._by_tenant.setdefault(subscription.tenant_id, {})[subscription.number] = worker
        self._index(worker)

    def remove(self, worker: LaneWorker) -> None:
        subscription = worker.subscription
        self._unindex(worker)
        del self._by_number[subscription.number]
        self._listed.pop(subscription.tenant_id, None)
        del self._by_tenant[subscription.tenant_id][subscription.number]

    def update(self, worker: LaneWorker, subscription: Subscription, now: int) -> None:
        """Let the worker follow a change of its subscription."""
        self._unindex(worker)
        worker.update(subscription, now)
        self._index(worker)

    def get(self, subscription_number: int) -> LaneWorker | None:
        return self._by_number.get(subscription_number)

    def of_tenant(self, tenant_id: int) -> tuple[LaneWorker, ...]:
        # To go through 100,000 takes milliseconds, so it is done once for all who ask until one comes or goes.
        found = self._listed.get(tenant_id)
        if found is None:
            found = self._listed[tenant_id] = tuple(self._by_tenant.get(tenant_id, {}).values())
        return found

    def count_of(self, tenant_id: int) -> int:
        """How many lanes of a tenant are at work."""
        return len(self._by_tenant.get(tenant_id, ()))

    @property
    def tenant_ids(self) -> Iterable[int]:
        """The tenants that have a lane at work."""
        return (tenant_id for tenant_id, workers in self._by_tenant.items() if workers)

    def wanting(self, tenant_id: int, event_type: int) -> Iterable[LaneWorker]:
        """A tenant's lanes whose subscriptions want events of a type."""
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
