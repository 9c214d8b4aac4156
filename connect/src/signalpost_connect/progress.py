"""What a connector has done and how it does: for its log, `/metrics` and `/health`."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from signalpost_connect.source import Batch, Outcome, Verdict

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 15.0
"""Seconds after a failure, if the gateway does not say how many; each is twice as long as the one before."""
_HELP: Final = {
    "messages_total": "Messages by what became of them; those that come again are counted each time.",
    "written_total": "Events that were written.",
    "oldest_seconds": "For how long the oldest of the last batch had waited; 0 if there was none.",
    "last_version": "The highest version that the gateway has taken.",
    "last_sequence": "The sequence of the last event that was written.",
    "troubles_total": "How often one of both sides could not be used.",
    "up": "1 if the last round succeeded.",
}
Values = Mapping[str, Sequence[tuple[str, float]]]
"""The samples of each metric, by name: labels and value."""


class Pauses:
    """How long to wait after each of several failures in a row."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE

    def next(self, asked: float | None) -> float:
        """Seconds after one more failure. `asked` is what the gateway wants at least."""
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        return max(pause, asked or 0.0)


class Health(ABC):
    """Whether it works. The thread that serves `/metrics` reads while the loop writes."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is any clock that only goes forward, in seconds."""
        self._now = now
        self._lock = threading.Lock()
        self._oldest = 0.0
        self._troubles = 0
        self._trouble: str | None = None
        self._since = now()

    def went_well(self) -> None:
        """A whole round succeeded."""
        self._now_has(None)

    def failed(self, trouble: str) -> bool:
        """One of both sides could not be used. Returns whether that is news."""
        with self._lock:
            self._troubles += 1
        return self._now_has(trouble)

    def _now_has(self, trouble: str | None) -> bool:
        with self._lock:
            if is_news := (trouble is None) != (self._trouble is None):
                self._since = self._now()
            self._trouble = trouble
            return is_news

    @property
    def oldest_seconds(self) -> float:
        """For how long the oldest of the last batch had waited."""
        with self._lock:
            return self._oldest

    def sentence(self) -> str:
        """All counts, for the log."""
        with self._lock:
            return f"{self._counted()}; the oldest has waited {self._oldest:.1f} s"

    def health(self) -> dict[str, Any]:
        """Whether it works, and if not, why and for how long."""
        with self._lock:
            if self._trouble is None:
                return {"status": "ok"}
            return {"status": "failing", "trouble": self._trouble, "seconds": round(self._now() - self._since, 1)}

    def metrics(self) -> str:
        """All counts, as Prometheus reads them."""
        with self._lock:
            values: Values = {
                **self._values(),
                "oldest_seconds": [("", round(self._oldest, 3))],
                "troubles_total": [("", self._troubles)],
                "up": [("", int(self._trouble is None))],
            }
        return "".join(_family(name, samples) for name, samples in values.items())

    @abstractmethod
    def _counted(self) -> str:
        """What was done, for a sentence. Called under the lock, as `_values` is."""

    @abstractmethod
    def _values(self) -> Values:
        """What was done, for `/metrics`."""


class Progress(Health):
    """What became of the messages of a source."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self._counts = dict.fromkeys(Outcome, 0)
        self._last_version = 0

    def settled(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """A batch, which may be empty, was settled."""
        with self._lock:
            self._oldest = batch.oldest_seconds
            for message, verdict in zip(batch.messages, verdicts, strict=True):
                self._counts[verdict.outcome] += 1
                if verdict.outcome is Outcome.APPLIED:
                    self._last_version = max(self._last_version, message.version or 0)

    def _counted(self) -> str:
        return ", ".join(f"{count} {outcome.value}" for outcome, count in self._counts.items())

    def _values(self) -> Values:
        return {
            "messages_total": [(f'{{outcome="{each.value}"}}', count) for each, count in self._counts.items()],
            "last_version": [("", self._last_version)],
        }


class DrainProgress(Health):
    """How far the log of events is written."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self._written = 0
        self._last_sequence = 0

    def written(self, sequences: Sequence[int], oldest_seconds: float) -> None:
        """Events, of which there may be none, were written."""
        with self._lock:
            self._oldest = oldest_seconds
            self._written += len(sequences)
            self._last_sequence = max([self._last_sequence, *sequences])

    def _counted(self) -> str:
        return f"{self._written} written, up to {self._last_sequence}"

    def _values(self) -> Values:
        return {"written_total": [("", self._written)], "last_sequence": [("", self._last_sequence)]}


def _family(name: str, samples: Sequence[tuple[str, float]]) -> str:
    full = f"signalpost_connect_{name}"
    kind = "counter" if name.endswith("_total") else "gauge"
    lines = [f"# HELP {full} {_HELP[name]}", f"# TYPE {full} {kind}"]
    return "\n".join([*lines, *(f"{full}{labels} {value}" for labels, value in samples)]) + "\n"
