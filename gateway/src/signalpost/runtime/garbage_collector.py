"""Tunes Python's garbage collector for a process that is a gateway and nothing else."""

import gc

AFTER = 10_000
"""The number of new objects after which the youngest generation is collected, which takes a millisecond or two."""


def tune_garbage_collector() -> None:
    """Once the gateway has started.

    What was made until here lives as long as the process, so the collector need not look at it again. Nearly all that
    comes later ends with its last reference. With Python's own threshold, 700, the collector takes what is merely under
    way for lasting, and looks through all of it, every lane included, again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(AFTER, 10, 10)
