"""What it costs deliveries that people watch the console. See benchmarks/README.md."""

import argparse
import asyncio
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

SUBSCRIPTIONS = 20
TICKS_PER_SECOND = 100


class Connection:
    """Speaks HTTP over a connection that it keeps."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        lines = {"host": "127.0.0.1", "content-length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)

    async def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> tuple[bytes, bytes]:
        self.ask(method, path, headers, body)
        return await self.message()

    async def message(self) -> tuple[bytes, bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        return head, await self.reader.readexactly(int(length[1])) if length else b""


class Sink:
    """An endpoint that takes everything, and notes how long after its document was due each event came."""

    def __init__(self) -> None:
        self.due: dict[int, float] = {}
        self.seconds: list[float] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                _, body = await connection.message()
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                title = re.search(rb'"title":"(\d+)"', body)
                if title and int(title[1]) in self.due:
                    self.seconds.append(time.perf_counter() - self.due[int(title[1])])


async def watch(port: int, cookie: str, stop: asyncio.Event) -> None:
    """An open overview: follows what changes, and asks for the page's main part when something did, as `console.js`
    does."""
    page, stream = await Connection.to(port), await Connection.to(port)
    stream.ask("GET", "/console/t/default/live", {"cookie": cookie})
    told = ""
    while not stop.is_set():
        with suppress(TimeoutError):
            line = await asyncio.wait_for(stream.reader.readline(), 1)
            if line.startswith(b"id:"):
                told = line[3:].decode().strip()
            if line.startswith(b"data:"):
                headers = {"cookie": cookie, "accept-encoding": "gzip", "signalpost-told": told}
                await page.call("GET", "/console/t/default", headers)
    page.writer.close()
    stream.writer.close()


class Turn(NamedTuple):
    cpu_ms: float
    """What the gateway used meanwhile."""
    deliveries: int
    seconds: float
    p99_ms: float

    @property
    def cpu_of_one(self) -> float:
        """ms of CPU for each delivery."""
        return self.cpu_ms / self.deliveries


class Bench:
    def __init__(self, port: int, key: str, process: int, sink: Sink) -> None:
        self._port, self._process, self._sink = port, process, sink
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._number = 0

    async def turn(self, cookies: Sequence[str], seconds: float, rate: float) -> Turn:
        """Deliveries, while a person watches in each of these sessions."""
        stop, api = asyncio.Event(), await Connection.to(self._port)
        watching = [asyncio.create_task(watch(self._port, cookie, stop)) for cookie in cookies]
        await asyncio.sleep(1.5)
        self._sink.seconds.clear()
        used, began = self._cpu(), time.perf_counter()
        for n in range(int(seconds * rate)):
            await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            self._number += 1
            self._sink.due[self._number] = began + n / rate
            fields = {"type": "NDA", "title": str(self._number), "ownerEmail": "a@b.c", "authorEmail": "a@b.c"}
            await api.call("POST", "/v1/documents", self._headers, json.dumps(fields).encode())
        await asyncio.sleep(1)
        used, lasted, found = self._cpu() - used, time.perf_counter() - began, sorted(self._sink.seconds)
        stop.set()
        await asyncio.gather(*watching)
        api.writer.close()
        return Turn(used * 1000, len(found), lasted, found[int(len(found) * 0.99)] * 1000)

    def _cpu(self) -> float:
        """Seconds of CPU that the gateway has used."""
        fields = Path(f"/proc/{self._process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    async def sign_in(self, key: str) -> str:
        form = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
        head, _ = await (await Connection.to(self._port)).call("POST", "/console/sign-in", form, f"key={key}".encode())
        cookie = re.search(rb"set-cookie: ([^;]+)", head)
        assert cookie is not None
        return cookie[1].decode()

    async def subscribe(self, endpoint: str) -> None:
        """One subscription gets what is made; the others are only shown."""
        api = await Connection.to(self._port)
        for number in range(SUBSCRIPTIONS):
            kind = "documentDeleted" if number else "documentCreated"
            body = json.dumps({"url": f"{endpoint}/{number}", "eventTypes": [kind]}).encode()
            await api.call("POST", "/v1/subscriptions", self._headers, body)


def cost_of_viewer(turns: Mapping[int, Sequence[Turn]], viewers: int) -> float:
    """ms of CPU a second: what was used beside what so many deliveries take when no one watches. This is the same on a
    busy machine, where latencies say nothing."""
    of_one = statistics.median(turn.cpu_of_one for turn in turns[0])
    beside = [(turn.cpu_ms - of_one * turn.deliveries) / turn.seconds / viewers for turn in turns[viewers]]
    return statistics.median(beside)


async def measure(options: Any) -> None:
    sink, said = Sink(), Console()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).parent / "signalpost"), "serve", "--port", "0", "--data-dir", folder]
        command += ["--allow-targets", endpoint, "--log-level", "error"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220, S603 - one start
        try:
            while not (address := Path(folder) / "address").exists():
                await asyncio.sleep(0.1)
            key = (Path(folder) / "operator-key").read_text().strip()
            bench = Bench(int(address.read_text().strip().rpartition(":")[2]), key, process.pid, sink)
            await bench.subscribe(endpoint)
            cookies = [await bench.sign_in(key) for _ in range(options.viewers)]
            turns: dict[int, list[Turn]] = {0: [], options.viewers: []}
            for _ in range(options.turns):
                for viewers, figures in turns.items():
                    figures.append(await bench.turn(cookies[:viewers], options.seconds, options.rate))
            for viewers, figures in turns.items():
                cpu = statistics.median(turn.cpu_of_one for turn in figures)
                p99 = statistics.median(turn.p99_ms for turn in figures)
                said.print(f"{viewers:>3} viewers: {cpu:.2f} ms of CPU a delivery, p99 {p99:.1f} ms (medians)")
            said.print(f"Each viewer takes {cost_of_viewer(turns, options.viewers):.2f} ms of CPU a second.")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--rate", type=float, default=50, help="Documents a second.")
    parser.add_argument("--seconds", type=float, default=6, help="How long a turn is.")
    parser.add_argument("--turns", type=int, default=4)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
