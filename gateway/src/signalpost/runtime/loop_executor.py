"""Threads that work for an event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class LoopExecutor(ThreadPoolExecutor):
    """For the `run_in_executor` of a loop, which takes a future of a loop as it is. One of `concurrent.futures`, and
    its chain to one of the loop, cost the loop a third more for each piece of work."""

    def submit(  # type: ignore[override]
        self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "asyncio.Future[T]":
        """Called on a loop, which is told the result."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[T] = loop.create_future()
        super().submit(_tell, loop, told, partial(work, *args, **kwargs))
        return told


def _tell(loop: asyncio.AbstractEventLoop, told: "asyncio.Future[T]", work: Callable[[], T]) -> None:
    """Runs on the thread."""
    if told.cancelled():
        return
    try:
        result = work()
    except BaseException as error:  # whatever it is: it is for the caller
        loop.call_soon_threadsafe(_settle, told, told.set_exception, error)
        del told  # which the error, with this frame, would keep from being freed
    else:
        loop.call_soon_threadsafe(_settle, told, told.set_result, result)


def _settle(told: "asyncio.Future[Any]", settle: Callable[[Any], None], outcome: Any) -> None:
    if not told.cancelled():
        settle(outcome)
