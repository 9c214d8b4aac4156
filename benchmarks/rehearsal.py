"""How long a rehearsal of a large log takes, what it costs, and how much later others are served meanwhile. See
benchmarks/README.md."""

import argparse
import logging
import os
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import aged_postgres
import msgspec
from large_database import START, STEP, Size, build
from rich.console import Console
from rich.table import Table

from signalpost.domain.event import event_id
from signalpost.domain.timestamps import format_timestamp
from signalpost.store.open import find_database
from signalpost_bench.harness import QUIET_SECONDS, Harness
from signalpost_bench.load import SteadyAnswers, cpu_clock
from signalpost_bench.results import latencies
from signalpost_bench.serving import GatewayProcess
from signalpost_bench.workload import SECRET, Workload

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
RATE: Final = 100
"""Changes a second that others make."""
ALONE_SECONDS: Final = 10.0
"""For so long before and after a rehearsal others are alone."""
MOST_SECONDS: Final = 30.0
"""No rehearsal takes longer."""


class _Spent(NamedTuple):
    """Seconds of CPU that the gateway had spent, by a moment."""

    at: float
    all: float
    loop: float


class _Rehearsal(NamedTuple):
    """The answer to a rehearsal, and what the gateway had spent when it was asked for and when it was answered."""

    told: Any
    begun: _Spent
    ended: _Spent

    @property
    def seconds(self) -> float:
        return self.ended.at - self.begun.at


def measure(gateway: GatewayProcess, harness: Harness, changes: Sequence[str], to: int) -> Table:
    table = Table("change", "events", "more", "less", "s", "CPU s", "on the loop s", "CPU µs an event",
                  "others' p50 ms", "beside it", "p99 ms", "beside it", "ratio")  # fmt: skip
    with harness.load(gateway, Workload(documents=500)) as load:
        for name in changes:
            harness.sink.ask("forget", secret=SECRET, timed="/")
            load.begin("trickle_on", rate=RATE, seconds=2 * ALONE_SECONDS + MOST_SECONDS)
            idle = _spent(gateway.pid)
            time.sleep(ALONE_SECONDS)
            rehearsed = _rehearse(gateway, CHANGES[name], to)
            others = msgspec.convert(load.finish(), SteadyAnswers)
            if others.refused:
                raise SystemExit(f"{name}: others were refused: {others.refused}")
            harness.sink.ask("wait_for", count=len(others.sent), seconds=QUIET_SECONDS)
            alone, beside = _apart(others, harness.sink.ask("check")["arrived"], rehearsed)
            table.add_row(name, *_told(rehearsed), *_costs(rehearsed, idle), *_latencies(alone, beside))
    return table


def _rehearse(gateway: GatewayProcess, change: Mapping[str, Any], to: int) -> _Rehearsal:
    asked = {"from": "2000-01-01T00:00:00Z", "to": format_timestamp(to), "change": change}
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v1/subscriptions/{event_id(START + 1, 1)}/rehearsals",
        msgspec.json.encode(asked),
        {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"},
    )
    begun = _spent(gateway.pid)
    with urllib.request.urlopen(request, timeout=2 * MOST_SECONDS) as answer:  # noqa: S310 - the same
        told = msgspec.json.decode(answer.read())
    return _Rehearsal(told, begun, _spent(gateway.pid))


def _spent(pid: int) -> _Spent:
    on_loop = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]
    return _Spent(time.monotonic(), time.clock_gettime_ns(cpu_clock(pid)) / 1e9, int(on_loop) / 1e9)


def _apart(
    others: SteadyAnswers, arrived: Sequence[tuple[str, int]], rehearsed: _Rehearsal
) -> tuple[list[float], list[float]]:
    """How long it took in ms from the moment a change was due to the arrival of its event: while nothing was
    rehearsed, and meanwhile."""
    due, alone, beside = dict(others.sent), list[float](), list[float]()
    begun, ended = rehearsed.begun.at * 1e9, rehearsed.ended.at * 1e9
    for name, at in arrived:
        if name in due:
            (beside if begun <= due[name] < ended else alone).append((at - due[name]) / 1e6)
    return alone, beside


def _told(rehearsed: _Rehearsal) -> Iterator[str]:
    told = rehearsed.told
    looked_at = told["toSequence"] - told["fromSequence"] + 1
    yield f"{looked_at:,}" + ("" if told["lookedBackTo"] is None else " (ended early)")
    yield f"{told['more']:,}"
    yield f"{told['less']:,}"
    yield f"{rehearsed.seconds:.1f}"


def _costs(rehearsed: _Rehearsal, idle: _Spent) -> Iterator[str]:
    """What a rehearsal took of the gateway, beyond what others took just before."""
    _, begun, ended = rehearsed
    before = begun.at - idle.at
    spent = ended.all - begun.all - (begun.all - idle.all) / before * rehearsed.seconds
    on_loop = ended.loop - begun.loop - (begun.loop - idle.loop) / before * rehearsed.seconds
    looked_at = rehearsed.told["toSequence"] - rehearsed.told["fromSequence"] + 1
    yield f"{spent:.1f}"
    yield f"{on_loop:.2f}"
    yield f"{spent * 1e6 / looked_at:.1f}"


def _latencies(alone: Sequence[float], beside: Sequence[float]) -> Iterator[str]:
    before, meanwhile = latencies(alone), latencies(beside)
    yield f"{before.p50_ms:.1f}"
    yield f"{meanwhile.p50_ms:.1f}"
    yield f"{before.p99_ms:.1f}"
    yield f"{meanwhile.p99_ms:.1f}"
    yield f"{(meanwhile.p99_ms or 0.0) / (before.p99_ms or 1.0):.2f}"


@contextmanager
def gateway_of(harness: Harness, folder: Path, url: str | None) -> Iterator[GatewayProcess]:
    """A gateway on this database, on all cores."""
    with harness.gateway_on(url, folder) as gateway:
        for task in Path(f"/proc/{gateway.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), range(os.cpu_count() or 1))
        yield gateway


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--only", choices=CHANGES, action="append", help="Rehearse this change alone.")
    parser.add_argument("--folder", type=Path, help="Keep the database here for the next run.")
    parser.add_argument("--database-url", help="Measure a PostgreSQL database, which is built where it is empty.")
    options = parser.parse_args()
    size = Size(options.events, attempts=1_000, exceptions=400, documents=options.events // 10, subscriptions=10)
    logging.getLogger("signalpost").setLevel(logging.ERROR)
    os.environ["SIGNALPOST_RETENTION_DAYS"] = "3650"  # everything in the log is old
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(mode=0o700, exist_ok=True)
        began = time.perf_counter()
        if options.database_url is not None:
            if not find_database(options.database_url).exists():
                aged_postgres.build(options.database_url, size)
        elif not (folder / "signalpost.db").exists():
            build(folder / "signalpost.db", size)
        said = Console(width=160)
        said.print(f"{options.events:,} events, after {time.perf_counter() - began:.0f} s.")
        end = START + (options.events + 1) * STEP
        with (
            Harness(Workload(), None, tls=False) as harness,
            gateway_of(harness, folder, options.database_url) as gateway,
        ):
            said.print(measure(gateway, harness, options.only or [*CHANGES], end))


if __name__ == "__main__":
    main()
