"""Where in the log the oldest event is that waits at a lane.

What a lane took in says its row, and its exception rows. What it did not take in is the rest of the log: of that, only
events of types that are wanted wait.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from signalpost.domain.delivery.reading import ReadLane
from signalpost.domain.event import EVERY_TYPE
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.log import END_OF_LOG
from signalpost.store.packing.sequences import unpack_sequences


class Stretch(NamedTuple):
    """Events of some types (as bits), from one sequence to another."""

    first: int
    last: int
    types: int


def stretches(
    subscription: Subscription, head: int, packed: bytes, kept: Iterable[int | None], most: int
) -> list[Stretch]:
    """The oldest event that waits is the first in the first of these that has any. `kept` are the lowest sequences of
    exception rows. If `most` events are looked through in vain, what follows counts as if it waited."""
    opened: Sequence[int] = unpack_sequences(packed)
    if subscription.is_read:
        lane = ReadLane.recorded(head, opened, subscription.skip_to)
        head, opened = lane.head, lane.open
    taken_in = min([*opened[:1], *(each for each in kept if each is not None)], default=None)
    if taken_in is not None:
        return [Stretch(taken_in, taken_in, EVERY_TYPE)]
    unread = [
        Stretch(max(after, head) + 1, min(end, head + most), types)
        for (after, types), (end, _) in pairwise((*subscription.filters, (END_OF_LOG, 0)))
    ]
    return [*(each for each in unread if each.first <= each.last), Stretch(head + most + 1, END_OF_LOG, EVERY_TYPE)]
