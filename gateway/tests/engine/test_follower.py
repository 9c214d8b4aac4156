"""What a node takes up of what others commit."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from msgspec.structs import replace

from signalpost.domain.api_key import ApiKey, Role
from signalpost.engine.directory import Directory
from signalpost.engine.fleet.follower import Follower
from signalpost.store.fleet import SHARED, TenantMark
from signalpost.store.store import Store

KEY = ApiKey(number=1, tenant_id=1, id="k", name="k", role=Role.APP, hash=b"hash", created_at=0)


class _Access:
    """The API keys that the database has."""

    def __init__(self, *keys: ApiKey) -> None:
        self.there = keys

    async def keys(self) -> list[ApiKey]:
        return [key for key in self.there if key.revoked_at is None]

    async def revoked_keys(self) -> list[ApiKey]:
        return [key for key in self.there if key.revoked_at is not None]


def test_a_node_that_begins_anew_reads_the_keys_though_their_version_has_the_same_number() -> None:
    """A database that went back gives the numbers of versions again, to other changes."""

    async def scenario() -> None:
        access = _Access(KEY)
        store = cast(Store, SimpleNamespace(access=access, fleet=SimpleNamespace(terms=SHARED)))
        directory = Directory()
        follower = Follower(store, directory, lambda: cast(Any, None), lambda _: None)
        follower.begin([])
        follower.hear_keys(1, 0)
        await _until_known(follower)
        assert directory.key(b"hash") == KEY
        access.there = (revoked,) = (replace(KEY, revoked_at=5),)
        follower.begin([])
        follower.hear_keys(1, 10_000_000)
        await _until_known(follower, 10_000_000)
        assert directory.key(b"hash") == revoked

    asyncio.run(scenario())


def test_a_node_that_stops_reads_nothing_of_what_others_still_tell() -> None:
    """The store is closed a moment later, and a read of it would end with a traceback in the log."""

    async def scenario() -> None:
        read: list[int] = []

        async def config(tenant_id: int) -> None:
            read.append(tenant_id)

        store = cast(Store, SimpleNamespace(fleet=SimpleNamespace(terms=SHARED, config=config)))
        lanes = cast(Any, SimpleNamespace(hear_end=lambda *_: None))
        follower = Follower(store, Directory(), lambda: lanes, lambda _: None)
        follower.hear({1: TenantMark(5, 1, 0)})
        await asyncio.sleep(0.01)
        assert read == [1]
        follower.stop()
        follower.hear({2: TenantMark(5, 1, 0)})
        await asyncio.sleep(0.01)
        assert read == [1]

    asyncio.run(scenario())


async def _until_known(follower: Follower, now: int = 0) -> None:
    while not follower.knows_keys(now):
        await asyncio.sleep(0)
