"""What a connector has done and how it does: for its log, `/metrics` and `/health`."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from signalpost_connect.source import Batch, Outcome, Verdict

_HELP: Final = {
    "messages_total": "Messages by what became of them; those that come again are counted each time.",
    "oldest_seconds": "For how long the oldest message of the last batch had waited; 0 if there was none.",
    "last_version": "The highest version that the gateway has taken.",
    "troubles_total": "How often the source or the gateway could not be used.",
    "up": "1 if the last try to take, import and settle succeeded.",
}


class Progress:
    """Counts. The thread that serves `/metrics` reads while the loop writes."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is any clock that only goes forward, in seconds."""
        self._now = now
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Outcome, 0)
        self._oldest = 0.0
        self._last_version = 0
        self._troubles = 0
        self._trouble: str | None = None
        self._since = now()

    # --- What happened ------------------------------------------------------------------------------------------------

    def settled(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """A batch, which may be empty, was settled."""
        with self._lock:
            self._oldest = batch.oldest_seconds
            for message, verdict in zip(batch.messages, verdicts, strict=True):
                self._counts[verdict.outcome] += 1
                if verdict.outcome is Outcome.APPLIED:
                    self._last_version = max(self._last_version, message.version or 0)

    def went_well(self) -> None:
        """A whole round succeeded."""
        self._now_has(None)

    def failed(self, trouble: str) -> bool:
        """The source or the gateway could not be used. Returns whether that is news."""
        with self._lock:
            self._troubles += 1
        return self._now_has(trouble)

    def _now_has(self, trouble: str | None) -> bool:
        with self._lock:
            if is_news := (trouble is None) != (self._trouble is None):
                self._since = self._now()
            self._trouble = trouble
            return is_news

    # --- What is shown ------------------------------------------------------------------------------------------------

    @property
    def oldest_seconds(self) -> float:
        """For how long the oldest message of the last batch had waited."""
        with self._lock:
            return self._oldest

    def sentence(self) -> str:
        """All counts, for the log."""
        with self._lock:
            counted = ", ".join(f"{count} {outcome.value}" for outcome, count in self._counts.items())
            return f"{counted}; the oldest has waited {self._oldest:.1f} s"

    def health(self) -> dict[str, Any]:
        """Whether it works, and if not, why and for how long."""
        with self._lock:
            if self._trouble is None:
                return {"status": "ok"}
            return {"status": "failing", "trouble": self._trouble, "seconds": round(self._now() - self._since, 1)}

    def metrics(self) -> str:
        """All counts, as Prometheus reads them."""
        with self._lock:
            values: dict[str, list[tuple[str, float]]] = {
                "messages_total": [(f'{{outcome="{each.value}"}}', count) for each, count in self._counts.items()],
                "oldest_seconds": [("", round(self._oldest, 3))],
                "last_version": [("", self._last_version)],
                "troubles_total": [("", self._troubles)],
                "up": [("", int(self._trouble is None))],
            }
        return "".join(_family(name, samples) for name, samples in values.items())


def _family(name: str, samples: Sequence[tuple[str, float]]) -> str:
    full = f"signalpost_connect_{name}"
    kind = "counter" if name.endswith("_total") else "gauge"
    lines = [f"# HELP {full} {_HELP[name]}", f"# TYPE {full} {kind}"]
    return "\n".join([*lines, *(f"{full}{labels} {value}" for labels, value in samples)]) + "\n"
