"""How long a rehearsal of a large log takes, and what it costs. See benchmarks/README.md."""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aged_postgres
import msgspec
import uvloop
from console import get
from large_database import START, Size, build
from rich.console import Console
from rich.table import Table

from signalpost.cli.serving.gateway_process import SWITCH_INTERVAL
from signalpost.domain.event import event_id
from signalpost.gateway import Gateway
from signalpost.settings import Settings
from signalpost.store.open import find_database
from signalpost_bench.workload import OPERATOR_KEY, PUBLIC_URL

TITLED: Final = {"field": "document.title", "contains": "7"}
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "types": {"eventTypes": ["documentUpdated"]},
    "a condition": {"when": TITLED},
    "a condition about a change": {"when": {"field": "document.status", "changedTo": "created"}},
    "eight conditions": {
        "when": {
            "any": [
                {"all": [{"field": f"document.{name}", "is": "x"}, TITLED]}
                for name in ("type", "sourceApp", "ownerEmail", "referenceId")
            ]
        }
    },
    "a delay with a condition": {"after": {"seconds": 3600, "if": TITLED}},
}
"""What is rehearsed, beside a subscription to everything."""


async def measure(folder: Path, url: str | None) -> Table:
    settings = Settings(
        data_dir=folder, database_url=url, master_key=(bytes(32),), operator_key=OPERATOR_KEY, public_url=PUBLIC_URL,
        retention_days=3_650, disk_reserve_mb=0,
    )  # fmt: skip
    table = Table("change", "events", "more", "less", "s", "CPU s", "on the loop s", "CPU µs an event")
    async with Gateway(settings) as gateway:
        await asyncio.sleep(2)
        for name, change in CHANGES.items():
            asked = msgspec.json.encode({"from": "2000-01-01T00:00:00Z", "change": change})
            headers = {"authorization": f"Bearer {OPERATOR_KEY}", "content-type": "application/json"}
            path = f"/v1/subscriptions/{event_id(START + 1, 1)}/rehearsals"
            answer = await get(gateway.app, path, headers, "POST", asked)
            told = msgspec.json.decode(answer.body)
            if answer.status != 200:
                raise SystemExit(f"{name}: {told}")
            first = told["fromSequence"] if told["lookedBackTo"] is None else None
            events = told["toSequence"] - first + 1 if first is not None else told["now"]
            table.add_row(
                name + ("" if first is not None else " (ended early)"), f"{events:,}", f"{told['more']:,}",
                f"{told['less']:,}", f"{answer.ms / 1e3:.1f}", f"{answer.cpu_ms / 1e3:.1f}",
                f"{answer.loop_ms / 1e3:.2f}", f"{answer.cpu_ms * 1e3 / events:.1f}",
            )  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="Keep the database here for the next run.")
    parser.add_argument("--database-url", help="Measure a PostgreSQL database, which is built where it is empty.")
    options = parser.parse_args()
    size = Size(options.events, attempts=1_000, exceptions=400, documents=options.events // 10, subscriptions=10)
    logging.getLogger("signalpost").setLevel(logging.ERROR)
    sys.setswitchinterval(SWITCH_INTERVAL)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(mode=0o700, exist_ok=True)
        began = time.perf_counter()
        if options.database_url is not None:
            if not find_database(options.database_url).exists():
                aged_postgres.build(options.database_url, size)
        elif not (folder / "signalpost.db").exists():
            build(folder / "signalpost.db", size)
        said = Console(width=120)
        said.print(f"{options.events:,} events, after {time.perf_counter() - began:.0f} s.")
        said.print(uvloop.run(measure(folder, options.database_url)))


if __name__ == "__main__":
    main()
