"""Counts values by size, for the metrics: some plain integers, so that what is measured pays next to nothing for it."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """Counts values by the lowest bound that they do not exceed; the last count is of those above all bounds. One
    thread adds; others may read meanwhile."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value
