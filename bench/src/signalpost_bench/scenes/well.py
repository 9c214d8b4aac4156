"""Two healthy endpoints, measured beside whatever holds up others: one of the same tenant, and one of another."""

from collections.abc import Mapping

from signalpost_bench.harness import EngineProcess, Harness
from signalpost_bench.results import Measured, Rows, beside, latencies
from signalpost_bench.workload import SECRET

WELL = "/well"
SAME, OTHER = "1", "2"
"""The tenants, by the beginning of what their changes are called."""
WHO: Mapping[str, str] = {SAME: "another endpoint of the same tenant", OTHER: "another tenant"}
Alone = Mapping[str, Measured]


class Well:
    """An endpoint of each of two tenants, whose documents are changed at a rate for so long."""

    def __init__(self, harness: Harness, engine: EngineProcess, rate: int, seconds: float) -> None:
        self._harness = harness
        self._engine = engine
        self._rate = rate
        self._seconds = seconds
        self._sent: dict[str, int] = {}
        self.overtaken = 0
        """How many deliveries came after a later one of their document."""

    def changed(self) -> Alone:
        """With nothing beside them."""
        self.forget()
        due = self.change()
        return {who: latencies(took) for who, took in self._took(2 * due).items()}

    def forget(self) -> None:
        """What comes from here on counts."""
        self._harness.sink.ask("forget", secret=SECRET, timed=WELL)

    def change(self) -> int:
        """Change documents; how many of each tenant."""
        self._sent = dict(self._engine.ask("change_each_at_rate", rate=self._rate, seconds=self._seconds))
        return len(self._sent) // 2

    def beside(self, alone: Alone, what: str, deliveries: int, overtaken_most: int = 0) -> Rows:
        """Once so many deliveries have come, all that was due with theirs: how they were held up by `what`."""
        took = self._took(deliveries, overtaken_most)
        before = {f"{WHO[who]}, before": row for who, row in alone.items()}
        return before | {f"{WHO[who]}, beside": beside(alone[who], ms, what) for who, ms in took.items()}

    def _took(self, deliveries: int, overtaken_most: int = 0) -> dict[str, list[float]]:
        """What each arrival took, ms, by whose it was."""
        self._harness.expect(deliveries)
        found = self._harness.check(deliveries, overtaken_most=overtaken_most)
        self.overtaken = found["disordered"]
        took: dict[str, list[float]] = {SAME: [], OTHER: []}
        for name, at in found["arrived"]:
            if name in self._sent:
                took[name.partition(" ")[0]].append((at - self._sent[name]) / 1e6)
        return took
