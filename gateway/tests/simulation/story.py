"""What a world lives through: the processes of its plan (`plan.py`), one after the other on one disk, each driven step
by step until its doom (`faults.py`). Then it heals: the faults end, every receiver is well, every call that was left
open is repeated, and all that was promised must come to its end.
"""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

from gateway.tests.simulation import faults
from gateway.tests.simulation.disk import Disk, Image
from gateway.tests.simulation.faults import HEALTHY, Doom
from gateway.tests.simulation.folder import fresh
from gateway.tests.simulation.life import Life
from gateway.tests.simulation.network import MOODS
from gateway.tests.simulation.world import World

SETTLES_WITHIN = 2 * 3600.0
"""Seconds in which everything must be settled once all is well: a `Retry-After` holds for an hour and 20 %."""
GRACE = 5.2
"""Seconds that a stop gives to attempts which are under way, usually."""


class Story:
    def __init__(self, world: World, folder: Path, dooms: Sequence[Doom] = ()) -> None:
        """`dooms` take the place of those that are drawn for its processes."""
        self.world = world
        self.random = world.random
        self.time = world.time
        self.plan = world.plan
        self._folder = folder
        self._dooms = dooms
        self._numbers = itertools.count(1)

    def run(self) -> None:
        """Raises Violation."""
        image = fresh(self.plan.tenants)
        for doom in self._dooms or (faults.draw(self.random) for _ in range(self.plan.lives)):
            image = self._live(image, doom)
        self._heal(image)

    def _begin(self, image: Image, doom: Doom) -> Life | None:
        number = next(self._numbers)
        database = self._folder / f"{number}.db"
        image.write(database)
        disk = Disk(database, lambda *_: None)
        life = self._start(number, disk, doom)
        if life is None:
            disk.forget()
        return life

    def _start(self, number: int, disk: Disk, doom: Doom) -> Life | None:
        try:
            life = Life(self.world, number, disk, doom)
        except Exception as error:
            if not disk.dead and doom.how not in ("disk error", "sync error"):
                self.world.fail("defects", f"it does not start: {error!r}")
                self.world.judge()
            return None
        assert life.connection.pragma("journal_mode") == "wal", "the disk lost the WAL"
        self.world.began(life)
        self.world.judge()
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
            self.world.judge()
        assert frozen.clients is not None
        frozen.clients.cancel()
        self.world.counts["taken over while frozen"] += 1
        self.world.trace(f"process {frozen.number} is frozen")
        frozen.faults.is_full = False
        self.world.lost(frozen)
        with frozen.connection_to_write() as connection:
            connection.execute("UPDATE lane SET version = version + 1")
        life = self._start(next(self._numbers), frozen.disk, HEALTHY)
        assert life is not None
        self._set_timers(life)
        life.clients = life.loop.create_task(self._go_on(life))
        self._drive(life, self.random.choice((0.0, 0.05, 1.0, 30.0)))
        self.world.trace(f"process {frozen.number} thaws")
        end = self.time.now + 60.0
        while not frozen.store.fenced and self.time.now < end and not life.exits:
            (frozen if frozen.loop.next_event <= life.loop.next_event else life).loop.step()
            self.world.judge()
        self.world.counts["fenced after that"] += frozen.store.fenced
        frozen.bury()
        self._drive(life, self.random.choice((0.0, 1.0, 30.0)))
        return self._end(life)

    def _set_timers(self, life: Life) -> None:
        loop, doom = life.loop, life.doom

        def set_full(*, full: bool) -> None:
            self.world.trace("the disk is full" if full else "the disk has room again")
            life.faults.is_full = full

        if doom.full is not None:
            loop.call_later(doom.full[0], lambda: set_full(full=True))
            loop.call_later(doom.full[1], lambda: set_full(full=False))
        for after, step in doom.clock_steps:
            loop.call_later(after, self.world.set_clock, step)
        loop.call_later(self.random.uniform(1, 100), self._change_mood, life)

    def _change_mood(self, life: Life) -> None:
        host = self.random.choice(list(self.world.receivers))
        mood = self.random.choice(list(MOODS))
        self.world.trace(f"is {mood} from now on", host)
        self.world.receivers[host].change(MOODS[mood], self.time.now)
        life.loop.call_later(self.random.uniform(1, 100), self._change_mood, life)

    async def _go_on(self, life: Life) -> None:
        await life.engine.start()
        life.has_started = True
        clients, random = self.world.clients, self.random
        if not clients.subscribers:
            for number in range(len(self.plan.endpoints)):
                await clients.subscribe(life, f"s{number}", random.choice(self.world.tenants))
        tasks = [clients.write(life) for _ in range(self.plan.writers)]
        tasks += [clients.own(life) for _ in range(self.plan.owners)]
        tasks.append(self._repeat(life))
        await asyncio.gather(*tasks)

    async def _repeat(self, life: Life) -> None:
        while True:
            await asyncio.sleep(self.random.choice((0.01, 1.0, 10.0)))
            await self.world.clients.repeat_open(life)

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
            self.world.judge()

    def _end(self, life: Life) -> Image:
        doom = life.doom
        # Before it has started, a signal simply ends it.
        stops = doom.how == "stop" and life.has_started and not life.disk.dead and not life.exits
        if stops:
            self.world.counts["stop in order"] += 1
            self._stop(life)
        elif doom.how in ("turns", "seconds"):
            self.world.counts["crash at an await"] += 1
        power = doom.power_cut if not stops else None
        life.disk.dead = True
        if power is not None:
            self.world.counts["power cut"] += 1
        image = life.disk.image(self.random if power is not None else None, power or 0.0)
        self.world.trace(
            "process ends" + ("" if power is None else f", the power is cut; {power:.0%} of the unsynced is left")
        )
        self.world.syncs = life.faults.syncs
        self.world.lost(life)
        self._bury(life)
        life.disk.forget()
        # An owner repeats a call as long as its key is kept, and no longer.
        is_waited_for = any(asked.subscription is not None for asked in self.world.clients.open)
        self.time.now += self.random.choice(self.plan.offs[:2] if is_waited_for else self.plan.offs)
        return image

    def _bury(self, life: Life) -> None:
        life.bury()
        self.world.clients.lost(life)
        self.world.judge()

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
            self.world.judge()
        task.result()

    def _heal(self, image: Image) -> None:
        for receiver in self.world.receivers.values():
            receiver.change(MOODS["well"], self.time.now)
        life = self._begin(image, HEALTHY)
        assert life is not None
        self.world.trace("all is well from now on")

        async def settle() -> None:
            await life.engine.start()
            clients = self.world.clients
            while clients.open:
                await clients.repeat_open(life)
            await clients.resume_all(life)
            end = self.time.now + SETTLES_WITHIN + self.world.clock_lag
            while unsettled := next(self.world.unsettled(), None) or await self.world.waiting(life):
                if self.time.now > end:
                    self.world.fail("settling", f"still not settled: {unsettled}")
                    return
                await asyncio.sleep(5)
            await asyncio.sleep(15)
            await self.world.finished(life)

        task = life.loop.create_task(settle())
        while not task.done():
            life.loop.step()
            self.world.judge()
        task.result()
        self.world.judge()
        self._stop(life)
        life.disk.dead = True
        self._bury(life)
        life.disk.forget()
