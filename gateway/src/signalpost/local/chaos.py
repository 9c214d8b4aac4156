"""What a network, a restart or an attacker does to deliveries, on purpose: so that a receiver meets it on a laptop.

Pure: for each event it says which requests to make in its place. An event that is held back comes after the next one,
or at `flush`, if none follows.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final, Generic, TypeVar

from msgspec import Struct

E = TypeVar("E")
CHANCE: Final = 1 / 3
"""How likely it is that one kind of trouble meets one event."""
MIN_DELAY_S, MAX_DELAY_S = 1.0, 4.0


class ChaosFault(StrEnum):
    """One kind of trouble. The values are what `--chaos` takes."""

    DUPLICATE = "dup"
    """The event is sent twice, as after an answer that was lost on its way."""
    REORDER = "reorder"
    """The event is sent after the one that follows it."""
    DELAY = "delay"
    """The event is sent seconds later, and others meanwhile."""
    DROP = "drop"
    """The event is never sent: the receiver has to find it in the feed."""
    ROTATE = "rotate"
    """The request is signed with two secrets, as during a rotation; which of them is the receiver's, changes."""
    FORGE = "badsig"
    """The same body is sent before, with a signature that does not fit; the receiver has to refuse it."""


class ChaosSigning(StrEnum):
    """How a request is signed."""

    USUAL = "usual"
    OLD = "rotation, old secret"
    NEW = "rotation, new secret"
    FORGED = "forged"


class PlannedRequest(Struct, Generic[E], frozen=True):
    """One request to make for an event, or one that is not made on purpose."""

    entry: E
    signing: ChaosSigning = ChaosSigning.USUAL
    attempt: int = 1
    delay_s: float = 0.0
    note: str = ""
    """What was done to it, for people; empty if nothing was."""
    is_dropped: bool = False
    """Whether it is not made at all."""


class Chaos(Generic[E]):
    """Plans the requests of a stream of events. `chance` gives numbers from 0 to 1, excluding 1."""

    def __init__(self, troubles: Iterable[ChaosFault], chance: Callable[[], float]) -> None:
        self._troubles = frozenset(troubles)
        self._chance = chance
        self._held: list[PlannedRequest[E]] = []
        self._rotations = 0

    def plan(self, entry: E) -> list[PlannedRequest[E]]:
        """The requests to make now, in this order; also one that is not made, so that it can be told."""
        if self._strikes(ChaosFault.DROP):
            return [PlannedRequest(entry, note="dropped", is_dropped=True), *self.flush()]
        requests = list(self._requests(entry))
        if not self._held and self._strikes(ChaosFault.REORDER):
            self._held = [
                PlannedRequest(r.entry, r.signing, r.attempt, r.delay_s, r.note or "held back") for r in requests
            ]
            return []
        return [*requests, *self.flush()]

    def flush(self) -> list[PlannedRequest[E]]:
        """The requests that were held back, once nothing follows them."""
        held, self._held = self._held, []
        return held

    def _requests(self, entry: E) -> Iterator[PlannedRequest[E]]:
        if self._strikes(ChaosFault.FORGE):
            yield PlannedRequest(entry, ChaosSigning.FORGED, note="bad signature")
        signing = self._signing()
        note = "" if signing is ChaosSigning.USUAL else signing.value
        if self._strikes(ChaosFault.DELAY):
            delay_s = MIN_DELAY_S + self._chance() * (MAX_DELAY_S - MIN_DELAY_S)
            yield PlannedRequest(entry, signing, delay_s=delay_s, note=f"delayed by {delay_s:.1f} s")
        else:
            yield PlannedRequest(entry, signing, note=note)
        if self._strikes(ChaosFault.DUPLICATE):
            yield PlannedRequest(entry, signing, attempt=2, note="duplicate")

    def _signing(self) -> ChaosSigning:
        if ChaosFault.ROTATE not in self._troubles:
            return ChaosSigning.USUAL
        self._rotations += 1
        return ChaosSigning.OLD if self._rotations % 2 else ChaosSigning.NEW

    def _strikes(self, trouble: ChaosFault) -> bool:
        return trouble in self._troubles and self._chance() < CHANCE
