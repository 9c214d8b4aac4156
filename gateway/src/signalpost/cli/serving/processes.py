"""Several processes that serve one port, and the parent that watches them: `signalpost serve --processes N`.

Each process is a whole gateway: a node of the fleet on the database, with a socket of its own on the port
(`listening.py`). They share nothing else.

The parent only forks, waits and passes signals on. It has no event loop and no threads, so a process that it forks
hours later begins as the first did, and what was loaded before is in memory once.

    starting     forked; it has not said that it listens
    up           it listens
    waiting      it ended without being told to, and is started again at a time that is known
    gone         it ended after the parent was told to stop

The first is alone until it is up: what is wrong with the settings or the database is said once. If one cannot start
before all have been up, everything ends. From then on a process that ends is started again, at longer and longer
intervals while it does not stay up. If all keep ending, the parent gives up, so that what watches it (systemd,
Kubernetes) sees that something is wrong.

Ends: SIGTERM or SIGINT is passed on as SIGTERM, and each process hands its lanes over. One that has not ended after
`DRAINS_WITHIN` is killed; the others of the fleet take over what it had. A process ends as with SIGTERM when its parent
is gone, however that ended: it reads a pipe of which only the parent has the other end.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Never

from msgspec import Struct

from signalpost.runtime.logger import log
from signalpost.runtime.restarts import failures_in_row, wait_before_start

MAX_FAILURES: Final = 5
"""The parent gives up once every process has failed this many times in a row."""
DRAINS_WITHIN: Final = 15.0
"""Seconds that a process may take to end. Attempts in flight take most of that; see `gateway.py`."""
FAILED: Final = 1
"""The exit code if processes did not do what they should."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Lifeline(Struct, frozen=True):
    """How a process and its parent learn of each other."""

    parent: int
    """A descriptor that can be read once the parent is gone."""
    ready: int
    """The descriptor at which the parent hears that the process listens."""
    is_first: bool
    """Whether the process is the first of all: it greets for them."""

    def say_ready(self) -> None:
        with suppress(OSError):  # the parent is gone, which `parent` tells too
            os.write(self.ready, b"\n")


Work = Callable[[int, Lifeline], int]
"""What a process does: it is given its number, from 0. Returns its exit code."""


def gives_up(failures: Sequence[int]) -> bool:
    """Whether starting again is pointless. `failures` are those in a row of each process."""
    return min(failures) >= MAX_FAILURES


class _Process(Struct):
    """One of the processes: the present one, or the last."""

    number: int
    pid: int | None = None
    ready: int | None = None
    """Readable once it says that it listens, or ends."""
    began: float = 0.0
    is_up: bool = False
    failures: int = 0
    """How many times in a row it ended before it had been up for long."""
    starts_at: float | None = None
    """When it is started again."""


class Processes:
    """The parent, which starts the processes and watches them."""

    def __init__(self, count: int, work: Work) -> None:
        self._all = [_Process(number) for number in range(count)]
        self._work = work
        self._lifeline, self._parent_end = os.pipe()
        self._was_started = False
        self._stop_at: float | None = None
        """When processes that were told to end are killed."""
        self._were_all_up = False
        self._code = 0

    def run(self) -> int:
        """Start the processes, and watch them until all have ended. Returns the exit code."""
        with _signals_as_bytes() as woken:
            self._woken = woken
            self._start(self._all[0])
            while any(each.pid is not None or each.starts_at is not None for each in self._all):
                self._wait()
                self._reap()
                self._go_on()
        return self._code

    # --- Steps of the loop --------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for a signal, for a process that is ready, or for the next thing that is due."""
        due = [each.starts_at for each in self._all if each.starts_at is not None]
        due += [] if self._stop_at is None else [self._stop_at]
        seconds = max(0.0, min(due) - time.monotonic()) if due else None
        starting = {each.ready: each for each in self._all if each.ready is not None}
        readable, _, _ = select.select([self._woken, *starting], [], [], seconds)
        if self._woken in readable and {*os.read(self._woken, 4096)} & {signal.SIGTERM, signal.SIGINT}:
            self._stop()
        for descriptor in starting.keys() & {*readable}:
            process = starting[descriptor]
            process.is_up = bool(os.read(descriptor, 1))  # nothing: it ended, as `_reap` finds
            self._close_ready(process)

    def _reap(self) -> None:
        """Collect the exit code of every process that ended."""
        for process in self._all:
            if process.pid is not None:
                pid, status = os.waitpid(process.pid, os.WNOHANG)
                if pid:
                    self._ended(process, os.waitstatus_to_exitcode(status))

    def _go_on(self) -> None:
        """Do what is due now."""
        now = time.monotonic()
        if self._stop_at is not None:
            if now >= self._stop_at:
                self._kill()
            return
        if not self._was_started and self._all[0].is_up:
            self._was_started = True
            for process in self._all[1:]:
                self._start(process)
        self._were_all_up = self._were_all_up or all(each.is_up for each in self._all)
        for process in self._all:
            if process.starts_at is not None and now >= process.starts_at:
                self._start(process)

    # --- Processes come and go ----------------------------------------------------------------------------------------

    def _start(self, process: _Process) -> None:
        ready, says_ready = os.pipe()
        sys.stdout.flush()  # or both would write what is left in it
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until each has handlers of its own
        pid = os.fork()
        if not pid:
            os.close(ready)
            self._become(process.number, Lifeline(self._lifeline, says_ready, not self._was_started))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(says_ready)
        process.pid, process.ready, process.is_up = pid, ready, False
        process.began, process.starts_at = time.monotonic(), None

    def _become(self, number: int, lifeline: Lifeline) -> Never:
        """Do the work of a process, in the copy that `fork` made."""
        code = 1
        try:
            for descriptor in (self._woken, self._parent_end, *(each.ready for each in self._all)):
                if descriptor is not None:
                    os.close(descriptor)
            _forget_signals()
            code = self._work(number, lifeline)
        except BaseException:  # of any kind: nothing of the parent's may go on in here
            log.exception("a process ended with an error")
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(code)

    def _ended(self, process: _Process, code: int) -> None:
        pid, was_up = process.pid, process.is_up
        process.pid, process.is_up = None, False
        self._close_ready(process)
        if self._stop_at is not None:
            self._code = self._code or (0 if code == -signal.SIGTERM else abs(code))  # it was still starting
        elif not self._were_all_up:  # it has said why
            self._end_with(abs(code) or FAILED)
        else:
            lasted = time.monotonic() - process.began
            process.failures = failures_in_row(process.failures, was_up=was_up, lasted=lasted)
            self._start_again(process, pid, code)

    def _start_again(self, process: _Process, pid: int | None, code: int) -> None:
        """Plan a process's next start, or end everything if none of them stays up."""
        if gives_up([each.failures for each in self._all]):
            log.critical("every process keeps ending: giving up", failures=process.failures)
            self._end_with(FAILED)
            return
        seconds = wait_before_start(process.failures)
        process.starts_at = time.monotonic() + seconds
        log.error("a process ended and will be started again", ended=pid, code=code, seconds=seconds)

    def _end_with(self, code: int) -> None:
        self._code = code
        self._stop()

    def _close_ready(self, process: _Process) -> None:
        if process.ready is not None:
            os.close(process.ready)
            process.ready = None

    def _stop(self) -> None:
        """Tell every process to end, once."""
        if self._stop_at is None:
            self._stop_at = time.monotonic() + DRAINS_WITHIN
            self._tell(signal.SIGTERM)
        for process in self._all:
            process.starts_at = None

    def _kill(self) -> None:
        log.error("processes did not end in time and are killed", seconds=DRAINS_WITHIN)
        self._code = FAILED
        self._stop_at = time.monotonic() + DRAINS_WITHIN
        self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        for process in self._all:
            if process.pid is not None:
                os.kill(process.pid, number)


@contextmanager
def _signals_as_bytes() -> Iterator[int]:
    """A descriptor from which the numbers of the signals that come can be read."""
    woken, wakes = os.pipe()
    for end in (woken, wakes):
        os.set_blocking(end, False)
    former = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    try:
        yield woken
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in former.items():
            signal.signal(number, handler)
        os.close(woken)
        os.close(wakes)


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
