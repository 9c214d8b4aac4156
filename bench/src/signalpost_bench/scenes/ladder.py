"""What more processes are worth: changes through the HTTP API, delivered over each kind of connection."""

from msgspec.structs import replace

from signalpost_bench.harness import Harness
from signalpost_bench.results import Figures, Rows, Size
from signalpost_bench.scenes.http import through_http
from signalpost_bench.scenes.tls import SHARE

STEPS = (1, 2, 4)
"""The numbers of processes to measure a gateway with, one after the other."""


def ladder(harness: Harness, size: Size, _: Rows) -> Rows:
    """Make one change a request at each number of processes, and compare each rate with that of the first."""
    changes = size.events // 2
    ways = (
        ("plain, kept alive", harness.plain_url, changes),
        ("TLS, kept alive", harness.tls_url, changes),
        ("TLS, a new connection each", harness.tls_once_url, changes // SHARE),
    )
    rows: dict[str, Figures] = {}
    for way, url, events in ways:
        climbed = [through_http(harness, events, "change", processes=each, url=url) for each in STEPS]
        for processes, found in zip(STEPS, climbed, strict=True):
            ratio = (found.rate or 0) / (climbed[0].rate or 1)
            rows[f"{way}: {processes} {'process' if processes == 1 else 'processes'}"] = replace(found, ratio=ratio)
    return rows
