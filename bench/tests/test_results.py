"""What several runs of a scene come to, and what a stall is made of."""

import asyncio
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from gateway.tests.patience import PATIENCE

from signalpost_bench.probe import CoreTimes, Probe
from signalpost_bench.results import MIN_ARRIVALS_FOR_P99, Figures, Stall, beside, latencies, median
from signalpost_bench.scenes import SCENES, with_needs
from signalpost_bench.workload import at_rate


def _stall(ms: float) -> Stall:
    return Stall(ms=ms, ran_ms=ms, collected_ms=0, no_core_ms=0, most_no_core_ms=0, at_s=0, threads={})


def test_of_several_runs_the_middle_counts_and_of_what_is_bounded_the_greatest() -> None:
    runs = [
        Figures(rate=rate, worst_ms=worst, memory_mb=memory, more={"share": share}, stalls=(_stall(worst),))
        for rate, worst, memory, share in ((3, 9, 100, 0.1), (1, 7, 300, 0.3), (2, 8, 200, 0.2))
    ]
    found = median(runs)
    assert (found.rate, found.worst_ms, found.memory_mb, found.more) == (2, 9, 300, {"share": 0.2})
    assert [stall.ms for stall in found.stalls] == [9, 8, 7]
    assert found.p50_ms is None, "a figure that no run has"


def test_a_distribution_is_told_by_what_shares_of_it_do_not_exceed() -> None:
    found = latencies([float(number) for number in range(1000, 0, -1)])
    assert (found.p50_ms, found.p99_ms, found.p999_ms, found.worst_ms) == (501, 991, 1000, 1000)


@pytest.mark.parametrize(("alone", "now"), [(2.0, 100.0), (80.0, 160.0)])
def test_others_may_be_held_up_to_twice_what_it_was_or_a_tenth_of_a_second(alone: float, now: float) -> None:
    found = beside(Figures(p99_ms=alone), [now] * MIN_ARRIVALS_FOR_P99, "a flood")
    assert (found.ratio, found.broken) == (now / alone, ())


@pytest.mark.parametrize(("alone", "now"), [(2.0, 100.1), (80.0, 160.1)])
def test_more_is_a_bound_that_was_not_held_in_whichever_run(alone: float, now: float) -> None:
    found = beside(Figures(p99_ms=alone), [now] * MIN_ARRIVALS_FOR_P99, "a flood")
    most = max(2 * alone, 100.0)
    told = f"beside a flood others had a p99 of {now} ms, and at most {most} ms are allowed"
    assert median([Figures(), found, Figures()]).broken == (told,)


def test_the_p99_of_a_few_is_not_judged() -> None:
    assert beside(Figures(p99_ms=2.0), [500.0] * (MIN_ARRIVALS_FOR_P99 - 1), "a flood").broken == ()


def test_a_scene_comes_after_those_that_it_needs() -> None:
    assert with_needs(["latency"]) == ["api", "latency"]
    assert with_needs(reversed(list(SCENES))) == list(SCENES)


def test_changes_are_due_at_their_rate_also_where_the_load_falls_behind() -> None:
    async def scenario() -> list[tuple[str, int]]:
        sent = []
        async for each in at_rate(1_000, 0.02):
            sent.append(each)
            time.sleep(0.003)  # noqa: ASYNC251 - the load is slow
        return sent

    sent = asyncio.run(scenario())
    assert [name for name, _ in sent] == [f"change {number}" for number in range(20)]
    assert {later - earlier for (_, earlier), (_, later) in pairwise(sent)} == {1_000_000}


def _hold() -> None:
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass


def test_a_stall_says_what_the_loop_did() -> None:
    async def scenario() -> Stall:
        probe = Probe()
        while True:  # on a busy machine it may have no core while the loop is held
            await asyncio.sleep(0.03)
            probe.longest()
            _hold()
            await asyncio.sleep(0.03)
            held = max(probe.longest(), key=lambda stall: stall.ran_ms)  # nor is the one that was held the longest then
            if held.threads:
                return held

    held = asyncio.run(asyncio.wait_for(scenario(), PATIENCE))
    assert held.ms >= held.ran_ms * 0.9
    assert held.ran_ms == pytest.approx(100, abs=40)
    assert "_hold" in " ".join(held.threads.values())


HELD = """
import asyncio, sys, time
from pathlib import Path
import uvloop
from signalpost_bench.probed_gateway import watch

def hold():
    time.sleep(0.1)

async def scenario():
    while not file.exists():
        hold()
        await asyncio.sleep(0.03)

file = Path(sys.argv[1])
watch(str(file))
uvloop.run(scenario())
"""


def test_the_stalls_of_a_loop_that_another_program_makes_are_told_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stalls"
    subprocess.run([sys.executable, "-c", HELD, str(file)], check=True, timeout=PATIENCE)
    stall = msgspec.json.decode(file.read_bytes().splitlines()[0], type=Stall)
    assert stall.ms >= 20
    assert stall.at_s <= time.monotonic()


def test_a_thread_that_ends_while_it_is_measured_is_left_out() -> None:
    """Between a look at the list of threads and one at its times, or between two of these."""
    times, go = CoreTimes(), threading.Event()
    thread = threading.Thread(target=go.wait, args=(PATIENCE,))
    thread.start()
    assert thread.native_id is not None
    assert times.read(thread.native_id) is not None
    go.set()
    thread.join()
    until_gone(thread.native_id)
    assert times.read(thread.native_id) is None, "of a file that was opened before"
    assert times.read(thread.native_id) is None, "of one that is not there"


def until_gone(number: int) -> None:
    """A thread that Python joined is known to the kernel for a moment longer."""
    end = time.monotonic() + PATIENCE
    while Path(f"/proc/self/task/{number}").exists():
        assert time.monotonic() < end
        time.sleep(0.001)
