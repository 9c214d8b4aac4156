"""What is PostgreSQL's own of the retention: a day of events is removed at once, as a partition."""

from typing import TYPE_CHECKING

import psycopg

from signalpost.commands.command import IdempotencyKey
from signalpost.domain.timestamps import DAY
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.retention import ATTEMPTS_EACH
from signalpost.store.postgres.partitions import day_of, name_of
from signalpost.store.postgres.sessions import EVERY

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


async def furnish(shop: "Shop", make: "type[Tools]", days: int) -> list[int]:
    """Three events of a day, each with an attempt. Returns the numbers of the days."""
    subscription = await shop.subscribe()
    known = []
    for day in range(days):
        known.append(day_of(shop.now))
        await shop.publish(*(make.put(n, None, f"{day} {n}") for n in range(3)))
        sequences = range(day * 3 + 1, day * 3 + 4)
        attempts = [AttemptRow(s, shop.now, 1, 1, 0, True, 200, None, "", b"") for s in sequences]
        await shop.record(make.flush(subscription, day, day * 3 + 3, attempts=attempts))
        shop.now += DAY
    return known


def partitions(shop: "Shop", table: str) -> set[str]:
    with psycopg.connect(shop.url) as connection:
        statement = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass"
        return {name for (name,) in connection.execute(statement, (table,)).fetchall()}


async def prune(shop: "Shop", floor: int, tenant: int = 1) -> None:
    while await shop.store.retention.prune_log(tenant, floor, 2):
        pass
    while await shop.store.retention.prune_leftovers(shop.now, 2) >= 2:
        pass


def test_a_day_of_which_nothing_is_kept_goes_as_a_whole(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        days = await furnish(shop, make, 4)
        await prune(shop, 8)  # in the midst of the third day
        for table in ("event", "attempt"):
            there = partitions(shop, table)
            assert not there & {name_of(table, day) for day in days[:2]}
            assert there >= {name_of(table, day) for day in days[2:]}
        subscription = await shop.subscription()
        assert [event.sequence for event in (await shop.store.log.after(1, 0, 100)).events] == [8, 9, 10, 11, 12]
        assert [view.entry.sequence for view in await shop.listed(subscription)] == [12, 11, 10, 9, 8]
        assert await shop.attempts(subscription, 7) == []
        assert len(await shop.attempts(subscription, 8)) == 1
        assert [e.sequence for e in (await shop.publish(make.create(9))).events] == [13]

    play(scenario)


def test_where_another_tenant_keeps_a_day_rows_go_one_by_one(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.publish(make.create(1, tenant=other))
        days = await furnish(shop, make, 3)
        await prune(shop, 7)
        assert name_of("event", days[0]) in partitions(shop, "event")
        assert name_of("event", days[1]) not in partitions(shop, "event")
        with psycopg.connect(shop.url) as connection:
            connection.execute("SELECT set_config('signalpost.tenants', %s, true)", (EVERY,))
            left = connection.execute("SELECT tenant_id, sequence FROM event WHERE at < %s", (days[1] * DAY,))
            assert left.fetchall() == [(other, 1)]
        assert [event.sequence for event in (await shop.store.log.after(other, 0, 100)).events] == [1]

    play(scenario)


def test_of_a_day_that_another_tenant_keeps_attempts_go_as_fast_as_their_events(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        count = 2 * ATTEMPTS_EACH
        other = await shop.add_tenant()
        subscriptions = await shop.subscribe(), await shop.subscribe(2, tenant=other)
        await shop.publish(make.create(1), make.create(2, tenant=other))
        for subscription in subscriptions:
            attempts = [AttemptRow(1, shop.now + n, 1, 1, 0, True, 200, None, "", b"") for n in range(count)]
            await shop.record(make.flush(subscription, 0, 1, attempts=attempts))
        shop.now += DAY
        await shop.publish(make.create(3))
        await shop.store.retention.prune_log(1, 2, 10)
        assert [await shop.store.retention.prune_leftovers(shop.now, 1) for _ in range(4)] == [1, 1, 1, 0]
        with psycopg.connect(shop.url) as connection:
            connection.execute("SELECT set_config('signalpost.tenants', %s, true)", (EVERY,))
            left = connection.execute("SELECT tenant_id, count(*) FROM attempt GROUP BY tenant_id")
            assert left.fetchall() == [(other, count)]

    play(scenario)


def test_what_was_detached_and_not_removed_goes_the_next_time(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        days = await furnish(shop, make, 2)
        name = name_of("event", days[0])
        await shop.store.retention.prune_log(1, 4, 100)
        with psycopg.connect(shop.url, autocommit=True) as connection:
            connection.execute(f"ALTER TABLE event DETACH PARTITION {name} CONCURRENTLY".encode())
        await prune(shop, 4)
        with psycopg.connect(shop.url) as connection:
            assert connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() == (None,)

    play(scenario)


def test_answers_go_with_the_day_on_which_they_expired(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        expires_on = day_of(shop.now + DAY)
        await shop.do(make.create(1, key=IdempotencyKey(1, "k", b"one")))
        shop.now += DAY
        await prune(shop, 1)
        assert name_of("idempotency", expires_on) in partitions(shop, "idempotency")
        shop.now += DAY
        await prune(shop, 1)
        assert name_of("idempotency", expires_on) not in partitions(shop, "idempotency")

    play(scenario)
