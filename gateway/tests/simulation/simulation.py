"""What happens in a world: the processes of its plan (`plan.py`) run one after the other on one disk, each of them step
by step until its crash plan ends it (`crash_plan.py`).

Then everything heals: nothing fails any more, every receiver is well, every client repeats the call that it has no
answer to, and all that was promised must come to its end.
"""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

from gateway.tests.simulation import crash_plan
from gateway.tests.simulation.crash_plan import DISK_ERRORS, HEALTHY, CrashPlan
from gateway.tests.simulation.process import SimulatedProcess
from gateway.tests.simulation.receivers import BEHAVIOURS
from gateway.tests.simulation.seeded_world import SeededWorld
from gateway.tests.world.disk import Disk, Image
from gateway.tests.world.folder import fresh

SETTLES_WITHIN = 2 * 3600.0
"""The seconds in which everything must be settled once all is well: a `Retry-After` holds for an hour and 20 %."""
GRACE = 5.2
"""The seconds that a stop usually gives to attempts that are under way."""
MAX_RUN = 600.0
"""The seconds after which a process is ended that its crash plan did not end."""
FENCED_WITHIN = 60.0
"""The seconds in which a process that thaws must learn that its lanes are another's."""


class Simulation:
    """One run of a world, from an empty database to the end."""

    def __init__(self, world: SeededWorld, folder: Path, crash_plans: Sequence[CrashPlan] = ()) -> None:
        """`crash_plans` take the place of those that are drawn for its processes."""
        self.world = world
        self.random = world.random
        self.time = world.time
        self.plan = world.plan
        self._folder = folder
        self._crash_plans = crash_plans
        self._numbers = itertools.count(1)

    def run(self) -> None:
        """Let everything happen. Raises Violation."""
        image = fresh(self.plan.tenants)
        for planned in self._crash_plans or (crash_plan.draw(self.random) for _ in range(self.plan.processes)):
            image = self._run_process(image, planned)
        self._heal(image)

    # --- One process --------------------------------------------------------------------------------------------------

    def _run_process(self, image: Image, planned: CrashPlan) -> Image:
        """Run a process from the contents of the disk until it ends. Returns what the disk holds then."""
        process = self._boot(image, planned)
        if process is None:
            return image
        self._set_timers(process)
        process.clients = process.loop.create_task(self._serve_clients(process))
        self._drive(process)
        if planned.how == "replaced" and not process.disk.dead and not process.exits:
            return self._replace(process)
        return self._end(process)

    def _boot(self, image: Image, planned: CrashPlan) -> SimulatedProcess | None:
        """Start a process on a new disk with these contents."""
        database = self._folder / f"{next(self._numbers)}.db"
        image.write(database)
        disk = Disk(database, lambda *_: None)
        process = self._start(disk, planned)
        if process is None:
            disk.forget()
        return process

    def _start(self, disk: Disk, planned: CrashPlan) -> SimulatedProcess | None:
        """Start a process. Returns None if the disk fails while it opens the database."""
        try:
            process = SimulatedProcess(self.world, disk, planned)
        except Exception as error:
            if not disk.dead and planned.how not in DISK_ERRORS:
                self.world.fail("defects", f"it does not start: {error!r}")
                self.world.judge()
            return None
        assert process.connection.pragma("journal_mode") == "wal", "the disk lost the WAL"
        self.world.started(process)
        self.world.judge()
        return process

    def _set_timers(self, process: SimulatedProcess) -> None:
        loop, planned = process.loop, process.crash_plan

        def set_full(*, full: bool) -> None:
            self.world.trace("the disk is full" if full else "the disk has room again")
            process.disk_faults.is_full = full

        if planned.full is not None:
            loop.call_later(planned.full[0], lambda: set_full(full=True))
            loop.call_later(planned.full[1], lambda: set_full(full=False))
        for after, step in planned.clock_steps:
            loop.call_later(after, self.world.set_clock, step)
        loop.call_later(self.random.uniform(1, 100), self._change_behaviour, process)

    def _change_behaviour(self, process: SimulatedProcess) -> None:
        host = self.random.choice(list(self.world.receivers))
        behaviour = self.random.choice(list(BEHAVIOURS))
        self.world.trace(f"is {behaviour} from now on", host)
        self.world.receivers[host].change(BEHAVIOURS[behaviour], self.time.now)
        process.loop.call_later(self.random.uniform(1, 100), self._change_behaviour, process)

    async def _serve_clients(self, process: SimulatedProcess) -> None:
        """Start the engine, and have the clients ask it for things as long as the process runs."""
        await process.engine.start()
        process.has_started = True
        clients, random = self.world.clients, self.random
        if not clients.subscribers:
            for number in range(len(self.plan.endpoints)):
                await clients.subscribe(process, f"s{number}", random.choice(self.world.tenants))
        tasks = [clients.write(process) for _ in range(self.plan.writers)]
        tasks += [clients.own(process) for _ in range(self.plan.owners)]
        tasks.append(self._repeat(process))
        await asyncio.gather(*tasks)

    async def _repeat(self, process: SimulatedProcess) -> None:
        while True:
            await asyncio.sleep(self.random.choice((0.01, 1.0, 10.0)))
            await self.world.clients.repeat_open(process)

    def _drive(self, process: SimulatedProcess, seconds: float | None = None) -> None:
        """Let a process, and all others that are not frozen, make their turns until its crash plan ends it, or for some
        seconds."""
        planned, began = process.crash_plan, self.time.now
        turns = planned.after if planned.how == "turns" else float("inf")
        if seconds is None:
            seconds = planned.after if planned.how in ("seconds", "stop", "replaced") else MAX_RUN
        end = began + seconds
        exits_at: float | None = None
        for turn in itertools.count():
            if turn >= turns or process.disk.dead or self.time.now >= end or self.world.next_event >= end:
                return
            if process.exits:
                # `serve` ends at once; a program that embeds the gateway need not.
                exits_at = exits_at or self.time.now + self.random.choice((0.0, 0.5, 5.0))
                if self.time.now >= exits_at:
                    return
            self._step()

    def _step(self) -> None:
        self.world.step()
        self.world.judge()

    # --- A process that is replaced while it is frozen ----------------------------------------------------------------

    def _replace(self, frozen: SimulatedProcess) -> Image:
        """Freeze a process, and have another one take up every lane. The frozen one thaws, and goes on until it learns
        of that: nothing that it records then may count."""
        while frozen.waiting:
            self._step()  # so that no client waits for its answer any more, and it makes no change once it thaws
        assert frozen.clients is not None
        frozen.clients.cancel()
        self.world.counts["taken over while frozen"] += 1
        self.world.trace(f"process {frozen.number} is frozen")
        frozen.is_frozen = True
        frozen.disk_faults.is_full = False
        self.world.lost(frozen)
        with frozen.connection_to_write() as connection:
            connection.execute("UPDATE lane SET version = version + 1")
        process = self._start(frozen.disk, HEALTHY)
        assert process is not None
        self._set_timers(process)
        process.clients = process.loop.create_task(self._serve_clients(process))
        self._drive(process, self.random.choice((0.0, 0.05, 1.0, 30.0)))
        self._thaw(frozen, process)
        self._drive(process, self.random.choice((0.0, 1.0, 30.0)))
        return self._end(process)

    def _thaw(self, frozen: SimulatedProcess, owner: SimulatedProcess) -> None:
        self.world.trace(f"process {frozen.number} thaws")
        frozen.is_frozen = False
        end = self.time.now + FENCED_WITHIN
        while not frozen.store.lanes.is_fenced and self.time.now < end and not owner.exits:
            self._step()
        self.world.counts["fenced after that"] += frozen.store.lanes.is_fenced
        self.world.kill(frozen)

    # --- Ends ---------------------------------------------------------------------------------------------------------

    def _end(self, process: SimulatedProcess) -> Image:
        """End a process in the way that is planned. Returns what the disk holds then."""
        planned = process.crash_plan
        # A process that has not started yet is ended by the signal itself.
        stops = planned.how == "stop" and process.has_started and not process.disk.dead and not process.exits
        if stops:
            self.world.counts["stop in order"] += 1
            self._stop(process)
        elif planned.how in ("turns", "seconds"):
            self.world.counts["crash at an await"] += 1
        power = planned.power_cut if not stops else None
        process.disk.dead = True
        if power is not None:
            self.world.counts["power cut"] += 1
        image = process.disk.image(self.random if power is not None else None, power or 0.0)
        self.world.trace(
            "process ends" + ("" if power is None else f", the power is cut; {power:.0%} of the unsynced is left")
        )
        self.world.syncs = process.disk_faults.syncs
        self.world.lost(process)
        self._kill(process)
        process.disk.forget()
        # An owner repeats a call as long as its key is kept, and no longer.
        is_waited_for = any(call.subscription is not None for call in self.world.clients.open)
        self.time.now += self.random.choice(self.plan.downtimes[:2] if is_waited_for else self.plan.downtimes)
        return image

    def _kill(self, process: SimulatedProcess) -> None:
        self.world.kill(process)
        self.world.clients.lost(process)
        self.world.judge()

    def _stop(self, process: SimulatedProcess) -> None:
        """Close a process in order, as SIGTERM does."""
        grace = self.random.choice((GRACE, GRACE, 1.0, 0.0))

        async def stop() -> None:
            await process.engine.close(grace)
            if process.clients is not None:
                process.clients.cancel()
            await process.store.close()

        self._run_to_end(process.loop.create_task(stop()))

    def _run_to_end(self, task: "asyncio.Task[None]") -> None:
        while not task.done():
            self._step()
        task.result()
        self.world.judge()

    def _heal(self, image: Image) -> None:
        for receiver in self.world.receivers.values():
            receiver.change(BEHAVIOURS["well"], self.time.now)
        process = self._boot(image, HEALTHY)
        assert process is not None
        self.world.trace("all is well from now on")
        self._run_to_end(process.loop.create_task(self._settle(process)))
        self._stop(process)
        process.disk.dead = True
        self._kill(process)
        process.disk.forget()

    async def _settle(self, process: SimulatedProcess) -> None:
        """Wait until everything that was promised has come to its end, and have the checkers look."""
        await process.engine.start()
        clients = self.world.clients
        while clients.open:
            await clients.repeat_open(process)
        await clients.resume_all(process)
        end = self.time.now + SETTLES_WITHIN + self.world.clock_lag
        while unsettled := next(self.world.unsettled(), None) or await self.world.waiting(process):
            if self.time.now > end:
                self.world.fail("settling", f"still not settled: {unsettled}")
                return
            await asyncio.sleep(5)
        await asyncio.sleep(15)
        await self.world.finished(process)
