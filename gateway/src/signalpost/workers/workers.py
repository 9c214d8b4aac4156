"""The processes that work for a gateway: started, watched, and replaced.

A worker is starting (it has not said that it is ready), up, or away (it ended and waits to be started again, at longer
and longer intervals while it keeps ending). What it had when it ended is for its users (`WorkerUser`) to end. One
that does not answer hangs, and is killed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import msgspec
from msgspec import Struct, msgpack

from signalpost.domain.errors import StartError
from signalpost.runtime.logger import log
from signalpost.runtime.restarts import failures_in_row, wait_before_start
from signalpost.workers.channel import Channel
from signalpost.workers.frames import AreYouThere, Begin, EndFrame, Here, LineFrame, Ready, ToGateway, ToWorker
from signalpost.workers.worker_process import StartedWorker, StartWorker, waited_for_a_core

START_SECONDS: Final = 60.0
"""How long a worker may take until it is ready."""
LOOK_SECONDS: Final = 2.0
"""Seconds between two looks for workers that hang."""
SILENT_LOOKS: Final = 2
"""At how many looks in a row a worker that was asked before may not have answered yet. The first may come at once after
this loop was held up, with the answer unread; by the next it was read. The part of the time in which the worker had no
core does not count: on a machine that is too busy it is no worker that hangs, and another would have no core either."""

_decode: Final = msgpack.Decoder(list[ToGateway]).decode


class LiveWorker(Struct, eq=False):
    """One process, from its start to its end."""

    place: int
    pid: int | None = None
    channel: Channel[ToWorker] | None = None
    starting: asyncio.Timeout | None = None
    """The time that it has until it is ready."""
    is_up: bool = False
    was_up: bool = False
    is_lost: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Set once it has gone, or is to go."""
    in_flight: int = 0
    """How many attempts it has."""
    is_asked: bool = False
    """Whether it was asked if it is there, and has not answered."""
    silent_looks: float = 0.0
    """For how many looks it has not, less the parts of the time in which it had no core."""
    waited: float = 0.0
    """For how many seconds it had no core by the last look."""

    def put(self, item: ToWorker) -> None:
        """Send an item, with the others of this turn of the loop."""
        assert self.channel is not None
        self.channel.put(item)

    def say(self, item: ToWorker) -> None:
        """Send an item at once, behind everything that was put before."""
        assert self.channel is not None
        self.channel.say(item)


class WorkerUser(Protocol):
    """What has workers do something for it."""

    def first(self, worker: LiveWorker) -> ToWorker | None:
        """What a worker is told first, if anything."""

    def up(self, worker: LiveWorker) -> None:
        """A worker is ready."""

    def take(self, worker: LiveWorker, item: ToGateway) -> None:
        """A worker says something that is not about itself."""

    def lost(self, worker: LiveWorker) -> None:
        """A worker has gone, or is to go. What it had ends now. The call may come again for one that is
        lost already."""


class Workers:
    """Belongs to one event loop. Users join before it is opened."""

    def __init__(
        self,
        count: int,
        *,
        loop: asyncio.AbstractEventLoop,
        start: StartWorker = StartedWorker,
        clock: Callable[[], float] = time.monotonic,
        waited: Callable[[int], float] = waited_for_a_core,
    ) -> None:
        """`count` is how many workers there are, `start` starts one, and `waited` tells for how many seconds a process
        had no core."""
        self._loop = loop
        self._start = start
        self._clock = clock
        self._waited = waited
        self._users: list[WorkerUser] = []
        self.all = [LiveWorker(place) for place in range(count)]
        """At each place the present worker, or the last."""
        self.up: list[LiveWorker] = []
        """The workers that are ready."""
        self._places: list[asyncio.Task[None]] = []
        self._opening: asyncio.Future[None] = loop.create_future()
        self._closing = asyncio.Event()
        self._looking: asyncio.TimerHandle | None = None
        self._looked_at = 0.0
        self.losses = 0
        """How many workers ended by themselves or were killed because they hung."""

    @property
    def is_closing(self) -> bool:
        return self._closing.is_set()

    @property
    def away(self) -> list[int]:
        """The places whose workers are not ready."""
        return [worker.place for worker in self.all if not worker.is_up]

    def join(self, user: WorkerUser) -> None:
        """Have workers do something for another user, too."""
        self._users.append(user)

    async def open(self) -> None:
        """Start all workers, and wait until they are ready. Raises StartError."""
        self._places = [self._loop.create_task(self._keep(place)) for place in range(len(self.all))]
        self._looking = self._loop.call_later(LOOK_SECONDS, self._look)
        await self._opening

    def _look(self) -> None:
        """Replace workers that hang."""
        now = self._loop.time()
        for worker in tuple(self.up):
            assert worker.pid is not None
            before, worker.waited = worker.waited, self._waited(worker.pid)
            if worker.is_asked:
                had_no_core = (worker.waited - before) / (now - self._looked_at)
                worker.silent_looks += max(0.0, 1.0 - had_no_core)
                if worker.silent_looks > SILENT_LOOKS:
                    self.kill(worker)
            else:
                worker.put(AreYouThere())
                worker.is_asked, worker.silent_looks = True, 0.0
        self._looked_at = now
        self._looking = self._loop.call_later(LOOK_SECONDS, self._look)

    async def _keep(self, place: int) -> None:
        """Have a worker at this place, one after the other, until the gateway closes."""
        failures = 0
        while not self._closing.is_set():
            worker = self.all[place] = LiveWorker(place)
            began = self._clock()
            try:
                code: int | str = await self._run(worker)
            except OSError as error:
                code = str(error)
            if not self._opening.done():
                self._opening.set_exception(StartError(f"A worker ended at once ({code}). PROCESSES=1 needs none."))
            if self._closing.is_set():
                return
            self.losses += 1
            failures = failures_in_row(failures, was_up=worker.was_up, lasted=self._clock() - began)
            seconds = wait_before_start(failures - 1)
            log.error("a worker ended and will be started again", ended=worker.pid, code=code, seconds=seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()

    async def _run(self, worker: LiveWorker) -> int:
        """Have a worker, from its start to its end. Returns its exit code. Raises OSError."""
        process = self._start()
        worker.pid = process.pid
        worker.channel = channel = Channel[ToWorker](
            self._loop, decode=_decode, take=partial(self._take, worker), lost=partial(self.lose, worker)
        )
        try:
            await self._loop.create_connection(lambda: channel, sock=process.socket)
            for user in self._users:
                if (item := user.first(worker)) is not None:
                    channel.put(item)
            channel.say(Begin(logging.getLogger("signalpost").getEffectiveLevel()))
            with suppress(TimeoutError):
                async with asyncio.timeout(START_SECONDS) as worker.starting:
                    await worker.is_lost.wait()
        finally:
            self.lose(worker)
            channel.abort()
            process.kill()
            code = await process.wait()
        return code

    def _take(self, worker: LiveWorker, item: ToGateway) -> None:
        match item:
            case LineFrame(level, text, fields):
                log.relay(level, text, fields)
            case Here():
                worker.is_asked = False
            case Ready():
                self._take_up(worker)
            case _:
                for user in self._users:
                    user.take(worker, item)

    def _take_up(self, worker: LiveWorker) -> None:
        if worker.was_up or worker.is_lost.is_set() or worker.starting is None:
            return
        worker.starting.reschedule(None)
        worker.is_up = worker.was_up = True
        self.up.append(worker)
        if len(self.up) == len(self.all) and not self._opening.done():
            self._opening.set_result(None)
        for user in self._users:
            user.up(worker)

    def kill(self, worker: LiveWorker) -> None:
        """Replace a worker that hangs."""
        log.error("a worker hangs and is killed", ended=worker.pid)
        self.lose(worker)

    def lose(self, worker: LiveWorker) -> None:
        """A worker has gone, or is to go."""
        if worker.is_up:
            worker.is_up = False
            self.up.remove(worker)
        worker.is_lost.set()
        for user in self._users:
            user.lost(worker)

    async def close(self, grace: float, seconds: float) -> None:
        """Have all workers end: attempts in flight have `grace` seconds, and everything `seconds`."""
        self._closing.set()
        if self._looking is not None:
            self._looking.cancel()
        for worker in self.all:
            if worker.is_up:
                worker.say(EndFrame(grace))
            else:
                self.lose(worker)
        if self._places:
            await asyncio.wait(self._places, timeout=seconds)
        for worker in self.all:
            self.lose(worker)
        await asyncio.gather(*self._places)
