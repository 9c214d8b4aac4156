"""What a gateway takes in memory: with nothing to do, and as fast as it can for the whole of the duration."""

import statistics
import time

from signalpost_bench.harness import Stage
from signalpost_bench.resource_monitor import MB
from signalpost_bench.results import Measured, Rows, Size, longest_ms
from signalpost_bench.workload import SECRET

MAX_IDLE_SECONDS = 5.0
IDLE = "memory, with nothing to do"
FIRST = "memory, flat out, the first third"
LAST = "memory, flat out, the last third, against the first"


def memory(stage: Stage, size: Size, _: Rows) -> Rows:
    """Through the HTTP API, one change a request, for the duration. In the thirds: the median of what was resident."""
    with stage.gateway() as gateway:
        time.sleep(min(MAX_IDLE_SECONDS, size.seconds))
        idle = gateway.gauge.usage().memory / MB
        with stage.load(gateway, stage.workload) as load:
            stage.sink.ask("forget", secret=SECRET)
            gateway.gauge.forget()
            gateway.stalls()
            ran = load.ask("change_for", seconds=size.seconds)
            due = ran["events"] * stage.workload.fan_out
            stage.expect(due)
            stalls = gateway.stalls()
            found = stage.check(due)
            rate = due / ((found["last"] - ran["began"]) / 1e9)
            resident = [bytes_ / MB for _, bytes_ in gateway.gauge.resident]
        wal = gateway.gauge.wal_most / MB
    third = len(resident) // 3
    first, last = statistics.median(resident[:third]), statistics.median(resident[-third:])
    return {
        IDLE: Measured(memory_mb=idle, start_s=gateway.start_seconds),
        FIRST: Measured(memory_mb=first, rate=rate),
        LAST: Measured(
            memory_mb=last,
            ratio=last / first,
            wal_mb=wal,
            more={"most MB": max(resident), "stall ms": longest_ms(stalls)},
            stalls=stalls,
        ),
    }
