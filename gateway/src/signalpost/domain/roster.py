"""The nodes of a fleet that are alive, as one node sees them, and which should own which lane.

A node is dead once it was not seen to beat for long enough. That is counted by the observer's own clock, which only
goes forward, from when it first saw the node's present beat: what clocks of others show, or the database's after it was
set, kills no node. Time in which the observer itself saw nothing does not count: after an outage of the database
everybody gets the chance to beat again.

A lane should be with the worker whose hash with the lane is highest. So a node that joins takes its share from all, and
one that leaves gives its lanes to all, while every other lane stays where it is. Many lanes are spread evenly by that;
few are not: of eight lanes and two workers, one worker may get all. So while there are few lanes, a worker that has its
share gets no more of them. Lanes choose in the order of their numbers, so one lane more or less moves fewer other lanes
than there are workers.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct

FEW_LANES: Final = 500
"""Up to how many lanes of a fleet are spread by `owners_of_few`, which looks at all of them whenever one is added."""

_MASK = (1 << 64) - 1


class Roster(Struct, frozen=True):
    """What a node saw of the fleet with its last beat."""

    at: int | None = None
    """When that was, by a clock that only goes forward, µs."""
    beats: Mapping[int, int] = {}
    """How often each node had beaten, by its number."""
    since: Mapping[int, int] = {}
    """When each node was first seen with this beat."""
    workers: frozenset[int] = frozenset()
    """The nodes that own lanes."""
    is_steady: bool = False
    """Whether the workers were the same one beat before."""

    def observed(self, beats: Mapping[int, int], workers: Iterable[int], now: int, longest_gap: int) -> "Roster":
        """The next one, seen at `now`. `longest_gap` is how long a node may see nothing before it begins to count
        again, µs."""
        saw_all = self.at is not None and now - self.at <= longest_gap
        since = {
            node: self.since[node] if saw_all and self.beats.get(node) == beat else now for node, beat in beats.items()
        }
        there = frozenset(workers)
        return Roster(now, dict(beats), since, there, self.workers == there)

    def dead(self, me: int, after: int) -> frozenset[int]:
        """The nodes other than `me` that have not been seen to beat for `after` µs."""
        at = self.at or 0
        return frozenset(node for node, since in self.since.items() if node != me and at - since >= after)


def wanted_owner(workers: Iterable[int], lane: int) -> int | None:
    """The worker that should own a lane; None if there is none."""
    return max(workers, key=lambda node: _hash(node, lane), default=None)


def owners_of_few(workers: Iterable[int], lanes: Collection[int]) -> dict[int, int]:
    """The worker that should own each of these lanes, which are all that there are: each worker owns as many as any
    other, or one less. Empty if there are no workers."""
    has_room = set(workers)
    if not has_room:
        return {}
    share, left_over = divmod(len(lanes), len(has_room))
    room = dict.fromkeys(has_room, share)
    owners = {}
    for lane in sorted(lanes):
        owner = max(has_room, key=lambda node: _hash(node, lane))
        owners[lane] = owner
        room[owner] -= 1
        left_over -= room[owner] < 0
        has_room = {node for node in has_room if room[node] > 0 or (room[node] == 0 and left_over)}
    return owners


def _hash(node: int, lane: int) -> int:
    """The same for all nodes and programs, and spread well: the last steps of splitmix64."""
    mixed = (node * 0x9E3779B97F4A7C15 + lane * 0xD1B54A32D192ED03) & _MASK
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
    return mixed ^ (mixed >> 31)
