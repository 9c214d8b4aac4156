"""Events as fast as they can be made through the HTTP API."""

from msgspec.structs import replace

from signalpost_bench.harness import Harness
from signalpost_bench.resource_monitor import MB
from signalpost_bench.results import Figures, Rows, Size, longest_ms
from signalpost_bench.scenes.throughput import figures
from signalpost_bench.workload import SECRET

API = "HTTP API, one change a request"
IMPORT = "HTTP API, bulk import"


def api(harness: Harness, size: Size, _: Rows) -> Rows:
    """Make one change a request."""
    return {API: through_http(harness, size.events // 2, "change")}


def bulk(harness: Harness, size: Size, _: Rows) -> Rows:
    """Make changes in one stream of an import."""
    return {IMPORT: through_http(harness, size.events, "import_all")}


def through_http(
    harness: Harness, events: int, how: str, *, processes: int | None = None, url: str | None = None
) -> Figures:
    """What so many changes come to, made by this method of the load: behind a gateway of so many processes (the
    harness's own), which delivers to `url` (the harness's own)."""
    with harness.gateway(processes=processes) as gateway, harness.load(gateway, harness.workload, url) as load:
        harness.sink.ask("forget", secret=SECRET)
        gateway.stalls()
        before = gateway.monitor.usage()
        ran = load.ask(how, events=events)
        due = events * harness.workload.fan_out
        harness.expect(due)
        found = harness.check(due)
        after = gateway.monitor.usage()
        stalls = gateway.stalls()
        return replace(
            figures(found, ran["began"], due, before, after),
            wal_mb=gateway.monitor.wal_most / MB,
            start_s=gateway.start_seconds,
            more={"stall ms": longest_ms(stalls), **harness.server_figures(before, after, due)},
            stalls=stalls,
        )
