"""The gateway inside a program, as one that embeds it drives it: documents are changed through `gateway.documents`,
everything else is asked of `gateway.app`, and no HTTP is spoken. What is measured is the engine and little else."""

import asyncio
import gc
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from signalpost.domain.errors import OutcomeUnknown, Unavailable
from signalpost.embedded import Documents
from signalpost.gateway import Gateway
from signalpost_bench.child_process import answer_questions
from signalpost_bench.data_directory import bench_settings, make_tenants
from signalpost_bench.embedded_api import EmbeddedApi
from signalpost_bench.workload import SECRET, Workload, at_rate, tenant_name

WAITING = 512
"""Changes submitted and not yet answered."""
AWAY_SECONDS = 60
"""For how long a change is repeated that the gateway cannot make now."""
PDF = b"%PDF-1.7\n"
LINK = "https://signalpost.example.com/files/" + "x" * 92
"""A link that is as long as a download link of the gateway's own."""


T = TypeVar("T")


class EmbeddedEngine:
    """One gateway on a data directory, with documents and subscriptions made for the run."""

    async def open(
        self,
        workload: dict[str, Any],
        folder: str,
        url: str,
        ca_file: str,
        status: str,
        retry_delays: list[int] | None,
        attempt_timeout: float,
        database_url: str | None,
        processes: int,
    ) -> None:
        """`url` is where subscriptions deliver to, `status` what they begin with. `retry_delays` are in seconds; None
        for the gateway's own. An attempt has `attempt_timeout` seconds. `database_url` is a new PostgreSQL; None for
        SQLite, on which it may have several `processes`."""
        self._workload = load = msgspec.convert(workload, Workload)
        self._opened = AsyncExitStack()
        settings = bench_settings(Path(folder), url, Path(ca_file), database_url)
        settings = msgspec.structs.replace(settings, attempt_timeout=attempt_timeout)
        if retry_delays is not None:
            settings = msgspec.structs.replace(settings, retry_delays=tuple(retry_delays))
        await make_tenants(settings, load.tenants)
        if processes > 1:
            settings = msgspec.structs.replace(settings, processes=processes)
        gateway = await self._opened.enter_async_context(Gateway(settings))
        self._api = EmbeddedApi(gateway.app, gateway.operator_key)
        self._tenants: Mapping[int, Documents] = {
            number: gateway.documents_of(tenant_name(number), "bench") for number in range(1, load.tenants + 1)
        }
        self._changes, self._values = count(), count()
        self._documents = await self._make_documents()
        self._subscriptions = [
            await self._subscribe(
                number % load.tenants + 1, f"{url}/{number}", load.wants(number // load.tenants), status
            )
            for number in range(load.endpoints)
        ]
        # As under `signalpost serve`: what was made until here lives as long as the process.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 2, 50)

    async def publish(self, events: int) -> int:
        """Change documents `events` times, until the last change is committed. Returns when the first was asked for."""
        began = time.monotonic_ns()
        left = iter(range(events))
        await asyncio.gather(*(self._change_each(left) for _ in range(WAITING)))
        return began

    async def publish_at_once(self, events: int) -> float:
        """Once everything before is delivered and recorded, change so many documents together. Returns the seconds
        until all were answered."""
        while await self._is_delivering():
            await asyncio.sleep(0.005)
        began = time.monotonic_ns()
        return (max(await asyncio.gather(*(self._answered() for _ in range(events)))) - began) / 1e9

    async def trickle(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Change documents at a steady rate. Returns what each change was called, and when it was due."""
        sent = []
        async with asyncio.TaskGroup() as changes:
            async for name, due in at_rate(rate, seconds):
                sent.append((name, due))
                changes.create_task(self._change(name))
        return sent

    async def resume(self) -> int:
        """Let every subscription send. Returns when that was."""
        began = time.monotonic_ns()
        await asyncio.gather(
            *(
                self._api.call("PATCH", f"/v1/subscriptions/{identity}", {"status": "active"}, tenant_name(tenant))
                for tenant, identity in self._subscriptions
            )
        )
        return began

    async def add_live(self, url: str, tenant: int = 1) -> None:
        """A subscription that wants new documents, and nothing of what the others want."""
        await self._subscribe(tenant, url, "documentCreated", "active")

    async def add_paused(self, urls: list[str]) -> None:
        """Subscriptions of the first tenant that want what is changed, once they are resumed."""
        for url in urls:
            self._subscriptions.append(await self._subscribe(1, url, "documentUpdated", "paused"))

    async def add_active(self, urls: list[str]) -> None:
        """Subscriptions of the first tenant that want what is changed."""
        for url in urls:
            await self._subscribe(1, url, "documentUpdated", "active")

    async def add_well(self, url: str) -> None:
        """A subscription of each tenant that wants what is changed, to the URL followed by the tenant's number."""
        for tenant in range(1, self._workload.tenants + 1):
            await self._subscribe(tenant, f"{url}/{tenant}", "documentUpdated", "active")

    async def change_one(self, events: int) -> int:
        """Change one document of the first tenant so many times. Returns when the first change was asked for."""
        began = time.monotonic_ns()
        left = iter(range(events))

        async def change() -> None:
            for _ in left:
                await self._change_of(*self._documents[0], "the hot one")

        await asyncio.gather(*(change() for _ in range(WAITING)))
        return began

    async def change_each_at_rate(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Change a document of every tenant at a steady rate. Returns what each change is called, which begins with its
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
        """Make documents at a steady rate. Returns what each is called, and when it was due."""
        return await self._create_while(rate, seconds, lambda: True, tenant)

    async def catch_up(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Let every subscription send, and make documents at a steady rate until all have caught up, or for so long."""
        await self.resume()
        behind = asyncio.ensure_future(self._wait_while(self._is_behind))
        sent = await self._create_while(rate, seconds, lambda: not behind.done())
        await behind
        return sent

    async def ask_to_sign(self, seconds: float) -> None:
        """Ask for a signature of every document. All these requests expire together, in so many seconds."""
        self._expire_at = datetime.now(UTC) + timedelta(seconds=seconds)
        expires_at = self._expire_at.isoformat()

        async def ask(tenant: int, document_id: str) -> None:
            documents = self._tenants[tenant]
            await documents.act(document_id, "requestSignature", signers=["signer@example.com"], expires_at=expires_at)

        for begin in range(0, len(self._documents), WAITING):
            await asyncio.gather(*(ask(*each) for each in self._documents[begin : begin + WAITING]))

    async def expire(self, rate: int, seconds: float) -> list[tuple[str, int]]:
        """Once the requests expire, make documents at a steady rate until all have expired, or for so long."""
        await asyncio.sleep((self._expire_at - datetime.now(UTC)).total_seconds())
        expiring = asyncio.ensure_future(self._wait_while(self._awaits_signatures))
        sent = await self._create_while(rate, seconds, lambda: not expiring.done())
        await expiring
        return sent

    async def remove_old(self, rate: int, seconds: float, up_to: int) -> list[tuple[str, int]]:
        """Once the retention begins to remove events (a minute after the start), make documents at a steady rate until
        it has removed all up to a sequence, or for so long."""
        while await self.oldest() == 1:
            await asyncio.sleep(0.05)

        async def goes_on() -> bool:
            return await self.oldest() <= up_to

        began = time.monotonic()
        removing = asyncio.ensure_future(self._wait_while(goes_on))
        sent = await self._create_while(rate, seconds, lambda: not removing.done())
        await removing
        self._removal_seconds = time.monotonic() - began
        return sent

    async def removal_seconds(self) -> float:
        """How long the retention took in `remove_old`."""
        return self._removal_seconds

    async def oldest(self) -> int:
        """The lowest sequence of the first tenant that is kept."""
        found = await self._api.answer("GET", "/v1/events?after=0&limit=1")
        return int(found["oldest"]) if "oldest" in found else 1

    async def threads(self) -> dict[int, str]:
        """What each thread is for, by its number."""
        named = {thread.native_id: thread.name for thread in threading.enumerate() if thread.native_id is not None}
        return named | {threading.main_thread().native_id or 0: "loop"}

    async def close(self) -> None:
        await self._opened.aclose()

    # --- What the gateway is asked ------------------------------------------------------------------------------------

    async def _wait_while(self, goes_on: Callable[[], Any]) -> None:
        while await goes_on():
            await asyncio.sleep(0.1)

    async def _is_delivering(self) -> bool:
        metrics = await self._api.metrics()
        return metrics["signalpost_attempts_in_flight"] + metrics["signalpost_attempts_unrecorded"] > 0

    async def _is_behind(self) -> bool:
        for tenant, identity in self._subscriptions:
            found = await self._api.call("GET", f"/v1/subscriptions/{identity}", tenant=tenant_name(tenant))
            if found["health"]["lag"]:
                return True
        return False

    async def _awaits_signatures(self) -> bool:
        found = await self._api.call("GET", "/v1/documents?status=awaitingSignature&limit=1")
        return bool(found["data"] or found["next"])

    # --- Documents and subscriptions ----------------------------------------------------------------------------------

    async def _create_while(
        self, rate: int, seconds: float, goes_on: Callable[[], bool], tenant: int = 1
    ) -> list[tuple[str, int]]:
        sent = []
        async with asyncio.TaskGroup() as changes:
            async for name, due in at_rate(rate, seconds):
                if not goes_on():
                    break
                sent.append((name, due))
                changes.create_task(self._create(tenant, name))
        return sent

    async def _change_each(self, left: Iterator[int]) -> None:
        for _ in left:
            await self._change("a change")

    async def _answered(self) -> int:
        """Change a document. Returns when that was answered."""
        await self._change("a change")
        return time.monotonic_ns()

    async def _change(self, name: str) -> None:
        await self._change_of(*self._documents[next(self._changes) % len(self._documents)], name)

    async def _change_of(self, tenant: int, document_id: str, name: str) -> None:
        value = next(self._values) % 1_000_000 + 1.5
        documents = self._tenants[tenant]
        await _once_it_can(lambda: documents.patch(document_id, contract_value=value, reference_id=name))

    async def _make_documents(self) -> list[tuple[int, str]]:
        load = self._workload
        tenants = [number % load.tenants + 1 for number in range(load.documents)]
        made: list[tuple[int, str]] = []
        for begin in range(0, len(tenants), WAITING):
            made += await asyncio.gather(*(self._make_document(each) for each in tenants[begin : begin + WAITING]))
        return made

    async def _make_document(self, tenant: int) -> tuple[int, str]:
        if self._workload.versions == "imported":
            return await self._import(tenant)
        made, document_id = await self._create(tenant, None)
        if self._workload.versions == "own":
            for publish in (True, False):
                await self._tenants[tenant].upload(document_id, PDF, publish=publish)
        return made, document_id

    async def _import(self, tenant: int) -> tuple[int, str]:
        version = {"number": "1.0", "downloadUrl": LINK}
        snapshot = {
            "status": "created", "createdAt": "2021-09-02T04:37:56.812919+00:00", "sourceApp": "bench",
            **self._workload.new_document(), "latestVersion": version, "publishedVersion": version,
        }  # fmt: skip
        document_id = f"00000000-0000-4000-8000-{random.getrandbits(48):012x}"
        await _once_it_can(lambda: self._tenants[tenant].import_snapshot(document_id, snapshot))
        return tenant, document_id

    async def _create(self, tenant: int, name: str | None) -> tuple[int, str]:
        fields = self._workload.new_document()
        made = await _once_it_can(
            lambda: self._tenants[tenant].create(
                type=fields["type"],
                title=fields["title"],
                owner_email=fields["ownerEmail"],
                author_email=fields["authorEmail"],
                start_date=fields["startDate"],
                contract_value=fields["contractValue"],
                counterparty_name=fields["counterpartyName"],
                additional_facts=fields["additionalFacts"],
                reference_id=name,
            )
        )
        return tenant, str(made.external_id)

    async def _subscribe(self, tenant: int, url: str, wants: str, status: str) -> tuple[int, str]:
        body = {"url": url, "eventTypes": [wants], "ordering": self._workload.ordering, "secret": SECRET}
        made = await self._api.call("POST", "/v1/subscriptions", body, tenant_name(tenant))
        if status != "active":
            await self._api.call("PATCH", f"/v1/subscriptions/{made['id']}", {"status": status}, tenant_name(tenant))
        return tenant, made["id"]


async def _once_it_can(change: Callable[[], Awaitable[T]]) -> T:
    """Make a change. While the gateway changes nothing, as when its database stood still for a moment, the change is
    repeated after as long as it says, as a caller of the API does. Raises OutcomeUnknown: made twice, it would be an
    event that no one counts."""
    until = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return await change()
        except OutcomeUnknown:
            raise
        except Unavailable as error:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(error.retry_after)


if __name__ == "__main__":
    # Its answers go to stdout, where nothing else may be written; no one reads what the engine logs of bad endpoints.
    logging.getLogger("signalpost").disabled = True
    process = EmbeddedEngine()
    handlers = """
        open publish publish_at_once trickle resume add_live add_paused add_active add_well change_one
        change_each_at_rate create_at_rate catch_up ask_to_sign expire remove_old removal_seconds oldest threads close
    """
    answer_questions({name: getattr(process, name) for name in handlers.split()})
