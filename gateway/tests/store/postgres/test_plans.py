"""Whatever a page asks for, no statement of it looks through more of a large table than a page may."""

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from gateway.tests.store.postgres.implementation import POSTGRES, use_new_database
from msgspec import json

from signalpost.domain.delivery.replay import ReplayChoice
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY, SECOND
from signalpost.store.nouns.deliveries import DeliveryFilter, DeliveryPosition
from signalpost.store.nouns.documents import DocumentFilter, DocumentPosition
from signalpost.store.postgres.asking import steps_of
from signalpost.store.postgres.connect import connect, trip
from signalpost.store.postgres.nouns.delivery_queries import PostgresDeliveryQueries
from signalpost.store.postgres.nouns.documents import PostgresDocumentQueries
from signalpost.store.postgres.nouns.replays import PostgresReplayQueries
from signalpost.store.postgres.partitions import day_of, name_of
from signalpost.store.postgres.sessions import EVERY, limits
from signalpost.store.statements import EVERY_TENANT, Statement
from signalpost.store.walks import delivery_walk, document_walk, replaying

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

COUNT = 30_000
"""How many events, documents, attempts and deliveries there are; the first of each is published."""
STEP = 60 * SECOND
"""Between two events: they lie in some twenty partitions."""
START = 1_700_000_000 * SECOND
MAX_SCANNED = 1_000
MOST = 5 * MAX_SCANNED
"""Rows that a node of a plan may look at, whichever plan the statistics lead to. What asks for the earlier events of
each delivery of a page begins in every partition."""
LIMIT = 50
MIDDLE = START + COUNT // 2 * STEP
DOCUMENT = "00000000-0000-0000-0000-000000000007"
_NARROWER: list[dict[str, Any]] = [
    {},
    {"types": 4},
    {"document_id": DOCUMENT},
    {"created_to": MIDDLE},
]
_ASKED: list[dict[str, Any]] = [
    {},
    {"status": "created"},
    {"type": "Lease"},
    {"type": "NDA"},
    {"owner_email": "nobody@x"},
    {"status": "executed", "type": "Lease"},
    {"updated_after": MIDDLE},
    {"updated_after": 0, "type": "Lease"},
]

_AGED = f"""
INSERT INTO event (tenant_id, sequence, at, type, cause, id, document_id, body)
SELECT
    1, s, {START} + s::bigint * {STEP}, CASE s % 5000 WHEN 7 THEN 4 ELSE 2 END, 0, gen_random_uuid(),
    lpad(to_hex(s % 3000), 32, '0')::uuid, e.body
FROM generate_series(2, {COUNT}) s, event e WHERE e.sequence = 1;
INSERT INTO document (tenant_id, external_id, version, updated_at, type, status, owner_email, title_key, body)
SELECT
    1, lpad(to_hex(s), 32, '0')::uuid, 1, {START} + s::bigint * {STEP},
    CASE s % 9000 WHEN 7 THEN 'Lease' ELSE 'NDA' END,
    CASE s % 2 WHEN 1 THEN 'created' ELSE 'executed' END, 'a@x', 'a', d.body
FROM generate_series(1, {COUNT}) s, document d WHERE d.number = 1;
INSERT INTO delivery (tenant_id, subscription_number, sequence, state, due, failed_attempts, max_attempts, run,
    document_id)
SELECT 1, 1 + s % 2, s, 1 + 2 * (s % 2), 1, 1, 4, 0, lpad(to_hex(s % 3000), 32, '0')::uuid
FROM generate_series(1, {COUNT}) s;
INSERT INTO attempt (
    tenant_id, sequence, subscription_number, started_at, elapsed_us, number, run, counted, detail, answer, exchange
)
SELECT 1, s, 1, {START} + s::bigint * {STEP}, 1, 1, 0, true, '', '', '' FROM generate_series(1, {COUNT}) s;
UPDATE tenant SET last_sequence = {COUNT}, last_at = {START} + {COUNT}::bigint * {STEP}, documents = {COUNT} + 1;
UPDATE lane SET head = {COUNT} WHERE subscription_number < 3;
"""
_ANALYSE = "ANALYZE event, document, delivery, attempt, tenant, lane"


@pytest.fixture(params=["analysed", "not analysed yet"])
def subscriptions(
    play: "Play", make: "type[Tools]", tmp_path: Path, request: pytest.FixtureRequest
) -> list[Subscription]:
    """The subscriptions of a database that has been in use: one full of failed deliveries, one of retries, one that
    has read nothing. PostgreSQL knows nothing of tables that were filled a moment ago."""

    async def scenario(shop: "Shop") -> list[Subscription]:
        await shop.publish(*(make.subscribe(number) for number in (1, 2, 3)), make.create(1))
        return await shop.store.lists.page(Subscription, 1, None, 10)

    use_new_database(tmp_path, f"_plans_{str(request.param)[:3]}")
    found = play(scenario)
    with psycopg.connect(POSTGRES.url(tmp_path)) as connection:
        connection.execute("SELECT set_config('signalpost.tenants', %s, true)", (EVERY,))
        there = {name for (name,) in connection.execute("SELECT relname FROM pg_class").fetchall()}
        for table in ("event", "attempt"):
            for day in range(day_of(START), day_of(START + COUNT * STEP) + 1):
                bounds = f"FROM ({day * DAY}) TO ({(day + 1) * DAY})"
                if (name := name_of(table, day)) not in there:
                    connection.execute(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES {bounds}".encode())
        connection.execute(_AGED.encode())
        if request.param == "analysed":
            connection.execute(_ANALYSE)
    return found


def test_no_page_looks_through_more_than_it_may(subscriptions: list[Subscription], tmp_path: Path) -> None:
    worst = asyncio.run(_worst(POSTGRES.url(tmp_path), subscriptions))
    assert worst
    assert [each for each in worst if each[0] > MOST] == []


async def _worst(url: str, subscriptions: list[Subscription]) -> list[tuple[int, str, str]]:
    """How many rows a node of a plan looked at, at most, for each page; with what was asked, and the statement."""
    worst = []
    async with await connect(url) as connection:
        await trip(connection, [Statement("BEGIN"), limits(EVERY_TENANT, "30s")])
        for what, asking in _pages(subscriptions):
            steps = steps_of(asking)
            found: list[list[tuple[Any, ...]]] | None = None
            while True:
                try:
                    asked = next(steps) if found is None else steps.send(found)
                except StopIteration:
                    break
                for sql, parameters in asked:
                    explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}"
                    [[(plan,)]] = await trip(connection, [Statement(explained, parameters)])
                    [whole] = json.decode(plan) if isinstance(plan, str | bytes) else plan
                    worst.append((max(_looked_at(whole["Plan"])), what, sql))
                found = await trip(connection, asked)
    return worst


def _looked_at(node: dict[str, Any]) -> Iterator[int]:
    """How many rows each node of a plan returned or left out."""
    loops = node.get("Actual Loops", 1)
    yield round((node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)) * loops)
    for inner in node.get("Plans", ()):
        yield from _looked_at(inner)


def _pages(subscriptions: list[Subscription]) -> Iterator[tuple[str, Coroutine[Any, Any, Any]]]:
    deliveries, documents, replays = PostgresDeliveryQueries(), PostgresDocumentQueries(), PostgresReplayQueries()
    for of in (subscriptions, subscriptions[:1], subscriptions[-1:]):
        for status in (None, "pending", "delivered", "skipped", "retrying", "failed"):
            for narrower in _NARROWER:
                for below in (None, DeliveryPosition(COUNT // 2, 2)):
                    wanted = DeliveryFilter(status=status, **narrower)
                    page = delivery_walk.page(deliveries, 1, of, wanted, below, LIMIT, MAX_SCANNED)
                    yield f"deliveries of {len(of)}: {wanted} {below}", page
    for asked in _ASKED:
        for position in (None, DocumentPosition(COUNT // 2, MIDDLE)):
            filtered = DocumentFilter(**asked)
            yield f"documents: {filtered}", document_walk.page(documents, 1, filtered, position, LIMIT, MAX_SCANNED)
    for text in ("a", "A", "nothing", "a@x", "zzz"):
        yield f"documents that begin with {text}", documents.begins_with(1, text, LIMIT)
    yield "a time", deliveries.sequence_at(1, MIDDLE + 1)
    for choice in (ReplayChoice("all"), ReplayChoice("failed", types=1), ReplayChoice("all", document_id=DOCUMENT)):
        part = replaying.count(replays, subscriptions[0], COUNT // 2, COUNT // 2 + 500, choice)
        yield f"a replay's part: {choice}", part
