"""Virtual time: an event loop whose clock stands still while there is work, and jumps to the next timer when there is
none.

Nothing in it asks the system for the time or for anything else, so what runs on it depends on nothing but its code and
the random source it is given. One loop is one process: several share a `VirtualTime`, and whoever drives them decides
which one makes its next step. To stop stepping a loop is to kill its process, or to freeze it.
"""

import asyncio
from asyncio import events
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from heapq import heappop
from typing import Any, ParamSpec, Protocol, TypeVar

from signalpost.domain.timestamps import SECOND

P = ParamSpec("P")
T = TypeVar("T")


class VirtualTime:
    """Seconds that only go forward, the same for all loops."""

    def __init__(self, now: float) -> None:
        self.now = now


class _Selector:
    """Watches nothing, and never waits: a wait for the next timer moves the time there instead."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self._time.now += timeout
        return []

    def close(self) -> None: ...


class VirtualLoop(asyncio.BaseEventLoop):
    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time
        self._selector = _Selector(time)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._time.now

    def step(self) -> None:
        """One turn: what is ready runs; if nothing is, time jumps to the next timer first."""
        events._set_running_loop(self)
        try:
            self._run_once()  # type: ignore[attr-defined]
        finally:
            events._set_running_loop(None)

    @property
    def next_event(self) -> float:
        """When this loop has something to do; infinity if it never has."""
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
        """On a `VirtualExecutor`, after the time that it takes to begin; the result comes the time later that it takes
        to return. On others, and on none, at once."""
        future: asyncio.Future[T] = self.create_future()
        delay = executor.delay if isinstance(executor, VirtualExecutor) else None

        def work() -> None:
            result: T | None = None
            error: BaseException | None = None
            try:
                result = func(*args)
            except Exception as raised:
                error = raised
            finish = partial(_finish, future, result, error)
            if delay is None:
                self.call_soon(finish)
            else:
                self.call_later(delay(), finish)

        if delay is None:
            work()
        else:
            self.call_later(delay(), work)
        return future

    def _process_events(self, event_list: list[Any]) -> None: ...

    def _write_to_self(self) -> None: ...


def _finish(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class VirtualExecutor(Executor):
    """A thread of a virtual process. `delay` says how many seconds each way takes: to begin a work, and to be told its
    result. Between them the work itself takes none."""

    def __init__(self, delay: Callable[[], float] | None = None) -> None:
        self.delay = delay

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        raise NotImplementedError("only a VirtualLoop gives it work")


class HasWall(Protocol):
    def wall_at(self, time: float) -> int: ...


class VirtualClock:
    """One process's clock. Its wall clock is the world's, and may be stepped meanwhile."""

    def __init__(self, world: HasWall, loop: VirtualLoop) -> None:
        self._world = world
        self._loop = loop
        self._anchor = world.wall_at(loop.time()) - round(loop.time() * SECOND)

    def wall(self) -> int:
        return self._world.wall_at(self._loop.time())

    def steady(self) -> int:
        return self._anchor + round(self._loop.time() * SECOND)
