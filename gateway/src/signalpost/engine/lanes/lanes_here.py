"""The lanes that this node owns, at work or at rest, and how they go from one to the other.

A lane that has nothing to do is at rest (`resting_lanes.py`), and has a worker again as soon as it is asked for.
Waking is one step, so a lane is always one of the two. Threads that look for it may find it as both, and never as
neither.
"""

import asyncio

from signalpost.domain.delivery.lane_bounds import Bounds
from signalpost.domain.subscription import Subscription
from signalpost.engine.lanes.carriers import Carriers
from signalpost.engine.lanes.dispatcher import Dispatcher
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lane_workers import LaneWorkers
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.resting_lanes import RestingLanes, rest_of
from signalpost.engine.lanes.subjects import Subjects
from signalpost.runtime.clock import Clock
from signalpost.store.nouns.lanes import LaneRow

WOKEN_IN_A_ROW = 32
"""How many lanes at rest are woken before the loop gets to its sockets; each takes some 30 µs."""
LOOKED_AT_IN_A_ROW = 500
"""How many workers are looked at, whether they may rest, before the loop gets to its sockets."""


class LanesHere:
    def __init__(
        self,
        log_cache: LogCache,
        dispatcher: Dispatcher,
        carriers: Carriers,
        subjects: Subjects,
        clock: Clock,
        bounds: Bounds,
        rest_after: float,
    ) -> None:
        """A lane rests once it had nothing to do for `rest_after` seconds."""
        self.workers = LaneWorkers()
        """The lanes at work."""
        self.resting = RestingLanes()
        """The lanes at rest."""
        self.paused_tenants: set[int] = set()
        """The tenants that are paused, whose lanes send nothing."""
        self._log = log_cache
        self._dispatcher = dispatcher
        self._carriers = carriers
        self._subjects = subjects
        self._clock = clock
        self._bounds = bounds
        self._rest_after = rest_after
        self._wakes = False
        """Whether lanes that rise are about to be woken."""

    # --- What is here -------------------------------------------------------------------------------------------------

    @property
    def numbers(self) -> tuple[int, ...]:
        """The subscriptions whose lanes are here."""
        return (*(worker.subscription.number for worker in self.workers), *self.resting.numbers)

    @property
    def count(self) -> int:
        """How many lanes are here."""
        return len(self.workers) + len(self.resting)

    def count_of(self, tenant_id: int) -> int:
        """How many lanes of a tenant are here."""
        return self.workers.count_of(tenant_id) + self.resting.count_of(tenant_id)

    @property
    def tenant_ids(self) -> set[int]:
        """The tenants that have a lane here."""
        return {*self.workers.tenant_ids, *(tenant_id for tenant_id, _ in self.resting.counts)}

    def numbers_of(self, tenant_id: int) -> set[int]:
        """The subscriptions of a tenant whose lanes are here."""
        at_work, at_rest = self.workers.of_tenant(tenant_id), self.resting.of_tenant(tenant_id)
        return {*(worker.subscription.number for worker in at_work), *(lane.subscription.number for lane in at_rest)}

    def tenant_of(self, number: int) -> int | None:
        """The tenant of a lane; None if the lane is not here."""
        lane = self.workers.get(number) or self.resting.get(number)
        return None if lane is None else lane.subscription.tenant_id

    def __contains__(self, number: int) -> bool:
        """Whether the lane with this number is here, at work or at rest."""
        return self.workers.get(number) is not None or number in self.resting

    # --- To work ------------------------------------------------------------------------------------------------------

    def add(self, subscription: Subscription, row: LaneRow) -> LaneWorker:
        """Give a lane a worker, as its row says."""
        slots = self._dispatcher.slots_for(subscription)
        worker = LaneWorker(
            subscription, row, slots, self._bounds, self._carriers, self._subjects, self._dispatcher.give_turn
        )
        worker.rank = self._dispatcher.rank_of(subscription)
        worker.tenant_is_paused = subscription.tenant_id in self.paused_tenants
        self.workers.add(worker)
        return worker

    def awake(self, number: int) -> LaneWorker | None:
        """The worker of a lane, which is woken if it rests; None if it is not here."""
        worker = self.workers.get(number)
        return self.wake(number) if worker is None and number in self.resting else worker

    def wake(self, number: int) -> LaneWorker:
        """Give a lane at rest a worker. If an event that it wants woke it, it reads on; else it goes on sleeping."""
        lane = self.resting.get(number)
        assert lane is not None
        seen = self._log.seen.get(lane.subscription.tenant_id, 0)
        passed, is_rising = self.resting.head_of(lane, seen), self.resting.is_rising(number)
        worker = self.add(lane.subscription, lane.row)
        self.resting.take(number)
        worker.rise(lane)
        worker.skip_unwanted(passed)
        if is_rising:
            worker.wake()
            self._dispatcher.give_turn(worker)
        return worker

    def wake_rising(self) -> None:
        """Wake the lanes that rise: some at once, and the others once the loop has got to its sockets."""
        if not self._wakes:
            self._wake_some()

    def _wake_some(self) -> None:
        for number in self.resting.some_rising(WOKEN_IN_A_ROW):
            self.wake(number)
        self._wakes = bool(self.resting.some_rising(1))
        if self._wakes:
            asyncio.get_running_loop().call_soon(self._wake_some)

    def at_work_of(self, tenant_id: int) -> list[LaneWorker]:
        """A tenant's lanes that do not rest. The heads of the sleeping ones are moved to the end of what they were
        offered first."""
        workers = self.workers.of_tenant(tenant_id)
        for worker in workers:
            worker.skip_unwanted(self._log.seen.get(tenant_id, 0))
        return [*workers]

    def all_awake(self, tenant_id: int) -> list[LaneWorker]:
        """All of a tenant's lanes at work, as `at_work_of` has them; those that rest are woken."""
        for lane in self.resting.of_tenant(tenant_id):
            self.wake(lane.subscription.number)
        return self.at_work_of(tenant_id)

    def before(self, tenant_id: int, passed: int, recorded: int) -> list[LaneWorker]:
        """A tenant's lanes without those at rest that have looked at everything up to `passed`, and have recorded that
        up to `recorded`."""
        seen = self._log.seen.get(tenant_id, 0)
        for lane in self.resting.of_tenant(tenant_id):
            if lane.head < recorded or self.resting.head_of(lane, seen) < passed:
                self.wake(lane.subscription.number)
        return self.at_work_of(tenant_id)

    # --- To rest ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Let lanes rest from time to time that have nothing to do."""
        while True:
            await asyncio.sleep(self._rest_after)
            for looked_at, worker in enumerate(list(self.workers), 1):
                self._consider_rest(worker)
                if looked_at % LOOKED_AT_IN_A_ROW == 0:
                    await asyncio.sleep(0)

    def _consider_rest(self, worker: LaneWorker) -> None:
        """Let a lane rest that had nothing to do when it was looked at last, and has done nothing since."""
        resting = rest_of(worker, self._clock.steady())
        idle_at, worker.idle_at = worker.idle_at, None if resting is None else resting.version
        if resting is not None and idle_at == resting.version:
            self.let_rest(worker)

    def let_rest(self, worker: LaneWorker) -> None:
        """Let a lane rest if it has nothing to do."""
        resting = rest_of(worker, self._clock.steady())
        if resting is not None:
            if worker.timer is not None:
                worker.timer.cancel()
            worker.leave()
            self.resting.add(resting)
            self.workers.remove(worker)
