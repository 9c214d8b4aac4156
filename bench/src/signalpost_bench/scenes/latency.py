"""From the moment a client's change was due to the arrival of its event, at a steady rate."""

from msgspec.structs import replace

from signalpost_bench.child_process import ChildProcess
from signalpost_bench.harness import Harness
from signalpost_bench.resource_monitor import MB
from signalpost_bench.results import Figures, Rows, Size, latencies, longest_ms
from signalpost_bench.scenes.http import API
from signalpost_bench.serving import SLOW_COMMIT_SECONDS, GatewayProcess
from signalpost_bench.workload import SECRET

SLOWLY = 100
"""Changes a second."""
SLOW = f"commits > {SLOW_COMMIT_SECONDS * 1e3:.0f} ms"
"""The name of a figure: commits for which the disk took long. They make deliveries late while no loop stalls."""
AT_100 = "latency at 100 a second"
AT_HALF = "latency at half the API's rate"


def latency(harness: Harness, size: Size, earlier: Rows) -> Rows:
    """Measure at 100 changes a second, and at half of what the API took flat out in the same run."""
    half = int((earlier[API].rate or 0) / harness.workload.fan_out / 2)
    return {AT_100: _at(harness, SLOWLY, size.seconds), AT_HALF: _at(harness, half, size.seconds)}


def _at(harness: Harness, rate: int, seconds: float) -> Figures:
    fan_out = harness.workload.fan_out
    with harness.gateway() as gateway, harness.load(gateway, harness.workload) as load:
        harness.sink.ask("forget", secret=SECRET)
        harness.expect(len(load.ask("trickle", rate=rate, seconds=1)) * fan_out)
        harness.sink.ask("forget", secret=SECRET, timed="/")
        watched: dict[str, ChildProcess | GatewayProcess] = {
            "stall ms": gateway,
            "load's": load,
            "sink's": harness.sink,
        }
        for part in watched.values():
            part.stalls()
        slow = gateway.slow_commits()
        before = gateway.monitor.usage()
        sent = load.ask("trickle", rate=rate, seconds=seconds)
        due = len(sent) * fan_out
        harness.expect(due)
        stalls = {name: part.stalls() for name, part in watched.items()}
        after = gateway.monitor.usage()
        slow = gateway.slow_commits() - slow
        found = harness.check(due)
    asked = dict(sent)
    return replace(
        latencies([(at - asked[name]) / 1e6 for name, at in found["arrived"]]),
        rate=due / ((found["last"] - sent[0][1]) / 1e9),
        cpu_us=(after.cpu - before.cpu) / due * 1e6,
        memory_mb=after.memory / MB,
        wal_mb=gateway.monitor.wal_most / MB,
        start_s=gateway.start_seconds,
        more={name: longest_ms(of_part) for name, of_part in stalls.items()} | {SLOW: float(slow)},
        stalls=stalls["stall ms"],
    )
