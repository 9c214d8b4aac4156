"""Every list with every kind of filter, at the size that a page must stay fast at. See benchmarks/README.md."""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import aged_postgres
import apsw
import psycopg
from large_database import (
    MASTER_KEYS,
    START,
    TENANT,
    Size,
    build,
)
from list_queries import Query, queries
from rich.console import Console
from rich.progress import track
from rich.table import Table

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import BatchContext
from signalpost.domain.documents.links import Links
from signalpost.store.open import default_url, find_database, open_store
from signalpost.store.sqlite.connect import connect, rows
from signalpost.store.sqlite.nouns import retention
from signalpost.store.sqlite.store import SqliteStore
from signalpost.store.store import Store

LINKS = Links(b"", "")
MAX_PAGE_MS = 50.0
REPEATS = 3
SAMPLE = 60
"""Queries of each list that are timed on PostgreSQL."""
LARGE = 5_000
"""Rows from which on no query should read a table whole."""
PAGES_DEEP = (0, 1, 8)
"""Which pages of a walk are timed."""


class Timing(NamedTuple):
    query: Query
    page: int
    position: Any
    rows: int
    first: float
    """The first reading of the page, in ms; the others follow on a page that is in the cache."""
    times: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.times)


async def timed(query: Query) -> list[Timing]:
    """The first pages and a deep one. Every repeat is on a page that the first reading brought into the cache."""
    timings = []
    position: Any = None
    for number in range(max(PAGES_DEEP) + 1):
        began = time.perf_counter()
        count, following = await query.page(position)
        first = (time.perf_counter() - began) * 1000
        if number in PAGES_DEEP:
            times = [await _once(query, position) for _ in range(REPEATS)]
            timings.append(Timing(query, number, position, count, first, times))
        if following is None:
            break
        position = following
    return timings


async def _once(query: Query, position: Any) -> float:
    began = time.perf_counter()
    await query.page(position)
    return (time.perf_counter() - began) * 1000


# --- What is told -----------------------------------------------------------------------------------------------------


def report(console: Console, timings: list[Timing]) -> None:
    table = Table("list", "filter", "page", "rows", "ms median", "worst", "first", box=None)
    for timing in sorted(timings, key=lambda timing: -timing.median)[:40]:
        table.add_row(
            timing.query.list, timing.query.asked, str(timing.page + 1), str(timing.rows),
            f"{timing.median:.1f}", f"{max(timing.times):.1f}", f"{timing.first:.1f}",
        )  # fmt: skip
    console.print(table)
    by_list: dict[str, list[Timing]] = {}
    for timing in timings:
        by_list.setdefault(timing.query.list, []).append(timing)
    summary = Table("list", "pages timed", "ms median", "slowest median", "slowest reading", box=None)
    for name, group in by_list.items():
        summary.add_row(
            name, str(len(group)), f"{statistics.median(timing.median for timing in group):.2f}",
            f"{max(timing.median for timing in group):.1f}",
            f"{max(max(timing.first, *timing.times) for timing in group):.1f}",
        )  # fmt: skip
    console.print(summary)


async def explain(console: Console, store: SqliteStore, slowest: Timing) -> None:
    """The statements of a page with their plans, each once."""
    console.print(f"slowest: {slowest.query.list} {slowest.query.asked} page {slowest.page + 1}", style="bold")
    statements: dict[str, Any] = {}

    def traced(_cursor: apsw.Cursor, statement: str, bindings: Any) -> bool:
        statements.setdefault(statement, bindings)
        return True

    connections = store.readers.connections
    for connection in connections:
        connection.exec_trace = traced
    await slowest.query.page(slowest.position)
    for connection in connections:
        connection.exec_trace = None
    for statement, bindings in statements.items():
        console.print(statement)
        for *_, detail in rows(connections[0], f"EXPLAIN QUERY PLAN {statement}", bindings):
            console.print(f"    {detail}", style="dim")


def pruning(console: Console, path: Path) -> None:
    """What the retention takes in one batch, on the writer's thread; undone again."""
    connection = connect(path)
    connection.execute("BEGIN IMMEDIATE")
    jobs: dict[str, Callable[[], int]] = {
        "prune_log, 500 events": lambda: retention.prune_log(connection, TENANT, 10**9, 500),
        "prune_leftovers, 500": lambda: retention.prune_leftovers(connection, START, 500),
    }
    for name, job in jobs.items():
        began = time.perf_counter()
        removed = job()
        console.print(f"{name}: {(time.perf_counter() - began) * 1000:.1f} ms for {removed}")
    connection.execute("ROLLBACK")
    connection.close()


def sampled(every: list[Query], count: int | None) -> list[Query]:
    """At most `count` queries of each list, the same ones every time; all of them if it is None."""
    if count is None:
        return every
    of_list: dict[str, list[Query]] = {}
    for query in every:
        of_list.setdefault(query.list, []).append(query)
    chance = random.Random(1)  # noqa: S311 - a choice, no secret
    return [query for each in of_list.values() for query in chance.sample(each, min(count, len(each)))]


async def time_all(console: Console, store: Store, size: Size, sample: int | None) -> list[Timing]:
    timings = [
        timing
        for query in track(sampled(await queries(store, size), sample), "queries", transient=True)
        for timing in await timed(query)
    ]
    report(console, timings)
    if isinstance(store, SqliteStore):
        await explain(console, store, max(timings, key=lambda timing: timing.median))
    await store.close()
    return timings


async def open_(url: str) -> Store:
    return await open_store(
        url,
        master_keys=MASTER_KEYS,
        context=BatchContext(LINKS, kept_answers(LINKS), random.getrandbits),
        now=lambda: START,
        on_broken=lambda _error: None,
    )


def sequential_scans(url: str) -> dict[str, int]:
    """How many times each large table, or partition of one, was read from one end to the other so far."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE n_live_tup >= %s", (LARGE,)
        ).fetchall()
    return dict(found)


def tell_scans(console: Console, before: dict[str, int], after: dict[str, int]) -> None:
    scanned = {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}
    console.print(
        f"Tables of {LARGE:,} rows or more that a query read whole: "
        + (", ".join(f"{name} ({count} times)" for name, count in scanned.items()) or "none; all plans use indexes.")
    )


def on_postgres(console: Console, url: str, size: Size, sample: int | None) -> list[Timing]:
    if not find_database(url).exists():
        began = time.perf_counter()
        aged_postgres.build(url, size)
        console.print(f"built in {time.perf_counter() - began:.0f} s")

    async def timings() -> list[Timing]:
        return await time_all(console, await open_(url), size, sample)

    before = sequential_scans(url)
    found = asyncio.run(timings())
    time.sleep(2)  # until the server has added up what its processes did
    tell_scans(console, before, sequential_scans(url))
    return found


def on_sqlite(console: Console, size: Size, keep: Path | None, reuse: Path | None, sample: int | None) -> list[Timing]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or reuse or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "signalpost.db"
        if reuse is None:
            began = time.perf_counter()
            build(path, size)
            console.print(f"built in {time.perf_counter() - began:.0f} s, {path.stat().st_size / 1e9:.1f} GB")

        async def timings() -> list[Timing]:
            return await time_all(console, await open_(default_url(folder)), size, sample)

        found = asyncio.run(timings())
        pruning(console, path)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--attempts", type=int, default=5_000_000)
    parser.add_argument("--exceptions", type=int, default=1_000_000, help="deliveries that failed or await a retry")
    parser.add_argument("--documents", type=int, default=250_000)
    parser.add_argument("--subscriptions", type=int, default=1_000)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--keep", type=Path, help="build the database in this folder and leave it there")
    where.add_argument("--reuse", type=Path, help="time the one that --keep left, of the same size")
    where.add_argument("--database-url", help="time a PostgreSQL database, which is built where it is empty")
    parser.add_argument(
        "--sample",
        type=int,
        help="how many queries of each list are timed [all; with --database-url 60: there are some 2,800 in all, a page"
        " of which takes several round trips]",
    )
    options = parser.parse_args()
    size = Size(*(getattr(options, name) for name in Size._fields))
    console = Console(highlight=False, width=170)
    if options.database_url is not None:
        timings = on_postgres(console, options.database_url, size, options.sample or SAMPLE)
    else:
        timings = on_sqlite(console, size, options.keep, options.reuse, options.sample)
    slow = [timing for timing in timings if timing.median > MAX_PAGE_MS]
    console.print(f"{len(timings)} pages timed, {len(slow)} of them above {MAX_PAGE_MS:.0f} ms")
    raise SystemExit(1 if slow else 0)


if __name__ == "__main__":
    main()
