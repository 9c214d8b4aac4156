"""The stall probe: how long the event loop of this process was away, and what it did meanwhile.

A timer of the loop beats every few milliseconds, and a beat that comes late is a stall. Its length is split by what
the kernel counts for the loop's thread: time on a core, and time in the queue for one. What is left was spent waiting,
for the lock of the interpreter or for the kernel. A thread beside the loop looks, as soon as a beat is overdue, at what
every thread is doing.
"""

import asyncio
import gc
import os
import sys
import threading
import time
from types import FrameType
from typing import NamedTuple

from signalpost.bench.measured import STALLS_KEPT, Stall

BEAT_SECONDS = 0.005
NOTED_SECONDS = 0.02
"""A beat that is late by as much is a stall."""
FRAMES = 3
"""How many callers are told of each thread."""


class _Counted(NamedTuple):
    """What is counted for the loop's thread, in ns since the process began."""

    at: int
    ran: int
    no_core: int
    collected: int


class Probe:
    """Made on the loop that it watches; stops with it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._schedstat = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._collecting = self._collected = 0
        gc.callbacks.append(self._note_collection)
        self._longest: list[Stall] = []
        self._threads: dict[str, str] = {}
        self._last = self._count()
        threading.Thread(target=self._watch, daemon=True, name="probe").start()
        self._beat()

    def longest(self) -> list[Stall]:
        """Since the last call, or the beginning."""
        longest, self._longest = self._longest, []
        return longest

    def _count(self) -> _Counted:
        on_core, in_queue, _ = os.pread(self._schedstat, 100, 0).split()
        return _Counted(time.monotonic_ns(), int(on_core), int(in_queue), self._collected)

    def _beat(self) -> None:
        counted = self._count()
        late = (counted.at - self._last.at) / 1e9 - BEAT_SECONDS
        if late >= NOTED_SECONDS:
            self._note(late, counted)
        self._last, self._threads = counted, {}
        self._loop.call_later(BEAT_SECONDS, self._beat)

    def _note(self, late: float, now: _Counted) -> None:
        last = self._last
        stall = Stall(
            ms=late * 1e3,
            ran_ms=(now.ran - last.ran) / 1e6,
            collected_ms=(now.collected - last.collected) / 1e6,
            no_core_ms=(now.no_core - last.no_core) / 1e6,
            threads=self._threads,
        )
        self._longest = sorted([*self._longest, stall], key=lambda stall: -stall.ms)[:STALLS_KEPT]

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
