"""How often what keeps ending is started again."""

from typing import Final

STAYS_UP: Final = 60.0
"""Seconds after which a process that ends no longer counts as one that failed to start."""
MAX_WAIT: Final = 30.0
"""Seconds between two starts of a process, at most."""


def failures_in_row(before: int, *, was_up: bool, lasted: float) -> int:
    """How many times in a row a process has failed that just ended, if it was `before` times until then."""
    return 1 if was_up and lasted >= STAYS_UP else before + 1


def wait_before_start(failures: int) -> float:
    """Seconds to wait before starting a process again that failed `failures` times in a row."""
    return min(MAX_WAIT, 2.0 ** (failures - 1)) if failures else 0.0
