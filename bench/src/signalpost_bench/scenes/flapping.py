"""Whether endpoints that go up and down every few seconds hold up others, and what they cost."""

import time

from msgspec.structs import replace

from signalpost_bench.flaky_endpoints import FLAP_SECONDS
from signalpost_bench.harness import Stage
from signalpost_bench.results import Measured, Rows, Size
from signalpost_bench.scenes.well import WELL, Well

EACH = 20
RATE = 100
"""Changes a second of each tenant; of the first, all flapping endpoints want them."""
FLAPPING = f"{EACH} endpoints that go up and down every {FLAP_SECONDS:g} s"


def flapping(stage: Stage, size: Size, _: Rows) -> Rows:
    """Beside a well endpoint of the same tenant, and another tenant's. In the end all are up."""
    workload = replace(stage.workload, tenants=2, endpoints=0, documents=2 * max(RATE, int(RATE * size.seconds) + 1))
    with stage.engine(workload) as engine:
        engine.ask("add_well", url=stage.url + WELL)
        well = Well(stage, engine, RATE, size.seconds)
        alone = well.changed()
        engine.ask("add_frail", urls=[f"{stage.url}/frail/{number}" for number in range(EACH)])
        stage.sink.ask("be_frail", state="flapping")
        before = engine.gauge.usage()
        well.forget()
        due = well.change()
        wasted = stage.sink.ask("seen")["wasted"]
        cpu = engine.gauge.usage().cpu - before.cpu
        stage.sink.ask("be_frail", state="up")
        up = time.monotonic()
        rows = well.beside(alone, FLAPPING, due * (EACH + 2))
    more = {
        "attempts wasted for each delivery": wasted / (due * EACH),
        "settled after s": max(0.0, stage.sink.ask("seen")["last"] - up),
    }
    return {
        **{f"flapping: {title}": row for title, row in rows.items()},
        FLAPPING: Measured(rate=due * EACH / size.seconds, cpu_us=cpu / (due * EACH) * 1e6, more=more),
    }
