"""A world: the gateway's real engine and store, in processes that live on one disk one after the other, between
clients and receivers. Everything that happens in it follows from its seed.

It lives through its plan (`plan.py`): each process is driven step by step until its doom (`faults.py`), and the next
one takes up what the disk kept. Then it heals: the faults end, every receiver is well, every call that was left open is
repeated, and all that was promised must come to its end. Checkers look on throughout.
"""

import asyncio
import contextlib
import itertools
import os
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any

import apsw
from gateway.tests.simulation import faults, plan
from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.checkers.all import CHECKERS
from gateway.tests.simulation.clients import Clients
from gateway.tests.simulation.disk import VFS, Disk, Image
from gateway.tests.simulation.faults import HEALTHY, Doom, Faults
from gateway.tests.simulation.history import Asked, Delivery, Entry, Subscriber, title_of
from gateway.tests.simulation.loop import VirtualClock, VirtualExecutor, VirtualLoop, VirtualTime
from gateway.tests.simulation.network import MOODS, Network, Receiver, Sent
from gateway.tests.simulation.plan import Plan

from signalpost.domain.errors import Unavailable
from signalpost.domain.event import Event
from signalpost.domain.links import Links
from signalpost.domain.replay import ReplayState
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.disk_reserve import DiskReserve
from signalpost.engine.engine import Engine
from signalpost.store.sqlite import reads
from signalpost.store.sqlite.codec import pack_uuid
from signalpost.store.sqlite.database import connect, migrate
from signalpost.store.sqlite.store import Executors, SqliteStore
from signalpost.store.store import LaneFlush, LaneFlushed, LaneRow
from signalpost.store.vault import Vault

BEGINNING = 1_760_000_000 * SECOND
"""The wall clock when a world's time is 0."""
SETTLES_WITHIN = 2 * 3600.0
"""Seconds in which everything must be settled once all is well: a `Retry-After` holds for an hour and 20 %."""
GRACE = 5.2
"""Seconds that a stop gives to attempts which are under way, usually."""
TRACED = 60
STEPS_MOST = 3_000_000


class Violation(Exception):
    """Something happened that must not."""


class SimulatedError(Exception):
    """Something that nobody foresaw."""

    def __str__(self) -> str:
        return "SimulatedError"


class WatchedStore(SqliteStore):
    """Tells when a lane turns out to be another process's. May fail in ways of its own."""

    fenced = False
    fails: Callable[[str], None]
    """Asked before what may fail, by its name."""

    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        self.fails("record")
        recorded = await super().record(flushes)
        self.fenced = self.fenced or len(recorded) < len(flushes)
        return recorded

    async def events_after(self, tenant_id: int, sequence: int, limit: int) -> list[Event]:
        self.fails("page")
        return await super().events_after(tenant_id, sequence, limit)

    async def event_bodies(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        self.fails("bodies")
        return await super().event_bodies(tenant_id, sequences)

    async def load_lane(self, subscription: Subscription, parked: int) -> LaneRow | None:
        self.fails("lane")
        return await super().load_lane(subscription, parked)


class Life:
    """One process of the gateway."""

    def __init__(self, world: "World", number: int, disk: Disk, doom: Doom) -> None:
        self.world = world
        self.number = number
        self.doom = doom
        self.disk = disk
        self.loop = VirtualLoop(world.time)
        self.loop.set_exception_handler(self._on_loop_error)
        self.network = Network(world, self.loop, number)
        self.clients: asyncio.Task[None] | None = None
        self.waiting: dict[Asked, None] = {}
        self.is_dead = False
        self.has_started = False
        self.began_at = world.time.now
        self.exits = False
        """The disk failed: it is about to end by itself."""
        self.faults = Faults(doom, world.random, world.counts)
        self.faults.disk = disk
        disk.gate = self.faults.gate
        clock = VirtualClock(world, self.loop)
        self.clock = clock
        work = VirtualExecutor(self._work_seconds)
        self.store = self._open(Executors(work, work, work))
        self.store.fails = self._fails
        self.engine = Engine(
            self.store,
            self.network,
            clock,
            world.random,
            world.plan.days,
            DiskReserve(0, lambda: 1 << 40, VirtualExecutor(), look_every=1e6),
            cache_bytes=world.plan.cache_bytes,
            limits=world.plan.limits,
            disable_after_days=world.plan.days,
            lane_bounds=world.plan.bounds,
        )

    def _open(self, executors: Executors) -> WatchedStore:
        bits, wall = self.world.random.getrandbits, self.clock.wall
        try:
            return WatchedStore(
                self.disk.database, Vault(bytes(32)), Links(b"", ""), wall, bits, executors, self._on_broken, VFS
            )
        except BaseException:
            self.loop.close()
            raise

    @property
    def connection(self) -> apsw.Connection:
        """For reads that stand for a client's."""
        return self.store._readers[-1]

    @contextlib.contextmanager
    def connection_to_write(self) -> Iterator[apsw.Connection]:
        """For what another node would write."""
        connection = connect(self.disk.database, vfs=VFS)
        try:
            yield connection
        finally:
            connection.close()

    def _work_seconds(self) -> float:
        random = self.world.random
        if random.random() < self.doom.stalls:
            self.world.counts["slow disk"] += 1
            return random.uniform(0.1, 1.0)
        return random.random() * self.world.plan.commit_seconds

    def _fails(self, what: str) -> None:
        """Not at the start: a process that cannot read its store does not start."""
        window, age = self.doom.unreadable, self.world.time.now - self.began_at
        if window is not None and max(0.1, window[0]) <= age < window[1] and self.world.random.random() < 0.5:
            self.world.counts[f"error: {what}"] += 1
            raise self.world.random.choice((Unavailable("busy"), SimulatedError(what)))

    def _on_broken(self, _error: BaseException) -> None:
        self.exits = True

    def _on_loop_error(self, _loop: object, context: dict[str, Any]) -> None:
        if not self.is_dead and not self.disk.dead:
            self.world.fail("defects", f"an error that nobody handles: {context}")

    def bury(self) -> None:
        """Nothing of it reaches anybody any more; what still runs in it ends."""
        self.is_dead = self.network.dead = self.world.buries = True
        self.world.forget(self)
        for connection in (
            *self.store._readers,
            self.store._writer._connection,
            self.store._writer._checkpoint_connection,
        ):
            with contextlib.suppress(apsw.Error):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                connection.close()
        for _ in range(100):
            tasks = asyncio.all_tasks(self.loop)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.loop.call_soon(lambda: None)
            self.loop.step()
        self.loop.close()
        self.world.buries = False


class World:
    def __init__(
        self, seed: int, folder: Path, traced: int = TRACED, given: Plan | None = None, dooms: Sequence[Doom] = ()
    ) -> None:
        """`given` and `dooms` take the place of a plan, and of the dooms of its processes, that are drawn."""
        self.seed = seed
        self.random = Random(seed)
        self.plan = given or plan.draw(self.random)
        self._dooms = dooms
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
        self._alive: list[Life] = []
        self.syncs = 0
        """Of the last process that was not the healing one."""
        self.buries = False
        """What still happens in a process that ended is nothing."""
        self._ended: dict[int, tuple[float, bool]] = {}
        """When each process ended, and whether its disk had trouble."""
        self._folder = folder
        self._lives = itertools.count(1)
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
        for event in reads.events_after(life.connection, tenant, len(entries), 1_000_000):
            title = title_of(event.body).data.document.title
            assert event.sequence == len(entries) + 1, "the world missed an event"
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

    def forget(self, life: Life) -> None:
        self._alive.remove(life)

    # --- Lives --------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Raises Violation."""
        image = _fresh(self.plan.tenants)
        for doom in self._dooms or (faults.draw(self.random) for _ in range(self.plan.lives)):
            image = self._live(image, doom)
        self._heal(image)

    def _begin(self, image: Image, doom: Doom) -> Life | None:
        number = next(self._lives)
        database = self._folder / f"{number}.db"
        image.write(database)
        disk = Disk(database, lambda *_: None)
        life = self._start(number, disk, doom)
        if life is None:
            disk.forget()
        return life

    def _start(self, number: int, disk: Disk, doom: Doom) -> Life | None:
        try:
            life = Life(self, number, disk, doom)
        except Exception as error:
            if not disk.dead and doom.how not in ("disk error", "sync error"):
                self.fail("defects", f"it does not start: {error!r}")
                self._raise()
            return None
        assert life.connection.pragma("journal_mode") == "wal", "the disk lost the WAL"
        self.life = life
        self._alive.append(life)
        self.wall_most = max(self.wall_most, self.wall)
        self.trace(f"process {number} starts; to end by {doom.how} {doom.after:.4g}")
        for tenant in self.tenants:
            self.read_log(life, tenant)
        self._recall(life)
        for check in self._on["began"]:
            check(life)
        self._raise()
        return life

    def _live(self, image: Image, doom: Doom) -> Image:
        life = self._begin(image, doom)
        if life is None:
            return image
        self._set_timers(life)
        life.clients = life.loop.create_task(self._go_on(life))
        self._drive(life)
        if doom.how == "replaced" and not life.disk.dead and not life.exits:
            return self._replace(life)
        return self._end(life)

    def _replace(self, frozen: Life) -> Image:
        """Another process takes up every lane while this one is frozen. It thaws, and goes on until it learns of that:
        nothing that it records then may count."""
        while frozen.waiting:
            frozen.loop.step()  # nobody waits for its answer any more: no change is to come out of it
            self._raise()
        assert frozen.clients is not None
        frozen.clients.cancel()
        self.counts["taken over while frozen"] += 1
        self.trace(f"process {frozen.number} is frozen")
        frozen.faults.is_full = False
        self._note_end(frozen)
        with frozen.connection_to_write() as connection:
            connection.execute("UPDATE lane SET version = version + 1")
        life = self._start(next(self._lives), frozen.disk, HEALTHY)
        assert life is not None
        self._set_timers(life)
        life.clients = life.loop.create_task(self._go_on(life))
        self._drive(life, self.random.choice((0.0, 0.05, 1.0, 30.0)))
        self.trace(f"process {frozen.number} thaws")
        end = self.time.now + 60.0
        while not frozen.store.fenced and self.time.now < end and not life.exits:
            (frozen if frozen.loop.next_event <= life.loop.next_event else life).loop.step()
            self._raise()
        self.counts["fenced after that"] += frozen.store.fenced
        frozen.bury()
        self._drive(life, self.random.choice((0.0, 1.0, 30.0)))
        return self._end(life)

    def _set_timers(self, life: Life) -> None:
        loop, doom = life.loop, life.doom

        def set_full(*, full: bool) -> None:
            self.trace("the disk is full" if full else "the disk has room again")
            life.faults.is_full = full

        if doom.full is not None:
            loop.call_later(doom.full[0], lambda: set_full(full=True))
            loop.call_later(doom.full[1], lambda: set_full(full=False))
        for after, step in doom.clock_steps:
            loop.call_later(after, self._step_clock, step)
        loop.call_later(self.random.uniform(1, 100), self._change_mood, life)

    def _step_clock(self, step: int) -> None:
        self.counts["clock set forward" if step > 0 else "clock set back"] += 1
        self.trace(f"the clock is set by {step} s")
        self.wall_most = max(self.wall_most, self.wall)
        self.wall_step += step * SECOND
        self.clock_slack += max(0, step) * SECOND
        self.clock_lag += max(0, -step)

    def _change_mood(self, life: Life) -> None:
        host = self.random.choice(list(self.receivers))
        mood = self.random.choice(list(MOODS))
        self.trace(f"is {mood} from now on", host)
        self.receivers[host].change(MOODS[mood], self.time.now)
        life.loop.call_later(self.random.uniform(1, 100), self._change_mood, life)

    async def _go_on(self, life: Life) -> None:
        await life.engine.start()
        life.has_started = True
        clients, random = self.clients, self.random
        if not clients.subscribers:
            for number in range(len(self.plan.endpoints)):
                await clients.subscribe(life, f"s{number}", random.choice(self.tenants))
        tasks = [clients.write(life) for _ in range(self.plan.writers)]
        tasks += [clients.own(life) for _ in range(self.plan.owners)]
        tasks.append(self._repeat(life))
        await asyncio.gather(*tasks)

    async def _repeat(self, life: Life) -> None:
        while True:
            await asyncio.sleep(self.random.choice((0.01, 1.0, 10.0)))
            await self.clients.repeat_open(life)

    def _drive(self, life: Life, seconds: float | None = None) -> None:
        """Step by step until its doom, or for some seconds."""
        doom, loop, began = life.doom, life.loop, self.time.now
        turns = doom.after if doom.how == "turns" else float("inf")
        if seconds is None:
            seconds = doom.after if doom.how in ("seconds", "stop", "replaced") else 600.0
        end = began + seconds
        exits_at: float | None = None
        for turn in itertools.count():
            if turn >= turns or life.disk.dead or self.time.now >= end or loop.next_event >= end:
                return
            if life.exits:
                # `serve` ends at once; a program that embeds the gateway need not.
                exits_at = exits_at or self.time.now + self.random.choice((0.0, 0.5, 5.0))
                if self.time.now >= exits_at:
                    return
            loop.step()
            self._raise()

    def _end(self, life: Life) -> Image:
        doom = life.doom
        # Before it has started, a signal simply ends it.
        stops = doom.how == "stop" and life.has_started and not life.disk.dead and not life.exits
        if stops:
            self.counts["stop in order"] += 1
            self._stop(life)
        elif doom.how in ("turns", "seconds"):
            self.counts["crash at an await"] += 1
        power = doom.power_cut if not stops else None
        life.disk.dead = True
        if power is not None:
            self.counts["power cut"] += 1
        image = life.disk.image(self.random if power is not None else None, power or 0.0)
        self.trace(
            "process ends" + ("" if power is None else f", the power is cut; {power:.0%} of the unsynced is left")
        )
        self.syncs = life.faults.syncs
        self._note_end(life)
        self._bury(life)
        life.disk.forget()
        # An owner repeats a call as long as its key is kept, and no longer.
        is_waited_for = any(asked.subscription is not None for asked in self.clients.open)
        self.time.now += self.random.choice(self.plan.offs[:2] if is_waited_for else self.plan.offs)
        return image

    def _note_end(self, life: Life) -> None:
        """What it has under way is nobody's any more."""
        trouble = life.doom.full is not None or life.doom.stalls > 0 or life.exits
        self._ended[life.number] = (self.time.now, trouble)
        for delivery in self.deliveries.values():
            delivery.flying = [sent for sent in delivery.flying if sent.life != life.number]

    def _bury(self, life: Life) -> None:
        life.bury()
        self.clients.lost(life)
        self._raise()

    def _stop(self, life: Life) -> None:
        """SIGTERM."""
        grace = self.random.choice((GRACE, GRACE, 1.0, 0.0))

        async def stop() -> None:
            await life.engine.close(grace)
            if life.clients is not None:
                life.clients.cancel()
            await life.store.close()

        task = life.loop.create_task(stop())
        while not task.done():
            life.loop.step()
            self._raise()
        task.result()

    # --- Healing ------------------------------------------------------------------------------------------------------

    def _heal(self, image: Image) -> None:
        for receiver in self.receivers.values():
            receiver.change(MOODS["well"], self.time.now)
        life = self._begin(image, HEALTHY)
        assert life is not None
        self.trace("all is well from now on")

        async def settle() -> None:
            await life.engine.start()
            clients = self.clients
            while clients.open:
                await clients.repeat_open(life)
            await clients.resume_all(life)
            end = self.time.now + SETTLES_WITHIN + self.clock_lag
            while unsettled := next(self.unsettled(), None) or await self._waiting(life):
                if self.time.now > end:
                    self.fail("settling", f"still not settled: {unsettled}")
                    return
                await asyncio.sleep(5)
            await asyncio.sleep(15)
            for tenant in self.tenants:
                self.read_log(life, tenant)
            for check in self._on["finished"]:
                check(life)
            for look in self._on["read"]:
                await look(life)

        task = life.loop.create_task(settle())
        while not task.done():
            life.loop.step()
            self._raise()
        task.result()
        self._raise()
        self._stop(life)
        life.disk.dead = True
        self._bury(life)
        life.disk.forget()

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

    async def _waiting(self, life: Life) -> str | None:
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

    def _raise(self) -> None:
        if self.violation is not None:
            raise self.violation

    def close(self) -> None:
        """After a violation: let go of what processes had open."""
        for life in list(self._alive):
            life.disk.dead = True
            life.bury()
            life.disk.forget()

    def last_steps(self) -> list[str]:
        return [f"{time:>12.6f}  {what:<24} {about}" for time, what, about in self._trace]


@cache
def _fresh(tenants: int) -> Image:
    """A new database, as the first start makes it."""
    with tempfile.TemporaryDirectory(dir=shared_memory()) as folder:
        database = Path(folder) / "fresh.db"
        connection = connect(database)
        migrate(connection, 0)
        connection.executemany("INSERT INTO tenant (name) VALUES (?)", [(f"t{n}",) for n in range(2, tenants + 1)])
        connection.close()
        return Image(database.read_bytes(), b"")


def shared_memory() -> str | None:
    """A folder without a disk below it, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Folder:
    """Where worlds keep their files; gone afterwards."""

    def __init__(self) -> None:
        self._made = tempfile.TemporaryDirectory(prefix="signalpost-simulation-", dir=shared_memory())

    def __enter__(self) -> Path:
        return Path(self._made.name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._made.cleanup()
