"""Whether one tenant that does what is costly holds up another. `bad_caller.py` has the probes; each is a table row.

The other tenant's documents are changed at a steady rate, first with nothing beside them and then beside the probe, at
a gateway that is new for each probe. Judged are the 99th percentile from the moment a change was due to the arrival of
its event, that nothing was refused or attempted twice, and how long the gateway's event loop was away.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost_bench.bad_caller import PROBES
from signalpost_bench.child_process import ChildProcess
from signalpost_bench.harness import QUIET_SECONDS, USUAL_TIMEOUT, Harness
from signalpost_bench.load import SteadyAnswers
from signalpost_bench.results import MIN_ARRIVALS_FOR_P99, Figures, Rows, Size, Stall, beside, latencies, longest
from signalpost_bench.serving import GatewayProcess
from signalpost_bench.workload import SECRET

RATE = 100
"""Changes a second of the tenant that is to be left alone."""
DOCUMENTS = 500
MAX_HELD_MS = 50.0
"""How long the event loop may be away for something of the gateway's own."""
LEAD_SECONDS = 0.5
"""The probe begins so long before what is measured, and goes on so long after it."""
RETRIED_MS = 9_000.0
"""A delivery that takes this long needed a retry: the first is due after 10 s, and an attempt lasts at most 5 s."""
MAX_CPU_RATIO = 2.0
"""How many times as much the gateway may work until a change of the other tenant is answered."""
REFUSED, FAILED, AWAY, BEFORE = "refused", "failed attempts", "loop away ms", "p99 before ms"
CPU, CPU_BEFORE, CPU_RATIO = "CPU ms to an answer", "CPU ms before", "CPU ratio"


class _Figures(Struct, frozen=True):
    took_ms: list[float]
    cpu_ms: list[float]
    refused: int
    failed: int


class _Parts(NamedTuple):
    """A gateway, the tenant that is to be left alone, and the caller beside it."""

    gateway: GatewayProcess
    load: ChildProcess
    caller: ChildProcess


def one_bad_caller(harness: Harness, size: Size, _: Rows) -> Rows:
    """Run each probe in turn, at a gateway of its own."""
    rows: dict[str, Figures] = {}
    for name, probe in PROBES.items():
        with parts_of(harness) as parts:
            rows[f"beside {probe.about}"] = run_probe(harness, parts, name, size.seconds)
    return rows


@contextmanager
def parts_of(harness: Harness) -> Iterator[_Parts]:
    workload = replace(harness.workload, endpoints=1, fan_out=1, documents=DOCUMENTS)
    with harness.bad_caller() as caller:
        endpoint = f"http://127.0.0.1:{caller.ask('listen')}"
        with (
            harness.gateway(targets=[endpoint], attempt_timeout=USUAL_TIMEOUT) as gateway,
            harness.load(gateway, workload) as load,
        ):
            gateway.note_answers()
            yield _Parts(gateway, load, caller)


def run_probe(harness: Harness, parts: _Parts, name: str, seconds: float, lead: float = LEAD_SECONDS) -> Figures:
    """Measure the other tenant before this probe and beside it, for so many seconds each."""
    gateway, caller = parts.gateway, parts.caller
    caller.ask("prepare", probe=name, port=gateway.port, key=gateway.key)
    alone = _see(harness, parts, seconds)
    gateway.all_stalls()
    caller.begin("run", seconds=seconds + 2 * lead)
    _see(harness, parts, lead)
    others = _see(harness, parts, seconds)
    told = caller.finish()
    return _judged(PROBES[name].about, alone, others, gateway.all_stalls(), told)


def _see(harness: Harness, parts: _Parts, seconds: float) -> _Figures:
    gateway, load, _ = parts
    harness.sink.ask("forget", secret=SECRET, timed="/")
    gateway.answers()
    told = msgspec.convert(load.ask("trickle_on", rate=RATE, seconds=seconds), SteadyAnswers)
    harness.sink.ask("wait_for", count=len(told.sent), seconds=QUIET_SECONDS)
    found = harness.sink.ask("check")
    due = dict(told.sent)
    took = [(at - due[name]) / 1e6 for name, at in found["arrived"] if name in due]
    late = sum(ms > RETRIED_MS for ms in took)
    missing = max(0, len(due) - found["distinct"])
    return _Figures(
        took, _cpu_ms(told.began, gateway.answers()), sum(told.refused.values()), missing + found["repeated"] + late
    )


def _cpu_ms(began: Sequence[tuple[int, int]], answered: Sequence[tuple[int, int]]) -> list[float]:
    """What the gateway's process spent, on all of its threads, from each request to its answer. Each connection, known
    by its port, has one request at a time."""
    begun: dict[int, list[int]] = {}
    for port, spent in reversed(began):
        begun.setdefault(port, []).append(spent)
    return [(spent - begun[port].pop()) / 1e6 for port, spent in answered if begun.get(port)]


def held_ms(stall: Stall) -> float:
    """How long a stall was, without the time in which the gateway had no core: others on the machine had it then."""
    return max(0.0, stall.ms - stall.most_no_core_ms)


def _judged(about: str, alone: _Figures, others: _Figures, stalls: Sequence[Stall], told: Mapping[str, int]) -> Figures:
    before = latencies(alone.took_ms)
    found = beside(before, others.took_ms, about)
    away = max(map(held_ms, stalls), default=0.0)
    broken = list(found.broken)
    if others.refused:
        broken.append(f"beside {about} {others.refused} changes of others were refused")
    if others.failed:
        broken.append(f"beside {about} {others.failed} attempts of others failed")
    if away > MAX_HELD_MS and len(others.took_ms) >= MIN_ARRIVALS_FOR_P99:
        broken.append(f"beside {about} the loop was away for {away:.0f} ms, and at most {MAX_HELD_MS:.0f} are allowed")
    cpu_before, cpu = median(alone.cpu_ms), median(others.cpu_ms)
    if cpu > MAX_CPU_RATIO * cpu_before and len(others.took_ms) >= MIN_ARRIVALS_FOR_P99:
        times = f"{cpu / cpu_before:.1f} times the CPU, and at most {MAX_CPU_RATIO:.0f} times are allowed"
        broken.append(f"beside {about} an answer took {times}")
    answers = {f"answered {what}" if what.isdigit() else what: count for what, count in told.items()}
    worked = {CPU: cpu, CPU_BEFORE: cpu_before, CPU_RATIO: cpu / cpu_before}
    more = {
        **worked,
        BEFORE: before.p99_ms or 0.0,
        REFUSED: others.refused,
        FAILED: others.failed,
        AWAY: away,
        **answers,
    }
    return replace(found, more=more, stalls=longest(stalls), broken=tuple(broken))
