"""The load: clients of the HTTP API, as fast as they are answered, at a steady rate, or as one stream of an import."""

import asyncio
import gc
import json
import time
from collections import Counter, deque
from collections.abc import Iterator
from itertools import count, takewhile
from operator import itemgetter
from typing import Any, cast

import httptools
import msgspec
from msgspec import Struct

from signalpost_bench.child_process import answer_questions
from signalpost_bench.workload import Workload, at_rate, tenant_name

CLIENTS = 64
TRIES = 2
"""How often a change is sent whose connection ended as it was sent. Of two that are alike one changes nothing."""


class HttpClient(asyncio.Protocol):
    """One kept-alive connection: a request at a time, over httptools."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[tuple[int, bytes]]] = deque()
        self._body = bytearray()
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        body, self._body = bytes(self._body), bytearray()
        waiting = self._waiting.popleft()
        if not waiting.done():  # whoever sent it may wait no longer
            waiting.set_result((self._parser.get_status_code(), body))

    def connection_lost(self, error: Exception | None) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(ConnectionError(f"the gateway closed the connection: {error}"))

    async def send(self, request: bytes) -> tuple[int, bytes]:
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        if self.transport.is_closing():
            raise ConnectionError("the gateway has closed the connection")
        self._waiting.append(future)
        self.transport.write(request)
        return await future


class SteadyAnswers(Struct, frozen=True):
    """What the gateway answered to changes at a steady rate."""

    sent: list[tuple[str, int]]
    """What each change was called that was answered 200, and when it was due."""
    refused: dict[str, int]
    """How often each other answer came."""
    began: list[tuple[int, int]]
    """The port of each request's connection, and the CPU time that the gateway had spent when it was sent (ns)."""


class Load:
    async def open(self, port: int, key: str, workload: dict[str, Any], pid: int) -> None:
        """`pid` is the gateway's process."""
        self._workload = msgspec.convert(workload, Workload)
        self._head = f"host: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        self._port = port
        self._cpu = cpu_clock(pid)
        self._clients = [await self._connect() for _ in range(CLIENTS)]
        self._documents: list[tuple[int, str]] = []
        """The tenant and the id of each document."""
        self._changes = 0

    async def _connect(self) -> HttpClient:
        return (await asyncio.get_running_loop().create_connection(HttpClient, "127.0.0.1", self._port))[1]

    async def subscribe(self, url: str, secret: str) -> None:
        """Make the tenants and their subscriptions."""
        load = self._workload
        for tenant in range(2, load.tenants + 1):
            await self._ask("POST", "/v1/tenants", {"name": tenant_name(tenant)}, 201)
        for number in range(load.endpoints):
            body = {
                "url": f"{url}/{number}",
                "eventTypes": [load.wants(number // load.tenants)],
                "secret": secret,
                "ordering": load.ordering,
            }
            await self._ask("POST", "/v1/subscriptions", body, 201, number % load.tenants + 1)

    async def make_documents(self) -> None:
        left = iter([number % self._workload.tenants + 1 for number in range(self._workload.documents)])
        body = self._workload.new_document()

        async def make(client: HttpClient) -> None:
            for tenant in left:
                status, answer = await client.send(self._request("POST", "/v1/documents", body, tenant))
                _expect(status, 201, answer)
                self._documents.append((tenant, json.loads(answer)["externalId"]))

        await asyncio.gather(*map(make, self._clients))

    async def change(self, events: int) -> dict[str, int]:
        """Make so many changes, as fast as they are answered. Returns when that began, and how many there were."""
        return await self._change_each(iter(range(events)))

    async def change_for(self, seconds: float) -> dict[str, int]:
        """Change documents as `change` does, for so many seconds."""
        end = time.monotonic() + seconds
        return await self._change_each(takewhile(lambda _: time.monotonic() < end, count()))

    async def _change_each(self, left: Iterator[int]) -> dict[str, int]:
        began, changes = time.monotonic_ns(), self._changes

        async def change(client: HttpClient) -> None:
            for _ in left:
                status, answer = await client.send(self._next_change("a change"))
                _expect(status, 200, answer)

        await asyncio.gather(*map(change, self._clients))
        return {"began": began, "events": self._changes - changes}

    async def trickle(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Change documents at a steady rate. Returns what each change was called, and when it was due."""
        told = await self._trickle(rate, seconds)
        if told.refused:
            raise RuntimeError(f"the gateway refused changes: {told.refused}")
        return told.sent

    async def trickle_on(self, rate: int, seconds: float) -> Any:
        """Change documents as `trickle` does, and count every answer."""
        return msgspec.to_builtins(await self._trickle(rate, seconds))

    async def _trickle(self, rate: int, seconds: float) -> SteadyAnswers:
        sent: list[tuple[str, int]] = []
        began: list[tuple[int, int]] = []
        refused = Counter[str]()
        free = asyncio.Queue[HttpClient]()
        for client in self._clients:
            free.put_nowait(client)

        async def change(client: HttpClient, request: bytes, name: str, due: int) -> None:
            status, answer = 0, b""
            for _ in range(TRIES):  # the gateway may close a connection that has nothing to do for another's
                if client.transport.is_closing():
                    client = await self._connect()
                began.append((client.port, time.clock_gettime_ns(self._cpu)))
                try:
                    status, answer = await client.send(request)
                    break
                except ConnectionError as lost:
                    answer = str(lost).encode()
            free.put_nowait(client)
            if status == 200:
                sent.append((name, due))
            else:
                refused[f"{status} {answer[:200].decode()}"] += 1

        async with asyncio.TaskGroup() as changes:
            async for name, due in at_rate(rate, seconds):
                client = await free.get()
                changes.create_task(change(client, self._next_change(name), name, due))
        return SteadyAnswers(sorted(sent, key=itemgetter(1)), refused, began)

    async def import_all(self, events: int) -> dict[str, int]:
        """Import changed snapshots as one stream, read while it is sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"POST /v1/documents/import HTTP/1.1\r\n{self._head}content-type: application/x-ndjson\r\n"
        writer.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
        began = time.monotonic_ns()
        _, refused = await asyncio.gather(self._send_lines(writer, events), _read_lines(reader))
        writer.close()
        if refused:
            raise RuntimeError(f"the gateway refused {refused} lines of the import")
        return {"began": began, "events": events}

    async def _send_lines(self, writer: asyncio.StreamWriter, events: int) -> None:
        for begin in range(0, events, 64):
            lines = b"".join(self._line(number) for number in range(begin, min(begin + 64, events)))
            writer.write(b"%x\r\n%b\r\n" % (len(lines), lines))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    def _line(self, number: int) -> bytes:
        snapshot = {
            **self._workload.new_document(),
            "externalId": self._documents[number % len(self._documents)][1],
            "status": "approved",
            "createdAt": "2026-01-15T09:30:00Z",
            "sourceApp": "bench",
            "contractValue": number + 0.25,
        }
        return msgspec.json.encode(snapshot) + b"\n"

    def _next_change(self, name: str) -> bytes:
        number = self._changes
        self._changes += 1
        tenant, document_id = self._documents[number % len(self._documents)]
        body = {"contractValue": number % 1_000_000 + 1.5, "referenceId": name}
        return self._request("PATCH", f"/v1/documents/{document_id}", body, tenant)

    async def _ask(self, method: str, path: str, body: object, expected: int, tenant: int = 1) -> Any:
        status, answer = await self._clients[0].send(self._request(method, path, body, tenant))
        _expect(status, expected, answer)
        return json.loads(answer)

    def _request(self, method: str, path: str, body: object, tenant: int) -> bytes:
        content = msgspec.json.encode(body)
        head = f"{method} {path} HTTP/1.1\r\n{self._head}content-type: application/json\r\n"
        if tenant > 1:
            head += f"signalpost-tenant: {tenant_name(tenant)}\r\n"
        return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content

    async def close(self) -> None:
        for client in self._clients:
            client.transport.close()


def cpu_clock(pid: int) -> int:
    """The number of the clock that tells the CPU time of a process, as the kernel makes it of its id."""
    return (~pid << 3) | 2


async def _read_lines(reader: asyncio.StreamReader) -> int:
    """Read a chunked answer to its end; how many lines of it say that something was refused."""
    head = await reader.readuntil(b"\r\n\r\n")
    _expect(int(head.split(b" ", 2)[1]), 200, head)
    refused, rest = 0, b""
    while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
        *lines, rest = (rest + await reader.readexactly(size)).split(b"\n")
        await reader.readexactly(2)
        refused += sum(b'"problem"' in line for line in lines)
    return refused


def _expect(status: int, expected: int, answer: bytes) -> None:
    if status != expected:
        raise RuntimeError(f"the gateway answered {status}: {answer[:300]!r}")


if __name__ == "__main__":
    gc.disable()  # what it found in a full pass would be measured as the gateway's latency
    load = Load()
    answer_questions(
        {
            "open": load.open,
            "subscribe": load.subscribe,
            "make_documents": load.make_documents,
            "change": load.change,
            "change_for": load.change_for,
            "trickle": load.trickle,
            "trickle_on": load.trickle_on,
            "import_all": load.import_all,
            "close": load.close,
        }
    )
