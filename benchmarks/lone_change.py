"""How many calls a lone change takes, from the bytes of its request until its delivery is recorded.

    .venv/bin/python benchmarks/lone_change.py
    PYTHONPATH=../before/gateway/src:../before/receiver/src .venv/bin/python benchmarks/lone_change.py

At slow rates nothing is shared by a batch: each change has a transaction, a turn of its lane and a record of its own,
in caches that have gone cold. So what counts there is how much code runs, which a busy machine does not change. A real
gateway with a real SQLite file gets a `PATCH` of two members on a kept-alive connection in memory, delivers its event
to a small endpoint on the same event loop (some 20 calls), and has the next once all is recorded. Calls are counted by
`sys.setprofile` in every thread, those of functions written in Python, and all.
"""

import asyncio
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, cast

from front import Front, run_quietly

from signalpost.cli.serving.gateway_process import server
from signalpost.cli.serving.listening import listen
from signalpost.gateway import Gateway
from signalpost.sender.addresses import parse_allow_targets
from signalpost.settings import Settings

WARM = 20
COUNTED = 100
RECORDED_AFTER = 0.08
"""Seconds after a delivery in which it is recorded."""
SECRET = "whsec_c2lnbmFscG9zdCBiZW5jaG1hcmsgc2VjcmV0ISEhISE="  # noqa: S105 - of this run alone
NEW = {"type": "NDA", "title": "Mutual NDA", "ownerEmail": "owner@example.com", "authorEmail": "author@example.com"}


class Endpoint(asyncio.Protocol):
    """Takes every delivery."""

    came = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, _: bytes) -> None:
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.came.set()


class Calls:
    """Counts calls in all threads that begin after this was made, while it is on."""

    def __init__(self) -> None:
        self.is_on = False
        self.of: Counter[tuple[str, str]] = Counter()
        """How many, by thread and kind."""
        sys.setprofile(self._count)
        threading.setprofile(self._count)

    def _count(self, _frame: FrameType, event: str, _argument: Any) -> None:
        if self.is_on and event in ("call", "c_call"):
            self.of[threading.current_thread().name, event] += 1


class LoneChanges(Front):
    """Makes one change after the other."""

    async def make(self, document_id: str, count: int) -> None:
        for number in range(count):
            Endpoint.came.clear()
            body = {"contractValue": number + 1.5, "referenceId": f"change {time.monotonic_ns()}"}
            self._connections[0].data_received(self.request("PATCH", f"/v1/documents/{document_id}", body))
            await Endpoint.came.wait()
            await asyncio.sleep(RECORDED_AFTER)
            self._wires[0].written.clear()


async def measured(folder: Path) -> None:
    endpoint = await asyncio.get_running_loop().create_server(Endpoint, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{endpoint.sockets[0].getsockname()[1]}"
    listener = listen("127.0.0.1", 0, 60)
    calls = Calls()
    settings = Settings(data_dir=folder, disk_reserve_mb=1, allow_targets=parse_allow_targets(url))
    async with Gateway(settings) as gateway:
        lone = LoneChanges(gateway, server(gateway.answer, listener, 1_000).serving, connections=1)
        subscription = {"url": url, "eventTypes": ["documentUpdated"], "secret": SECRET}
        assert (await lone.answer(lone.request("POST", "/v1/subscriptions", subscription))).startswith(b"HTTP/1.1 201")
        made = await lone.answer(lone.request("POST", "/v1/documents", NEW))
        document_id = json.loads(made.partition(b"\r\n\r\n")[2])["externalId"]
        await lone.make(document_id, WARM)
        calls.is_on = True
        await lone.make(document_id, COUNTED)
        calls.is_on = False
        sys.setprofile(None)
        for thread in sorted({thread for thread, _ in calls.of}):
            in_python, in_c = calls.of[thread, "call"] / COUNTED, calls.of[thread, "c_call"] / COUNTED
            if in_python >= 1:
                print(f"{thread}: {in_python:.0f} calls of Python functions, {in_python + in_c:.0f} of all")
    listener.close()
    endpoint.close()


if __name__ == "__main__":
    run_quietly(measured)
