"""What outlives the gateway's processes: time, the wall clock, the random source, the receivers, and the observer."""

from collections.abc import Callable
from itertools import count
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gateway.tests.world.network import Receiver, SentRequest, Vendor
from gateway.tests.world.virtual_time import VirtualTime, WallClock

from signalpost.destinations.registry import Destinations

if TYPE_CHECKING:
    from gateway.tests.world.process import Process

P = TypeVar("P", bound="Process")

START = 1_000.0
"""The virtual time at which a world begins, seconds."""


class World(Generic[P]):
    """The surroundings of all processes. A subclass knows the receivers, and looks at what happens."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.time = VirtualTime(START)
        self.wall = WallClock(self.time)
        self.destinations = Destinations(())
        """The kinds of destinations other than the webhook that processes know."""
        self.running: list[P] = []
        """The processes that have started and not ended."""
        self.next_process_number: Callable[[], int] = count(1).__next__

    @property
    def next_event(self) -> float:
        """When a process that is not frozen has something to do next, in seconds of virtual time."""
        return self.first_to_move()[0]

    def step(self) -> None:
        """Let that process make a turn which is the first to have something to do, of those that are not frozen."""
        _, first = self.first_to_move()
        assert first is not None, "nothing will ever happen again"
        first.loop.step()

    def first_to_move(self) -> tuple[float, P | None]:
        """When a process that is not frozen has something to do next, and which one; None if none ever has."""
        soonest, first = inf, None
        for process in self.running:
            if not process.is_frozen:
                at = process.loop.next_event
                if at < soonest:
                    soonest, first = at, process
        return soonest, first

    # --- What a subclass knows ----------------------------------------------------------------------------------------

    def receiver(self, host: str) -> Receiver:
        """What answers at that host."""
        raise NotImplementedError

    def vendor(self, host: str) -> Vendor | None:
        """What answers calls of connectors at that host, if it is a vendor's."""
        return None

    def sent(self, sent: SentRequest) -> None:
        """Take note of a request, before its receiver sees it."""

    def ended(self, sent: SentRequest) -> None:
        """Take note of a request's outcome, before the process does."""

    def unhandled(self, process: P, context: dict[str, Any]) -> None:
        """Take note of an error that nothing in a process handled; `context` is the event loop's."""

    def database_broke(self, process: P, error: BaseException) -> None:
        """Take note that a process cannot use its database any more, and is about to end by itself."""
