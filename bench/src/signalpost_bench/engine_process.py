"""The engine by itself, driven in process: changes of documents are submitted as the API would submit them."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import structlog

from signalpost.commands.documents import CreateDocument, ImportDocument, PatchDocument
from signalpost.commands.overlay import Answer
from signalpost.commands.subscriptions import CreateSubscription, PatchSubscription
from signalpost.commands.versions import AddVersion
from signalpost.commands.workflow import ActOnDocument
from signalpost.domain.delivery.retry import DELAYS
from signalpost.domain.documents.document import Version
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.version import StoredFile
from signalpost.domain.documents.workflow import Action, Given
from signalpost.domain.event import EventType, event_id
from signalpost.domain.timestamps import SECOND
from signalpost.engine.engine import Engine
from signalpost.engine.maintenance.disk_reserve import DiskReserve
from signalpost.runtime.clock import SystemClock
from signalpost.runtime.garbage_collector import tune_garbage_collector
from signalpost.sender.addresses import parse_allow_targets
from signalpost.sender.sender import Sender, SenderSettings
from signalpost.store.sqlite.store import SqliteStore, thread_executors
from signalpost.store.vault import Vault
from signalpost_bench.child_process import answer_questions
from signalpost_bench.workload import MASTER_KEY, SECRET, Workload, at_rate, make_tenants

WAITING = 512
"""Changes submitted and not yet answered."""
FRAIL_DELAYS = (2,) * 60
"""Nothing is given up within a scene."""


class Plain:
    """One engine on a database, with documents and subscriptions made for the run."""

    async def open(self, workload: dict[str, Any], database: str, url: str, ca_file: str, status: str) -> None:
        self._workload = load = msgspec.convert(workload, Workload)
        self._clock, self._random = SystemClock(), random.Random()  # noqa: S311 - a workload, no secret
        path = Path(database)
        make_tenants(path, load.tenants)
        self._store = SqliteStore(
            path,
            Vault(MASTER_KEY),
            Links(MASTER_KEY, "https://signalpost.example.com"),
            self._clock.wall,
            self._random.getrandbits,
            thread_executors(),
            _end,
        )
        authority = url.removesuffix("/").split("://")
        settings = SenderSettings(
            allow_targets=parse_allow_targets(f"{authority[0]}://127.0.0.1:{authority[1].rsplit(':', 1)[1]}"),
            ca_file=Path(ca_file),
        )
        sender = Sender(settings, loop=asyncio.get_running_loop(), wall=self._clock.wall)
        disk = DiskReserve(0, lambda: 0, ThreadPoolExecutor(1))
        self._engine = Engine(self._store, sender, self._clock, self._random, 30, disk)
        await self._engine.start()
        self._changes, self._values = count(), count()
        self._documents = await self._make_documents()
        self._subscriptions = [
            await self._subscribe(
                number % load.tenants + 1, f"{url}/{number}", load.wants(number // load.tenants), status
            )
            for number in range(load.endpoints)
        ]
        tune_garbage_collector()  # as `signalpost serve` does

    async def publish(self, events: int) -> int:
        """Change documents `events` times, until the last is committed; when the first was asked."""
        began = time.monotonic_ns()
        left = iter(range(events))
        await asyncio.gather(*(self._change_each(left) for _ in range(WAITING)))
        return began

    async def publish_at_once(self, events: int) -> float:
        """Once all of before is delivered and recorded, change so many documents together; the seconds until all were
        answered."""
        while self._engine.in_flight or self._engine.unrecorded:
            await asyncio.sleep(0.005)
        began = time.monotonic_ns()
        return (max(await asyncio.gather(*(self._answered() for _ in range(events)))) - began) / 1e9

    async def trickle(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Change documents at a steady rate; what each change was called, and when it was due."""
        sent = []
        async with asyncio.TaskGroup() as changes:
            async for name, due in at_rate(rate, seconds):
                sent.append((name, due))
                changes.create_task(self._change(name))
        return sent

    async def resume(self) -> int:
        """Let every subscription send; when that was."""
        began = time.monotonic_ns()
        await asyncio.gather(
            *(
                self._engine.submit(
                    PatchSubscription(tenant_id=tenant, subscription_id=s, checked={"status": "active"})
                )
                for tenant, s in self._subscriptions
            )
        )
        return began

    async def add_live(self, url: str, tenant: int = 1) -> None:
        """A subscription that wants new documents, and nothing of what the others want."""
        await self._subscribe(tenant, url, EventType.CREATED, "active")

    async def add_paused(self, urls: list[str]) -> None:
        """Subscriptions of the first tenant that want what is changed, once they are resumed."""
        for url in urls:
            self._subscriptions.append(await self._subscribe(1, url, EventType.UPDATED, "paused"))

    async def add_well(self, url: str) -> None:
        """Of each tenant a subscription that wants what is changed, to the URL with the tenant's number behind it."""
        for tenant in range(1, self._workload.tenants + 1):
            await self._subscribe(tenant, f"{url}/{tenant}", EventType.UPDATED, "active")

    async def add_frail(self, urls: list[str]) -> None:
        """Subscriptions of the first tenant that want what is changed, and try again soon and often."""
        for url in urls:
            await self._subscribe(1, url, EventType.UPDATED, "active", FRAIL_DELAYS)

    async def change_one(self, events: int) -> int:
        """Change one document of the first tenant so many times; when the first was asked."""
        began = time.monotonic_ns()
        left = iter(range(events))

        async def change() -> None:
            for _ in left:
                await self._change_of(*self._documents[0], "the hot one")

        await asyncio.gather(*(change() for _ in range(WAITING)))
        return began

    async def change_each_at_rate(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Change a document of every tenant at a steady rate: what each change is called, which begins with its
        tenant's number, and when it was due."""
        sent = []
        of_tenants = [
            [each for each in self._documents if each[0] == tenant + 1] for tenant in range(self._workload.tenants)
        ]
        async with asyncio.TaskGroup() as changes:
            async for name, due in at_rate(rate, seconds):
                number = next(self._changes)
                for documents in of_tenants:
                    # The first is the one that `change_one` changes.
                    tenant_id, document_id = documents[1 + number % (len(documents) - 1)]
                    sent.append((f"{tenant_id} {name}", due))
                    changes.create_task(self._change_of(tenant_id, document_id, f"{tenant_id} {name}"))
        return sent

    async def create_at_rate(self, rate: int, seconds: float, tenant: int = 1) -> list[tuple[str, int]]:
        """Make documents at a steady rate; what each is called, and when it was due."""
        return await self._create_while(rate, seconds, lambda: True, tenant)

    async def catch_up(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Let every subscription send, and make documents at a steady rate until all have caught up, or for so long."""
        await self.resume()
        return await self._create_while(rate, seconds, self._is_behind)

    async def ask_to_sign(self, seconds: float) -> None:
        """Ask for a signature of every document; all these requests expire in so many seconds, together."""
        self._expire_at = self._clock.wall() + int(seconds * SECOND)
        given = Given(people=("signer@example.com",), expires_at=self._expire_at)

        async def ask(tenant_id: int, document_id: str) -> None:
            await self._engine.submit(
                ActOnDocument(
                    tenant_id=tenant_id, document_id=document_id, action=Action.REQUEST_SIGNATURE, given=given
                )
            )

        for begin in range(0, len(self._documents), WAITING):
            await asyncio.gather(*(ask(*each) for each in self._documents[begin : begin + WAITING]))

    async def expire(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Once the requests expire, make documents at a steady rate until all have, or for so long."""
        expiring = asyncio.ensure_future(self._expired())
        await asyncio.sleep((self._expire_at - self._clock.wall()) / SECOND)
        sent = await self._create_while(rate, seconds, lambda: not expiring.done())
        await expiring
        return sent

    async def _expired(self) -> None:
        while await self._store.documents.expiring(None, 1):
            await asyncio.sleep(0.05)

    async def remove_old(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Have the retention pass now, and make documents at a steady rate until it has, or for so long."""
        removing = asyncio.ensure_future(self._engine._retention.pass_once())  # it does so by itself every ten minutes
        sent = await self._create_while(rate, seconds, lambda: not removing.done())
        await removing
        return sent

    async def floor(self) -> int:
        """The lowest sequence of the first tenant that is kept."""
        return await self._store.floor(1)

    async def _create_while(
        self, rate: int, seconds: float, goes_on: Callable[[], bool], tenant: int = 1
    ) -> list[tuple[str, int]]:
        sent = []
        async with asyncio.TaskGroup() as changes:
            async for name, due in at_rate(rate, seconds):
                if not goes_on():
                    break
                sent.append((name, due))
                changes.create_task(self._create(tenant, self._new_id(), name))
        return sent

    def _is_behind(self) -> bool:
        subscriptions = (self._engine.subscription(tenant, identity) for tenant, identity in self._subscriptions)
        return any(self._engine.health(each)["lag"] for each in subscriptions if each is not None)

    async def threads(self) -> dict[int, str]:
        """What each thread is for, by its number."""
        named = {thread.native_id: thread.name for thread in threading.enumerate() if thread.native_id is not None}
        return named | {threading.main_thread().native_id or 0: "loop"}

    async def close(self) -> None:
        await self._engine.close(1.0)
        await self._store.close()

    async def _change_each(self, left: Iterator[int]) -> None:
        for _ in left:
            await self._change("a change")

    async def _answered(self) -> int:
        """Change a document; when that was answered."""
        await self._change("a change")
        return time.monotonic_ns()

    async def _change(self, name: str) -> Answer:
        return await self._change_of(*self._documents[next(self._changes) % len(self._documents)], name)

    async def _change_of(self, tenant_id: int, document_id: str, name: str) -> Answer:
        number = next(self._values)
        checked: dict[str, Any] = {"contractValue": number % 1_000_000 + 1.5, "referenceId": name}
        return await self._engine.submit(PatchDocument(tenant_id=tenant_id, document_id=document_id, checked=checked))

    async def _make_documents(self) -> list[tuple[int, str]]:
        load = self._workload
        made = [(number % load.tenants + 1, self._new_id()) for number in range(load.documents)]
        for begin in range(0, len(made), WAITING):
            some = made[begin : begin + WAITING]
            await asyncio.gather(*(self._create(*each, None) for each in some))
            if load.versions != "none":
                await asyncio.gather(*(self._add_version(*each) for each in some))
        return made

    async def _add_version(self, tenant_id: int, document_id: str) -> None:
        """One that is published, and a draft after it."""
        if self._workload.versions == "own":
            file = StoredFile("0" * 32, 1, b"", "application/pdf")
            for publish in (True, False):
                await self._engine.submit(
                    AddVersion(tenant_id=tenant_id, document_id=document_id, file=file, publish=publish, by="bench")
                )
            return
        version = Version("1.0", "https://signalpost.example.com/files/" + "x" * 92)
        checked = {
            "status": "created", "createdAt": "2021-09-02T04:37:56.812919+00:00", "sourceApp": "bench",
            **self._workload.new_document(), "latestVersion": version, "publishedVersion": version,
        }  # fmt: skip
        await self._engine.submit(
            ImportDocument(tenant_id=tenant_id, document_id=document_id, checked=checked, source_version=None)
        )

    async def _create(self, tenant_id: int, document_id: str, name: str | None) -> Answer:
        checked = self._workload.new_document() | {"referenceId": name}
        return await self._engine.submit(
            CreateDocument(tenant_id=tenant_id, document_id=document_id, checked=checked, source_app="bench")
        )

    async def _subscribe(
        self, tenant_id: int, url: str, wants: EventType, status: str, delays: tuple[int, ...] = DELAYS
    ) -> tuple[int, str]:
        identity = self._new_id()
        await self._engine.submit(
            CreateSubscription(
                tenant_id=tenant_id,
                subscription_id=identity,
                checked={"url": url, "eventTypes": int(wants), "status": status, "ordering": self._workload.ordering},
                secret=SECRET,
                retry_delays=delays,
            )
        )
        return tenant_id, identity

    def _new_id(self) -> str:
        return event_id(self._clock.wall(), self._random.getrandbits(62))


def _end(error: BaseException) -> None:
    raise SystemExit(f"the disk failed: {error}")


if __name__ == "__main__":
    # Its answers go to stdout, where nothing else may be written; what the engine says of bad endpoints nobody reads.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    plain = Plain()
    handlers = """
        open publish publish_at_once trickle resume add_live add_paused add_well add_frail change_one
        change_each_at_rate create_at_rate catch_up ask_to_sign expire remove_old floor threads close
    """
    answer_questions({name: getattr(plain, name) for name in handlers.split()})
