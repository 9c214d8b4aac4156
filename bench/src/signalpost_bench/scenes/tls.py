"""What TLS costs: on connections that are kept alive, and with a new one for each delivery."""

from msgspec.structs import replace

from signalpost_bench.harness import Stage
from signalpost_bench.results import Measured, Rows, Size
from signalpost_bench.scenes.flat import measured
from signalpost_bench.workload import SECRET

PLAIN = "plain, kept alive"
KEPT = "TLS, kept alive, against plain"
EACH = "TLS, a new connection each"
SHARE = 5
"""So many times fewer deliveries where each makes a connection."""


def tls(stage: Stage, size: Size, _: Rows) -> Rows:
    """The engine alone delivers what had gathered, over each kind of connection."""
    plain = _drained(stage, stage.plain_url, size.events)
    kept = _drained(stage, stage.tls_url, size.events)
    each = _drained(stage, stage.tls_once_url, size.events // SHARE)
    resumed = stage.sink.ask("check")["resumed"] / (size.events // SHARE * stage.workload.fan_out)
    handshake = (each.cpu_us or 0) - (kept.cpu_us or 0)
    return {
        PLAIN: plain,
        KEPT: replace(kept, ratio=(kept.rate or 0) / (plain.rate or 1)),
        EACH: replace(each, more={**each.more, "CPU µs a handshake": handshake, "resumed": resumed}),
    }


def _drained(stage: Stage, url: str, events: int) -> Measured:
    with stage.engine(stage.workload, url=url, status="paused") as engine:
        engine.ask("publish", events=events)
        stage.sink.ask("forget", secret=SECRET)
        engine.stalls()
        before = engine.gauge.usage()
        began = engine.ask("resume")
        return measured(stage, engine, before, began, events * stage.workload.fan_out)
