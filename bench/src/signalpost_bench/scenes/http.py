"""As fast as it can, through the HTTP API."""

from msgspec.structs import replace

from signalpost_bench.harness import Stage
from signalpost_bench.resource_monitor import MB
from signalpost_bench.results import Measured, Rows, Size, longest_ms
from signalpost_bench.scenes.flat import figures
from signalpost_bench.workload import SECRET

API = "HTTP API, one change a request"
IMPORT = "HTTP API, bulk import"


def api(stage: Stage, size: Size, _: Rows) -> Rows:
    """One change a request."""
    return {API: _through_http(stage, size.events // 2, "change")}


def bulk(stage: Stage, size: Size, _: Rows) -> Rows:
    """One stream of an import."""
    return {IMPORT: _through_http(stage, size.events, "import_all")}


def _through_http(stage: Stage, events: int, how: str) -> Measured:
    with stage.gateway() as gateway, stage.load(gateway, stage.workload) as load:
        stage.sink.ask("forget", secret=SECRET)
        gateway.stalls()
        before = gateway.gauge.usage()
        ran = load.ask(how, events=events)
        due = events * stage.workload.fan_out
        stage.expect(due)
        found = stage.check(due)
        stalls = gateway.stalls()
        return replace(
            figures(found, ran["began"], due, before, gateway.gauge.usage()),
            wal_mb=gateway.gauge.wal_most / MB,
            start_s=gateway.start_seconds,
            more={"stall ms": longest_ms(stalls)},
            stalls=stalls,
        )
