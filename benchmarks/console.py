"""Every page of the console and the portal over a large database: how long it takes, what it costs the event loop and
all threads together, and how much a first visit loads. See benchmarks/README.md."""

import argparse
import asyncio
import gzip
import logging
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aged_postgres
import msgspec
import uvloop
from large_database import FULL_OF_FAILED, FULL_OF_RETRIES, START, Size, build, external_id
from queries import sequential_scans, tell_scans
from rich.console import Console
from rich.table import Table

from signalpost.asgi import AsgiApp, Message
from signalpost.cli.serving.gateway_process import SWITCH_INTERVAL
from signalpost.console.pages import PAGES
from signalpost.console.portal.pages import PAGES as PORTAL_PAGES
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.event import event_id
from signalpost.gateway import Gateway
from signalpost.settings import Settings
from signalpost.store.open import find_database
from signalpost_bench.workload import OPERATOR_KEY, PUBLIC_URL

RUNS = 25
IDLE_SECONDS = 5.0
KEY = {"authorization": f"Bearer {OPERATOR_KEY}"}
BUDGET_MS, LOOP_BUDGET_MS, CPU_BUDGET_MS, BYTES_BUDGET = 100.0, 2.0, 20.0, 25_000
CONSOLE, PORTAL = "/console/t/default", "/portal"
NAVIGATES = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}


class Reply(NamedTuple):
    status: int
    headers: Mapping[bytes, bytes]
    body: bytes
    ms: float
    loop_ms: float
    """The CPU that the event loop's thread spent meanwhile, on whatever it was."""
    cpu_ms: float
    """The CPU that all threads of this process spent meanwhile."""


async def get(app: AsgiApp, path: str, headers: Mapping[str, str], method: str = "GET", content: bytes = b"") -> Reply:
    split = urlsplit(path)
    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": split.path, "raw_path": split.path.encode(), "scheme": "http",
        "query_string": split.query.encode(), "client": ("127.0.0.1", 1), "http_version": "1.1",
        "headers": [
            (name.encode(), value.encode())
            for name, value in {"host": "127.0.0.1", "content-length": str(len(content)), **headers}.items()
        ],
    }  # fmt: skip
    sent: list[Message] = []
    is_read = asyncio.Event()

    async def receive() -> Message:
        if is_read.is_set():
            await asyncio.get_running_loop().create_future()  # the client stays
        is_read.set()
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    began, busy, cpu = time.perf_counter(), time.thread_time(), time.process_time()
    await app(scope, receive, send)
    busy, cpu, ms = time.thread_time() - busy, time.process_time() - cpu, time.perf_counter() - began
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Reply(sent[0]["status"], dict(sent[0]["headers"]), body, ms * 1000, busy * 1000, cpu * 1000)


async def busy_anyway() -> tuple[float, float]:
    """The share of its time for which the event loop, and all threads together, are busy while no client asks for
    anything."""
    began, busy, cpu = time.perf_counter(), time.thread_time(), time.process_time()
    await asyncio.sleep(IDLE_SECONDS)
    took = time.perf_counter() - began
    return (time.thread_time() - busy) / took, (time.process_time() - cpu) / took


async def longest_round(page: Coroutine[Any, Any, Reply]) -> float:
    """The most CPU, in ms, that the event loop spent between two looks at what else there is to do."""
    asked, longest = asyncio.ensure_future(page), 0.0
    while not asked.done():
        since = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - since)
    await asked
    return longest * 1000


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
        visitors = {CONSOLE: await signed_in(gateway.app), PORTAL: await entered_portal(gateway.app)}
        anyway = await busy_anyway()
        table = Table(
            "page", "p50 ms", "p95 ms", "on the loop ms", "lowest", "longest turn ms", "CPU ms", "HTML", "gzipped"
        )
        for name, path in (await pages(gateway.app, size)).items():
            table.add_row(
                name,
                *await measured(gateway.app, path, visitors[PORTAL if path.startswith(PORTAL) else CONSOLE], anyway),
            )
        table.add_row(*await first_visit(gateway.app, visitors[CONSOLE]))
        return table


async def measured(app: AsgiApp, path: str, visitor: Mapping[str, str], anyway: tuple[float, float]) -> Sequence[str]:
    """What a row of the table says of a page. `anyway` is for how much of their time loop and threads are busy without
    it."""
    page = await get(app, path, visitor)
    assert page.status in (200, 303), (path, page.status, page.body[-300:])  # what an id is of is gone to
    runs = [await get(app, path, visitor) for _ in range(RUNS)]
    times = sorted(run.ms for run in runs)
    busy = sorted(run.loop_ms - anyway[0] * run.ms for run in runs)
    cpu = statistics.median(run.cpu_ms - anyway[1] * run.ms for run in runs)
    turns = [await longest_round(get(app, path, visitor)) for _ in range(RUNS // 3)]
    plain = gzip.decompress(page.body) if page.headers.get(b"content-encoding") == b"gzip" else page.body
    return (
        f"{statistics.median(times):.1f}", marked(times[int(RUNS * 0.95)], BUDGET_MS),
        marked(statistics.median(busy), LOOP_BUDGET_MS), f"{busy[0]:.1f}",
        marked(statistics.median(turns), LOOP_BUDGET_MS), marked(cpu, CPU_BUDGET_MS),
        f"{len(plain):,}", f"{len(gzip.compress(plain, 6)):,}",
    )  # fmt: skip


async def signed_in(app: AsgiApp) -> Mapping[str, str]:
    """The headers of an operator who has signed in to the console."""
    link = await get(app, "/v1/console-links", KEY, "POST")
    return await _entered(app, re.findall(rb"/console/enter/[^\"]+", link.body)[0].decode())


async def entered_portal(app: AsgiApp) -> Mapping[str, str]:
    """The headers of a customer whose link reaches every subscription."""
    asked = msgspec.json.encode({"name": "Everything", "subscriptions": "all", "can": [*Capability]})
    link = await get(app, "/v1/portal-links", {**KEY, "content-type": "application/json"}, "POST", asked)
    return await _entered(app, re.findall(rb"/portal/enter/[^\"]+", link.body)[0].decode())


async def _entered(app: AsgiApp, path: str) -> Mapping[str, str]:
    entered = await get(app, path, NAVIGATES)
    return {"cookie": entered.headers[b"set-cookie"].decode().partition(";")[0], "accept-encoding": "gzip"}


async def first_visit(app: AsgiApp, signed_in: Mapping[str, str]) -> list[str]:
    """What a browser that has nothing yet loads to show the overview, over the wire."""
    page = await get(app, "/console/t/default", signed_in)
    text = (gzip.decompress(page.body) if page.headers.get(b"content-encoding") == b"gzip" else page.body).decode()
    assets = dict.fromkeys(re.findall(r'(?:href|src)="(/console/static/[^"]+)"', text))
    total = len(page.body) + sum([len((await get(app, each, signed_in)).body) for each in assets])
    return [f"a first visit: {1 + len(assets)} requests", "", "", "", "", "", "", "", marked(total, BYTES_BUDGET, ",")]


def marked(value: float, budget: float, form: str = ".1f") -> str:
    return f"{value:{form}}" if value <= budget else f"[red]{value:{form}}[/red]"


async def pages(app: AsgiApp, size: Size) -> dict[str, str]:
    """Every page of both tables, with the searches and filters of lists."""
    failed, retrying = (event_id(START + number, number) for number in (FULL_OF_FAILED, FULL_OF_RETRIES))
    some = external_id(size.documents // 20 * 10 + 3)  # every tenth is deleted
    asked = {
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
    answer = await get(app, f"/v1/subscriptions/{failed}/deliveries?status=failed&limit=1", KEY)
    event = msgspec.json.decode(answer.body)["data"][0]["eventId"]
    of_document, of_event = {"id": some}, {"id": event}
    given = {"id": failed, "eventId": event, "kind": "slack", "preset": "slack-executed", "name": "default"}
    found = {name: CONSOLE + path for name, path in asked.items()}
    for root, table in ((CONSOLE, PAGES), (PORTAL, PORTAL_PAGES)):
        for page in table:
            own = of_document if page.section == "Documents" else of_event if page.section == "Events" else {}
            path = root + page.path.format_map({**given, **own})
            if path not in found.values() and "/connections/{" not in page.path:  # of which there is none
                found[f"{root.split('/')[1]} {page.path}"] = path
    return found


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
    parser.add_argument("--subscriptions", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="Keep the database here for the next run.")
    parser.add_argument("--database-url", help="Measure a PostgreSQL database, which is built where it is empty.")
    options = parser.parse_args()
    size = Size(
        events=options.attempts // 5,
        attempts=options.attempts,
        exceptions=options.attempts // 10,
        documents=options.attempts // 5,
        subscriptions=options.subscriptions,
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
