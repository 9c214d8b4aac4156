"""The command itself, with a probe on its event loop: `python -m signalpost_bench.probed_gateway STALLS ANSWERS serve`.
Each stall becomes a line of the one file. From SIGUSR1 on, each answer to a client at `MEASURED_CLIENTS` becomes a line
of the other; that takes two system calls, so it is for scenes that read these lines. Names that end in `SLOW_NAMES` are
looked up as at a name server that says nothing."""

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

MEASURED_CLIENTS = "127.0.0.1"
"""The address of the clients of which it is noted how much CPU time the gateway had spent when it answered."""
SLOW_NAMES = ".silent.example"
SLOW_SECONDS = 10.0
"""How long the system's resolver waits for a server that says nothing."""


def watch(file: str) -> None:
    """Have a probe on the loop that the main thread is going to run, whichever part makes it; each stall becomes a line
    of `file`. The handler of a signal looks for the loop: it runs on that thread, between two steps of what is there,
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


def note_answers(file: str) -> None:
    """Write down for each answer the port of its client, and the CPU time of this process (ns), once it was written.

    The client itself may have no core for a while, and would take what the gateway does meanwhile for a part of it."""
    lines = Path(file).open("a", buffering=1, encoding="ascii")  # noqa: SIM115 - as long as the process
    # By its name: otherwise the bench uses the gateway from outside.
    connections: Any = importlib.import_module("signalpost.listener.http_connection").ClientConnection
    answered = connections.answered

    def noting(connection: Any) -> None:
        host, port = connection._transport.get_extra_info("peername")[:2]
        if host == MEASURED_CLIENTS:
            lines.write(f"{port} {time.process_time_ns()}\n")
        answered(connection)

    connections.answered = noting


def with_slow_names(look_up: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    def slowly(host: Any, *args: Any, **named: Any) -> list[Any]:
        if not str(host).endswith(SLOW_NAMES):
            return look_up(host, *args, **named)
        time.sleep(SLOW_SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "no name server answers")

    return slowly


if __name__ == "__main__":
    watch(sys.argv.pop(1))
    answers = sys.argv.pop(1)
    signal.signal(signal.SIGUSR1, lambda *_: note_answers(answers))
    socket.getaddrinfo = with_slow_names(socket.getaddrinfo)
    importlib.import_module("signalpost.cli.main").main()  # by its name: commands import the bench
