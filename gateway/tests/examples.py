"""How much one run tries of laws and matrices: `make test` has samples, `make laws` and `make every-case` more."""

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def more(count: int) -> int:
    """The number of examples for one run, of which `make test` has `count`."""
    return count * int(os.environ.get("TIMES", "1"))


def cases(every: Iterable[T], sample: Iterable[T]) -> list[T]:
    """The cases of a matrix for one run: `make test` has the sample, `make every-case` every one."""
    return [*(every if os.environ.get("CASES") == "every" else sample)]
