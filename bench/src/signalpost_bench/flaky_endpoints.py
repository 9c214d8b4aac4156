"""Endpoints of the sink that are down at times, `/flaky/0`, `/flaky/1` and so on: what they were asked in vain, and how
many requests each had at once when it was up again."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

State = Literal["up", "down", "flapping"]
FLAP_SECONDS = 2.0
"""How long an endpoint is up, and then down; each has its own phase."""
STEP_SECONDS = 2.0
"""In each step after its first answer an endpoint may have twice as many requests at once as in the one before."""


class EndpointCounts(Struct, frozen=True):
    wasted: int
    """Requests that came while their endpoint was down."""
    most: list[int]
    """The most requests that any endpoint had at once, in each step since its first answer."""
    beyond: int
    """Requests that came while their endpoint had as many as it may."""
    last: float
    """When the last request was taken, in seconds of the monotonic clock."""


class FlakyEndpoints:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` tells seconds of the monotonic clock."""
        self._now = now
        self.be("up", 0.0)

    def be(self, state: State, answer_seconds: float) -> None:
        """Begin again; a request is answered after so long."""
        self._state: State = state
        self.answer_seconds = answer_seconds
        self._wasted = self._beyond = 0
        self._last = 0.0
        self._open = Counter[int]()
        self._first: dict[int, float] = {}
        """When each endpoint answered for the first time."""
        self._most = Counter[int]()

    def is_down(self, number: int) -> bool:
        """Whether that endpoint is down just now; it is counted as asked in vain then."""
        phase = (self._now() + number * 0.37) // FLAP_SECONDS % 2
        down = self._state == "down" or (self._state == "flapping" and phase == 1)
        self._wasted += down
        return down

    def come(self, number: int) -> None:
        now = self._last = self._now()
        self._open[number] += 1
        step = int((now - self._first.get(number, now)) / STEP_SECONDS)
        self._most[step] = max(self._most[step], self._open[number])
        self._beyond += self._open[number] > 1 << step

    def answered(self, number: int) -> None:
        self._open[number] -= 1
        self._first.setdefault(number, self._now())

    def seen(self) -> EndpointCounts:
        most = [self._most[step] for step in range(max(self._most, default=-1) + 1)]
        return EndpointCounts(self._wasted, most, self._beyond, self._last)
