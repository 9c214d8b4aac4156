"""A thread of an executor that does each thing when it is told to."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class ToldThread(Executor):
    def __init__(self) -> None:
        self._asked: list[tuple[Future[Any], Callable[[], Any]]] = []

    @property
    def asked(self) -> int:
        """How many things it was given and has not done."""
        return len(self._asked)

    def submit(self, do: Any, /, *given: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._asked.append((future, lambda: do(*given)))
        return future

    def finish(self) -> Any:
        """Do the first thing that it was given, and return the result."""
        (future, do), *self._asked = self._asked
        try:
            future.set_result(do())
        except Exception as error:
            future.set_exception(error)
            return error
        return future.result()

    async def finish_and_rest(self) -> float:
        """Do the first thing that it was given. Returns how long it then had nothing to do."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.finish()
        while not self.asked:
            await asyncio.sleep(0.001)
        return loop.time() - begun


async def everything_else() -> None:
    """Let everything happen that can without the thread."""
    for _ in range(10):
        await asyncio.sleep(0)
