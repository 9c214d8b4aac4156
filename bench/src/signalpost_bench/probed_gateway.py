"""The command itself, with a probe on its event loop: `python -m signalpost_bench.probed_gateway FILE serve …`. Names
that end in `SLOW_NAMES` are looked up as at a name server that says nothing."""

import asyncio
import importlib
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from signalpost_bench.probe import BEAT_SECONDS, Probe
from signalpost_bench.results import Stall

SLOW_NAMES = ".silent.example"
SLOW_SECONDS = 10.0
"""How long the system's resolver waits for a server that says nothing."""


def watch(file: str) -> None:
    """Have a probe on the loop that the main thread is going to run, whoever makes it; each stall becomes a line of
    `file`. The handler of a signal looks for the loop: it runs on that thread, between two steps of whatever is there,
    so it leaves the rest to the loop."""

    def tell(stall: Stall) -> None:
        with Path(file).open("ab") as lines:
            lines.write(msgspec.json.encode(stall) + b"\n")

    def look(*_: object) -> None:
        with suppress(RuntimeError):  # none runs yet
            asyncio.get_running_loop().call_soon_threadsafe(Probe, tell)
            signal.setitimer(signal.ITIMER_REAL, 0)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, BEAT_SECONDS, BEAT_SECONDS)


def with_slow_names(look_up: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    def slowly(host: Any, *args: Any, **named: Any) -> list[Any]:
        if not str(host).endswith(SLOW_NAMES):
            return look_up(host, *args, **named)
        time.sleep(SLOW_SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "no name server answers")

    return slowly


if __name__ == "__main__":
    watch(sys.argv.pop(1))
    socket.getaddrinfo = with_slow_names(socket.getaddrinfo)
    importlib.import_module("signalpost.cli.main").main()  # by its name: commands import the bench
