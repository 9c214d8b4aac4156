"""Two nodes on a real PostgreSQL deliver through one connection, whose vendor takes each refresh token once."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import pytest
from gateway.tests.bodies import new_document
from gateway.tests.patience import PATIENCE
from gateway.tests.postgres import new_database
from gateway.tests.world.network import Network, VendorCall, VendorReply
from gateway.tests.world.vendors import HOST, KINDS, FakeVendor

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import BatchContext
from signalpost.commands.connections import CreateConnection, DeleteConnection, DisconnectConnection, KeepGrant
from signalpost.commands.documents import CreateDocument
from signalpost.commands.subscriptions import CreateConnectorSubscription
from signalpost.domain.connection import Connection, Granted
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import NotFound
from signalpost.engine.engine import Engine
from signalpost.engine.maintenance.disk_reserve import DiskReserve
from signalpost.engine.settings import EngineSettings
from signalpost.runtime.clock import SystemClock
from signalpost.store.open import open_store
from signalpost.store.store import Store
from signalpost.store.vault import MasterKeys

pytestmark = pytest.mark.slow
TENANT = 1
ROUNDS = 60
"""How often a document is made until both nodes have delivered: one that stood still has no lanes for a while."""
CONNECTION = "00000000-0000-4000-a000-000000000001"
LINKS = Links(bytes(32), "https://gateway.example.com")


class OneVendor:
    """Who answers both nodes: a vendor that takes its time to give a token, so that both would ask."""

    wall: Any
    """What the time is."""

    def __init__(self, clock: SystemClock) -> None:
        self.clock = clock
        self.its = FakeVendor(sign_in="consent")
        self.its.give = self._slowly
        self.wall = self
        self.at = lambda _now: clock.wall()

    def _slowly(self, _call: VendorCall) -> VendorReply | None:
        token = list(self.its.tokens.values())[-1].value
        body = f'{{"access_token": "{token}", "refresh_token": "{self.its.refresh_token}", "expires_in": 1800}}'
        return VendorReply(200, body.encode(), after=0.3)

    def vendor(self, host: str) -> FakeVendor | None:
        return self.its if host == HOST else None

    def receiver(self, host: str) -> Any: ...

    def sent(self, sent: Any) -> None: ...

    def ended(self, sent: Any) -> None: ...


async def _store(url: str) -> Store:
    return await open_store(
        url,
        master_keys=MasterKeys([bytes(range(32))]),
        context=BatchContext(LINKS, kept_answers(LINKS), Random(1).getrandbits),
        on_broken=lambda _error: None,
    )


def _engine(store: Store, vendor: OneVendor, clock: SystemClock, number: int, thread: ThreadPoolExecutor) -> Engine:
    network = Network(vendor, asyncio.get_running_loop(), number)
    disk = DiskReserve(0, lambda: 1 << 40, thread)
    return Engine(store, network, network, clock, Random(number), disk, EngineSettings(), destinations=KINDS)


async def _until(condition: Callable[[], bool], why: Callable[[], object] = str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"it did not happen {why()}")


async def _subscribe(engine: Engine, number: int) -> None:
    await engine.submit(
        CreateConnectorSubscription(
            tenant_id=TENANT,
            subscription_id=f"00000000-0000-4000-b000-{number:012d}",
            kind="fake",
            connection_id=CONNECTION,
            url="https://vendor.example",
            name=f"number {number}",
            event_types=("documentCreated",),
            retry_delays=(),
            config={},
        )
    )


class Pair:
    """Two nodes on one database, and the vendor of their connection."""

    def __init__(self, stores: list[Store], vendor: OneVendor, thread: ThreadPoolExecutor) -> None:
        self.vendor = vendor.its
        self.nodes = [_engine(store, vendor, vendor.clock, number, thread) for number, store in enumerate(stores)]

    @property
    def connection(self) -> Connection | None:
        """The connection as the second node knows it."""
        return self.nodes[1].directory.connection(TENANT, CONNECTION)

    async def connect(self) -> None:
        """Have the first node make a connection to which a person gave consent, and the second know of it."""
        one = self.nodes[0]
        await one.submit(
            CreateConnection(
                tenant_id=TENANT, connection_id=CONNECTION, kind="fake", name="c",
                config={"signIn": "consent"}, needs_consent=True,
            )
        )  # fmt: skip
        granted = Granted(refresh_token="refresh-0")
        await one.submit(KeepGrant(tenant_id=TENANT, connection_id=CONNECTION, granted=granted, of_grant_version=0))
        await _until(lambda: bool((known := self.connection) and known.granted == granted))


def with_two_nodes(scenario: Callable[[Pair], Awaitable[None]], database: str) -> FakeVendor:
    """Runs the scenario. Returns the vendor as it was then."""

    async def run(thread: ThreadPoolExecutor) -> FakeVendor:
        url = new_database(database)
        async with AsyncExitStack() as open_:
            stores: list[Store] = []
            for _ in range(2):
                stores.append(await _store(url))
                open_.push_async_callback(stores[-1].close)
            pair = Pair(stores, OneVendor(SystemClock()), thread)
            for node in pair.nodes:
                await node.start()
                open_.push_async_callback(node.close, 1)
            await pair.connect()
            await scenario(pair)
        return pair.vendor

    with ThreadPoolExecutor(1) as thread:
        return asyncio.run(run(thread))


def test_a_refresh_token_is_used_once_over_all_nodes() -> None:
    async def scenario(pair: Pair) -> None:
        nodes = pair.nodes
        for number in range(8):
            await _subscribe(nodes[number % 2], number)
        await _until(lambda: min(counts := [len(node.lanes.here.numbers) for node in nodes]) > 0 and sum(counts) == 8)
        for number in range(1, ROUNDS + 1):
            document = f"00000000-0000-4000-8000-{number:012d}"
            made = CreateDocument(tenant_id=TENANT, document_id=document, new=new_document(), source_app="test")
            await nodes[0].submit(made)
            await _until(
                lambda: len(pair.vendor.messages) >= 8 * number,  # noqa: B023
                lambda: (pair.vendor.calls, [node.lanes.here.numbers for node in nodes], pair.connection),
            )
            if {call.process for call in pair.vendor.calls} == {0, 1}:
                return
            await asyncio.sleep(1)

    vendor = with_two_nodes(scenario, "_tokens")
    assert len(vendor.token_calls) == 1, "no refresh token was shown to the vendor twice"
    assert {call.process for call in vendor.calls} == {0, 1}, "both nodes delivered"
    assert len(vendor.calls) == len(vendor.messages), "nothing was refused"


def test_a_disconnection_waits_for_a_token_that_another_node_has_asked_for_and_takes_that_back() -> None:
    async def scenario(pair: Pair) -> None:
        one, other = pair.nodes
        found = one.directory.connection(TENANT, CONNECTION)
        assert found is not None
        testing = asyncio.create_task(other.connectors.test(found))  # which asks for a token
        await _until(lambda: len(pair.vendor.token_calls) == 1)
        async with one.connectors.disconnection(found) as disconnection:
            await one.submit(
                DisconnectConnection(
                    tenant_id=TENANT, connection_id=CONNECTION, left=found.config, needs_consent=True,
                    of_version=found.version,
                )
            )  # fmt: skip
        assert (await disconnection.tell()).succeeded
        await testing
        await _until(lambda: bool((known := pair.connection) and known.granted is None))
        assert (await other.connectors.test(found)).works is False

    vendor = with_two_nodes(scenario, "_disconnection")
    assert vendor.revoked == ["refresh-1"], "what the vendor gave last is what it was told to take back"
    assert len(vendor.token_calls) == 1


def test_a_connection_that_another_node_has_deleted_is_not_there_to_be_disconnected() -> None:
    async def scenario(pair: Pair) -> None:
        one, other = pair.nodes
        found = other.directory.connection(TENANT, CONNECTION)
        assert found is not None
        disconnection = other.connectors.disconnection(found)  # it has not heard of the end yet
        await one.submit(DeleteConnection(tenant_id=TENANT, connection_id=CONNECTION))
        with pytest.raises(NotFound):
            await disconnection.__aenter__()

    assert with_two_nodes(scenario, "_deleted").revoked == []
