"""What TLS costs: on connections that are kept alive, and with a new one for each delivery."""

from msgspec.structs import replace

from signalpost_bench.harness import Harness
from signalpost_bench.results import Figures, Rows, Size
from signalpost_bench.scenes.throughput import measured
from signalpost_bench.workload import SECRET

PLAIN = "plain, kept alive"
KEPT = "TLS, kept alive, against plain"
EACH = "TLS, a new connection each"
SHARE = 5
"""How many times fewer deliveries are made if each makes a connection."""


def tls(harness: Harness, size: Size, _: Rows) -> Rows:
    """Have the engine alone deliver what had gathered, over each kind of connection."""
    plain = _drained(harness, harness.plain_url, size.events)
    kept = _drained(harness, harness.tls_url, size.events)
    each = _drained(harness, harness.tls_once_url, size.events // SHARE)
    resumed = harness.sink.ask("check")["resumed"] / (size.events // SHARE * harness.workload.fan_out)
    handshake = (each.cpu_us or 0) - (kept.cpu_us or 0)
    return {
        PLAIN: plain,
        KEPT: replace(kept, ratio=(kept.rate or 0) / (plain.rate or 1)),
        EACH: replace(each, more={**each.more, "CPU µs a handshake": handshake, "resumed": resumed}),
    }


def _drained(harness: Harness, url: str, events: int) -> Figures:
    with harness.engine(harness.workload, url=url, status="paused") as engine:
        engine.ask("publish", events=events)
        harness.sink.ask("forget", secret=SECRET)
        engine.stalls()
        before = engine.monitor.usage()
        began = engine.ask("resume")
        return measured(harness, engine, before, began, events * harness.workload.fan_out)
