"""The transport of a gateway with sender workers: hands each attempt to one of them, and hears how it ended.

An attempt is running from `send` until `done` is told, once, by what comes first: its worker's outcome, the loss of its
worker, the sweep, or `close`. If it ends without a word from its worker, it may or may not have arrived. So it is
interrupted: it does not count, and the delivery is repeated with the same id, as after a crash of the gateway (C16).

A worker is starting (it has not said that it is ready), up, or away (it ended and waits to be started again, at longer
and longer intervals while it keeps ending). One that ends takes its attempts with it and nothing else. One that says
nothing of an attempt long after its time is over hangs, and is killed. While none is up, attempts wait for one.

A target has a worker of its own, so that connections, TLS sessions and names are kept where they are used, and goes to
another while its own is away or has much more to do than the others.
"""

import asyncio
import logging
import pickle
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import Struct, msgpack

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.errors import StartError
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.runtime.logger import log
from signalpost.runtime.restarts import failures_in_row, wait_before_start
from signalpost.sender.sender import HANGUP_SECONDS, SenderSettings
from signalpost.sender.workers.channel import Channel
from signalpost.sender.workers.frames import Begin, End, Line, Outcomes, Ready, Send, ToGateway
from signalpost.sender.workers.worker_process import StartedWorker, StartWorker

MARGIN_SECONDS: Final = 3.0
"""How long after the time of an attempt its worker may still tell its outcome."""
SWEEP_SECONDS: Final = 0.5
"""Seconds between two looks for attempts whose worker says nothing."""
START_SECONDS: Final = 60.0
"""How long a worker may take until it is ready."""
END_MARGIN_SECONDS: Final = 0.5
"""How much longer than a sender needs to close a worker may take to end."""
MORE_TO_DO: Final = 32
"""A target's own worker is passed over if it has so many attempts more in flight than another."""
_CUT: Final = "Signalpost was shut down before the answer came."
_LOST: Final = "The process that made the attempt ended before it could tell the outcome."
_NONE_UP: Final = "No process could make the attempt in time."

_decode: Final = msgpack.Decoder(ToGateway).decode


class _Attempt(Struct, eq=False):
    request: OutgoingRequest
    done: Callable[[Outcome], None]
    began: float
    until: float
    """The latest moment for its outcome; while no worker is up, for its worker."""
    worker: "_Worker | None" = None
    """None while no worker is up."""
    is_late: bool = False
    """Whether the last look found it beyond its time."""


class _Worker(Struct, eq=False):
    """One process, from its start to its end."""

    pid: int | None = None
    channel: Channel[OutgoingRequest] | None = None
    starting: asyncio.Timeout | None = None
    """The time that it has until it is ready."""
    is_up: bool = False
    was_up: bool = False
    is_lost: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Set once it has gone, or is to go."""
    in_flight: int = 0


class WorkerTransport:
    """A `Transport` that belongs to one event loop. It must be opened before anything is sent."""

    def __init__(
        self,
        settings: SenderSettings,
        count: int,
        *,
        loop: asyncio.AbstractEventLoop,
        wall: Callable[[], int],
        start: StartWorker = StartedWorker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`count` is how many workers there are, `start` starts one. `wall` is µs since the epoch."""
        level = logging.getLogger("signalpost").getEffectiveLevel()
        self._begin = Begin(pickle.dumps(settings.share(count)), level)
        self._seconds = settings.attempt_timeout
        self._loop = loop
        self._wall = wall
        self._start = start
        self._clock = clock
        self._workers = [_Worker() for _ in range(count)]
        """At each place the present worker, or the last."""
        self._up: list[_Worker] = []
        self._places: list[asyncio.Task[None]] = []
        self._opening: asyncio.Future[None] = loop.create_future()
        self._attempts: dict[int, _Attempt] = {}
        """Running attempts by their numbers."""
        self._last_number = 0
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closing = asyncio.Event()
        self.lost = 0
        """How many workers ended by themselves or were killed because they hung."""

    @property
    def up(self) -> int:
        """How many workers take attempts."""
        return len(self._up)

    # Attempts

    def send(self, request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        """See `Transport.send`."""
        began = self._clock()
        attempt = _Attempt(request, done, began, began + self._longest(request))
        number = self._last_number = self._last_number + 1
        self._attempts[number] = attempt
        if self._closing.is_set():
            self._loop.call_soon(self._interrupt, number, _CUT)
            return
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        worker = self._worker_for(request.target)
        if worker is not None:
            self._hand_over(number, attempt, worker)

    def _longest(self, request: OutgoingRequest) -> float:
        """How many seconds a worker may have an attempt."""
        return (self._seconds if request.seconds is None else request.seconds) + MARGIN_SECONDS

    def _worker_for(self, target: Target) -> _Worker | None:
        """Who makes an attempt at a target; None if no worker is up."""
        if not self._up:
            return None
        place = hash(target)
        worker = self._workers[place % len(self._workers)]
        if not worker.is_up:
            worker = self._up[place % len(self._up)]
        if worker.in_flight >= MORE_TO_DO:
            idlest = min(self._up, key=attrgetter("in_flight"))
            if worker.in_flight - idlest.in_flight >= MORE_TO_DO:
                return idlest
        return worker

    def _hand_over(self, number: int, attempt: _Attempt, worker: _Worker) -> None:
        assert worker.channel is not None
        attempt.worker = worker
        worker.in_flight += 1
        worker.channel.put(number, attempt.request)

    def _take_outcomes(self, worker: _Worker, outcomes: list[tuple[int, Outcome]]) -> None:
        attempts = self._attempts
        for number, outcome in outcomes:
            attempt = attempts.get(number)
            if attempt is not None and attempt.worker is worker:  # else it was ended without its worker
                self._end(number, attempt, outcome)

    def _interrupt(self, number: int, why: str) -> None:
        """End an attempt of which nothing is known."""
        attempt = self._attempts.get(number)
        if attempt is not None:
            elapsed_us = int((self._clock() - attempt.began) * 1e6)
            started_at = self._wall() - elapsed_us
            outcome = Outcome(failure=Failure.INTERRUPTED, detail=why, started_at=started_at, elapsed_us=elapsed_us)
            self._end(number, attempt, outcome)

    def _end(self, number: int, attempt: _Attempt, outcome: Outcome) -> None:
        del self._attempts[number]
        if attempt.worker is not None:
            attempt.worker.in_flight -= 1
        try:
            attempt.done(outcome)
        except Exception:
            log.exception("an attempt's callback raised")

    def _sweep(self) -> None:
        """Look for attempts of which nothing is heard. What is late at one look may have its outcome in the socket,
        unread because this loop was held up; by the next it was read."""
        self._sweep_timer = None
        now = self._clock()
        late = [(number, attempt) for number, attempt in self._attempts.items() if attempt.until <= now]
        for number, attempt in late:
            if not attempt.is_late:
                attempt.is_late = True
            elif attempt.worker is None:
                self._interrupt(number, _NONE_UP)
            elif number in self._attempts:
                log.error("a sender worker hangs and is killed", ended=attempt.worker.pid)
                self._lose(attempt.worker)
        if self._attempts and self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    # Workers come and go

    async def open(self) -> None:
        """Start all workers, and wait until they are ready. Raises StartError."""
        self._places = [self._loop.create_task(self._keep(place)) for place in range(len(self._workers))]
        await self._opening

    async def _keep(self, place: int) -> None:
        """Have a worker at this place, one after the other, until the gateway closes."""
        failures = 0
        while not self._closing.is_set():
            worker = self._workers[place] = _Worker()
            began = self._clock()
            try:
                code: int | str = await self._run(worker)
            except OSError as error:
                code = str(error)
            if not self._opening.done():
                self._opening.set_exception(
                    StartError(f"A process for requests to endpoints ended at once ({code}). PROCESSES=1 needs none.")
                )
            if self._closing.is_set():
                return
            self.lost += 1
            failures = failures_in_row(failures, was_up=worker.was_up, lasted=self._clock() - began)
            seconds = wait_before_start(failures - 1)
            log.error("a sender worker ended and will be started again", ended=worker.pid, code=code, seconds=seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()

    async def _run(self, worker: _Worker) -> int:
        """Have a worker, from its start to its end. Returns its exit code. Raises OSError."""
        process = self._start()
        worker.pid = process.pid
        worker.channel = channel = Channel(
            self._loop,
            message=Send,
            size=_size,
            decode=_decode,
            take=partial(self._take, worker),
            lost=partial(self._lose, worker),
        )
        try:
            await self._loop.create_connection(lambda: channel, sock=process.socket)
            channel.say(self._begin)
            with suppress(TimeoutError):
                async with asyncio.timeout(START_SECONDS) as worker.starting:
                    await worker.is_lost.wait()
        finally:
            self._lose(worker)
            channel.abort()
            process.kill()
            code = await process.wait()
        return code

    def _take(self, worker: _Worker, message: ToGateway) -> None:
        match message:
            case Outcomes(outcomes):
                self._take_outcomes(worker, outcomes)
            case Line(level, text, fields):
                log.relay(level, text, fields)
            case Ready():
                self._take_up(worker)

    def _take_up(self, worker: _Worker) -> None:
        """Let a worker that is ready have attempts, first those that waited for one."""
        if worker.was_up or worker.is_lost.is_set() or worker.starting is None:
            return
        worker.starting.reschedule(None)
        worker.is_up = worker.was_up = True
        self._up.append(worker)
        if len(self._up) == len(self._workers) and not self._opening.done():
            self._opening.set_result(None)
        now = self._clock()
        for number, attempt in self._attempts.items():
            if attempt.worker is None:
                attempt.until, attempt.is_late = now + self._longest(attempt.request), False
                self._hand_over(number, attempt, worker)

    def _lose(self, worker: _Worker) -> None:
        """A worker has gone, or is to go. Its attempts end now."""
        if worker.is_up:
            worker.is_up = False
            self._up.remove(worker)
        worker.is_lost.set()
        for number in [number for number, attempt in self._attempts.items() if attempt.worker is worker]:
            self._interrupt(number, _LOST)

    async def close(self, grace: float) -> None:
        """See `Transport.close`."""
        self._closing.set()
        for worker in self._workers:
            if worker.is_up and worker.channel is not None:
                worker.channel.say(End(grace))
            else:
                self._lose(worker)
        if self._places:
            await asyncio.wait(self._places, timeout=grace + HANGUP_SECONDS + END_MARGIN_SECONDS)
        for worker in self._workers:
            self._lose(worker)
        await asyncio.gather(*self._places)
        for number in list(self._attempts):
            self._interrupt(number, _CUT)
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()


def _size(request: OutgoingRequest) -> int:
    return len(request.head) + len(request.body)
