"""Faults that are planted into the gateway, one at a time, and how many worlds it takes until one of them is hit."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.folder import Folder
from msgspec.structs import replace

Make = Callable[[Any], Any]
"""From the right function to the faulty one."""
Live = Callable[[int, Path], object]
"""Lives through the world of a seed. Raises Violation."""


@contextmanager
def planted(owner: Any, attribute: str, faulty: Any) -> Iterator[None]:
    """Puts a faulty function in the place of the right one."""
    right = vars(owner)[attribute]
    setattr(owner, attribute, faulty)
    try:
        yield
    finally:
        setattr(owner, attribute, right)


class Fault(NamedTuple):
    name: str
    owner: Any
    attribute: str
    make: Make
    live: Live
    """Lives through a world in which the fault has a chance to do harm."""

    def planted(self) -> AbstractContextManager[None]:
        """The gateway with this fault."""
        return planted(self.owner, self.attribute, self.make(vars(self.owner)[self.attribute]))


class Finding(NamedTuple):
    seeds: int
    """How many it took; 0 if none of them found it."""
    by: str


class Faults:
    """Faults, and the worlds that have to find them."""

    def __init__(self, live: Live, most: int) -> None:
        """`live` is for faults that have no worlds of their own; `most` is how many seeds are tried."""
        self.all: list[Fault] = []
        self._live = live
        self._most = most

    def fault(self, name: str, owner: Any, attribute: str, live: Live | None = None) -> Callable[[Make], Make]:
        """The decorator of a function that makes a fault."""

        def plant(make: Make) -> Make:
            self.all.append(Fault(name, owner, attribute, make, live or self._live))
            return make

        return plant

    def answers(self, name: str, owner: Any, attribute: str, value: Any) -> None:
        """Plant a function that answers the same whatever it is asked."""
        self.fault(name, owner, attribute)(lambda _right: lambda *_given: value)

    def find(self, fault: Fault, folder: Path, first: int = 1, most: int | None = None) -> Finding:
        broke_down = ""
        with fault.planted():
            for number in range(self._most if most is None else most):
                try:
                    fault.live(first + number, folder)
                except Violation as violation:
                    # A fault that only breaks down would count as found otherwise.
                    if not str(violation).startswith("defects: "):
                        return Finding(number + 1, str(violation))
                    broke_down = f", but it breaks down: {violation}"
        return Finding(0, f"not found{broke_down}")

    def main(self, about: str | None) -> int:
        """Look for every fault, and tell after how many seeds each was found. Returns the exit code."""
        parser = argparse.ArgumentParser(description=about)
        parser.add_argument("--seed", type=int, default=1, help="the first one for each")
        parser.add_argument("--only", default="", help="faults with this in their name")
        parser.add_argument("--most", type=int, default=self._most, help="seeds to try for each")
        options = parser.parse_args()
        missed = 0
        with Folder() as folder:
            for each in self.all:
                if options.only in each.name:
                    found = self.find(each, folder, options.seed, options.most)
                    missed += found.seeds == 0
                    print(f"{found.seeds or '-':>6}  {each.name:<60} {found.by[:100]}", flush=True)
        return 1 if missed else 0


def counts_whoever_owns(right: Any) -> Any:
    """In place of `_counts_of_unmoved` of the record: as if every lane was its own, at the version that it knows."""

    def counts(connection: Any, flushes: Any, _me: Any) -> Any:
        lanes = connection.execute("SELECT subscription_number, version, owner FROM lane").fetchall()
        now = {number: (version, owner) for number, version, owner in lanes}
        found: dict[int, Any] = {}
        for flush in flushes:
            if flush.subscription_number in now:
                version, owner = now[flush.subscription_number]
                found |= right(connection, [replace(flush, version=version)], owner)
        return found

    return counts
