"""What replays cost SQLite: a part, and a count, take bounded work however much there is.

Work is steps of SQLite's virtual machine, so that nothing depends on the machine.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import apsw
import pytest

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.replay import Replay, ReplayChoice, What
from signalpost.domain.subscription import Filters, Subscription
from signalpost.store.nouns.lanes import EndpointHealth, LaneFlush
from signalpost.store.nouns.replays import ReplayPart
from signalpost.store.sqlite import record
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.nouns.replays import SqliteReplayQueries, SqliteReplays
from signalpost.store.sqlite.readers import Readers, at_once
from signalpost.store.sqlite.schema import migrate
from signalpost.store.walks import replaying

T = TypeVar("T")
EVENTS = 120_000
ALL_TYPES: Filters = ((0, 7),)
RARE: Filters = ((0, 1),)
"""One event in a thousand."""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """A log: at subscription 1 every other event failed; to 2 all were delivered; at 3 all await a retry but a few."""
    path: Path = tmp_path_factory.mktemp("replays") / "signalpost.db"
    connection = connect(path)
    migrate(connection, 0)
    ids = [sequence.to_bytes(16, "big") for sequence in range(EVENTS + 1)]
    with connection:
        connection.executemany(
            "INSERT INTO event (tenant_id, sequence, at, id, type, document_id, cause, body)"
            " VALUES (1, ?, ?, ?, ?, ?, 0, x'')",
            ((s, s, ids[s], 2 if s % 1_000 else 1, ids[s]) for s in range(1, EVENTS + 1)),
        )
        for number in (1, 2, 3):
            connection.execute(
                "INSERT INTO lane (subscription_number, version, head, open, gaps, health)"
                " VALUES (?, 0, 0, x'', x'', x'')",
                (number,),
            )
        rows = [Row(s, unpack_uuid(ids[s]), State.FAILED, 0, 4, 4, 0, None) for s in range(1, EVENTS + 1)]
        awaiting_retry = [
            row if row.sequence % 1_000 == 0 else row._replace(state=State.AWAITING_RETRY) for row in rows
        ]
        record.record(connection, [flush(1, rows=rows[::2]), flush(2), flush(3, rows=awaiting_retry)], None)
    yield connection
    connection.close()


def flush(number: int, *, rows: list[Row] | None = None, feed: ReplayPart | None = None) -> LaneFlush:
    return LaneFlush(
        tenant_id=1, subscription_number=number, version=0, head=EVENTS, open=(), gaps=(), health=EndpointHealth(),
        rows={row.sequence: row for row in rows or []}, abandoned_to=0, attempts=(), retries_done=(), replays=(),
        look_up=(), refill=0, feed=feed,
    )  # fmt: skip


def asking(number: int, what: What, filters: Filters) -> LaneFlush:
    """A write of a lane that asks for more of a replay, a quarter of which is done."""
    replay = Replay(
        number=number, id="", tenant_id=1, subscription_number=number, what=what, from_at=0, to_at=0, from_sequence=1,
        to_sequence=EVENTS, count=0, count_is_capped=False, created_at=0, cursor=EVENTS // 4,
    )  # fmt: skip
    return flush(number, feed=ReplayPart(replay, EVENTS, filters))


def steps(connection: apsw.Connection, work: Callable[[], T]) -> tuple[T, int]:
    """What the work comes to, and how many steps SQLite made for it, to the hundred."""
    made = 0

    def count() -> bool:
        nonlocal made
        made += 100
        return False

    connection.set_progress_handler(count, 100)
    try:
        return work(), made
    finally:
        connection.set_progress_handler(None)


def subscription(number: int, filters: Filters) -> Subscription:
    return Subscription(
        id="", tenant_id=1, number=number, name="", url="", secret="", headers={}, status="active", ordering="loose",
        rate_limit=None, retry_delays=(), starts_after=0, filters=filters, created_at=0, updated_at=0,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "what", "filters", "found", "steps_most"),
    [
        (1, "failed", ALL_TYPES, 256, 10_000),
        (3, "failed", ALL_TYPES, 90, 10_000),
        (1, "all", ALL_TYPES, 256, 20_000),
        (2, "all", RARE, 10, 200_000),
    ],
)
def test_a_part_takes_bounded_work(
    connection: apsw.Connection, number: int, what: What, filters: Filters, found: int, steps_most: int
) -> None:
    fed, made = steps(
        connection, lambda: at_once(replaying.feed(SqliteReplayQueries(connection), [asking(number, what, filters)]))
    )
    assert len(fed[number].candidates) == found
    assert 0 < made < steps_most


@pytest.mark.slow
def test_all_lanes_of_a_write_share_what_is_looked_through(connection: apsw.Connection) -> None:
    """Who comes when that is used up gets nothing this time, and stays where it was."""
    flushes = [asking(number, "all", RARE) for number in (1, 2, 3)]
    fed, made = steps(connection, lambda: at_once(replaying.feed(SqliteReplayQueries(connection), flushes)))
    start = EVENTS // 4
    assert [fed[number].cursor for number in (1, 2, 3)] == [start + 10_000, start, start]
    assert made < 200_000


@pytest.mark.parametrize(
    ("number", "what", "filters", "counted"),
    [
        (1, "failed", ALL_TYPES, (EVENTS // 2, False)),
        (1, "all", ALL_TYPES, (100_000, True)),
        (2, "all", ALL_TYPES, (100_000, True)),
        (2, "all", RARE, (100, True)),
    ],
)
def test_a_count_looks_at_so_much_and_tells_that_there_may_be_more(
    connection: apsw.Connection, number: int, what: What, filters: Filters, counted: tuple[int, bool]
) -> None:
    asked = subscription(number, filters)
    with ThreadPoolExecutor(1) as threads:
        kept = SqliteReplays(Readers([connection], threads))
        found, made = steps(connection, lambda: asyncio.run(kept.count(asked, 1, EVENTS, ReplayChoice(what))))
    assert found == counted
    assert 0 < made < 35 * 100_000
