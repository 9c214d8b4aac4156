"""Virtual time: an event loop whose time stands still while there is work, and jumps to the next timer when there is
none.

The loop asks the system for nothing, so what runs on it depends on its code and on the random source that it is given.
Each process has a loop of its own. Loops share a `VirtualTime`, and `World.step` decides whose turn is next. A loop
that is not stepped any more belongs to a process that was killed or is frozen.
"""

import asyncio
from asyncio import events
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from heapq import heappop
from typing import Any, ParamSpec, TypeVar

from signalpost.domain.timestamps import SECOND

P = ParamSpec("P")
T = TypeVar("T")

BEGINNING = 1_760_000_000 * SECOND
"""What a wall clock shows when virtual time is 0, µs since the epoch."""


class VirtualTime:
    """The seconds that all loops of a world share. They only go forward."""

    def __init__(self, now: float) -> None:
        self.now = now


class _Selector:
    """Watches no sockets and never waits: where the loop would wait for its next timer, time moves there."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self._time.now += timeout
        return []

    def close(self) -> None: ...


class VirtualLoop(asyncio.BaseEventLoop):
    """The event loop of one process, on virtual time."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time
        self._selector = _Selector(time)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._time.now

    def step(self) -> None:
        """Make one turn: run what is ready. If nothing is, time jumps to the next timer first."""
        events._set_running_loop(self)
        try:
            self._run_once()  # type: ignore[attr-defined]
        finally:
            events._set_running_loop(None)

    @property
    def next_event(self) -> float:
        """When this loop has something to do next; infinity if it never will."""
        if self._ready:  # type: ignore[attr-defined]
            return self._time.now
        scheduled = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0].cancelled():  # as the loop itself does, before it looks
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            heappop(scheduled)._scheduled = False
        return max(self._time.now, scheduled[0].when()) if scheduled else float("inf")

    @property
    def timers(self) -> int:
        """How many timers are set."""
        return sum(not timer.cancelled() for timer in self._scheduled)  # type: ignore[attr-defined]

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run `func` in this thread, at once unless the executor is a `VirtualExecutor` with a delay. Its outcome is
        known a turn later, as if a thread had told it. Most of what a world does is this, so it is made without the
        locks of `concurrent.futures`, which cost as much as a query."""
        later = executor.later if isinstance(executor, VirtualExecutor) else _at_once
        outcome: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if outcome.cancelled():
                return  # nobody waits for it any more
            settle: Callable[[], None]
            try:
                settle = partial(outcome.set_result, func(*args))
            except Exception as raised:
                settle = partial(outcome.set_exception, raised)
            later(lambda: self.call_soon(lambda: None if outcome.cancelled() else settle()))

        later(work)
        return outcome

    def _process_events(self, event_list: list[Any]) -> None: ...

    def _write_to_self(self) -> None: ...


class VirtualExecutor(Executor):
    """A thread of a simulated process. `delay` gives the seconds that pass before a piece of work begins, and again
    before its result is known. The work itself takes no time."""

    def __init__(self, delay: Callable[[], float] | None = None) -> None:
        self.delay = delay

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Called on a `VirtualLoop`."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return  # nobody waits for it any more
            finish: Callable[[], None]
            try:
                finish = partial(future.set_result, fn(*args, **kwargs))
            except Exception as raised:
                finish = partial(future.set_exception, raised)
            self.later(finish)

        self.later(work)
        return future

    def later(self, step: Callable[[], object]) -> None:
        """Take a step after the delay."""
        if self.delay is None:
            step()
        else:
            asyncio.get_running_loop().call_later(self.delay(), step)


def _at_once(step: Callable[[], object]) -> None:
    step()


class WallClock:
    """The wall clock of a machine: what people read, which may be set forward or back at any time."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.offset = 0
        """How far the clock was set forward in all, µs; negative if it was set back."""

    @property
    def now(self) -> int:
        """µs since the epoch."""
        return self.at(self._time.now)

    def at(self, time: float) -> int:
        """What the clock will show at a moment of virtual time, unless a test sets it before, in µs since the epoch."""
        return BEGINNING + round(time * SECOND) + self.offset


class VirtualClock:
    """The clock of one process: the wall clock of its machine, and a steady one that no one can set."""

    def __init__(self, wall: WallClock, loop: VirtualLoop) -> None:
        self._wall = wall
        self._loop = loop
        self._anchor = wall.at(loop.time()) - round(loop.time() * SECOND)

    def wall(self) -> int:
        return self._wall.at(self._loop.time())

    def steady(self) -> int:
        return self._anchor + round(self._loop.time() * SECOND)
