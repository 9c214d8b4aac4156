"""Every lane at work, found by what is known of its subscription."""

from collections.abc import Iterable, Iterator

from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription
from signalpost.engine.lanes.lane_worker import Runner


class Runners:
    def __init__(self) -> None:
        self._by_number: dict[int, Runner] = {}
        self._by_id: dict[tuple[int, str], Runner] = {}
        self._wanting: dict[tuple[int, int], dict[int, Runner]] = {}
        """By tenant and type, as their subscriptions stand now."""

    def __iter__(self) -> Iterator[Runner]:
        return iter(self._by_number.values())

    def add(self, runner: Runner) -> None:
        subscription = runner.subscription
        self._by_number[subscription.number] = runner
        self._by_id[subscription.tenant_id, subscription.id] = runner
        self._index(runner)

    def remove(self, runner: Runner) -> None:
        subscription = runner.subscription
        self._unindex(runner)
        del self._by_number[subscription.number]
        del self._by_id[subscription.tenant_id, subscription.id]

    def update(self, runner: Runner, subscription: Subscription) -> None:
        """Let the runner follow a change of its subscription."""
        self._unindex(runner)
        runner.update(subscription)
        self._index(runner)

    def __getitem__(self, subscription_number: int) -> Runner:
        return self._by_number[subscription_number]

    def get(self, subscription_number: int) -> Runner | None:
        return self._by_number.get(subscription_number)

    def by_id(self, tenant_id: int, subscription_id: str) -> Runner | None:
        return self._by_id.get((tenant_id, subscription_id))

    def of_tenant(self, tenant_id: int) -> list[Runner]:
        return [runner for runner in self if runner.subscription.tenant_id == tenant_id]

    def wanting(self, tenant_id: int, event_type: int) -> Iterable[Runner]:
        """Those of a tenant whose subscriptions ask for such events."""
        return self._wanting.get((tenant_id, event_type), {}).values()

    def _index(self, runner: Runner) -> None:
        for event_type in EventType:
            if event_type & runner.subscription.filters[-1][1]:
                key = (runner.subscription.tenant_id, int(event_type))
                self._wanting.setdefault(key, {})[runner.subscription.number] = runner

    def _unindex(self, runner: Runner) -> None:
        for event_type in EventType:
            wanting = self._wanting.get((runner.subscription.tenant_id, int(event_type)), {})
            wanting.pop(runner.subscription.number, None)
