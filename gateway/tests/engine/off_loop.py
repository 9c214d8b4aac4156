"""A thread that says whether it is at work, and what may be gone through by it alone."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from gateway.tests.world.virtual_time import VirtualExecutor

T = TypeVar("T")


class OffLoop(VirtualExecutor):
    is_at_work = False

    def later(self, step: Callable[[], object]) -> None:
        self.is_at_work = True
        step()
        self.is_at_work = False


class ListForThread(list[T]):
    """The event loop may pass it on, and may not go through it."""

    def __init__(self, thread: OffLoop, *things: T) -> None:
        super().__init__(things)
        self._thread = thread

    def __iter__(self) -> Iterator[T]:
        assert self._thread.is_at_work
        return super().__iter__()


class ForThread:
    """Stands for something that the event loop may hold, and may not look at."""

    def __init__(self, thread: OffLoop, stands_for: object) -> None:
        self._thread = thread
        self._stands_for = stands_for
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        assert self._thread.is_at_work, name
        self.looks += 1
        return getattr(self._stands_for, name)
