"""The command itself, with a probe on its event loop: `python -m signalpost_bench.probed_gateway FILE serve …`."""

import asyncio
import importlib
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from signalpost_bench.probe import BEAT_SECONDS, Probe
from signalpost_bench.results import Stall


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


if __name__ == "__main__":
    watch(sys.argv.pop(1))
    importlib.import_module("signalpost.cli.main").main()  # by its name: commands import the bench
