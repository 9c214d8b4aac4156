"""Counts requests and how long they took, for the metrics."""

from collections import Counter

from signalpost.runtime.histogram import Histogram

REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestCounts:
    """The requests that were answered since the process started."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, str, int]] = Counter()
        """How many, by method, route and status."""
        self.seconds: dict[tuple[str, str], Histogram] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is a path as the route table has it. `method` may be anything that a client sends."""
        method = method if method in _METHODS else "other"
        self.answers[method, route, status] += 1
        histogram = self.seconds.get((method, route))
        if histogram is None:
            histogram = self.seconds[method, route] = Histogram(REQUEST_SECONDS)
        histogram.add(seconds)
