"""A gateway that changes while it imports a batch and the next one was read ahead: what holds for every such source."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import httpx
from connect.tests.conftest import FedGateway
from connect.tests.feeding import names, states, titles
from connect.tests.source_rig import PlatformOfSource
from gateway.tests.acceptance.client import until
from gateway.tests.patience import PATIENCE
from msgspec import Struct

from signalpost_client import AsyncClient, Client
from signalpost_connect import Batch, Source, SourceAway, Verdict
from signalpost_connect.mapping import LineMaker
from signalpost_connect.progress import Progress
from signalpost_connect.pump import MOST_MESSAGES, Pump
from signalpost_connect.testing import Change
from signalpost_connect.testing.conformance import states_told

DOCUMENTS, VERSIONS = MOST_MESSAGES // 2, 6
"""Three batches: one that is imported, one that is ahead, and one that is not read yet."""
Happening = Callable[[], None]


class WatchedSource:
    """A source that has something happen once a batch is read ahead of one that is not settled."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = Struct
    reads_ahead: ClassVar[bool] = True

    def __init__(self, source: Source, happens: Happening) -> None:
        self._source = source
        self._happens: Happening | None = happens
        self._open = 0

    @property
    def was_ahead(self) -> bool:
        return self._happens is None

    async def take(self, most: int, seconds: float) -> Batch:
        batch = await self._source.take(most, seconds)
        self._open += bool(batch.messages)
        if self._open == 2 and self._happens is not None:
            happens, self._happens = self._happens, None
            try:
                await asyncio.to_thread(happens)
            except SourceAway:
                await self.close()
                raise
        return batch

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        self._open -= 1
        await self._source.settle(batch, verdicts)

    async def dead(self) -> int | None:
        return await self._source.dead()

    async def close(self) -> None:
        self._open = 0
        await self._source.close()


class Front(httpx.AsyncBaseTransport):
    """What stands in front of gateways: it leads each request to the next one, or refuses it."""

    def __init__(self, *urls: str) -> None:
        self.urls = list(urls)
        self.refuses_size = False
        self._turn = 0
        self._way = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.refuses_size:
            return httpx.Response(413, html="<h1>413 Request Entity Too Large</h1>")
        self._turn += 1
        there = httpx.URL(self.urls[self._turn % len(self.urls)])
        request.url = request.url.copy_with(host=there.host, port=there.port)
        return await self._way.handle_async_request(request)

    async def aclose(self) -> None:
        await self._way.aclose()


def feed(platform: PlatformOfSource, client: AsyncClient, *happenings: Happening) -> list[str]:
    """Run a connector from its start until nothing is left, and return its troubles. The first happening is while a
    batch is ahead, and each of the others after a trouble; with a trouble after which none happens, it ends."""

    async def run() -> list[str]:
        ahead, *after_troubles = happenings or (_nothing,)
        source = WatchedSource(platform.source(), ahead)
        try:
            async with asyncio.timeout(PATIENCE):
                troubles = await _fed(platform, source, client, after_troubles)
        finally:
            await source.close()
            await client.close()
        assert source.was_ahead or not happenings, "nothing was read ahead: this proves nothing"
        return troubles

    return asyncio.run(run())


async def _fed(
    platform: PlatformOfSource, source: Source, client: AsyncClient, after_troubles: list[Happening]
) -> list[str]:
    progress, troubles = Progress(lambda: 0.0), list[str]()
    pump = Pump(source, client, LineMaker(), progress)
    while await asyncio.to_thread(platform.left):
        if await pump.round():
            troubles.append(progress.health()["trouble"])
            if not after_troubles:
                break
            await asyncio.to_thread(after_troubles.pop(0))
    return troubles


def _nothing() -> None:
    """What happens where nothing does."""


class MeetingsAhead:
    """What happens to a gateway while a batch is ahead. Derive from this, and say what is read."""

    platform: PlatformOfSource
    gateway: FedGateway

    # --- Refusals that end ----------------------------------------------------------------------------------------

    def test_a_tenant_that_is_paused_gets_everything_once_it_is_resumed(self) -> None:
        tenant, key = self.new_tenant()
        self.put_states()
        troubles = self.feed(key, lambda: self.set(tenant, status="paused"), lambda: self.set(tenant, status="active"))
        assert ["409 tenant_paused" in each for each in troubles] == [True]
        self.check_told(tenant)

    def test_a_limit_that_is_lowered_holds_the_rest_until_it_is_raised(self) -> None:
        tenant, key = self.new_tenant()
        documents = names(DOCUMENTS * VERSIONS)
        self.platform.put(states(documents, 1, 1))
        limit_to = partial(self.set, tenant)
        troubles = self.feed(
            key, lambda: limit_to(limits={"documents": 100}), lambda: limit_to(limits={"documents": None})
        )
        assert ["403 document_limit" in each for each in troubles] == [True]
        assert self.told(tenant) == {each: ["v1"] for each in documents}
        assert not self.platform.dead()

    def test_a_proxy_that_takes_smaller_bodies_for_a_while_loses_nothing(self) -> None:
        tenant, key = self.new_tenant()
        self.put_states()
        front = Front(self.gateway.url)
        troubles = self.feed(
            key,
            lambda: setattr(front, "refuses_size", True),
            lambda: setattr(front, "refuses_size", False),
            front=front,
        )
        assert ["413" in each for each in troubles] == [True]
        self.check_told(tenant)

    # --- Keys and tenants that end ------------------------------------------------------------------------------------

    def test_a_key_that_is_revoked_leaves_the_rest_to_the_one_that_follows(self) -> None:
        tenant, key = self.new_tenant()
        former = self.ask("GET", "/v1/keys", tenant)["data"][0]["id"]
        following = self.new_key(tenant)
        self.put_states()
        [trouble] = self.feed(key, lambda: self.ask("DELETE", f"/v1/keys/{former}", tenant, expect=204))
        assert "401" in trouble
        assert self.platform.left() >= DOCUMENTS * VERSIONS - MOST_MESSAGES
        assert self.feed(following) == []
        self.check_told(tenant)

    def test_what_a_tenant_that_is_erased_did_not_take_is_for_the_next_one(self) -> None:
        tenant, key = self.new_tenant()
        self.put_states()
        [trouble] = self.feed(key, lambda: self.erase_tenant(tenant))
        assert "401 unknown_key" in trouble or "404 tenant_not_found" in trouble
        self.check_rest()

    def test_a_tenant_that_is_erased_and_was_named_beside_the_key_makes_nothing_dead(self) -> None:
        """The operator's key goes on to be right; the tenant is not there."""
        tenant, _ = self.new_tenant()
        self.put_states()
        [trouble] = self.feed(self.gateway.operator_key, lambda: self.erase_tenant(tenant), tenant=tenant)
        assert "404 tenant_not_found" in trouble
        self.check_rest()

    # --- A document that is erased ------------------------------------------------------------------------------------

    def test_a_document_that_is_erased_stays_so_though_all_of_it_comes_again(self) -> None:
        """The deletion was imported and not settled; then the source is lost."""
        tenant, key = self.new_tenant()
        erased, *others = names(DOCUMENTS)
        own = [*states([erased], 1, 2), Change(erased, 3)]
        self.platform.put([*own, *states(others, 1, VERSIONS)])

        def erase_and_lose() -> None:
            until(lambda: self.told(tenant).get(erased) == ["v1", "v2", "deleted"])
            self.until_finished(self.ask("POST", f"/v1/documents/{erased}/erase", tenant, expect=202))
            raise SourceAway("It is away.")

        [trouble] = self.feed(key, erase_and_lose, lambda: None)
        assert "The source" in trouble
        assert self.told(tenant) == {each: titles(1, VERSIONS) for each in others}
        self.ask("GET", f"/v1/documents/{erased}", tenant, expect=404)
        assert self.ask("GET", "/v1/events?before=latest", tenant)["last"] == len(own) + len(others) * VERSIONS
        assert not self.platform.dead()

    # --- How they are tried -------------------------------------------------------------------------------------------

    def put_states(self) -> None:
        self.documents = names(DOCUMENTS)
        self.platform.put(states(self.documents, 1, VERSIONS))

    def feed(
        self, key: str, *happenings: Happening, tenant: str | None = None, front: Front | None = None
    ) -> list[str]:
        """What `feed` does, with the gateway."""
        client = AsyncClient(self.gateway.url, key, tenant=tenant, deadline=PATIENCE, transport=front)
        return feed(self.platform, client, *happenings)

    def check_told(self, tenant: str) -> None:
        """Every change was told once, in the order of its document, and nothing is dead."""
        assert self.told(tenant) == {each: titles(1, VERSIONS) for each in self.documents}
        assert self.platform.left() == 0
        assert not self.platform.dead()

    def check_rest(self) -> None:
        """What is left goes to another tenant, once: for each document, its last states."""
        left = self.platform.left()
        assert left >= DOCUMENTS * VERSIONS - MOST_MESSAGES, "what was ahead cannot be done"
        tenant, key = self.new_tenant()
        assert self.feed(key) == []
        told = self.told(tenant)
        assert sum(map(len, told.values())) == left
        for each in told.values():
            assert each == titles(1, VERSIONS)[-len(each) :]
        assert not self.platform.dead()

    def told(self, tenant: str) -> dict[str, list[str]]:
        """The states of each document in a tenant's events."""
        with Client(self.gateway.url, self.gateway.operator_key, tenant=tenant) as client:
            return states_told(client, 0)

    # --- What an operator does ----------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, tenant: str, body: object = None, **more: Any) -> Any:
        return self.gateway.process.api.ask(method, path, body, signalpost_tenant=tenant, **more)

    def new_tenant(self) -> tuple[str, str]:
        """The name of a new tenant, and a key of it."""
        name = f"t-{uuid.uuid4().hex[:8]}"
        self.ask("POST", "/v1/tenants", "default", {"name": name}, expect=201)
        return name, self.new_key(name)

    def new_key(self, tenant: str) -> str:
        made: str = self.ask("POST", "/v1/keys", tenant, {"name": "source", "role": "app"}, expect=201)["key"]
        return made

    def set(self, tenant: str, **members: object) -> None:
        self.ask("PATCH", f"/v1/tenants/{tenant}", "default", members)

    def erase_tenant(self, tenant: str) -> None:
        self.until_finished(self.ask("DELETE", f"/v1/tenants/{tenant}?confirm={tenant}", "default", expect=202))

    def until_finished(self, erasure: Any) -> None:
        until(lambda: self.ask("GET", f"/v1/erasures/{erasure['id']}", "default")["state"] == "finished")
