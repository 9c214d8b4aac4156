"""How an application is had to answer one request: its steps are taken as soon as what they wait for is done."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from signalpost.listener.application import SLICE_BYTES, Answer, App, ArrivingBody, Head, Steps, answer_of
from signalpost.runtime.logger import log


class BrokenAnswer(Exception):
    """The rest of an answer will not come. Why is in the log."""


class Answering(ArrivingBody):
    """One request of an application, of which it is the body. A subclass says how the answer is sent."""

    _waits_for: asyncio.Future[Any] | None = None
    """What the request waits for: a future that its steps have yielded, or the task in which it goes on."""

    # --- What a subclass says -----------------------------------------------------------------------------------------

    @abstractmethod
    def _is_at_hand(self) -> bool:
        """Whether an answer that is short can be sent without waiting."""

    @abstractmethod
    def _send_short(self, answer: Answer, body: bytes) -> None:
        """Send the whole answer now."""

    @abstractmethod
    async def _send_long(self, answer: Answer) -> None:
        """Send the answer part by part."""

    @abstractmethod
    def _ended(self) -> None:
        """The application is done with the request. If its answer is not complete, the rest will not come."""

    # ------------------------------------------------------------------------------------------------------------------

    def begin(self, app: App, head: Head) -> None:
        """Have the application answer. It may have done so when this returns."""
        steps = app(head, self)
        self._take_step(steps, partial(next, steps))

    def cancel(self) -> None:
        """What the application waits for will not come, as the server stops. It may still answer."""
        if self._waits_for is not None:
            self._waits_for.cancel()

    def _take_step(self, steps: Steps, step: Callable[[], Awaitable[Any]]) -> None:
        self._waits_for = None
        try:
            awaited = step()
        except StopIteration as ended:
            self._send(ended.value)
        except (asyncio.CancelledError, BrokenAnswer):
            self._ended()
        except Exception:
            self._break_off_answer()
        else:
            if isinstance(awaited, asyncio.Future):
                self._waits_for = awaited
                awaited.add_done_callback(partial(self._go_on, steps))
            else:
                self._become_task(self._finish(steps, awaited))

    def _go_on(self, steps: Steps, done: "asyncio.Future[Any]") -> None:
        """What the steps waited for is done."""
        try:
            result = done.result()
        except BaseException as error:  # whatever it is: it is for the steps, as a cancellation is
            step = partial(steps.throw, error)
        else:
            step = partial(steps.send, result)
        self._take_step(steps, step)

    async def _finish(self, steps: Steps, awaited: Awaitable[Any]) -> None:
        await self._send_in_parts(await answer_of(steps, awaited))

    def _become_task(self, rest: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(rest)
        self._waits_for = task
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        self._waits_for = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self._break_off_answer(error)
        else:
            self._ended()

    def _break_off_answer(self, error: BaseException | None = None) -> None:
        if not isinstance(error, BrokenAnswer):
            log.exception("an answer ended halfway with an error", error)
        self._ended()

    def _send(self, answer: Answer) -> None:
        """Send an answer, at once if it is short and nothing has to be waited for."""
        body = answer.body
        if isinstance(body, bytes) and len(body) <= SLICE_BYTES and self._is_at_hand():
            try:
                self._send_short(answer, body)
            except Exception:
                log.exception("an answer ended halfway with an error")
            if answer.at_end is not None:
                answer.at_end()
            self._ended()
        else:
            self._become_task(self._send_in_parts(answer))

    async def _send_in_parts(self, answer: Answer) -> None:
        try:
            await self._send_long(answer)
        finally:
            if answer.at_end is not None:
                answer.at_end()
