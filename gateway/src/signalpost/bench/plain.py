"""The engine by itself, driven in process: changes of documents are submitted as the API would submit them."""

import asyncio
import random
import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from signalpost.bench.parts import answer_questions
from signalpost.bench.workload import SECRET, Workload, bytes_in
from signalpost.domain.document_commands import CreateDocument, PatchDocument
from signalpost.domain.event import event_id
from signalpost.domain.subscription_commands import CreateSubscription, PatchSubscription
from signalpost.engine.addresses import parse_allow_targets
from signalpost.engine.clock import SystemClock
from signalpost.engine.disk_reserve import DiskReserve
from signalpost.engine.engine import Engine
from signalpost.engine.sender import Sender, SenderSettings
from signalpost.store.sqlite.database import FILE_NAME, connect, migrate
from signalpost.store.sqlite.store import SqliteStore, thread_executors
from signalpost.store.vault import Vault

WAITING = 512
"""Changes submitted and not yet answered."""


class Plain:
    """One engine on a new database, with its documents and subscriptions made."""

    async def open(self, workload: dict[str, Any], url: str, certificate: str | None, status: str) -> None:
        self._workload = load = msgspec.convert(workload, Workload)
        self._clock, self._random = SystemClock(), random.Random(1)  # noqa: S311 - a workload, no secret
        self._folder = tempfile.TemporaryDirectory(prefix="signalpost-bench-")
        path = Path(self._folder.name) / FILE_NAME
        _make_tenants(path, load.tenants)
        self._store = SqliteStore(
            path, Vault(bytes(32)), self._clock.wall, self._random.getrandbits, thread_executors(), _end
        )
        authority = url.removesuffix("/").split("://")
        settings = SenderSettings(
            allow_targets=parse_allow_targets(f"{authority[0]}://127.0.0.1:{authority[1].rsplit(':', 1)[1]}"),
            ca_file=None if certificate is None else Path(certificate),
        )
        sender = Sender(settings, loop=asyncio.get_running_loop(), wall=self._clock.wall)
        disk = DiskReserve(0, lambda: 0, ThreadPoolExecutor(1))
        self._engine = Engine(self._store, sender, self._clock, self._random, 30, disk)
        await self._engine.start()
        self._documents = await self._make_documents()
        self._subscriptions = await self._subscribe(url, status)
        self._changes = 0

    async def publish(self, events: int) -> dict[str, float]:
        """Change documents `events` times: the seconds until the last is committed, and when the first was asked."""
        began = time.monotonic_ns()
        left = iter(range(events))
        await asyncio.gather(*(self._change_some(left) for _ in range(WAITING)))
        return {"began": began, "seconds": (time.monotonic_ns() - began) / 1e9}

    async def resume(self) -> int:
        """Let every subscription send; when that was."""
        began = time.monotonic_ns()
        for tenant_id, subscription_id in self._subscriptions:
            command = PatchSubscription(
                tenant_id=tenant_id, subscription_id=subscription_id, checked={"status": "active"}
            )
            await self._engine.submit(command)
        return began

    async def usage(self) -> dict[str, float]:
        """CPU seconds so far, the most memory ever, bytes on disk."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "cpu": used.ru_utime + used.ru_stime,
            "memory": used.ru_maxrss * 1024,
            "disk": bytes_in(Path(self._folder.name)),
        }

    async def close(self) -> None:
        await self._engine.close(1.0)
        await self._store.close()
        self._folder.cleanup()

    async def _change_some(self, left: Any) -> None:
        for _ in left:
            await self._change()

    async def _change(self) -> None:
        number = self._changes
        self._changes += 1
        tenant_id, document_id = self._documents[number % len(self._documents)]
        checked: dict[str, Any] = {"contractValue": number % 1_000_000 + 1.5, "referenceId": "a change"}
        await self._engine.submit(PatchDocument(tenant_id=tenant_id, document_id=document_id, checked=checked))

    async def _make_documents(self) -> list[tuple[int, str]]:
        load = self._workload
        made = [(number % load.tenants + 1, self._new_id()) for number in range(load.documents)]
        checked = load.new_document()
        for begin in range(0, len(made), WAITING):
            await asyncio.gather(
                *(
                    self._engine.submit(
                        CreateDocument(tenant_id=tenant, document_id=identity, checked=checked, source_app="bench")
                    )
                    for tenant, identity in made[begin : begin + WAITING]
                )
            )
        return made

    async def _subscribe(self, url: str, status: str) -> list[tuple[int, str]]:
        load, made = self._workload, []
        for number in range(load.endpoints):
            tenant_id, identity = number % load.tenants + 1, self._new_id()
            checked = {
                "url": f"{url}/{number}",
                "eventTypes": int(load.wants(number // load.tenants)),
                "status": status,
                "ordering": load.ordering,
            }
            command = CreateSubscription(
                tenant_id=tenant_id,
                subscription_id=identity,
                checked=checked,
                secret=SECRET,
                retry_delays=(10, 60, 300),
            )
            await self._engine.submit(command)
            made.append((tenant_id, identity))
        return made

    def _new_id(self) -> str:
        return event_id(self._clock.wall(), self._random.getrandbits(62))


def _make_tenants(path: Path, count: int) -> None:
    connection = connect(path)
    migrate(connection, 0)
    with connection:
        connection.executemany("INSERT INTO tenant (name) VALUES (?)", [(f"t{number}",) for number in range(1, count)])
    connection.close()


def _end(error: BaseException) -> None:
    raise SystemExit(f"the disk failed: {error}")


if __name__ == "__main__":
    plain = Plain()
    answer_questions(
        {
            "open": plain.open,
            "publish": plain.publish,
            "resume": plain.resume,
            "usage": plain.usage,
            "close": plain.close,
        }
    )
