"""What a node takes up of what others commit."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from gateway.tests.engine.subscriptions import subscription
from msgspec.structs import replace

from signalpost.domain.access.api_key import ApiKey, Role
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.erasure import Erasure
from signalpost.domain.subscription import Subscription
from signalpost.engine.directory import Directory
from signalpost.engine.fleet.follower import Follower
from signalpost.store.nouns.fleet import SHARED, Changes, TenantConfig, TenantMark
from signalpost.store.store import PublishedBatch, Store

KEY = ApiKey(number=1, tenant_id=1, id="k", name="k", role=Role.APP, hash=b"hash", created_at=0)
TENANT = Tenant(1, "default", config_version=5)


def following(directory: Directory) -> Follower:
    async def config(_tenant_id: int) -> None:
        await asyncio.Event().wait()

    store = cast(Store, SimpleNamespace(fleet=SimpleNamespace(terms=SHARED, config=config)))
    follower = Follower(store, directory, lambda: cast(Any, None), directory.follow, lambda _: None)
    follower.begin([TENANT])
    directory.load([TENANT], [KEY], [], [])
    return follower


def test_a_key_that_was_revoked_stays_so_whatever_was_read_before() -> None:
    async def scenario() -> None:
        directory = Directory()
        follower = following(directory)
        revoked = replace(KEY, revoked_at=5)
        directory.follow(PublishedBatch((), rows={ApiKey: (revoked,)}))  # this node committed during a look
        follower.take_up(Changes("1", keys=(KEY,)))
        assert directory.key(b"hash") == revoked

    asyncio.run(scenario())


def test_no_key_of_a_deleted_tenant_opens_anything_whatever_order_they_were_read_in() -> None:
    """Keys are there until they are erased. One look may show that a tenant was deleted and a key that was made in
    it just before, and a node that begins reads keys of tenants that it does not read any more."""

    async def scenario() -> None:
        directory = Directory()
        follower = following(directory)
        deleted = replace(TENANT, deleted_at=7, config_version=6)
        follower.take_up(Changes("1", tenants=(deleted,), keys=(replace(KEY, number=2, hash=b"made just before"),)))
        assert directory.key(b"hash") is directory.key(b"made just before") is None
        directory.load([], [KEY], [], [])
        assert directory.key(b"hash") is None
        follower.stop()

    asyncio.run(scenario())


def test_a_node_that_stops_reads_nothing_of_what_others_still_tell() -> None:
    """The store is closed a moment later, and a read of it would end with a traceback in the log."""

    async def scenario() -> None:
        read: list[int] = []

        async def config(tenant_id: int) -> None:
            read.append(tenant_id)

        store = cast(Store, SimpleNamespace(fleet=SimpleNamespace(terms=SHARED, config=config)))
        lanes = cast(Any, SimpleNamespace(offers=SimpleNamespace(hear_end=lambda *_: None)))
        follower = Follower(store, Directory(), lambda: lanes, lambda _: None, lambda _: None)
        follower.hear({1: TenantMark(5, 1, 0)})
        await asyncio.sleep(0.01)
        assert read == [1]
        follower.stop()
        follower.hear({2: TenantMark(5, 1, 0)})
        await asyncio.sleep(0.01)
        assert read == [1]

    asyncio.run(scenario())


def test_a_tenant_is_paused_by_its_row_before_its_configuration_is_read() -> None:
    async def scenario() -> None:
        directory = Directory()
        follower = following(directory)
        paused = replace(TENANT, paused_at=7, config_version=6)
        follower.take_up(Changes("1", tenants=(paused,)))
        assert directory.tenant("default") == paused
        follower.take_up(Changes("2", tenants=(TENANT,)))
        assert directory.tenant("default") == paused, "what was read before does not count"
        follower.stop()

    asyncio.run(scenario())


class Erasing:
    """A tenant of which documents are being erased, and what the lanes are told of that."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._version = TENANT.config_version
        self._config: TenantConfig | None = None
        store = cast(Store, SimpleNamespace(fleet=SimpleNamespace(terms=SHARED, config=self._read)))
        lanes = cast(Any, self)
        self.follower = Follower(store, Directory(), lambda: lanes, lambda _: None, lambda _: None)
        self.follower.begin([TENANT])

    async def _read(self, _tenant_id: int) -> TenantConfig | None:
        return self._config

    def erase_from_memory(self, erasure: Erasure) -> None:
        self.told.append(erasure.id)

    async def take_inboxes(self, _tenant_id: int) -> None: ...

    async def hear(self, *pending: str) -> list[str]:
        """Which erasures the lanes are told of when the configuration is read and these are not finished."""
        self._version += 1
        erasures = tuple(
            Erasure(id=each, tenant_id=1, tenant="default", document_id=each, asked_at=0, to_sequence=9)
            for each in pending
        )
        self._config = TenantConfig(self._version, replace(TENANT, config_version=self._version), erasures=erasures)
        self.told = []
        await self.follower.check(1, self._version)
        return self.told


def test_lanes_are_told_once_of_an_erasure_and_it_is_forgotten_when_it_is_finished() -> None:
    async def scenario() -> None:
        erasing = Erasing()
        assert await erasing.hear("a", "b") == ["a", "b"]
        assert await erasing.hear("a", "b", "c") == ["c"]
        assert await erasing.hear("c") == []
        assert await erasing.hear("a", "c") == ["a"]
        erasing.follower.stop()

    asyncio.run(scenario())


def test_lanes_that_begin_anew_are_told_again_of_an_erasure_that_is_not_finished() -> None:
    async def scenario() -> None:
        erasing = Erasing()
        assert await erasing.hear("a") == ["a"]
        erasing.follower.begin([TENANT])
        assert await erasing.hear("a") == ["a"]
        erasing.follower.stop()

    asyncio.run(scenario())


def test_subscriptions_are_in_the_order_of_their_creation_whatever_order_they_were_read_in() -> None:
    async def scenario() -> None:
        directory = Directory()
        directory.load([TENANT], [], [subscription(number=2)], [])
        for number in (5, 3, 4, 2):
            directory.follow(PublishedBatch((), rows={Subscription: (subscription(number=number),)}))
        assert [each.number for each in directory.subscriptions(1)] == [2, 3, 4, 5]

    asyncio.run(scenario())
