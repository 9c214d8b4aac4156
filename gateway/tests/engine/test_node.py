"""A node's own row: what it does where a beat shows that what it remembers is not true any more."""

import asyncio
from typing import cast

from gateway.tests.world.virtual_time import VirtualLoop, VirtualTime

from signalpost.domain.errors import Unavailable
from signalpost.domain.timestamps import SECOND
from signalpost.engine.fleet.lease import Lease
from signalpost.engine.fleet.node import ThisNode
from signalpost.store.nouns.fleet import SHARED, Beat, FleetStore, NodeProcess, NodeRole


class _Fleet:
    """Beats of which it is known beforehand what they show; None: that the node's row is gone."""

    terms = SHARED

    def __init__(self, *shown: int | None) -> None:
        self._shown = list(shown)

    async def join(self, role: NodeRole, program: str, process: NodeProcess) -> int:
        return 1

    async def beat(self, lanes: int) -> Beat | None:
        number = self._shown.pop(0)
        return None if number is None else Beat(number, 0, "history", (), {})


class _Clock:
    def __init__(self, time: VirtualTime) -> None:
        self._time = time

    def steady(self) -> int:
        return round(self._time.now * SECOND)

    wall = steady


class _WatchedNode:
    """A node, and what it said in order."""

    def __init__(self, *shown: int | None, failing: int = 0) -> None:
        """The database fails `failing` times while everything is loaded anew."""
        self.said: list[str] = []
        self.time = VirtualTime(0.0)
        self._failing = failing
        clock = _Clock(self.time)
        self.lease = Lease(SHARED.lease, clock.steady)
        fleet = cast(FleetStore, _Fleet(*shown))
        self.node = ThisNode(
            fleet, clock, self.lease, NodeRole.ALL, "1", NodeProcess(), dict, lambda: 0, lambda _now, _took: None
        )

    def run(self, seconds: float) -> None:
        async def live() -> None:
            await self.node.join()
            running = asyncio.create_task(self.node.run(self._beat, self._begin_anew))
            await asyncio.sleep(seconds)
            running.cancel()

        loop = VirtualLoop(self.time)
        loop.run_until_complete(live())
        loop.close()

    def _beat(self, beat: Beat) -> None:
        self.said.append(f"beat {beat.number}")

    async def _begin_anew(self) -> None:
        self.said.append("begins anew")
        assert not self.lease.holds
        if self._failing:
            self._failing -= 1
            raise Unavailable("The database does not answer.")
        await self.node.join()


def test_a_node_that_was_taken_for_dead_joins_again() -> None:
    watched = _WatchedNode(0, 1, None, 0, 1)
    watched.run(7)
    assert watched.said == ["beat 1", "begins anew", "beat 1"]


def test_what_a_database_that_went_back_needs_is_done_until_it_succeeds() -> None:
    """While it is not, the beats that come after show nothing unusual: this node must not go on with what it has."""
    watched = _WatchedNode(5, 6, 3, 0, 1, failing=2)
    watched.run(8)
    assert watched.said == ["beat 6", *["begins anew"] * 3, "beat 1"]
