"""Bounds on the memory of a lane."""

from typing import NamedTuple


class Bounds(NamedTuple):
    """How much a lane keeps in memory."""

    max_open: int = 512
    max_open_per_document: int = 8
    max_exceptions: int = 20_000
    retries_kept: int = 2_000
    retries_loaded: int = 1_000
    """How many a load or a refill brings at a time; in strict order it brings all."""
    replays_below: int = 512
    """A replay may bring more while fewer than that await a retry."""


BOUNDS = Bounds()
