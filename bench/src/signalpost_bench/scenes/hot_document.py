"""Whether one document with thousands of events at a dead endpoint holds up other documents, and comes whole in the
end."""

import time

from msgspec.structs import replace

from signalpost_bench.harness import PATIENT_DELAYS, Harness
from signalpost_bench.resource_monitor import MB
from signalpost_bench.results import OVERTAKEN, Figures, Rows, Size
from signalpost_bench.scenes.healthy_endpoints import WELL, HealthyEndpoints
from signalpost_bench.workload import Workload

EVENTS = 10_000
RATE = 100
"""Changes a second of each tenant's other documents."""


ORDERS = ("loose", "strict")


def hot_document(harness: Harness, size: Size, _: Rows) -> Rows:
    """Two endpoints want the same document, one of them dead. Then the dead one comes up."""
    return {
        f"{ordering}: {title}": row
        for ordering in ORDERS
        for title, row in _one_hot(harness, replace(harness.workload, ordering=ordering), size).items()
    }


def _one_hot(harness: Harness, workload: Workload, size: Size) -> Rows:
    events = min(EVENTS, size.events)
    hot = f"a document with {events:,} events at a dead endpoint"
    others = 2 * (int(RATE * size.seconds) + 2)
    workload = replace(workload, tenants=2, endpoints=0, documents=others)
    with harness.engine(workload, retry_delays=PATIENT_DELAYS) as engine:
        engine.ask("add_well", url=harness.url + WELL)
        well = HealthyEndpoints(harness, engine, RATE, size.seconds)
        alone = well.changed()
        harness.sink.ask("set_flaky", state="down")
        engine.ask("add_active", urls=[f"{harness.url}/flaky/0"])
        well.forget()
        before, began = engine.monitor.usage(), time.monotonic()
        engine.ask("change_one", events=events)
        due = well.change()
        cpu = (engine.monitor.usage().cpu - before.cpu) / (time.monotonic() - began)
        failed = harness.sink.ask("seen")["wasted"]
        harness.sink.ask("set_flaky", state="up")
        up = time.monotonic()
        # Of the first tenant both endpoints get all that is changed, of the other its own. In loose order a later event
        # may overtake one that waits for its retry.
        overtaken_most = 0 if workload.ordering == "strict" else events
        rows = well.beside(alone, hot, 2 * events + 3 * due, overtaken_most)
        memory = engine.monitor.usage().memory / MB
    more = {"CPU of a core": cpu, "attempts in vain": failed, "settled after s": harness.sink.ask("seen")["last"] - up}
    return {**rows, hot: Figures(memory_mb=memory, more={**more, OVERTAKEN: well.overtaken})}
