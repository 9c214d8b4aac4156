"""How fast a gateway is fed from a source, beside the same changes as one stream of an import: in turns, each on a
gateway with a database of its own, which delivers every change to an endpoint.

    .venv/bin/python benchmarks/sources.py --rounds 3                        # an outbox, and a topic of Kafka
    .venv/bin/python benchmarks/sources.py --minutes 10 --source outbox      # memory, while it never ends
    .venv/bin/python benchmarks/sources.py --minutes 60 --source outbox --rate 150 --drain   # and of a steady feed

Kafka is measured if it is here (`make connect-kafka`). A drain writes to NATS (`make connect-nats`). As in `signalpost
bench`, the gateway has a core of its own, and all else shares another: the endpoint, the connector, and the database or
broker that it reads. A rate counts from the first delivery to the last, so no start is in it. What is printed is the
rate, its share of the import's in the same round, and the CPU of gateway and connector for each change; for memory,
what is resident at each minute.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import psycopg
from connect.tests.kafka_broker import JARS, Broker
from connect.tests.nats_server import NatsServer
from connect.tests.platform import Platform
from rich.console import Console
from rich.table import Table

from signalpost_bench import postgres_server
from signalpost_bench.harness import QUIET_SECONDS, Harness
from signalpost_bench.resource_monitor import MB, cpu_seconds
from signalpost_bench.serving import GatewayProcess
from signalpost_bench.workload import SECRET, Workload
from signalpost_client import Client

DOCUMENTS = 5_000
WARM = 1_000
"""How many changes arrive before CPU is counted: by then everything has started."""
READY = 20_000
"""How many changes a source has before a run of minutes begins, and is filled up to."""
COMMAND = (sys.executable, "-m", "signalpost_connect")


class State(NamedTuple):
    """A state of a document."""

    document: str
    version: int
    snapshot: dict[str, Any]


class Feed(Protocol):
    """A way into the gateway."""

    name: str

    def put(self, states: Sequence[State]) -> None:
        """Make changes ready to be read."""

    def run(self, gateway: GatewayProcess) -> "Running":
        """Begin to read."""


class Running(Protocol):
    """A feed that works."""

    @property
    def cpu(self) -> float:
        """The seconds of CPU that it has used so far."""

    def wait(self) -> None:
        """Let go of it, once everything has arrived."""


# --- What is compared with --------------------------------------------------------------------------------------------


class Import:
    """One stream of an import, as fast as it is answered."""

    name = "import"

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def put(self, states: Sequence[State]) -> None:
        self._lines = [line_of(each, sourceVersion=each.version) + b"\n" for each in states]

    def run(self, gateway: GatewayProcess) -> Running:
        return ImportRunning(gateway, self._lines)


class ImportRunning:
    def __init__(self, gateway: GatewayProcess, lines: Sequence[bytes]) -> None:
        self._thread = threading.Thread(target=asyncio.run, args=(self._stream(gateway, lines),))
        self._thread.start()
        self.cpu = 0.0  # not of a process of its own

    def wait(self) -> None:
        self._thread.join()

    async def _stream(self, gateway: GatewayProcess, lines: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = f"POST /v1/documents/import HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {gateway.key}\r\n"
        head += "content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        writer.write(head.encode())

        async def write() -> None:
            for begin in range(0, len(lines), 64):
                part = b"".join(lines[begin : begin + 64])
                writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                await writer.drain()
            writer.write(b"0\r\n\r\n")

        async def read() -> None:
            while await reader.read(65_536):
                pass

        await asyncio.gather(write(), read())
        writer.close()
        await writer.wait_closed()


# --- Sources ----------------------------------------------------------------------------------------------------------


class ConnectorRunning:
    """`signalpost-connect run` with what is below `[source]`, or `drain` with what is below `[sink]`."""

    def __init__(
        self,
        folder: Path,
        gateway: GatewayProcess,
        content: str,
        *,
        command: Literal["run", "drain"] = "run",
    ) -> None:
        config, key = folder / f"{uuid.uuid4()}.toml", folder / f"{command}.key"
        table, role = ("source", "app") if command == "run" else ("sink", "viewer")
        with Client(f"http://127.0.0.1:{gateway.port}", gateway.key) as client:
            key.write_text(client.keys.create(name=command, role=role).key or "")
        config.write_text(
            f'[gateway]\nurl = "http://127.0.0.1:{gateway.port}"\nkey = {{ file = "{key}" }}\n[{table}]\n{content}'
        )
        self.process = subprocess.Popen([*COMMAND, command, config], stderr=subprocess.DEVNULL)  # noqa: S603

    @property
    def cpu(self) -> float:
        return cpu_seconds(self.process.pid)

    def wait(self) -> None:
        self.process.terminate()
        self.process.wait()


class OutboxFeed:
    """The outbox of a PostgreSQL."""

    name = "outbox"

    def __init__(self, folder: Path, server: postgres_server.PostgresServer) -> None:
        self._folder, self._server = folder, server
        self._platform = self._made()

    def put(self, states: Sequence[State]) -> None:
        columns = "(tenant, document_id, source_version, snapshot)"
        with (
            self._platform.sql.transaction(),
            self._platform.sql.cursor() as cursor,
            cursor.copy(f"COPY signalpost_outbox {columns} FROM STDIN") as rows,
        ):
            for each in states:
                rows.write_row(("default", each.document, each.version, msgspec.json.encode(each.snapshot).decode()))

    def left(self) -> int:
        return self._platform.left()

    def run(self, gateway: GatewayProcess) -> ConnectorRunning:
        source = f'kind = "outbox"\ndatabase = {{ file = "{self._platform.database}" }}\n'
        return ConnectorRunning(self._folder, gateway, source)

    def _made(self) -> Platform:
        name, role = f"platform_{uuid.uuid4().hex}", f"reader_{uuid.uuid4().hex}"
        with psycopg.connect(self._server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return Platform(self._server.url(name), self._server.url(name, role), role, self._folder)


class KafkaFeed:
    """A topic of a broker of Kafka, with three partitions."""

    name = "kafka"

    def __init__(self, folder: Path, broker: Broker) -> None:
        self._folder, self._broker = folder, broker
        self._topic, self._dead_topic = broker.make_topic(3), broker.make_topic()

    def put(self, states: Sequence[State]) -> None:
        for begin in range(0, len(states), 5_000):
            part = states[begin : begin + 5_000]
            self._broker.send(self._topic, *((each.document, line_of(each)) for each in part))

    def left(self) -> int:
        return self._broker.left(self._topic, self._topic)

    def run(self, gateway: GatewayProcess) -> ConnectorRunning:
        source = (
            f'kind = "kafka"\nservers = ["{self._broker.server}"]\ntls = false\ntopic = "{self._topic}"\n'
            f'dead_topic = "{self._dead_topic}"\ngroup = "{self._topic}"\n'
        )
        return ConnectorRunning(self._folder, gateway, source)


def line_of(state: State, **more: Any) -> bytes:
    """A state as a line of an import."""
    return msgspec.json.encode({**state.snapshot, "externalId": state.document, **more})


def states(first: int, count: int) -> Sequence[State]:
    """Changes of as many documents as there are, each in its turn."""
    about = {**Workload().new_document(), "status": "approved", "createdAt": "2026-01-15T09:30:00Z"}
    return [
        State(
            str(uuid.UUID(int=number % DOCUMENTS, version=4)),
            number + 1,
            {**about, "sourceApp": "bench", "contractValue": number + 0.25},
        )
        for number in range(first, first + count)
    ]


# --- Rates ------------------------------------------------------------------------------------------------------------


class Rate(NamedTuple):
    a_second: float
    gateway_us: float
    connector_us: float


def rate_of(harness: Harness, feed: Feed, changes: Sequence[State]) -> Rate:
    """What a gateway is fed, from the first delivery to the last. CPU is that for each change after the first ones."""
    feed.put(changes)
    with harness.gateway() as gateway:
        with Client(f"http://127.0.0.1:{gateway.port}", gateway.key) as client:
            wanted = ["documentCreated", "documentUpdated"]
            client.subscriptions.create(url=f"{harness.url}/0", event_types=wanted, secret=SECRET)
        harness.sink.ask("forget", secret=SECRET, timed="/0")
        running = feed.run(gateway)
        try:
            warm = harness.sink.ask("wait_for", count=WARM, seconds=QUIET_SECONDS)
            before, own = gateway.monitor.usage().cpu, running.cpu
            harness.expect(len(changes))
            spent, own = gateway.monitor.usage().cpu - before, running.cpu - own
        finally:
            running.wait()
        arrived = [at for _, at in harness.check(len(changes))["arrived"]]
    seconds = (max(arrived) - min(arrived)) / 1e9
    counted = len(changes) - warm
    return Rate(len(changes) / seconds, spent / counted * 1e6, own / counted * 1e6)


def compare(harness: Harness, kinds: Sequence[str], rounds: int, count: int) -> None:
    """Print the medians of all rounds."""
    found, shares, changes = defaultdict[str, list[Rate]](list), defaultdict[str, list[float]](list), states(0, count)
    for number in range(rounds):
        order = ["import", *kinds] if number % 2 == 0 else [*kinds, "import"]
        for kind in order:
            with made(kind) as feed:
                found[kind].append(rate_of(harness, feed, changes))
            print(f"round {number + 1}, {kind}: {found[kind][-1].a_second:,.0f} a second", file=sys.stderr)
        for kind in kinds:
            shares[kind].append(found[kind][-1].a_second / found["import"][-1].a_second)
    table = Table("feed", "a second", "of the import", "gateway's CPU µs", "connector's CPU µs")
    for kind in ("import", *kinds):
        rate = Rate(*map(statistics.median, zip(*found[kind], strict=True)))
        share = f"{statistics.median(shares[kind]):.2f}" if kind in shares else ""
        own = f"{rate.connector_us:.0f}" if rate.connector_us else ""
        table.add_row(kind, f"{rate.a_second:,.0f}", share, f"{rate.gateway_us:.0f}", own)
    Console().print(table)


@contextmanager
def made(kind: str) -> Iterator[Any]:
    """A feed, with the server that it reads."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signalpost-bench-")))
        if kind == "outbox":
            yield OutboxFeed(folder, stack.enter_context(postgres_server.running()))
        elif kind == "kafka":
            broker = Broker(folder)
            stack.callback(broker.end)
            broker.start()
            yield KafkaFeed(folder, broker)
        else:
            yield Import()


# --- Memory -----------------------------------------------------------------------------------------------------------


def watch_memory(harness: Harness, kind: str, minutes: int, rate: int | None, *, drains: bool) -> None:
    """Print what is resident at each minute, while the source gets so many changes a second, or never has nothing."""
    with ExitStack() as stack:
        feed, gateway = stack.enter_context(made(kind)), stack.enter_context(harness.gateway())
        running = feed.run(gateway)
        stack.callback(running.wait)
        pids = {"connector": running.process.pid, "gateway": gateway.pid}
        if drains:
            pids["drain"] = stack.enter_context(drain_to_nats(gateway)).process.pid
        print(f"{'minute':>8}{'changes':>12}", *(f"{name + ' MB':>13}" for name in pids))
        put, began = 0, time.monotonic()
        for minute in range(1, minutes + 1):
            while (elapsed := time.monotonic() - began) < 60 * minute:
                more = missing(feed) if rate is None else int(rate * elapsed) - put
                feed.put(states(put, more))
                put += more
                time.sleep(0.2)
            resident = [f"{resident_mb(pid):13.1f}" for pid in pids.values()]
            print(f"{minute:8}{put - feed.left():12,}", *resident, flush=True)


def missing(feed: Any) -> int:
    """How many changes fill a source up that has half of them or less."""
    left: int = feed.left()
    return READY - left if left < READY // 2 else 0


@contextmanager
def drain_to_nats(gateway: GatewayProcess) -> Iterator[ConnectorRunning]:
    """A drain to a stream of NATS, which keeps the last thousand events."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signalpost-bench-")))
        server = NatsServer(folder)
        server.start()
        stack.callback(server.kill)
        server.do(lambda js: js.add_stream(name="EVENTS", subjects=["events.>"], max_msgs=1000))
        server.do(lambda js: js.add_stream(name="CURSORS", subjects=["cursors.>"], max_msgs_per_subject=1))
        url = folder / "nats-url"
        url.write_text(server.url)
        sink = f'kind = "nats"\nurl = {{ file = "{url}" }}\nsubject = "events"\ncursor_subject = "cursors.events"\n'
        running = ConnectorRunning(folder, gateway, sink, command="drain")
        stack.callback(running.wait)
        yield running


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) * 1024 / MB


def main() -> None:
    here = ["outbox", "kafka"] if JARS.exists() else ["outbox"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--changes", type=int, default=20_000, help="of each run")
    parser.add_argument("--source", choices=here, action="append", help="which source; all that are here")
    parser.add_argument("--minutes", type=int, help="watch the memory for so long, and measure no rates")
    parser.add_argument("--rate", type=int, help="how many changes a second there are meanwhile; as many as possible")
    parser.add_argument("--drain", action="store_true", help="have a drain beside it")
    asked = parser.parse_args()
    kinds = asked.source or here
    with Harness(Workload(), None, tls=False) as harness:
        if asked.minutes is None:
            compare(harness, kinds, asked.rounds, asked.changes)
        else:
            for kind in kinds:
                watch_memory(harness, kind, asked.minutes, asked.rate, drains=asked.drain)


if __name__ == "__main__":
    main()
