"""What is done once in the process that commands are forked from (`forked.py`), and not by each of them."""

import gc

from signalpost.runtime.installed import _all_entries

_all_entries()
gc.freeze()  # what a command collects later is its own: it need not copy what was there before
