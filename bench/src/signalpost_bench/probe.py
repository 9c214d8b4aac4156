"""The stall probe: how long the event loop of this process was away, and what the process did meanwhile.

A timer of the loop beats every few milliseconds, and a beat that comes late is a stall. Its length is split by what the
kernel counts: how long the loop's thread ran, how long it stood in the queue for a core, and how long the thread that
waited longest stood there (if that one held the interpreter's lock, the loop waited with it). What is left was spent
waiting for the kernel, for the disk say, with or without that lock, or the machine's host had the core. A thread beside
the loop looks, as soon as a beat is overdue, at what every thread is doing; if it could not look either, it had no
lock or no core.
"""

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple

from signalpost_bench.results import Stall, longest

BEAT_SECONDS = 0.01
NOTED_SECONDS = 0.02
"""A beat that comes so many seconds late is a stall."""
FRAMES = 3
"""How many frames of each thread's stack are reported."""


class _Counters(NamedTuple):
    """What is counted since the process began, in ns."""

    at: int
    ran: int
    """How long the loop's thread ran."""
    queued: dict[int, int]
    """How long each thread waited for a core, by the number of the thread."""
    collected: int


class CoreTimes:
    """What the kernel counts for each thread of this process."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}
        """Open files by thread number: opening one takes far longer than reading it again."""

    def read(self, number: int) -> tuple[int, int] | None:
        """How long a thread ran and how long it waited for a core, in ns; None for a thread that has ended."""
        try:
            if number not in self._files:
                path = f"/proc/self/task/{number}/schedstat"
                self._files[number] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            on_core, in_queue, _ = os.pread(self._files[number], 100, 0).split()
        except (FileNotFoundError, ProcessLookupError):
            if (ended := self._files.pop(number, None)) is not None:
                os.close(ended)
            return None
        return int(on_core), int(in_queue)


class Probe:
    """The probe of the event loop on which it is made; it stops with the loop."""

    def __init__(self, tell: Callable[[Stall], None] = lambda _: None) -> None:
        """`tell` is told of each stall as it ends."""
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self._own = threading.get_native_id()
        self._core_times = CoreTimes()
        self._collecting = self._collected = 0
        gc.callbacks.append(self._note_collection)
        self._longest: tuple[Stall, ...] = ()
        self._threads: dict[str, str] = {}
        self._last = self._count()
        threading.Thread(target=self._watch, daemon=True, name="probe").start()
        self._beat()

    def longest(self) -> tuple[Stall, ...]:
        """The stalls since the last call, or since the beginning."""
        found, self._longest = self._longest, ()
        return found

    def _count(self) -> _Counters:
        ran, queued = 0, {}
        for thread in threading.enumerate():
            number = thread.native_id or self._own
            if (times := self._core_times.read(number)) is None:
                continue
            on_core, queued[number] = times
            if number == self._own:
                ran = on_core
        return _Counters(time.monotonic_ns(), ran, queued, self._collected)

    def _beat(self) -> None:
        counted = self._count()
        late = (counted.at - self._last.at) / 1e9 - BEAT_SECONDS
        if late >= NOTED_SECONDS:
            self._note(late, counted)
        self._last, self._threads = counted, {}
        self._loop.call_later(BEAT_SECONDS, self._beat)

    def _note(self, late: float, now: _Counters) -> None:
        last = self._last
        queued = {number: (at - last.queued.get(number, at)) / 1e6 for number, at in now.queued.items()}
        stall = Stall(
            ms=late * 1e3,
            ran_ms=(now.ran - last.ran) / 1e6,
            collected_ms=(now.collected - last.collected) / 1e6,
            no_core_ms=queued[self._own],
            most_no_core_ms=max(queued.values()),
            at_s=now.at / 1e9,
            threads=self._threads,
        )
        self._tell(stall)
        self._longest = longest([*self._longest, stall])

    def _note_collection(self, phase: str, _: dict[str, int]) -> None:
        now = time.monotonic_ns()
        if phase == "start":
            self._collecting = now
        else:
            self._collected += now - self._collecting

    def _watch(self) -> None:
        while True:
            time.sleep(BEAT_SECONDS)
            if not self._threads and (time.monotonic_ns() - self._last.at) / 1e9 > BEAT_SECONDS + NOTED_SECONDS:
                self._threads = _where_threads_are()


def _where_threads_are() -> dict[str, str]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    return {names.get(n, "?"): _place(frame) for n, frame in sys._current_frames().items() if n != own}


def _place(frame: FrameType | None) -> str:
    places: list[str] = []
    while frame is not None and len(places) < FRAMES:
        code = frame.f_code
        places.append(f"{code.co_name} ({os.path.basename(code.co_filename)}:{frame.f_lineno})")  # noqa: PTH119
        frame = frame.f_back
    return " < ".join(places)
