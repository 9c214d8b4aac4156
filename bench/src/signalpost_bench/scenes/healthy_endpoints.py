"""Two healthy endpoints, measured beside endpoints that cause trouble: one in the same tenant, one in another."""

from collections.abc import Mapping

from signalpost_bench.harness import EngineProcess, Harness
from signalpost_bench.results import Figures, Rows, beside, latencies
from signalpost_bench.workload import SECRET

WELL = "/well"
SAME, OTHER = "1", "2"
"""The tenants, by the first word of the names of their changes."""
WHO: Mapping[str, str] = {SAME: "another endpoint of the same tenant", OTHER: "another tenant"}
Alone = Mapping[str, Figures]


class HealthyEndpoints:
    """An endpoint in each of two tenants, whose documents are changed `rate` times a second for `seconds`."""

    def __init__(self, harness: Harness, engine: EngineProcess, rate: int, seconds: float) -> None:
        self._harness = harness
        self._engine = engine
        self._rate = rate
        self._seconds = seconds
        self._sent: dict[str, int] = {}
        self.overtaken = 0
        """How many deliveries came after a later one of their document."""

    def changed(self) -> Alone:
        """Measure their latencies while nothing else happens."""
        self.forget()
        due = self.change()
        return {who: latencies(took) for who, took in self._took(2 * due).items()}

    def forget(self) -> None:
        """Count only what arrives from here on."""
        self._harness.sink.ask("forget", secret=SECRET, timed=WELL)

    def change(self) -> int:
        """Change documents. Returns how many of each tenant."""
        self._sent = dict(self._engine.ask("change_each_at_rate", rate=self._rate, seconds=self._seconds))
        return len(self._sent) // 2

    def beside(self, alone: Alone, what: str, deliveries: int, overtaken_most: int = 0) -> Rows:
        """The latencies alone and beside `what`, once `deliveries` have arrived: theirs and all others that are due."""
        took = self._took(deliveries, overtaken_most)
        before = {f"{WHO[who]}, before": row for who, row in alone.items()}
        return before | {f"{WHO[who]}, beside": beside(alone[who], ms, what) for who, ms in took.items()}

    def _took(self, deliveries: int, overtaken_most: int = 0) -> dict[str, list[float]]:
        """The latency of each arrival in ms, by tenant."""
        self._harness.expect(deliveries)
        found = self._harness.check(deliveries, overtaken_most=overtaken_most)
        self.overtaken = found["disordered"]
        took: dict[str, list[float]] = {SAME: [], OTHER: []}
        for name, at in found["arrived"]:
            if name in self._sent:
                took[name.partition(" ")[0]].append((at - self._sent[name]) / 1e6)
        return took
