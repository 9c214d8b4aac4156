"""The overload: clients of several tenants, each with its own connections and a rate that no answer changes.

Unlike `load.py` it takes a refusal for an answer and says how long each took, and it costs so little that it can ask
for several times what a gateway can take. A connection has one request at a time. What falls due while all of a
group's connections wait for their answers is asked for as they get them.
"""

import asyncio
import itertools
import time
from collections import deque
from typing import Any, cast

import msgspec
from msgspec import Struct

from signalpost_bench.child_process import answer_questions
from signalpost_bench.results import share
from signalpost_bench.workload import SECRET, Workload

TICK_SECONDS = 0.002
ENDED_SECONDS = 120.0
"""Seconds that the last answers may take."""
_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "
_RETRY_AFTER = b"\r\nretry-after: "


class Group(Struct, frozen=True):
    """The clients of one tenant."""

    tenant: str
    clients: int
    rate: int | None = None
    """Requests a second of all clients together; None for as fast as they are answered."""


class TenantAnswers(Struct):
    """What the clients of a tenant were told."""

    asked: int = 0
    accepted: list[str] = []
    """What each change was called that was answered 2xx."""
    accepted_ms: list[float] = []
    refused_ms: list[float] = []
    """The milliseconds after which each 429 with `Retry-After` came."""
    other: dict[str, int] = {}
    """Every other answer, and every connection that was lost."""


class _Client(asyncio.Protocol):
    """One connection. `told` is called with the head of each answer, and with None if the connection is lost."""

    def __init__(self) -> None:
        self._rest = b""
        self.told: Any = None
        self.name = ""
        self.sent_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> None:
        self.sent_at = time.monotonic_ns()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        self._rest = b""
        end = data.find(_END)
        begin = data.find(_LENGTH, 0, end) + len(_LENGTH)
        if end < 0 or len(data) < end + len(_END) + int(data[begin : data.find(b"\r\n", begin)]):
            self._rest = data
        else:
            self.told(self, data)

    def connection_lost(self, _: Exception | None) -> None:
        if self.told is not None:
            self.told(self, None)

    def close(self) -> None:
        self.told = None
        self._transport.close()


class _TenantClients:
    """The clients of a tenant, and the documents that they change."""

    def __init__(self, tenant: str, head: str, workload: Workload) -> None:
        self._tenant = tenant
        self._head = f"{head}signalpost-tenant: {tenant}\r\ncontent-type: application/json\r\n"
        self._workload = workload
        self._documents: list[str] = []
        self._changes = itertools.count()

    def request(self, method: str, path: str, body: object) -> bytes:
        content = msgspec.json.encode(body)
        return f"{method} {path} HTTP/1.1\r\n{self._head}content-length: {len(content)}\r\n\r\n".encode() + content

    async def prepare(self, client: _Client, url: str, documents: int) -> None:
        """Make a subscription to `url`, and documents to be changed."""
        wanted = {"url": url, "eventTypes": ["documentUpdated"], "secret": SECRET}
        await self._made(client, "/v1/subscriptions", wanted)
        for _ in range(documents):
            answer = await self._made(client, "/v1/documents", self._workload.new_document())
            self._documents.append(answer["externalId"])

    async def _made(self, client: _Client, path: str, body: object) -> Any:
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        client.told = lambda _, data: answer.set_result(data)
        client.send(self.request("POST", path, body))
        data = await answer
        if data is None or not data.startswith(b"HTTP/1.1 201"):
            raise RuntimeError(f"the gateway answered {data!r}"[:300])
        return msgspec.json.decode(data[data.index(_END) + len(_END) :])

    async def run(self, clients: list[_Client], rate: int | None, seconds: float) -> TenantAnswers:
        """Change documents for so long, then wait for what was asked for."""
        told, free, given = TenantAnswers(), deque(clients), 0
        began = time.monotonic()
        end = began + seconds
        all_answered = asyncio.Event()

        def due() -> int:
            return given + len(clients) if rate is None else int((min(time.monotonic(), end) - began) * rate)

        def ask(client: _Client) -> None:
            nonlocal given
            given += 1
            number = next(self._changes)
            client.name = f"{self._tenant} {number}"
            document_id = self._documents[number % len(self._documents)]
            body = {"contractValue": number % 1_000_000 + 1.5, "referenceId": client.name}
            client.send(self.request("PATCH", f"/v1/documents/{document_id}", body))

        def on_told(client: _Client, data: bytes | None) -> None:
            _note(told, client, data)
            if time.monotonic() < end and given < due() and data is not None:
                ask(client)
                return
            if data is not None:
                free.append(client)
            told.asked = given
            if len(told.accepted) + len(told.refused_ms) + sum(told.other.values()) >= given:
                all_answered.set()

        for client in clients:
            client.told = on_told
        while time.monotonic() < end:
            for _ in range(min(len(free), due() - given)):
                ask(free.popleft())
            await asyncio.sleep(TICK_SECONDS)
        all_answered.clear()
        if len(free) < len(clients):
            await asyncio.wait_for(all_answered.wait(), ENDED_SECONDS)
        return told


def _note(told: TenantAnswers, client: _Client, data: bytes | None) -> None:
    took = (time.monotonic_ns() - client.sent_at) / 1e6
    if data is None:
        told.other["connection lost"] = told.other.get("connection lost", 0) + 1
    elif data[9:10] == b"2":
        told.accepted.append(client.name)
        told.accepted_ms.append(took)
    elif data[9:12] == b"429" and _RETRY_AFTER in data:
        told.refused_ms.append(took)
    else:
        status = data[9:12].decode()
        told.other[status] = told.other.get(status, 0) + 1


class Flood:
    async def open(self, port: int, key: str, workload: dict[str, Any], tenants: list[str], url: str) -> None:
        """Make a subscription and documents of each tenant."""
        self._port = port
        load = msgspec.convert(workload, Workload)
        head = f"host: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        self._tenants = {tenant: _TenantClients(tenant, head, load) for tenant in tenants}
        each = max(1, load.documents // len(tenants))
        clients = await self._connect(len(tenants))
        prepared = zip(tenants, clients, strict=True)
        await asyncio.gather(
            *(self._tenants[tenant].prepare(client, f"{url}/{tenant}", each) for tenant, client in prepared)
        )
        for client in clients:
            client.close()

    async def run(self, groups: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
        """What each tenant was told."""
        asked = [msgspec.convert(group, Group) for group in groups]
        clients = [await self._connect(group.clients) for group in asked]
        told = await asyncio.gather(
            *(
                self._tenants[group.tenant].run(own, group.rate, seconds)
                for group, own in zip(asked, clients, strict=True)
            )
        )
        for client in itertools.chain(*clients):
            client.close()
        return {group.tenant: _summary(each) for group, each in zip(asked, told, strict=True)}

    async def _connect(self, count: int) -> list[_Client]:
        loop = asyncio.get_running_loop()
        return [(await loop.create_connection(_Client, "127.0.0.1", self._port))[1] for _ in range(count)]


def _summary(told: TenantAnswers) -> dict[str, Any]:
    return {
        "asked": told.asked,
        "accepted": told.accepted,
        "accepted_p99_ms": share(sorted(told.accepted_ms), 0.99) if told.accepted_ms else None,
        "refused": len(told.refused_ms),
        "refused_p99_ms": share(sorted(told.refused_ms), 0.99) if told.refused_ms else None,
        "other": told.other,
    }


if __name__ == "__main__":
    overload = Flood()
    answer_questions({"open": overload.open, "run": overload.run})
