"""Several nodes on one PostgreSQL: who waits for whom, and what happens to a commit that is cut off."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from gateway.tests.patience import PATIENCE
from gateway.tests.postgres import OWNER

from signalpost.domain.errors import OutcomeUnknown, Unavailable
from signalpost.store.nouns.fleet import NodeRole, TenantMark
from signalpost.store.nouns.lanes import LaneWanted
from signalpost.store.postgres.asking import ask_one, steps_of
from signalpost.store.postgres.committers import TRIES, CommitConnection, Committers, beginning
from signalpost.store.postgres.connect import connect, trip
from signalpost.store.postgres.sessions import ENDS_WITHIN, limits
from signalpost.store.postgres.source import DatabaseSource
from signalpost.store.postgres.store import PostgresStore
from signalpost.store.statements import EVERY_TENANT, Row, Statement
from signalpost.store.vault import Vault
from signalpost_bench.postgres_server import SUPERUSER

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

TENANT = 1


def database_of(shop: "Shop") -> str:
    return shop._implementation.url(shop.folder)


@asynccontextmanager
async def locked(shop: "Shop", tenant: int = TENANT) -> AsyncIterator[None]:
    """Another transaction has locked a tenant."""
    async with await connect(database_of(shop)) as connection:
        lock = Statement("SELECT FROM tenant WHERE id = $1 FOR NO KEY UPDATE", (tenant,))
        await trip(connection, [Statement("BEGIN"), limits(EVERY_TENANT, "5s"), lock])
        yield
        await trip(connection, [Statement("COMMIT")])


def test_a_tenant_that_is_locked_holds_up_no_other(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.publish(make.create(0), make.create(0, tenant=other))
        async with locked(shop):
            publishing = asyncio.create_task(shop.publish(make.create(1), make.create(2, tenant=other)))
            while (await shop.store.log.after(other, 0, 9)).last < 2:
                await asyncio.sleep(0.01)
            assert not publishing.done()
        published = await publishing
        assert [(event.tenant_id, event.sequence) for event in published.events] == [(other, 2), (TENANT, 2)]
        assert not any(isinstance(result, Exception) for result in published.results)

    play(scenario)


def test_a_change_that_was_under_way_during_a_look_is_shown_by_a_later_one(play: "Play") -> None:
    """Numbers that are given before a commit are seen in another order than they were given."""

    async def scenario(shop: "Shop") -> None:
        fleet = shop.store.fleet
        before = (await fleet.changes(None)).position
        change = Statement(
            "UPDATE tenant SET config_version = config_version + 1, changed_by = pg_current_xact_id() WHERE id = $1",
            (TENANT,),
        )
        async with await connect(database_of(shop)) as connection:
            await trip(connection, [Statement("BEGIN"), limits(EVERY_TENANT, "5s"), change])
            await shop.add_tenant()
            during = await fleet.changes(before)
            assert [tenant.id for tenant in during.tenants] == [TENANT + 1]
            await trip(connection, [Statement("COMMIT")])
        after = await fleet.changes(during.position)
        assert [tenant.id for tenant in after.tenants] == [TENANT]

    play(scenario)


def test_a_node_that_freezes_while_it_sends_a_transaction_loses_its_locks(play: "Play", make: "type[Tools]") -> None:
    """N4. The server does not count it as idle: it waits for the rest of what the node was sending."""

    async def scenario(shop: "Shop") -> None:
        async with frozen_while_sending(database_of(shop)), asyncio.timeout(PATIENCE):
            while isinstance((await shop.publish(make.create(1))).results[0], Exception):
                await asyncio.sleep(0.1)

    play(scenario)


@asynccontextmanager
async def frozen_while_sending(url: str) -> AsyncIterator[None]:
    """A node has sent the beginning of a transaction that locks a tenant, and nothing comes after it."""
    connection = await connect(url)
    with suppress(psycopg.Error):  # it finds its connection ended
        async with connection, connection.pipeline():
            for sql, parameters in (
                Statement("BEGIN"),
                limits(EVERY_TENANT, "5s", ends_within="1s"),
                Statement("SELECT FROM tenant WHERE id = $1 FOR NO KEY UPDATE", (TENANT,)),
            ):
                await psycopg.AsyncRawCursor(connection).execute(sql, parameters, binary=True)
            yield


def test_whatever_writes_ends_in_time(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        store = shop.store
        assert isinstance(store, PostgresStore)
        shown = "SELECT current_setting('transaction_timeout')"
        async with await connect(database_of(shop)) as connection:
            [*_, [(of_commits,)]] = await trip(connection, [*beginning(EVERY_TENANT), Statement(shown)])
        assert [of_commits, *(await store.writers.rows(EVERY_TENANT, shown))] == [ENDS_WITHIN, (ENDS_WITHIN,)]

    play(scenario)


def test_two_nodes_on_one_tenant_leave_no_gap(play: "Play", make: "type[Tools]") -> None:
    """C5"""

    async def scenario(shop: "Shop") -> None:
        other = await shop.another()
        batches = [(node, [make.create(n * 10 + k) for k in range(3)]) for n in range(20) for node in (shop, other)]
        published = await asyncio.gather(*(node.publish(*commands) for node, commands in batches[:20]))
        assert [type(result).__name__ for each in published for result in each.results].count("CompletedCommand") == 60
        page = await shop.store.log.after(TENANT, 0, 1000)
        assert [event.sequence for event in page.events] == list(range(1, page.last + 1))
        assert [event.at for event in page.events] == sorted({event.at for event in page.events})

    play(scenario)


def test_what_is_announced_wakes_every_other_node(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.another()
        heard: asyncio.Queue[Any] = asyncio.Queue()
        for node in (shop, other):
            await node.store.fleet.join(NodeRole.ALL, "1")
            node.store.fleet.listen(lambda marks, node=node: heard.put_nowait((node, dict(marks))))  # type: ignore[misc]
        marks = {number: TenantMark(number, 1, 0) for number in range(1, 400)}
        found: dict[int, TenantMark] = {}
        while found != marks:
            shop.store.fleet.announce(marks)
            with_timeout = asyncio.wait_for(heard.get(), 1)
            try:
                node, said = await with_timeout
            except TimeoutError:
                continue  # it does not listen yet
            assert node is other, "nobody hears itself"
            found |= said

    play(scenario)


def test_a_node_that_is_alone_announces_nothing(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        fleet, others = shop.store.fleet, (await shop.another()).store.fleet
        heard: asyncio.Queue[Any] = asyncio.Queue()
        others.listen(lambda marks: heard.put_nowait(dict(marks)))
        while not others.hears:
            await asyncio.sleep(0.01)
        await fleet.join(NodeRole.ALL, "1")
        await fleet.beat()
        fleet.announce({1: TenantMark(1, 1, 0)})
        await others.join(NodeRole.ALL, "1")
        await fleet.beat()
        fleet.announce({2: TenantMark(2, 1, 0)})
        assert await asyncio.wait_for(heard.get(), PATIENCE) == {2: TenantMark(2, 1, 0)}

    play(scenario)


def test_a_node_knows_whether_it_hears_so_that_it_reads_more_often_while_it_does_not(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        fleet = shop.store.fleet
        assert not fleet.hears
        fleet.listen(lambda _marks: None)
        await until(lambda: fleet.hears)
        as_superuser = database_of(shop).replace(f"{OWNER}@", f"{SUPERUSER}@")
        async with await psycopg.AsyncConnection.connect(as_superuser, autocommit=True) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN %'"
            )
        await until(lambda: not fleet.hears)
        await until(lambda: fleet.hears)

    async def until(condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0.01)

    play(scenario)


def test_connections_that_the_server_ended_while_nobody_used_them_are_made_anew(play: "Play") -> None:
    """A node that is ready again after a crash of the server refuses nothing because of what it left behind."""

    async def scenario(shop: "Shop") -> None:
        store = shop.store
        assert isinstance(store, PostgresStore)
        for sessions in (store.readers, store.writers):
            assert await sessions.run(EVERY_TENANT, steps_of(ask_one("SELECT 1::bigint"))) == [(1,)]
        as_superuser = database_of(shop).replace(f"{OWNER}@", f"{SUPERUSER}@")
        nodes = "FROM pg_stat_activity WHERE datname = current_database() AND usename <> current_user"
        async with await psycopg.AsyncConnection.connect(as_superuser, autocommit=True) as connection:
            await connection.execute(f"SELECT pg_terminate_backend(pid) {nodes}".encode())
            while await (await connection.execute(f"SELECT {nodes}".encode())).fetchall():
                await asyncio.sleep(0.01)
        for sessions in (store.readers, store.writers):
            assert await sessions.run(EVERY_TENANT, steps_of(ask_one("SELECT 1::bigint"))) == [(1,)]

    play(scenario)


def test_behind_a_pooler_a_node_changes_nothing_where_the_database_went_back(play: "Play", make: "type[Tools]") -> None:
    """The node's connections hold, and lead to another server. A lane that is recorded as far as it had come before
    would never deliver what has these numbers by now."""

    async def scenario(shop: "Shop") -> None:
        store = shop.store
        assert isinstance(store, PostgresStore)
        subscription = await shop.subscribe()
        await shop.publish(make.create(1))
        source = store.writers._source
        source.forget()
        assert source.accepts("what it was before")
        with pytest.raises(Unavailable):
            await shop.record(make.flush(subscription, 0, 1))
        with pytest.raises(Unavailable):
            await shop.publish(make.create(2))
        await store.fleet.leave()  # it remembers nothing any more
        assert (await shop.lane(subscription)).head == 0
        [event] = (await shop.publish(make.create(2))).events
        assert event.sequence == 2

    play(scenario)


def test_a_node_that_could_not_leave_records_nothing_where_the_database_went_back(
    play: "Play", make: "type[Tools]"
) -> None:
    """A node lets go of the history that it remembers, so the database takes whatever it still has to record."""

    async def scenario(shop: "Shop") -> None:
        store = shop.store
        assert isinstance(store, PostgresStore)
        me = await store.fleet.join(NodeRole.ALL, "1.0")
        subscription = await shop.subscribe()
        assert await store.fleet.claim([LaneWanted(subscription, 1000)])
        async with await connect(database_of(shop)) as connection:
            lock = Statement("SELECT FROM node WHERE id = $1 FOR UPDATE", (me,))
            await trip(connection, [Statement("BEGIN"), limits(EVERY_TENANT, "5s"), lock])
            leaving = asyncio.create_task(store.fleet.leave())
            await asyncio.sleep(0)
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving
            assert await shop.record(make.flush(subscription, 1, 8)) == {}
            await trip(connection, [Statement("COMMIT")])
        assert (await shop.lane(subscription)).head == 0
        await store.fleet.leave()
        assert await store.fleet.nodes() == []

    play(scenario)


# --- Commits that are cut off -----------------------------------------------------------------------------------------


class _Cut(CommitConnection):
    """Loses its connection around the next COMMIT."""

    def __init__(self, url: str, *, is_committed: bool, then: str = "SELECT") -> None:
        super().__init__(DatabaseSource(url))
        self._is_committed = is_committed
        self._then = then
        self.cuts = 0

    async def trip(self, statements: Sequence[Statement]) -> list[list[Row]]:
        if self.cuts == 0 and statements[-1].sql == "COMMIT":
            self.cuts += 1
            assert self._connection is not None
            process = self._connection.info.backend_pid
            await super().trip(statements if self._is_committed else statements[:-1])
            superuser = self._source.url.replace(f"{OWNER}@", f"{SUPERUSER}@")
            async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as other:
                await other.execute("SELECT pg_terminate_backend(%s)", (process,))
                await other.execute(self._then)
            await super().trip([Statement("SELECT")])  # which fails
        return await super().trip(statements)


async def _cut(shop: "Shop", *, is_committed: bool, then: str = "SELECT") -> _Cut:
    store = shop.store
    assert isinstance(store, PostgresStore)
    cut = _Cut(database_of(shop), is_committed=is_committed, then=then)
    await _put_in_place_of_all(store._publishers, cut)
    return cut


async def _put_in_place_of_all(committers: Committers, one: CommitConnection) -> None:
    for former in committers._all:
        await former.close()
    committers._all = [one]
    committers._idle = asyncio.LifoQueue()
    committers._idle.put_nowait(one)


def test_a_commit_whose_answer_is_lost_counts_once(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        cut = await _cut(shop, is_committed=True)
        published = await shop.publish(make.create(1), make.create(2))
        assert [event.sequence for event in published.events] == [1, 2]
        assert (await shop.store.log.after(TENANT, 0, 9)).events == list(published.events)
        await shop.publish(make.create(3))
        assert cut.cuts == 1

    play(scenario)


def test_a_commit_that_was_cut_off_before_it_happened_is_made_again(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        cut = await _cut(shop, is_committed=False)
        published = await shop.publish(make.create(1), make.create(2))
        assert (await shop.store.log.after(TENANT, 0, 9)).events == list(published.events)
        assert cut.cuts == 1

    play(scenario)


def test_what_became_of_a_commit_is_unknown_where_the_database_lost_what_it_had_confirmed(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1))
        await _cut(shop, is_committed=True, then="UPDATE committer SET batch = batch - 5")
        with pytest.raises(OutcomeUnknown):
            await shop.publish(make.create(2))
        await shop.publish(make.create(3))

    play(scenario)


def test_a_change_whose_last_try_met_a_row_that_is_gone_may_be_repeated(play: "Play") -> None:
    """The other tries failed because the database went back, and the node let go of what it knew in between."""

    async def scenario(shop: "Shop") -> None:
        assert isinstance(shop.store, PostgresStore)
        ends = iter([psycopg.OperationalError()] * (TRIES - 1) + [psycopg.errors.DivisionByZero()])

        async def fail(_committer: CommitConnection) -> None:
            raise next(ends)

        with pytest.raises(Unavailable):
            await shop.store._publishers.run(fail)

    play(scenario)


class _LetGo(CommitConnection):
    """The node begins anew, and lets go of its data keys, while the first transaction is under way."""

    def __init__(self, url: str, vault: Vault) -> None:
        super().__init__(DatabaseSource(url))
        self._vault = vault
        self.times = 0

    async def begin(self, tenants: Sequence[int] | None, statements: Sequence[Statement]) -> list[list[Row]]:
        found = await super().begin(tenants, statements)
        if self.times == 0:
            self.times += 1
            self._vault.let_go()
        return found


def test_a_node_that_begins_anew_while_it_commits_refuses_nobody(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        assert isinstance(shop.store, PostgresStore)
        publishers = shop.store._publishers
        let_go = _LetGo(database_of(shop), shop.store._publisher._vault)
        await _put_in_place_of_all(publishers, let_go)
        await shop.subscribe(1)
        assert let_go.times == 1
        assert (await shop.subscription(1)).number

    play(scenario)


def test_a_connection_whose_row_was_removed_gets_another(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1))
        async with await connect(database_of(shop)) as connection:
            await trip(connection, [Statement("DELETE FROM committer")])
        published = await shop.publish(make.create(2))
        assert [event.sequence for event in published.events] == [2]

    play(scenario)
