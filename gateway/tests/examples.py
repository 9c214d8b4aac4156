"""How many examples laws are tried on: `make test` has a sample, `make laws` many more."""

import os


def more(count: int) -> int:
    """The number of examples for one run, of which `make test` has `count`."""
    return count * int(os.environ.get("TIMES", "1"))
