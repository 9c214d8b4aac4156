"""Visits the zoo, and a receiver whose answers carry nonces, and keeps the outcome of every attempt."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from gateway.tests.patience import PATIENCE
from gateway.tests.zoo.behaviours import BEHAVIOURS, Behaviour
from gateway.tests.zoo.keepers import HOST, allowed, request_to
from rich.console import Console

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.sender.addresses import Guard, parse_allow_targets
from signalpost.sender.sender import Sender, SenderSettings

TIMEOUT = 5.0
LONGEST = 5.5
MARGIN = 0.1
"""How far from five seconds an answer is that is just in time (4.9 s) or just too late (5.1 s)."""
MAX_GROWTH_MB = 64.0
PAUSE = 0.2
"""Seconds between two attempts of the same place, so that the slow have their share."""
NONCES_AT_ONCE = 64
EARLY_BODY = bytes(150_000)
_NONCE = re.compile(rb"nonce=(\d+);")


class Watch:
    """The outcome of every attempt."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()
        self.classes: dict[str, Counter[str]] = {}
        self.longest: dict[str, float] = {}
        self.faults: list[str] = []
        self.nonces = 0
        """How many answers named their request."""

    def note(self, name: str, ends: frozenset[Failure | None], nonce: int, outcome: Outcome) -> None:
        end = outcome.failure.value if outcome.failure else "delivered"
        seconds = outcome.elapsed_us / 1e6
        self.attempts[name] += 1
        self.classes.setdefault(name, Counter())[end] += 1
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))
        named = {int(found) for found in _NONCE.findall(outcome.answer)}
        self.nonces += bool(named)
        if named - {nonce}:
            self.faults.append(f"{name}: request {nonce} got the answer of {named}")
        if outcome.failure not in ends:
            self.faults.append(f"{name}: {end}: {outcome.detail}")


# --- The zoo ----------------------------------------------------------------------------------------------------------


async def visit(seconds: float, at_once: int, ports: dict[str, int], ca_file: Path, console: Console) -> Watch:
    """Make attempts on every behaviour in turn, `at_once` of them at a time."""
    watch, numbers = Watch(), iter(range(1, 1 << 60))
    end = time.monotonic() + seconds

    lonely = {behaviour.name: asyncio.Lock() for behaviour in BEHAVIOURS if behaviour.alone}

    async def place(first: int, sender: Sender) -> None:
        at = first
        await asyncio.sleep(TIMEOUT * first / at_once)
        while time.monotonic() < end:
            behaviour: Behaviour = BEHAVIOURS[at % len(BEHAVIOURS)]
            at += 1
            nonce = next(numbers)
            async with lonely.get(behaviour.name, contextlib.nullcontext()):
                outcome = await attempt(sender, request_to(behaviour, ports[behaviour.name], nonce))
                watch.note(behaviour.name, behaviour.ends, nonce, outcome)
                await asyncio.sleep(PAUSE if not behaviour.alone else 3 * PAUSE)

    async with sending(allowed(ports), ca_file) as sender:  # what a process opens once is not a leak
        await attempt(sender, request_to(BEHAVIOURS[0], ports[BEHAVIOURS[0].name], 0))
    descriptors, tasks = open_descriptors(), len(asyncio.all_tasks())
    memory: list[float] = []
    async with sending(allowed(ports), ca_file) as sender:
        places = [asyncio.create_task(place(number, sender)) for number in range(at_once)]
        warm = time.monotonic() + min(4 * TIMEOUT, seconds / 2)
        while not all(each.done() for each in places):
            await asyncio.sleep(0.5)
            if time.monotonic() >= warm:
                memory.append(resident_mb())
        await asyncio.gather(*places)
    await asyncio.sleep(0.2)
    watch.faults += [f"{name}: {longest:.2f} s" for name, longest in watch.longest.items() if longest > LONGEST]
    growth = max(memory) - memory[0]
    left = (open_descriptors() - descriptors, len(asyncio.all_tasks()) - tasks)
    if growth > MAX_GROWTH_MB:
        watch.faults.append(f"memory grew by {growth:.1f} MB")
    if max(left) > 0:
        watch.faults.append(f"{left[0]} descriptors and {left[1]} tasks are left")
    console.print(
        f"{at_once} at once for {seconds:g} s: {watch.attempts.total():,} attempts on {len(BEHAVIOURS)} behaviours, "
        f"the longest {max(watch.longest.values()):.3f} s. "
        f"Memory: {memory[0]:.1f} MB when warm, at most {growth:+.1f} MB. Left: {left[0]} descriptors, {left[1]} tasks."
    )
    return watch


# --- Nonces -----------------------------------------------------------------------------------------------------------


async def ask_for_echoes(count: int, port: int, console: Console) -> Watch:
    """Make requests on kept connections to a receiver that mixes stray bytes into its answers."""
    watch, numbers = Watch(), iter(range(1, count + 1))
    # A stray beginning may meet the next request on its way: then that fails. It must never be taken for its answer.
    ends = frozenset((None, Failure.STATUS, Failure.PROTOCOL, Failure.RESET))
    began = time.monotonic()

    async def place(sender: Sender) -> None:
        for nonce in numbers:
            body = EARLY_BODY if nonce % 500 == 0 else b"{}"
            head = f"POST / HTTP/1.1\r\nhost: x\r\nnonce: {nonce}\r\ncontent-length: {len(body)}\r\n\r\n"
            outcome = await attempt(sender, OutgoingRequest(Target("http", HOST, port), head.encode(), body))
            watch.note("echo", ends, nonce, outcome)
            if outcome.failure is None and not _NONCE.search(outcome.answer):
                watch.faults.append(f"request {nonce} was delivered without its own answer")

    async with sending(allowed({"echo": port}), None, PATIENCE) as sender:
        await asyncio.gather(*(place(sender) for _ in range(NONCES_AT_ONCE)))
    seconds = time.monotonic() - began
    console.print(
        f"{count:,} requests with nonces in {seconds:.0f} s: {watch.nonces:,} answers named their request, "
        f"{dict(watch.classes['echo'])}."
    )
    return watch


# --- Both -------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def sending(allow: str, ca_file: Path | None, timeout: float = TIMEOUT) -> AsyncIterator[Sender]:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ("127.0.0.1",)

    settings = SenderSettings(attempt_timeout=timeout, guard=Guard(parse_allow_targets(allow)), ca_file=ca_file)
    loop = asyncio.get_running_loop()
    sender = Sender(settings, loop=loop, wall=lambda: time.time_ns() // 1000, resolve=resolve)
    try:
        yield sender
    finally:
        await sender.close(0)


async def attempt(sender: Sender, request: OutgoingRequest) -> Outcome:
    told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    sender.send(request, told.set_result)  # a second result would raise
    return await told


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextlib.contextmanager
def process(module: str, *arguments: str) -> Iterator[str]:
    """A receiver in a process of its own, which ends with the block; the first line that it says."""
    command = [sys.executable, "-m", f"gateway.tests.zoo.{module}", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        yield child.stdout.readline()
        child.stdin.close()
