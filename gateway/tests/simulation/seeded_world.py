"""A world that follows from its seed: clients, receivers, processes of the gateway, and what was seen of them.

`plan.py` says what it is like, `crash_plan.py` how each of its processes ends, and `simulation.py` lets it happen.
The world is told of every call of a client and of every request to a receiver. It keeps what was seen
(`history.py`) and passes it on to the checkers, the first of whose complaints ends the run.
"""

from collections import Counter, deque
from collections.abc import Iterator
from random import Random
from typing import Any

from gateway.tests.simulation import plan
from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.checkers.all import CHECKERS
from gateway.tests.simulation.clients import Clients
from gateway.tests.simulation.history import ClientCall, Delivery, Entry, Subscriber, title_of
from gateway.tests.simulation.plan import Plan
from gateway.tests.simulation.process import SimulatedProcess
from gateway.tests.simulation.receivers import BEHAVIOURS, Receiver
from gateway.tests.world.network import SentRequest
from gateway.tests.world.world import World

from signalpost.domain.delivery.replay import ReplayState
from signalpost.domain.timestamps import SECOND
from signalpost.store.sqlite.codec import pack_uuid

TRACED = 60
"""How many of a world's last steps are shown with a violation."""


class Violation(Exception):
    """Something happened that must not happen."""


class SeededWorld(World[SimulatedProcess]):
    """All that happens in a run, and all that was seen of it."""

    def __init__(self, seed: int, traced: int = TRACED, given: Plan | None = None) -> None:
        """`given` takes the place of a plan that is drawn. `traced` steps are kept."""
        super().__init__(Random(seed))
        self.seed = seed
        self.plan = given or plan.draw(self.random)
        self._wall_reached = 0
        """The latest that the wall clock showed when it was set, or when a process started."""
        self.counts: Counter[str] = Counter()
        """How often each kind of fault happened."""
        self.attempts = 0
        self.tenants = list(range(1, self.plan.tenants + 1))
        self.entries: dict[int, list[Entry]] = {tenant: [] for tenant in self.tenants}
        """The events of each tenant's log that were seen by now."""
        self.floor = dict.fromkeys(self.tenants, 1)
        """The lowest sequence of each log that is kept."""
        self.seen_at: dict[int, list[float]] = {tenant: [] for tenant in self.tenants}
        """When each of these events was seen first."""
        self.documents: dict[tuple[int, str], list[Entry]] = {}
        """The same events by tenant and document."""
        self.receivers: dict[str, Receiver] = {}
        self.deliveries: dict[tuple[str, int], Delivery] = {}
        self.clients = Clients(self)
        self.calls: list[ClientCall] = []
        self.clock_slack = 0
        """How far the wall clock was set forward in all, µs. A process that starts later may make a retry too early by
        as much."""
        self.clock_lag = 0
        """How far the wall clock was set back in all, seconds: a retry may be late by as much."""
        self.unrecorded: list[tuple[Delivery, SentRequest]] = []
        """The requests of earlier processes that the current one knows nothing of."""
        self.process: SimulatedProcess
        """The process that started last: it owns the lanes."""
        self.syncs = 0
        """How many syncs the last process made that something went wrong with."""
        self._is_killing = False
        """Whether a process is being killed: what it still logs then has not happened."""
        self._ended: dict[int, tuple[float, bool]] = {}
        """When each process ended, and whether its disk had trouble."""
        self._trace: deque[tuple[float, str, object]] = deque(maxlen=traced)
        self.violation: Violation | None = None
        self.checkers = [make(self) for make in CHECKERS]
        self._on = {
            name: self._overriding(name)
            for name in ("called", "answered", "sent", "ended", "started", "finished", "read")
        }
        for number, behaviour in enumerate(self.plan.endpoints):
            self.receivers[f"s{number}"] = Receiver(BEHAVIOURS[behaviour], self.random)

    def _overriding(self, name: str) -> list[Any]:
        return [
            getattr(checker, name)
            for checker in self.checkers
            if getattr(type(checker), name) is not getattr(Checker, name)
        ]

    # --- What there is ------------------------------------------------------------------------------------------------

    @property
    def wall_reached(self) -> int:
        """The latest that the wall clock ever showed."""
        return max(self.wall.now, self._wall_reached)

    def is_kept(self, entry: Entry) -> bool:
        """Whether an event is too young for the retention."""
        return entry.at > self.wall_reached - self.plan.days * 24 * 3600 * SECOND

    def receiver(self, host: str) -> Receiver:
        return self.receivers[host]

    def subscriber(self, host: str) -> Subscriber:
        return self.clients.subscribers[host]

    def delivery(self, subscriber: Subscriber, sequence: int) -> Delivery:
        key = (subscriber.key, sequence)
        found = self.deliveries.get(key)
        if found is None:
            found = self.deliveries[key] = Delivery(subscriber, sequence)
        return found

    def entry(self, tenant: int, sequence: int) -> Entry | None:
        """An event of a tenant's log; None if the log has no such event by now."""
        if sequence > len(self.entries[tenant]):
            self.read_log(self.process, tenant)
        entries = self.entries[tenant]
        return entries[sequence - 1] if 0 < sequence <= len(entries) else None

    def last(self, process: SimulatedProcess, tenant: int) -> int:
        """The end of the log, as a client reads it now."""
        self.read_log(process, tenant)
        return len(self.entries[tenant])

    def read_log(self, process: SimulatedProcess, tenant: int) -> None:
        entries = self.entries[tenant]
        ((floor,),) = process.connection.execute("SELECT floor FROM tenant WHERE id = ?", (tenant,))
        self.floor[tenant] = floor
        for event in process.log(tenant, len(entries)):
            title = title_of(event.body).data.document.title
            if event.sequence != len(entries) + 1:
                self.fail("log", f"{event.sequence} follows {len(entries)}")
                return
            entry = Entry(event.sequence, event.at, event.id, event.type, event.document_id, event.body, title)
            entries.append(entry)
            self.seen_at[tenant].append(self.time.now)
            self.documents.setdefault((tenant, entry.document_id), []).append(entry)

    def owns_lanes(self, number: int) -> bool:
        """Whether the process with this number is the one that owns the lanes now."""
        return number == self.process.number

    def recording_since(self, sent: SentRequest) -> float:
        """How long its process could have recorded the outcome of a request before it ended, in seconds; 0 where the
        disk of the process had some trouble."""
        end, trouble = self._ended[sent.process]
        return 0.0 if trouble else end - sent.ended_at

    def _recall(self, process: SimulatedProcess) -> None:
        """Know of the attempts that are recorded, and of no others: for a process, the others have not happened."""
        recorded: dict[tuple[str, int], dict[int, bool]] = {}
        keys = {pack_uuid(each.id): each.key for each in self.clients.subscribers.values()}
        for identity, sequence, started_at, counted in process.connection.execute(
            "SELECT s.id, a.sequence, a.started_at, a.counted FROM attempt a"
            " JOIN subscription s ON s.number = a.subscription_number"
        ):
            recorded.setdefault((keys[identity], sequence), {})[started_at] = bool(counted)
        self.unrecorded = []
        for key, delivery in self.deliveries.items():
            if delivery.sequence < self.floor[delivery.subscriber.tenant]:
                continue
            known = recorded.get(key, {})
            if not any(delivery.subscriber.deleted.ever()):
                self.unrecorded += [(delivery, s) for s in delivery.sends if s.wall not in known and not s.is_cut]
            delivery.recall(known)
            for sent in delivery.sends:
                if known.get(sent.wall) and sent.outcome is not None and sent.is_cut:
                    self.fail("attempts", f"{sent} was cut short, and counts")

    # --- What happens -------------------------------------------------------------------------------------------------

    def trace(self, what: str, about: object = "") -> None:
        self._trace.append((self.time.now, what, about))

    def fail(self, checker: str, message: str) -> None:
        if self.violation is None:
            self.violation = Violation(f"{checker}: {message}")

    def called(self, call: ClientCall) -> None:
        self.trace("asks", call)
        self.calls.append(call)
        for check in self._on["called"]:
            check(call)

    def answered(self, call: ClientCall) -> None:
        self.trace(call.status.value, call)
        for check in self._on["answered"]:
            check(call)

    def unhandled(self, process: SimulatedProcess, context: dict[str, Any]) -> None:
        if not process.disk.dead:
            self.fail("defects", f"an error that nobody handles: {context}")

    def database_broke(self, process: SimulatedProcess, error: BaseException) -> None:
        process.exits = True

    def sent(self, sent: SentRequest) -> None:
        self.attempts += 1
        if sent.process != self.process.number:
            # It may send what it has, whatever the process in its place does: its next record stops it.
            self.trace("sends, though replaced,", sent)
            return
        self.trace("sends", sent)
        for check in self._on["sent"]:
            check(sent)
        if not sent.is_test:
            self.delivery(self.subscriber(sent.host), sent.sequence).note_sent(sent)

    def ended(self, sent: SentRequest) -> None:
        assert sent.outcome is not None
        if sent.process != self.process.number:
            return
        self.trace("answered" if sent.is_delivered else str(sent.outcome.failure), sent)
        if not sent.is_test:
            self.delivery(self.subscriber(sent.host), sent.sequence).note_ended(sent)
        for check in self._on["ended"]:
            check(sent)

    def logged(self, defect: str) -> None:
        """Take note of a traceback that the gateway logged."""
        process = self.process
        if not self._is_killing and not process.disk.dead and not process.exits and "SimulatedError" not in defect:
            self.fail("defects", defect)

    def started(self, process: SimulatedProcess) -> None:
        """Take note that a process has opened the database, and read what it finds there."""
        self.process = process
        self._wall_reached = self.wall_reached
        self.trace(
            f"process {process.number} starts; to end by {process.crash_plan.how} {process.crash_plan.after:.4g}"
        )
        for tenant in self.tenants:
            self.read_log(process, tenant)
        self._recall(process)
        for check in self._on["started"]:
            check(process)

    def lost(self, process: SimulatedProcess) -> None:
        """Take note that a process has ended or was replaced: what it has under way is no process's any more."""
        trouble = process.crash_plan.full is not None or process.crash_plan.stalls > 0 or process.exits
        self._ended[process.number] = (self.time.now, trouble)
        for delivery in self.deliveries.values():
            delivery.in_flight = [sent for sent in delivery.in_flight if sent.process != process.number]

    async def finished(self, process: SimulatedProcess) -> None:
        """Have the checkers look once more, after everything has come to its end."""
        for tenant in self.tenants:
            self.read_log(process, tenant)
        for check in self._on["finished"]:
            check(process)
        for look in self._on["read"]:
            await look(process)

    def set_clock(self, step: int) -> None:
        """Set the wall clock by some seconds."""
        self.counts["clock set forward" if step > 0 else "clock set back"] += 1
        self.trace(f"the clock is set by {step} s")
        self._wall_reached = self.wall_reached
        self.wall.offset += step * SECOND
        self.clock_slack += max(0, step) * SECOND
        self.clock_lag += max(0, -step)

    def unsettled(self) -> Iterator[Delivery]:
        """The deliveries that are owed to a subscription, and are neither delivered nor given up."""
        for subscriber in self.clients.subscribers.values():
            if any(subscriber.deleted.ever()):
                continue
            for sequence in range(subscriber.starts_from + 1, self.last(self.process, subscriber.tenant) + 1):
                entry = self.entries[subscriber.tenant][sequence - 1]
                if (
                    sequence < self.floor[subscriber.tenant]
                    or sequence <= subscriber.skipped_to
                    or not subscriber.wants(sequence, entry.type)
                ):
                    continue
                delivery = self.delivery(subscriber, sequence)
                if not delivery.succeeded and not delivery.may_be_given_up:
                    yield delivery

    async def waiting(self, process: SimulatedProcess) -> str | None:
        """Describe a subscription that says that it has something to do; None if none does."""
        for subscriber in self.clients.subscribers.values():
            found = process.engine.directory.subscription(subscriber.tenant, subscriber.id)
            if found is not None:
                lane = process.engine.lanes.views.here(found)
                if lane is None or lane.lag or lane.standing.now.oldest_due is not None:
                    return f"{subscriber}: {lane}"
                for replay in await process.store.replays.page(found, None, 250):
                    if replay.state is ReplayState.RUNNING:
                        return f"{subscriber}: {replay}"
        return None

    # --- Failing ------------------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Raise Violation if a checker has found one."""
        if self.violation is not None:
            raise self.violation

    def kill(self, process: SimulatedProcess) -> None:
        """End a process at once. Whatever it still does to end is not looked at."""
        self._is_killing = True
        process.kill()
        self._is_killing = False

    def close(self) -> None:
        """Let go of everything that processes have open, after a violation."""
        for process in list(self.running):
            process.disk.dead = True
            self.kill(process)
            process.disk.forget()

    def last_steps(self) -> list[str]:
        return [f"{time:>12.6f}  {what:<24} {about}" for time, what, about in self._trace]
