"""A world: processes with the gateway's real engine and store (`life.py`), which live on one disk one after the other,
between clients and receivers, and what was seen of them. Checkers look on throughout.

Everything that happens in it follows from its seed. What it lives through, and how it ends, is its story (`story.py`).
"""

from collections import Counter, deque
from collections.abc import Iterator
from random import Random
from typing import Any

from gateway.tests.simulation import plan
from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.checkers.all import CHECKERS
from gateway.tests.simulation.clients import Clients
from gateway.tests.simulation.history import Asked, Delivery, Entry, Subscriber, title_of
from gateway.tests.simulation.life import Life
from gateway.tests.simulation.loop import VirtualTime
from gateway.tests.simulation.network import MOODS, Receiver, Sent
from gateway.tests.simulation.plan import Plan

from signalpost.domain.delivery.replay import ReplayState
from signalpost.domain.timestamps import SECOND
from signalpost.store.sqlite import reads
from signalpost.store.sqlite.codec import pack_uuid

BEGINNING = 1_760_000_000 * SECOND
"""The wall clock when a world's time is 0."""
TRACED = 60


class Violation(Exception):
    """Something happened that must not."""


class World:
    def __init__(self, seed: int, traced: int = TRACED, given: Plan | None = None) -> None:
        """`given` takes the place of a plan that is drawn."""
        self.seed = seed
        self.random = Random(seed)
        self.plan = given or plan.draw(self.random)
        self.time = VirtualTime(1_000.0)
        self.wall_step = 0
        """µs by which the wall clock was set."""
        self.wall_most = 0
        """What it showed before it was set last, or when the last process began, at most."""
        self.counts: Counter[str] = Counter()
        """Faults by kind."""
        self.attempts = 0
        self.tenants = list(range(1, self.plan.tenants + 1))
        self.entries: dict[int, list[Entry]] = {tenant: [] for tenant in self.tenants}
        """Of each tenant's log, all that was seen by now."""
        self.floor = dict.fromkeys(self.tenants, 1)
        """The lowest sequence of each log that is kept."""
        self.seen_at: dict[int, list[float]] = {tenant: [] for tenant in self.tenants}
        """When each of these was seen first."""
        self.documents: dict[tuple[int, str], list[Entry]] = {}
        """The same by document."""
        self.receivers: dict[str, Receiver] = {}
        self.deliveries: dict[tuple[str, int], Delivery] = {}
        self.clients = Clients(self)
        self.calls: list[Asked] = []
        self.clock_slack = 0
        """µs by which the wall clock was set forward, in all: a retry may be as much too early for a process that was
        not there."""
        self.clock_lag = 0
        """Seconds by which it was set back, in all: a retry may be as much late."""
        self.unrecorded: list[tuple[Delivery, Sent]] = []
        """What the last process sent and the next one does not know of."""
        self.life: Life
        self.alive: list[Life] = []
        self.syncs = 0
        """Of the last process that was not the healing one."""
        self.buries = False
        """What still happens in a process that ended is nothing."""
        self._ended: dict[int, tuple[float, bool]] = {}
        """When each process ended, and whether its disk had trouble."""
        self._trace: deque[tuple[float, str, object]] = deque(maxlen=traced)
        self.violation: Violation | None = None
        self.checkers = [make(self) for make in CHECKERS]
        self._on = {
            name: self._overriding(name) for name in ("asked", "told", "sent", "ended", "began", "finished", "read")
        }
        for number, mood in enumerate(self.plan.endpoints):
            self.receivers[f"s{number}"] = Receiver(MOODS[mood], self.random)

    def _overriding(self, name: str) -> list[Any]:
        return [
            getattr(checker, name)
            for checker in self.checkers
            if getattr(type(checker), name) is not getattr(Checker, name)
        ]

    # --- What there is ------------------------------------------------------------------------------------------------

    def wall_at(self, time: float) -> int:
        return BEGINNING + round(time * SECOND) + self.wall_step

    @property
    def wall(self) -> int:
        return self.wall_at(self.time.now)

    @property
    def wall_reached(self) -> int:
        """The latest that the wall clock ever showed."""
        return max(self.wall, self.wall_most)

    def is_kept(self, entry: Entry) -> bool:
        """Whether it is too young for the retention."""
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
        """An event of the log; None if it has no such one by now."""
        if sequence > len(self.entries[tenant]):
            self.read_log(self.life, tenant)
        entries = self.entries[tenant]
        return entries[sequence - 1] if 0 < sequence <= len(entries) else None

    def last(self, life: Life, tenant: int) -> int:
        """The end of the log, as a client reads it now."""
        self.read_log(life, tenant)
        return len(self.entries[tenant])

    def read_log(self, life: Life, tenant: int) -> None:
        entries = self.entries[tenant]
        ((floor,),) = life.connection.execute("SELECT floor FROM tenant WHERE id = ?", (tenant,))
        self.floor[tenant] = floor
        for event in reads.events_after(life.connection, tenant, len(entries), 1_000_000, 1 << 40):
            title = title_of(event.body).data.document.title
            if event.sequence != len(entries) + 1:
                self.fail("log", f"{event.sequence} follows {len(entries)}")
                return
            entry = Entry(event.sequence, event.at, event.id, event.type, event.document_id, event.body, title)
            entries.append(entry)
            self.seen_at[tenant].append(self.time.now)
            self.documents.setdefault((tenant, entry.document_id), []).append(entry)

    def is_alive(self, number: int) -> bool:
        return number == self.life.number

    def recording_since(self, sent: Sent) -> float:
        """For how long its process, before it ended, could record how it ended: 0 where its disk had some trouble."""
        end, trouble = self._ended[sent.life]
        return 0.0 if trouble else end - sent.ended_at

    def _recall(self, life: Life) -> None:
        """What is not recorded has not happened: take that as known which a client reads of the attempts."""
        recorded: dict[tuple[str, int], dict[int, bool]] = {}
        keys = {pack_uuid(each.id): each.key for each in self.clients.subscribers.values()}
        for identity, sequence, started_at, counted in life.connection.execute(
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

    def asked(self, asked: Asked) -> None:
        self.trace("asks", asked)
        self.calls.append(asked)
        for check in self._on["asked"]:
            check(asked)

    def told(self, asked: Asked) -> None:
        self.trace(asked.told.value, asked)
        for check in self._on["told"]:
            check(asked)

    def sent(self, sent: Sent) -> None:
        self.attempts += 1
        if sent.life != self.life.number:
            # Whatever the process in its place does, this one may send what it has: it is stopped by its next record.
            self.trace("sends, though replaced,", sent)
            return
        self.trace("sends", sent)
        for check in self._on["sent"]:
            check(sent)
        if not sent.is_test:
            self.delivery(self.subscriber(sent.host), sent.sequence).note_sent(sent)

    def ended(self, sent: Sent) -> None:
        assert sent.outcome is not None
        if sent.life != self.life.number:
            return
        self.trace("answered" if sent.delivered else str(sent.outcome.failure), sent)
        if not sent.is_test:
            self.delivery(self.subscriber(sent.host), sent.sequence).note_ended(sent)
        for check in self._on["ended"]:
            check(sent)

    def logged(self, defect: str) -> None:
        """The gateway met a defect of its own."""
        life = self.life
        if not self.buries and not life.disk.dead and not life.exits and "SimulatedError" not in defect:
            self.fail("defects", defect)

    def began(self, life: Life) -> None:
        """A process has opened the database."""
        self.life = life
        self.alive.append(life)
        self.wall_most = max(self.wall_most, self.wall)
        self.trace(f"process {life.number} starts; to end by {life.doom.how} {life.doom.after:.4g}")
        for tenant in self.tenants:
            self.read_log(life, tenant)
        self._recall(life)
        for check in self._on["began"]:
            check(life)

    def lost(self, life: Life) -> None:
        """A process ended: what it has under way is nobody's any more."""
        trouble = life.doom.full is not None or life.doom.stalls > 0 or life.exits
        self._ended[life.number] = (self.time.now, trouble)
        for delivery in self.deliveries.values():
            delivery.flying = [sent for sent in delivery.flying if sent.life != life.number]

    async def finished(self, life: Life) -> None:
        """Everything has come to its end."""
        for tenant in self.tenants:
            self.read_log(life, tenant)
        for check in self._on["finished"]:
            check(life)
        for look in self._on["read"]:
            await look(life)

    def set_clock(self, step: int) -> None:
        """The wall clock is set by some seconds."""
        self.counts["clock set forward" if step > 0 else "clock set back"] += 1
        self.trace(f"the clock is set by {step} s")
        self.wall_most = max(self.wall_most, self.wall)
        self.wall_step += step * SECOND
        self.clock_slack += max(0, step) * SECOND
        self.clock_lag += max(0, -step)

    def unsettled(self) -> Iterator[Delivery]:
        """What was asked for and is neither delivered nor given up."""
        for subscriber in self.clients.subscribers.values():
            if any(subscriber.deleted.ever()):
                continue
            for sequence in range(subscriber.starts_from + 1, self.last(self.life, subscriber.tenant) + 1):
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

    async def waiting(self, life: Life) -> str | None:
        """A subscription that says that it has something to do."""
        for subscriber in self.clients.subscribers.values():
            found = life.engine.subscription(subscriber.tenant, subscriber.id)
            if found is not None:
                health = life.engine.health(found)
                if health["lag"] or health["oldestDueAt"] is not None:
                    return f"{subscriber}: {health}"
                for replay in await life.store.replays(found, None, 250):
                    if replay.state is ReplayState.RUNNING:
                        return f"{subscriber}: {replay}"
        return None

    # --- Failing ------------------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Raises Violation where there was one."""
        if self.violation is not None:
            raise self.violation

    def close(self) -> None:
        """After a violation: let go of what processes had open."""
        for life in list(self.alive):
            life.disk.dead = True
            life.bury()
            life.disk.forget()

    def last_steps(self) -> list[str]:
        return [f"{time:>12.6f}  {what:<24} {about}" for time, what, about in self._trace]
