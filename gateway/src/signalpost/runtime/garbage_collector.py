"""Tunes Python's garbage collector for a process that is a gateway."""

import gc

AFTER = 10_000
"""The number of new objects after which the youngest generation is collected, which takes a millisecond or two."""
MIDDLE_AFTER = 2
"""The number of collections after which what survived them is looked at once more. With Python's own, 10, that is a
hundred thousand objects if a thousand connections come at once, and stops the loop for 30 ms and more."""
OLDEST_AFTER = 50
"""The number of those after which all is looked at: as rarely as with Python's own numbers."""


def collect_nothing() -> None:
    """While modules are loaded. Nearly all that this makes lasts, and to look through it time and again takes a tenth
    of a start."""
    gc.disable()


def collect_rarely() -> None:
    """Once the modules are loaded, at which the collector need never look.

    Nearly everything else ends with its last reference. With Python's own threshold, 700, the collector takes what is
    merely under way for lasting, and looks through all of it, every lane included, again and again.
    """
    gc.freeze()
    gc.set_threshold(AFTER, MIDDLE_AFTER, OLDEST_AFTER)
    gc.enable()


def spare_what_lasts() -> None:
    """Once the gateway has started: what was made until here lives as long as the process, so the collector need not
    look at it again."""
    gc.collect()
    gc.freeze()
