"""Every page of the console over a large database: how long it takes, how much of that the event loop is busy with it,
and how much a first visit loads. See benchmarks/README.md."""

import argparse
import asyncio
import gzip
import logging
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aged_postgres
import uvloop
from large_database import FULL_OF_FAILED, FULL_OF_RETRIES, START, Size, build, external_id
from queries import sequential_scans, tell_scans
from rich.console import Console
from rich.table import Table

from signalpost.asgi import AsgiApp, Message
from signalpost.cli.commands.serve import SWITCH_INTERVAL
from signalpost.domain.event import event_id
from signalpost.gateway import Gateway
from signalpost.settings import Settings
from signalpost.store.open import find_database
from signalpost_bench.workload import OPERATOR_KEY, PUBLIC_URL

RUNS = 25
IDLE_SECONDS = 5.0
BUDGET_MS, LOOP_BUDGET_MS, BYTES_BUDGET = 100.0, 2.0, 25_000


class Reply(NamedTuple):
    status: int
    headers: Mapping[bytes, bytes]
    body: bytes
    ms: float
    loop_ms: float
    """The CPU that the event loop's thread spent meanwhile, on whatever it was."""


async def get(app: AsgiApp, path: str, headers: Mapping[str, str], method: str = "GET") -> Reply:
    split = urlsplit(path)
    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": split.path, "raw_path": split.path.encode(), "scheme": "http",
        "query_string": split.query.encode(), "client": ("127.0.0.1", 1), "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1", **headers}.items()],
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    began, busy = time.perf_counter(), time.thread_time()
    await app(scope, receive, send)
    busy, ms = time.thread_time() - busy, time.perf_counter() - began
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Reply(sent[0]["status"], dict(sent[0]["headers"]), body, ms * 1000, busy * 1000)


async def busy_anyway() -> float:
    """The share of its time for which the event loop is busy while no client asks for anything."""
    began, busy = time.perf_counter(), time.thread_time()
    await asyncio.sleep(IDLE_SECONDS)
    return (time.thread_time() - busy) / (time.perf_counter() - began)


async def measure(folder: Path, size: Size, url: str | None = None) -> Table:
    settings = Settings(
        data_dir=folder,
        database_url=url,
        master_key=(bytes(32),),
        operator_key=OPERATOR_KEY,
        public_url=PUBLIC_URL,
        retention_days=3_650,
        disk_reserve_mb=0,
    )
    async with Gateway(settings) as gateway:
        key = {"authorization": f"Bearer {OPERATOR_KEY}"}
        link = await get(gateway.app, "/v1/console-links", key, "POST")
        entered = await get(
            gateway.app,
            re.findall(rb"/console/enter/[^\"]+", link.body)[0].decode(),
            {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate"},
        )
        signed_in = {"cookie": entered.headers[b"set-cookie"].decode().partition(";")[0], "accept-encoding": "gzip"}
        anyway = await busy_anyway()
        table = Table("page", "p50 ms", "p95 ms", "on the loop ms", "lowest", "HTML", "gzipped")
        for name, path in pages(size).items():
            page = await get(gateway.app, f"/console/t/default{path}", signed_in)
            assert page.status in (200, 303), (name, page.status, page.body[-300:])  # what an id is of is gone to
            runs = [await get(gateway.app, f"/console/t/default{path}", signed_in) for _ in range(RUNS)]
            times = sorted(run.ms for run in runs)
            busy = sorted(run.loop_ms - anyway * run.ms for run in runs)
            p95 = times[int(RUNS * 0.95)]
            plain = gzip.decompress(page.body) if page.headers.get(b"content-encoding") == b"gzip" else page.body
            table.add_row(
                name, f"{statistics.median(times):.1f}", marked(p95, BUDGET_MS),
                marked(statistics.median(busy), LOOP_BUDGET_MS), f"{busy[0]:.1f}",
                f"{len(plain):,}", f"{len(gzip.compress(plain, 6)):,}",
            )  # fmt: skip
        table.add_row(*await first_visit(gateway.app, signed_in))
        return table


async def first_visit(app: AsgiApp, signed_in: Mapping[str, str]) -> list[str]:
    """What a browser that has nothing yet loads to show the overview, over the wire."""
    page = await get(app, "/console/t/default", signed_in)
    text = (gzip.decompress(page.body) if page.headers.get(b"content-encoding") == b"gzip" else page.body).decode()
    assets = dict.fromkeys(re.findall(r'(?:href|src)="(/console/static/[^"]+)"', text))
    total = len(page.body) + sum([len((await get(app, each, signed_in)).body) for each in assets])
    return [f"a first visit: {1 + len(assets)} requests", "", "", "", "", "", marked(total, BYTES_BUDGET, ",")]


def marked(value: float, budget: float, form: str = ".1f") -> str:
    return f"{value:{form}}" if value <= budget else f"[red]{value:{form}}[/red]"


def pages(size: Size) -> dict[str, str]:
    failed, retrying = (event_id(START + number, number) for number in (FULL_OF_FAILED, FULL_OF_RETRIES))
    some = external_id(size.documents // 20 * 10 + 3)  # every tenth is deleted
    return {
        "overview": "",
        "deliveries": "/deliveries",
        "deliveries, failed": "/deliveries?status=failed",
        "deliveries, retrying": "/deliveries?status=retrying",
        "deliveries of a document": f"/deliveries?document={some}",
        "deliveries, failed, of one subscription": f"/deliveries?status=failed&subscription={failed}",
        "deliveries, a rare type": "/deliveries?type=documentDeleted",
        "subscriptions": "/subscriptions",
        "a subscription, many failed": f"/subscriptions/{failed}",
        "a subscription, many retrying": f"/subscriptions/{retrying}",
        "events": "/events",
        "events of a rare type": "/events?type=documentDeleted",
        "events of a document": f"/events?document={some}",
        "documents": "/documents",
        "documents of a rare status": "/documents?status=paused",
        "documents of an owner": "/documents?owner=owner-8@example.com",
        "a document": f"/documents/{some}",
        "the busy document": f"/documents/{external_id(1)}",
        "replays": "/replays",
        "find a title": "/find?q=agreement+1234",
        "find an e-mail": "/find?q=owner-8%40example.com",
        "find an id": f"/find?q={some}",
        "find nothing": "/find?q=nothing+of+the+kind",
        "keys": "/keys",
        "audit": "/audit",
        "members": "/members",
        "tenants": "/tenants",
        "gateway": "/gateway",
    }


def on_postgres(folder: Path, size: Size, url: str) -> None:
    """Measures on PostgreSQL, and tells which large tables a page's queries read from one end to the other."""
    said = Console(width=120)
    if not find_database(url).exists():
        began = time.perf_counter()
        aged_postgres.build(url, size)
        said.print(f"Built {size.attempts:,} attempts in {time.perf_counter() - began:.0f} s.")
    before = sequential_scans(url)
    said.print(uvloop.run(measure(folder, size, url)))
    time.sleep(2)  # until the server has added up what its processes did
    tell_scans(said, before, sequential_scans(url))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path, help="Keep the database here for the next run.")
    parser.add_argument("--database-url", help="Measure a PostgreSQL database, which is built where it is empty.")
    options = parser.parse_args()
    size = Size(
        events=options.attempts // 5,
        attempts=options.attempts,
        exceptions=options.attempts // 10,
        documents=options.attempts // 5,
        subscriptions=1_000,
    )
    logging.getLogger("signalpost").setLevel(logging.ERROR)
    sys.setswitchinterval(SWITCH_INTERVAL)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(mode=0o700, exist_ok=True)
        if options.database_url is not None:
            on_postgres(folder, size, options.database_url)
            return
        database = folder / "signalpost.db"
        if not database.exists():
            began = time.perf_counter()
            build(database, size)
            Console().print(f"Built {options.attempts:,} attempts in {time.perf_counter() - began:.0f} s.")
        Console(width=120).print(uvloop.run(measure(folder, size)))


if __name__ == "__main__":
    main()
