"""What a coroutine takes of its event loop's thread, without what others do while it waits.

What it has a thread do for it that keeps the interpreter from the loop may be added: see `on_thread`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Executor
from contextvars import ContextVar
from functools import partial
from time import thread_time
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")


class OwnTime(Generic[T]):
    """Awaited once, in the place of a coroutine or of whatever else can be awaited."""

    def __init__(self, work: Awaitable[T], cpu: Callable[[], float] = thread_time) -> None:
        """`cpu` tells the seconds of CPU that the thread of the loop has spent. Of a future, which is waited for alone,
        that is next to nothing."""
        self._work = work
        self._cpu = cpu
        self.seconds = 0.0
        """What it took so far."""

    def __await__(self) -> Generator[Any, Any, T]:
        _TIMED.set(self)
        work = self._work.__await__()
        step: Callable[[], Any] = partial(work.send, None)
        while True:
            begun = self._cpu()
            try:
                awaited = step()
            except StopIteration as ended:
                return ended.value  # type: ignore[no-any-return]
            finally:
                self.seconds += self._cpu() - begun
            try:
                yield awaited
            except BaseException as thrown:  # whatever it is: it is for the coroutine, as a cancellation is
                step = partial(work.throw, thrown)
            else:
                step = partial(work.send, None)


_TIMED: Final[ContextVar[OwnTime[Any] | None]] = ContextVar("timed", default=None)
"""What is timed of the present task."""


def add_to_own_time(seconds: float) -> None:
    """Another thread has spent so much CPU for what is timed here, if anything is."""
    if (timed := _TIMED.get()) is not None:
        timed.seconds += seconds


async def on_thread(thread: Executor, work: Callable[[], T]) -> T:
    """What the work returns, done on a thread. It counts as the caller's own time, as if the loop had done it."""
    seconds = 0.0

    def timed() -> T:
        nonlocal seconds
        begun = thread_time()
        try:
            return work()
        finally:
            seconds = thread_time() - begun

    try:
        return await asyncio.get_running_loop().run_in_executor(thread, timed)
    finally:
        add_to_own_time(seconds)
