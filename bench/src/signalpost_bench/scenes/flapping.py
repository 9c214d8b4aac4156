"""Whether endpoints that go up and down every few seconds hold up others, and what they cost."""

import time

from msgspec.structs import replace

from signalpost_bench.flaky_endpoints import FLAP_SECONDS
from signalpost_bench.harness import PATIENT_DELAYS, Harness
from signalpost_bench.results import Figures, Rows, Size
from signalpost_bench.scenes.healthy_endpoints import WELL, HealthyEndpoints

EACH = 20
RATE = 100
"""Changes a second of each tenant; of the first, all flapping endpoints want them."""
FLAPPING = f"{EACH} endpoints that go up and down every {FLAP_SECONDS:g} s"


def flapping(harness: Harness, size: Size, _: Rows) -> Rows:
    """Measure a well endpoint of the same tenant, and one of another tenant, beside them. In the end all are up."""
    workload = replace(harness.workload, tenants=2, endpoints=0, documents=2 * max(RATE, int(RATE * size.seconds) + 1))
    with harness.engine(workload, retry_delays=PATIENT_DELAYS) as engine:
        engine.ask("add_well", url=harness.url + WELL)
        well = HealthyEndpoints(harness, engine, RATE, size.seconds)
        alone = well.changed()
        engine.ask("add_active", urls=[f"{harness.url}/flaky/{number}" for number in range(EACH)])
        harness.sink.ask("set_flaky", state="flapping")
        before = engine.monitor.usage()
        well.forget()
        due = well.change()
        wasted = harness.sink.ask("seen")["wasted"]
        cpu = engine.monitor.usage().cpu - before.cpu
        harness.sink.ask("set_flaky", state="up")
        up = time.monotonic()
        rows = well.beside(alone, FLAPPING, due * (EACH + 2))
    more = {
        "attempts wasted for each delivery": wasted / (due * EACH),
        "settled after s": max(0.0, harness.sink.ask("seen")["last"] - up),
    }
    return {
        **{f"flapping: {title}": row for title, row in rows.items()},
        FLAPPING: Figures(rate=due * EACH / size.seconds, cpu_us=cpu / (due * EACH) * 1e6, more=more),
    }
