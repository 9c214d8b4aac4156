"""From the moment a client's change was due to the arrival of its event, at a steady rate."""

from msgspec.structs import replace

from signalpost_bench.child_process import Part
from signalpost_bench.harness import Stage
from signalpost_bench.resource_monitor import MB
from signalpost_bench.results import Measured, Rows, Size, latencies, longest_ms
from signalpost_bench.scenes.http import API
from signalpost_bench.serving import SLOW_COMMIT_SECONDS, GatewayProcess
from signalpost_bench.workload import SECRET

SLOWLY = 100
"""Changes a second."""
SLOW = f"commits > {SLOW_COMMIT_SECONDS * 1e3:.0f} ms"
"""What makes deliveries late while no loop stalls: the disk."""
AT_100 = "latency at 100 a second"
AT_HALF = "latency at half the API's rate"


def latency(stage: Stage, size: Size, earlier: Rows) -> Rows:
    """At 100 a second, and at half of what the API took flat out in the same run."""
    half = int((earlier[API].rate or 0) / stage.workload.fan_out / 2)
    return {AT_100: _at(stage, SLOWLY, size.seconds), AT_HALF: _at(stage, half, size.seconds)}


def _at(stage: Stage, rate: int, seconds: float) -> Measured:
    fan_out = stage.workload.fan_out
    with stage.gateway() as gateway, stage.load(gateway, stage.workload) as load:
        stage.sink.ask("forget", secret=SECRET)
        stage.expect(len(load.ask("trickle", rate=rate, seconds=1)) * fan_out)
        stage.sink.ask("forget", secret=SECRET, timed="/")
        watched: dict[str, Part | GatewayProcess] = {"stall ms": gateway, "load's": load, "sink's": stage.sink}
        for part in watched.values():
            part.stalls()
        slow = gateway.slow_commits()
        before = gateway.gauge.usage()
        sent = load.ask("trickle", rate=rate, seconds=seconds)
        due = len(sent) * fan_out
        stage.expect(due)
        stalls = {name: part.stalls() for name, part in watched.items()}
        after = gateway.gauge.usage()
        slow = gateway.slow_commits() - slow
        found = stage.check(due)
    asked = dict(sent)
    return replace(
        latencies([(at - asked[name]) / 1e6 for name, at in found["arrived"]]),
        rate=due / ((found["last"] - sent[0][1]) / 1e9),
        cpu_us=(after.cpu - before.cpu) / due * 1e6,
        memory_mb=after.memory / MB,
        wal_mb=gateway.gauge.wal_most / MB,
        start_s=gateway.start_seconds,
        more={name: longest_ms(of_part) for name, of_part in stalls.items()} | {SLOW: float(slow)},
        stalls=stalls["stall ms"],
    )
