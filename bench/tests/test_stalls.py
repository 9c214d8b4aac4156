"""A machine that stalls for longer than an attempt usually has makes no run worthless."""

import os
import signal
import time

import pytest

from signalpost_bench.harness import USUAL_TIMEOUT, Harness
from signalpost_bench.workload import SECRET, Workload

pytestmark = pytest.mark.slow
EVENTS = 3


def test_nothing_is_sent_twice_to_a_sink_that_was_held_up() -> None:
    with (
        Harness(Workload(documents=5), None, tls=False) as harness,
        harness.engine(harness.workload, retry_delays=[1]) as engine,
    ):
        harness.sink.ask("forget", secret=SECRET)
        os.kill(harness.sink.pid, signal.SIGSTOP)
        engine.ask("publish", events=EVENTS)
        time.sleep(USUAL_TIMEOUT + 1)
        os.kill(harness.sink.pid, signal.SIGCONT)
        assert harness.sink.ask("wait_for", count=EVENTS + 1, seconds=3) == EVENTS
        harness.check(EVENTS)
