"""What a gateway takes in memory: with nothing to do, and as fast as it can for the whole of the duration."""

import statistics
import time

from signalpost_bench.harness import Harness
from signalpost_bench.resource_monitor import MB
from signalpost_bench.results import Figures, Rows, Size, longest_ms
from signalpost_bench.workload import SECRET

MAX_IDLE_SECONDS = 5.0
IDLE = "memory, with nothing to do"
FIRST = "memory, flat out, the first third"
LAST = "memory, flat out, the last third, against the first"


def memory(harness: Harness, size: Size, _: Rows) -> Rows:
    """Through the HTTP API, one change a request, for the duration. In the thirds: the median of what was resident."""
    with harness.gateway() as gateway:
        time.sleep(min(MAX_IDLE_SECONDS, size.seconds))
        idle = gateway.monitor.usage().memory / MB
        with harness.load(gateway, harness.workload) as load:
            harness.sink.ask("forget", secret=SECRET)
            gateway.monitor.forget()
            gateway.stalls()
            ran = load.ask("change_for", seconds=size.seconds)
            due = ran["events"] * harness.workload.fan_out
            harness.expect(due)
            stalls = gateway.stalls()
            found = harness.check(due)
            rate = due / ((found["last"] - ran["began"]) / 1e9)
            resident = [bytes_ / MB for _, bytes_ in gateway.monitor.resident]
        wal = gateway.monitor.wal_most / MB
    third = len(resident) // 3
    first, last = statistics.median(resident[:third]), statistics.median(resident[-third:])
    return {
        IDLE: Figures(memory_mb=idle, start_s=gateway.start_seconds),
        FIRST: Figures(memory_mb=first, rate=rate),
        LAST: Figures(
            memory_mb=last,
            ratio=last / first,
            wal_mb=wal,
            more={"most MB": max(resident), "stall ms": longest_ms(stalls)},
            stalls=stalls,
        ),
    }
