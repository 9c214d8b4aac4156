"""How long a rehearsal of a large log takes, what it costs, and how much later others are served meanwhile. See
benchmarks/README.md."""

import argparse
import logging
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from statistics import median
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
NOTHING: Final = "nothing"
"""Stands for a rehearsal that did not take place: how much the machine alone moves others' latency."""
NOTHING_SECONDS: Final = 12.0


class _Spent(NamedTuple):
    """Seconds of CPU that the gateway had spent, by a moment."""

    at: float
    all: float
    loop: float


class _Rehearsal(NamedTuple):
    """The answer to a rehearsal, and what the gateway had spent before it, at its beginning, and at its end."""

    told: Any
    idle: _Spent
    begun: _Spent
    ended: _Spent

    @property
    def seconds(self) -> float:
        return self.ended.at - self.begun.at

    @property
    def events(self) -> int:
        return int(self.told["toSequence"] - self.told["fromSequence"] + 1)

    @property
    def cpu(self) -> float:
        """Seconds that it took of the gateway, beyond what others took just before."""
        return self._beyond(lambda spent: spent.all)

    @property
    def on_loop(self) -> float:
        """The same of the event loop's thread."""
        return self._beyond(lambda spent: spent.loop)

    def _beyond(self, spent: Callable[[_Spent], float]) -> float:
        of_others = (spent(self.begun) - spent(self.idle)) / (self.begun.at - self.idle.at)
        return spent(self.ended) - spent(self.begun) - of_others * self.seconds


class _Figures(NamedTuple):
    """What was seen of one change in all rounds: its rehearsals, and others' latencies in ms, while nothing was
    rehearsed and meanwhile."""

    rehearsals: list[_Rehearsal]
    alone: list[float]
    beside: list[float]


def measure(
    gateway: GatewayProcess, harness: Harness, changes: Sequence[str], rounds: int, to: int
) -> Mapping[str, _Figures]:
    seen = {name: _Figures([], [], []) for name in (NOTHING, *changes)}
    with harness.load(gateway, Workload(documents=500)) as load:
        for name, found in chain.from_iterable(repeat([*seen.items()], rounds)):
            harness.sink.ask("forget", secret=SECRET, timed="/")
            load.begin("trickle_on", rate=RATE, seconds=2 * ALONE_SECONDS + MOST_SECONDS)
            idle = _spent(gateway.pid)
            time.sleep(ALONE_SECONDS)
            begun = _spent(gateway.pid)
            if name == NOTHING:
                time.sleep(NOTHING_SECONDS)
            else:
                told = _rehearse(gateway, CHANGES[name], to)
                found.rehearsals.append(_Rehearsal(told, idle, begun, _spent(gateway.pid)))
            ended = time.monotonic()
            others = msgspec.convert(load.finish(), SteadyAnswers)
            if others.refused:
                raise SystemExit(f"{name}: others were refused: {others.refused}")
            harness.sink.ask("wait_for", count=len(others.sent), seconds=QUIET_SECONDS)
            _tell_apart(
                others, harness.sink.ask("check")["arrived"], range(int(begun.at * 1e9), int(ended * 1e9)), found
            )
    return seen


def _rehearse(gateway: GatewayProcess, change: Mapping[str, Any], to: int) -> Any:
    asked = {"from": "2000-01-01T00:00:00Z", "to": format_timestamp(to), "change": change}
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v1/subscriptions/{event_id(START + 1, 1)}/rehearsals",
        msgspec.json.encode(asked),
        {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=2 * MOST_SECONDS) as answer:  # noqa: S310 - the same
        return msgspec.json.decode(answer.read())


def _spent(pid: int) -> _Spent:
    on_loop = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]
    return _Spent(time.monotonic(), time.clock_gettime_ns(cpu_clock(pid)) / 1e9, int(on_loop) / 1e9)


def _tell_apart(others: SteadyAnswers, arrived: Sequence[tuple[str, int]], rehearsed: range, found: _Figures) -> None:
    """How long it took from the moment a change was due to the arrival of its event."""
    due = dict(others.sent)
    for name, at in arrived:
        if name in due:
            (found.beside if due[name] in rehearsed else found.alone).append((at - due[name]) / 1e6)


def table_of(seen: Mapping[str, _Figures]) -> Table:
    table = Table("change", "events", "more", "less", "s", "CPU s", "on the loop s", "CPU µs an event",
                  "others' p50 ms", "beside it", "p99 ms", "beside it", "ratio")  # fmt: skip
    for name, (rehearsals, alone, beside) in seen.items():
        table.add_row(name, *(_costs(rehearsals) if rehearsals else [""] * 7), *_latencies(alone, beside))
    return table


def _costs(rehearsals: Sequence[_Rehearsal]) -> Iterator[str]:
    """What the last rehearsal found, and what they took: the middle, and from the least to the most."""
    last, events = rehearsals[-1].told, min(each.events for each in rehearsals)
    yield f"{events:,}" + (" at least" if any(each.told["lookedBackTo"] is not None for each in rehearsals) else "")
    yield f"{last['more']:,}"
    yield f"{last['less']:,}"
    seconds = [each.seconds for each in rehearsals]
    yield f"{median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
    yield f"{median(each.cpu for each in rehearsals):.1f}"
    yield f"{median(each.on_loop for each in rehearsals):.2f}"
    yield f"{median(each.cpu * 1e6 / each.events for each in rehearsals):.1f}"


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
    parser.add_argument("--rounds", type=int, default=3, help="How often each is rehearsed, in turns.")
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
            said.print(table_of(measure(gateway, harness, options.only or [*CHANGES], options.rounds, end)))


if __name__ == "__main__":
    main()
