"""The transport of a gateway with workers: hands each attempt to one of them, and hears how it ended.

An attempt is running from `send` until `done` is told, once, by what comes first: its worker's outcome, the loss of its
worker, the sweep, or `close`. If it ends without a word from its worker, it may or may not have arrived. So it is
interrupted: it does not count, and the delivery is repeated with the same id, as after a crash of the gateway (C16).

`workers.py` starts workers and replaces them. One that ends takes its attempts with it. One that says nothing of an
attempt long after its time is over hangs, and is killed. While none is up, attempts wait for one.

A target has a worker of its own, so that connections, TLS sessions and names are kept where they are used, and goes to
another while its own is away or has much more to do than the others.
"""

import asyncio
import pickle
import time
from collections.abc import Callable
from operator import attrgetter
from typing import Final

from msgspec import Struct

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.runtime.logger import log
from signalpost.sender.sender import HANGUP_SECONDS, SenderSettings
from signalpost.workers.frames import AttemptEnd, BeginSending, Send, ToGateway, ToWorker
from signalpost.workers.workers import LiveWorker, Workers

MARGIN_SECONDS: Final = 3.0
"""How long after the time of an attempt its worker may still tell its outcome."""
SWEEP_SECONDS: Final = 0.5
"""Seconds between two looks for attempts whose worker says nothing."""
END_MARGIN_SECONDS: Final = 0.5
"""How much longer than a sender needs to close a worker may take to end."""
MORE_TO_DO: Final = 32
"""A target's own worker is passed over if it has so many attempts more in flight than another."""
_CUT: Final = "Signalpost was shut down before the answer came."
_LOST: Final = "The process that made the attempt ended before it could tell the outcome."
_NONE_UP: Final = "No process could make the attempt in time."


class _Attempt(Struct, eq=False):
    request: OutgoingRequest
    done: Callable[[Outcome], None]
    began: float
    until: float
    """The latest moment for its outcome; while no worker is up, for its worker."""
    worker: LiveWorker | None = None
    """None while no worker is up."""
    is_late: bool = False
    """Whether the last look found it beyond its time."""


class WorkerTransport:
    """A `Transport` that belongs to one event loop. It must be opened before anything is sent."""

    def __init__(
        self,
        settings: SenderSettings,
        workers: Workers,
        *,
        loop: asyncio.AbstractEventLoop,
        wall: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wall` is µs since the epoch."""
        self._begin = BeginSending(pickle.dumps(settings.share(len(workers.all))))
        self._seconds = settings.attempt_timeout
        self._loop = loop
        self._wall = wall
        self._clock = clock
        self._workers = workers
        workers.join(self)
        self._attempts: dict[int, _Attempt] = {}
        """Running attempts by their numbers."""
        self._last_number = 0
        self._sweep_timer: asyncio.TimerHandle | None = None

    # Attempts

    def send(self, request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        """See `Transport.send`."""
        began = self._clock()
        attempt = _Attempt(request, done, began, began + self._longest(request))
        number = self._last_number = self._last_number + 1
        self._attempts[number] = attempt
        if self._workers.is_closing:
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

    def _worker_for(self, target: Target) -> LiveWorker | None:
        """Who makes an attempt at a target; None if no worker is up."""
        up, places = self._workers.up, self._workers.all
        if not up:
            return None
        place = hash(target)
        worker = places[place % len(places)]
        if not worker.is_up:
            worker = up[place % len(up)]
        if worker.in_flight >= MORE_TO_DO:
            idlest = min(up, key=attrgetter("in_flight"))
            if worker.in_flight - idlest.in_flight >= MORE_TO_DO:
                return idlest
        return worker

    def _hand_over(self, number: int, attempt: _Attempt, worker: LiveWorker) -> None:
        attempt.worker = worker
        worker.in_flight += 1
        worker.put(Send(number, attempt.request))

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
                self._workers.kill(attempt.worker)
        if self._attempts and self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    # What the workers do

    async def open(self) -> None:
        """Start all workers, and wait until they are ready. Raises StartError."""
        await self._workers.open()

    def first(self, worker: LiveWorker) -> ToWorker:
        """See `WorkerUser`."""
        return self._begin

    def up(self, worker: LiveWorker) -> None:
        """See `WorkerUser`. Attempts that waited for a worker are its first."""
        now = self._clock()
        for number, attempt in self._attempts.items():
            if attempt.worker is None:
                attempt.until, attempt.is_late = now + self._longest(attempt.request), False
                self._hand_over(number, attempt, worker)

    def take(self, worker: LiveWorker, item: ToGateway) -> None:
        """See `WorkerUser`."""
        if isinstance(item, AttemptEnd):
            attempt = self._attempts.get(item.number)
            if attempt is not None and attempt.worker is worker:  # else it was ended without its worker
                self._end(item.number, attempt, item.outcome)

    def lost(self, worker: LiveWorker) -> None:
        """See `WorkerUser`."""
        for number in [number for number, attempt in self._attempts.items() if attempt.worker is worker]:
            self._interrupt(number, _LOST)

    async def close(self, grace: float) -> None:
        """See `Transport.close`."""
        await self._workers.close(grace, grace + HANGUP_SECONDS + END_MARGIN_SECONDS)
        for number in list(self._attempts):
            self._interrupt(number, _CUT)
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
