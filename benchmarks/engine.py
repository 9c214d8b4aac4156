"""The plain engine flat out: commit, sign, deliver, record. See benchmarks/README.md."""

import argparse
import asyncio
import multiprocessing
import os
import random
import resource
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from signalpost.domain.document_commands import CreateDocument
from signalpost.domain.event import event_id
from signalpost.domain.subscription_commands import CreateSubscription
from signalpost.engine.addresses import parse_allow_targets
from signalpost.engine.clock import SystemClock
from signalpost.engine.disk_reserve import DiskReserve
from signalpost.engine.engine import Engine
from signalpost.engine.sender import Sender, SenderSettings
from signalpost.store.sqlite.store import SqliteStore, thread_executors
from signalpost.store.vault import Vault
from signalpost_receiver import make_token

WAITING = 512
"""Commands submitted and not yet answered."""
CHECKED = {"type": "Service Agreement", "title": "T" * 600, "ownerEmail": "owner@example.com",
           "authorEmail": "author@example.com", "contractValue": 1500.0}  # fmt: skip
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Sink(asyncio.Protocol):
    """Answers 204 to whatever is POSTed, and counts ids."""

    seen: dict[bytes, int]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            at = head.index(b"content-length: ") + 16
            length = int(head[at : head.find(b"\r\n", at)])
            if len(self._buffer) < end + 4 + length:
                return
            at = head.index(b"webhook-id: ") + 12
            key = head[:60] + head[at : at + 36]
            self.seen[key] = self.seen.get(key, 0) + 1
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(ANSWER)  # type: ignore[attr-defined]


def sink(pipe: Connection, core: int) -> None:
    os.sched_setaffinity(0, {core})

    async def serve() -> None:
        Sink.seen = {}
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Sink, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            await asyncio.sleep(0.01)
            if pipe.poll():
                if pipe.recv() == "stop":
                    return
                pipe.send((len(Sink.seen), sum(Sink.seen.values())))

    uvloop.run(serve())


async def run(port: int, pipe: Connection, events: int, subscriptions: int) -> tuple[float, float]:
    """Deliveries a second, and CPU µs for each."""
    clock, chance = SystemClock(), random.Random(1)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(
            Path(folder) / "signalpost.db", Vault(bytes(32)), clock.wall, chance.getrandbits, thread_executors(), print
        )
        settings = SenderSettings(allow_targets=parse_allow_targets(f"http://127.0.0.1:{port}"))
        sender = Sender(settings, loop=asyncio.get_running_loop(), wall=clock.wall)
        disk = DiskReserve(0, lambda: 0, ThreadPoolExecutor(1, "disk"))
        engine = Engine(store, sender, clock, chance, 30, disk)
        await engine.start()
        run_id = chance.getrandbits(30) ^ time.time_ns() & 0xFFFFFF
        for number in range(subscriptions):
            checked = {"url": f"http://127.0.0.1:{port}/{run_id:x}/{number}", "eventTypes": 7}
            await engine.submit(
                CreateSubscription(tenant_id=1, subscription_id=_new_id(clock, chance), checked=checked,
                                   secret=make_token(), retry_delays=(10, 60, 300))
            )  # fmt: skip
        before = await _count(pipe)
        cpu, began = _cpu(), time.perf_counter()
        await _publish(engine, clock, chance, events)
        wanted = events * subscriptions
        while (await _count(pipe))[1] - before[1] < wanted:
            await asyncio.sleep(0.005)
        seconds, spent = time.perf_counter() - began, _cpu() - cpu
        await engine.close(1.0)
        await store.close()
    distinct, total = await _count(pipe)
    if (distinct - before[0], total - before[1]) != (wanted, wanted):
        raise SystemExit(f"{wanted} deliveries were due; {total - before[1]} came, {distinct - before[0]} distinct")
    return wanted / seconds, spent / wanted * 1e6


async def _publish(engine: Engine, clock: SystemClock, chance: random.Random, events: int) -> None:
    left = iter(range(events))

    async def client() -> None:
        for _ in left:
            document_id = _new_id(clock, chance)
            await engine.submit(
                CreateDocument(tenant_id=1, document_id=document_id, checked=CHECKED, source_app="bench")
            )

    await asyncio.gather(*(client() for _ in range(WAITING)))


async def _count(pipe: Connection) -> Any:
    pipe.send("count")
    while not pipe.poll():
        await asyncio.sleep(0.002)
    return pipe.recv()


def _new_id(clock: SystemClock, chance: random.Random) -> str:
    return event_id(clock.wall(), chance.getrandbits(62))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--subscriptions", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=sink, args=(theirs, cores[0]), daemon=True)
    process.start()
    port = pipe.recv()
    os.sched_setaffinity(0, {cores[-1]})
    console = Console(highlight=False)
    rates, costs = [], []
    for number in range(1, options.runs + 1):
        rate, cost = uvloop.run(run(port, pipe, options.events, options.subscriptions))
        rates.append(rate)
        costs.append(cost)
        console.print(f"run {number}: {rate:8,.0f} deliveries/s  {cost:6.1f} µs CPU each")
    console.print(
        f"median: {statistics.median(rates):7,.0f} deliveries/s  {statistics.median(costs):6.1f} µs CPU each"
        f"  ({options.events:,} events, fan-out {options.subscriptions})"
    )
    pipe.send("stop")
    process.join(5)


if __name__ == "__main__":
    main()
