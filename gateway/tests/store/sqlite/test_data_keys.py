"""Data keys in a database: made, set aside, destroyed; and what an attacker who can write the database gets past
them."""

import asyncio
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from signalpost.commands.batch import BatchContext, KeptAnswer
from signalpost.commands.command import IdempotencyKey
from signalpost.commands.connections import CreateConnection
from signalpost.commands.tenants import CreateTenant
from signalpost.domain.connection import Connection
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import StartError
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.store.sqlite.store import Executors, SqliteStore, thread_executors
from signalpost.store.vault import EPOCH_AGE, LINKS, SEALING, SEALS_AT_ONCE, SEALS_OF_AN_EPOCH, MasterKeys

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

START = 1_700_000_000 * SECOND


def data_keys(shop: "Shop") -> list[Any]:
    connection = apsw.Connection(str(shop.folder / "signalpost.db"))
    columns = "SELECT tenant_id, retired_at, seals FROM data_key WHERE purpose = ? ORDER BY made_at"
    found = connection.execute(columns, (SEALING,)).fetchall()
    connection.close()
    return found


@pytest.mark.slow
def test_a_new_epoch_begins_with_age_and_with_use(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.subscribe(1)
        assert data_keys(shop) == [(1, None, SEALS_AT_ONCE)]
        await shop.reopen()
        await shop.subscribe(2)
        assert data_keys(shop) == [(1, None, 2 * SEALS_AT_ONCE)], "nobody knows how many a process had used"
        shop.now += EPOCH_AGE
        await shop.subscribe(3)
        aged = shop.now
        assert data_keys(shop) == [(1, aged, 2 * SEALS_AT_ONCE), (1, None, SEALS_AT_ONCE)]
        for _ in range(SEALS_OF_AN_EPOCH // SEALS_AT_ONCE):
            shop.now += 1
            await shop.reopen()
            await shop.store.data_keys.provide({1})
        kept = data_keys(shop)
        assert [retired for _, retired, _ in kept] == [aged, shop.now, None]
        assert max(seals for *_, seals in kept) == SEALS_OF_AN_EPOCH
        assert len(await shop.store.lists.every(Subscription)) == 3, "every epoch's values still open"

    play(scenario)


def test_forgetting_a_tenant_destroys_its_data_keys_and_no_other(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.publish(make.subscribe(1), make.subscribe(2, tenant=other))
        wrapped = [row[0] for row in raw(shop, "SELECT wrapped FROM data_key WHERE tenant_id = ?", other)]
        await shop.store.data_keys.forget(other)
        with pytest.raises(StartError):
            await shop.store.lists.page(Subscription, other, None, 10)
        assert len(await shop.store.lists.page(Subscription, 1, None, 10)) == 1
        raw(shop, "DELETE FROM subscription WHERE tenant_id = ?", other)
        await shop.reopen()  # its WAL is copied back
        kept = (shop.folder / "signalpost.db").read_bytes()
        assert wrapped
        assert not any(key in kept for key in wrapped), "not in the pages that it left either"

    play(scenario)


def raw(shop: "Shop", statement: str, *bindings: Any) -> list[Any]:
    connection = apsw.Connection(str(shop.folder / "signalpost.db"))
    found = connection.execute(statement, bindings).fetchall()
    connection.close()
    return found


def test_a_row_s_former_value_or_another_row_s_is_refused(play: "Play", make: "type[Tools]") -> None:
    """An attacker who can write the database, and has no key, can put no secret in another's place, or an earlier one
    back."""

    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.publish(make.subscribe(1), make.subscribe(2), make.subscribe(3, tenant=other))
        ((before,),) = raw(shop, "SELECT sealed FROM subscription WHERE number = 1")
        await shop.publish(make.change(1, headers={"x": "y"}))
        ((after,),) = raw(shop, "SELECT sealed FROM subscription WHERE number = 1")
        ((second,),) = raw(shop, "SELECT sealed FROM subscription WHERE number = 2")
        ((third,),) = raw(shop, "SELECT sealed FROM subscription WHERE number = 3")
        for put_there in (before, second, third):
            raw(shop, "UPDATE subscription SET sealed = ? WHERE number = 1", put_there)
            with pytest.raises(StartError, match="another place"):
                await shop.store.lists.every(Subscription)
        raw(shop, "UPDATE subscription SET sealed = ? WHERE number = 1", after)
        assert (await shop.subscription(1)).headers == {"x": "y"}

    play(scenario)


# --- Another master key -----------------------------------------------------------------------------------------------

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
TENANTS = (1, 2, 3)


class Killed(Exception):
    """The process ended before this transaction."""


class DyingWriter(Executor):
    """Runs so many jobs, and then no more."""

    def __init__(self, jobs: int) -> None:
        self._left = jobs

    def submit(self, transact: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        self._left -= 1
        done.set_result([(None, Killed())] if self._left < 0 else transact(*args, **kwargs))
        return done


def opened(path: Path, masters: MasterKeys, writer: Executor | None = None) -> SqliteStore:
    executors = thread_executors() if writer is None else Executors(writer, *thread_executors()[1:])
    return SqliteStore(
        path, masters, BatchContext(Links(b"", ""), lambda _: KeptAnswer(b"answer"), Random(3).getrandbits),
        lambda: START, executors, lambda _error: None,
    )  # fmt: skip


async def filled(path: Path, make: "type[Tools]") -> None:
    """Tenants with a subscription, a connection and a kept answer each."""
    store = opened(path, MasterKeys([OLD]))
    for name in ("second", "third"):
        await store.publish([CreateTenant(tenant_id=1, name=name)])
    for tenant in TENANTS:
        connection = CreateConnection(
            tenant_id=tenant, connection_id=make.document_id(tenant), kind="http", name="n",
            config={"token": "a token"}, needs_consent=False,
        )  # fmt: skip
        answered = make.subscribe(tenant, tenant=tenant, secret="a secret", key=IdempotencyKey(1, "k", b"h"))
        await store.publish([connection, answered])
    await store.close()


async def secrets_of(store: SqliteStore) -> list[Any]:
    subscriptions = [each.secret for each in await store.lists.every(Subscription)]
    return sorted([*subscriptions, *(each.config["token"] for each in await store.lists.every(Connection))])


def test_a_change_of_the_master_key_is_complete_wherever_it_was_broken_off(tmp_path: Path, make: "type[Tools]") -> None:
    """Killed before each of its transactions, it needs both keys and leaves everything readable; then it goes on."""
    whole = tmp_path / "whole.db"

    async def broken_off(jobs: int) -> bool:
        path = tmp_path / f"{jobs}.db"
        shutil.copy(whole, path)
        dying = opened(path, MasterKeys([OLD]), DyingWriter(jobs))
        dying.data_keys.use(dying.data_keys.master_keys.after(NEW))
        try:
            await dying.data_keys.wrap_with_current()
            is_complete = True
        except Killed:
            is_complete = False
        await dying.readers.close()
        if not is_complete:
            with pytest.raises(StartError, match="needs the master key"):
                opened(path, MasterKeys([NEW]))
        store = opened(path, MasterKeys([NEW, OLD]))
        assert await secrets_of(store) == before
        await store.data_keys.wrap_with_current()
        assert set(await store.data_keys.wrapped_by()) == {MasterKeys([NEW]).current}
        await store.close()
        store = opened(path, MasterKeys([NEW]))
        assert await secrets_of(store) == before
        signing = (await store.data_keys.signing())[LINKS]
        assert [key.retired_at is None for key in signing] == [True, False]
        await store.publish([make.subscribe(99, secret="sealed anew")])
        await store.close()
        with pytest.raises(StartError, match="needs the master key"):
            opened(path, MasterKeys([OLD]))
        return is_complete

    async def scenario() -> int:
        for jobs in range(100):
            if await broken_off(jobs):
                return jobs
        raise AssertionError("it does not end")

    async def first() -> list[Any]:
        await filled(whole, make)
        store = opened(whole, MasterKeys([OLD]))
        found = await secrets_of(store)
        await store.close()
        return found

    before = asyncio.run(first())
    assert before == ["a secret"] * 3 + ["a token"] * 3
    assert asyncio.run(scenario()) >= 3


def test_what_leaked_with_a_former_master_key_seals_nothing_new(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.subscribe(1))
        leaked = {number for (number,) in raw(shop, "SELECT number FROM data_key")}
        shop.store.data_keys.use(shop.store.data_keys.master_keys.after(NEW))
        await shop.publish(make.subscribe(2))
        await shop.store.data_keys.wrap_with_current()
        await shop.publish(make.subscribe(3), make.change(1, headers={"x": "y"}))
        for (sealed,) in raw(shop, "SELECT sealed FROM subscription"):
            assert int.from_bytes(sealed[8:16]) not in leaked
        assert len(await shop.store.lists.every(Subscription)) == 3

    play(scenario)
