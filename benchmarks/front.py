"""What the front costs for a change: from the bytes of a request to the bytes of its answer, without the commit.

    .venv/bin/python benchmarks/front.py
    PYTHONPATH=../before/gateway/src:../before/receiver/src .venv/bin/python benchmarks/front.py

A real gateway gets `PUT`s of a whole document, and then `PATCH`es of two members, on 16 kept-alive connections at a
time, through the listener's protocol and a transport in memory. Its committer works as always, but the store behind it
answers at once with what a real commit answered the first. CPU of the whole process by `process_time`, the least of
some runs; calls counted by `sys.setprofile`, those of functions written in Python, and all. The log goes to a file.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvloop
from msgspec.structs import replace

from signalpost.cli.serving.gateway_process import server
from signalpost.cli.serving.listening import listen
from signalpost.cli.serving.logs import set_up_logs
from signalpost.gateway import Gateway
from signalpost.listener.http_connection import ClientConnection
from signalpost.settings import Settings
from signalpost.store.store import PublishedBatch

CONNECTIONS = 16
ROUNDS = 125
RUNS = 7
COUNTED_ROUNDS = 20
DOCUMENT = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
SNAPSHOT = {
    "type": "NDA",
    "title": "Service Agreement for Company A",
    "status": "awaitingSignature",
    "createdAt": "2026-01-15T09:30:00.123456+00:00",
    "sourceApp": "archive",
    "startDate": "2021-11-25",
    "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com",
    "referenceId": "R-17",
    "contractValue": 1500.25,
    "counterpartyName": "Company A",
    "additionalFacts": {"currency": "AUD", "pages": 12},
    "latestVersion": {"number": "1.0", "downloadUrl": "https://archive.example.com/1"},
}


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        pass

    abort = close


class StoreAtOnce:
    """Answers every command as a real commit answered the first."""

    commits_on_a_thread = True

    def __init__(self, first: PublishedBatch) -> None:
        self._result = first.results[0]

    async def publish(self, commands: Sequence[Any]) -> PublishedBatch:
        return PublishedBatch(tuple(self._result for _ in commands))


class Front:
    """A gateway, and clients that are connected to it in memory."""

    def __init__(self, gateway: Gateway, serving: Any, connections: int = CONNECTIONS) -> None:
        self._engine: Any = gateway._engine
        self._store = self._engine._committer._store
        self._key = gateway.operator_key
        self._wires = [Wire() for _ in range(connections)]
        self._connections = [ClientConnection(serving) for _ in self._wires]
        for connection, wire in zip(self._connections, self._wires, strict=True):
            connection.connection_made(wire)

    def put(self, version: int) -> bytes:
        return self.request("PUT", f"/v1/documents/{DOCUMENT}?sourceVersion={version}", SNAPSHOT)

    def patch(self) -> bytes:
        return self.request("PATCH", f"/v1/documents/{DOCUMENT}", {"contractValue": 7.5, "referenceId": "change 7"})

    def request(self, method: str, target: str, sent: object) -> bytes:
        body = json.dumps(sent).encode()
        return (
            f"{method} {target} HTTP/1.1\r\nhost: localhost:8080\r\n"
            f"accept: */*\r\nuser-agent: example/1.0\r\nauthorization: Bearer {self._key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def answer(self, request: bytes) -> bytes:
        """The answer to every client, which all send this."""
        for connection in self._connections:
            connection.data_received(request)
        while not all(wire.written for wire in self._wires):
            await asyncio.sleep(0)
        answer = b"".join(self._wires[0].written)
        for wire in self._wires:
            wire.written.clear()
        return answer

    async def commit_no_more(self, request: bytes) -> None:
        """Have the store answer at once from now on, as it answered this request."""
        committer, kept = self._engine._committer, []
        store = self._store

        async def publish_and_keep(commands: Sequence[Any]) -> Any:
            kept.append(await store.publish(commands))
            return kept[-1]

        class Keeping:
            commits_on_a_thread = True
            publish = staticmethod(publish_and_keep)

        committer._store = Keeping()
        assert await self.answer(request)
        committer._store = StoreAtOnce(replace(kept[-1], events=()))
        committer._on_published = lambda *_: None


async def cpu_of(front: Front, request: bytes) -> float:
    """µs for each request."""
    best = float("inf")
    for _ in range(RUNS):
        begun = time.process_time()
        for _ in range(ROUNDS):
            await front.answer(request)
        best = min(best, time.process_time() - begun)
    return best / ROUNDS / CONNECTIONS * 1e6


async def calls_of(front: Front, request: bytes) -> tuple[float, float]:
    """How many functions written in Python are entered for each request, and how many of all."""
    counts = {"call": 0, "c_call": 0}

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        if event in counts:
            counts[event] += 1

    sys.setprofile(count)
    try:
        for _ in range(COUNTED_ROUNDS):
            await front.answer(request)
    finally:
        sys.setprofile(None)
    made = COUNTED_ROUNDS * CONNECTIONS
    return counts["call"] / made, (counts["call"] + counts["c_call"]) / made


async def measured(folder: Path, profile: Callable[[Front, bytes], Any] | None) -> None:
    listener = listen("127.0.0.1", 0, 60)
    async with Gateway(Settings(data_dir=folder, disk_reserve_mb=1)) as gateway:
        app: Any = gateway.answer if hasattr(gateway, "answer") else gateway.app
        front = Front(gateway, server(app, listener, 1_000).serving)
        assert await front.answer(front.put(1))
        for request in (front.put(2), front.patch()):
            await front.commit_no_more(request)
            answer = await front.answer(request)
            assert answer.startswith(b"HTTP/1.1 20"), answer
            if profile is not None:
                await profile(front, request)
                continue
            cpu = await cpu_of(front, request)
            in_python, all_calls = await calls_of(front, request)
            method = request.partition(b" ")[0].decode()
            print(f"{method}: {cpu:.1f} µs CPU, {in_python:.0f} calls of Python functions, {all_calls:.0f} of all")
    listener.close()


def run_quietly(measured: Callable[[Path], Coroutine[Any, Any, None]]) -> None:
    """Run it in a folder of its own, where the gateway's log goes, too."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.open(f"{folder}/log", os.O_WRONLY | os.O_CREAT)
        shown = os.dup(2)
        os.dup2(log, 2)
        try:
            set_up_logs("info", "json")
            uvloop.run(measured(Path(folder)))
        finally:
            os.dup2(shown, 2)


def main(profile: Callable[[Front, bytes], Any] | None = None) -> None:
    run_quietly(lambda folder: measured(folder, profile))


if __name__ == "__main__":
    main()
