"""Runs one description of what to do on threads and on event loops alike.

A generator yields the calls that have to be made, one after the other, and is sent what each returned, or thrown what
it raised. `run` makes the calls; `run_async` awaits them, and makes those that would block on a thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

from .errors import UsageError

T = TypeVar("T")


class Step(NamedTuple):
    """A call to make."""

    call: Callable[[], Any]
    is_blocking: bool
    """Whether it may wait for a disk, a network or the receiver's own code."""


Steps = Generator[Step, Any, T]


def run(steps: Steps[T]) -> T:
    """Make the calls at once, and return what the generator returns. Raises UsageError if a call would have to be
    awaited.
    """
    try:
        step = next(steps)
        while True:
            try:
                answer = step.call()
                _refuse_awaitable(answer)
            except BaseException as error:  # noqa: PERF203  # the generator decides
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


async def run_async(steps: Steps[T]) -> T:
    """Make the calls, await what they return, and return what the generator returns."""
    import asyncio  # here, because it takes longer to import than all the rest, and the others do without it

    try:
        step = next(steps)
        while True:
            try:
                answer = await asyncio.to_thread(step.call) if step.is_blocking else step.call()
                if inspect.isawaitable(answer):
                    answer = await answer
            except BaseException as error:  # noqa: PERF203  # the generator decides
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def _refuse_awaitable(answer: object) -> None:
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise UsageError("a handler or a store has to be awaited: use areceive and adrain")
