"""A node's own row: it joins, beats, and learns whether it is still there.

Each beat that succeeds renews the lease and tells how everything is. A beat that fails tells nothing: the node goes on
until its lease ends, then starts nothing more, and tries again.

There are two things after which what a node remembers is not true any more. A beat that finds the node's row gone means
that others took it for dead, or that the database does not know it. And the database may have gone back in time, which
a restore does, or a standby that lacked what was committed: then the node's beats are fewer, the history is another, or
a log is shorter than it was. Either way the node starts again: it forgets everything, loads it again and joins. Until
all of that has succeeded it does not go on with anything, no matter what its beats show.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from math import inf

from signalpost.domain.errors import DatabaseReadOnly, SignalpostError
from signalpost.domain.timestamps import SECOND
from signalpost.engine.fleet.lease import Lease
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.store.nouns.fleet import Beat, FleetStore, NodeProcess, NodeRole, TenantMark

DRAIN_WITHIN = 0.5
"""Seconds that a stop waits until the other nodes have been told."""
AGAIN_AFTER = 0.5
"""Seconds between two attempts to join, or to beat if that failed."""


class ThisNode:
    def __init__(
        self,
        fleet: FleetStore,
        clock: Clock,
        lease: Lease,
        role: NodeRole,
        program: str,
        process: NodeProcess,
        known_marks: Callable[[], Mapping[int, TenantMark]],
        count_lanes: Callable[[], int],
        hear_time: Callable[[int, int], None],
    ) -> None:
        """`program` is the version of the program. `known_marks` tells how far every tenant is at least, as this node
        knows, and `count_lanes` how many lanes it has. `hear_time` is told what the database's time was, and within
        how many µs."""
        self._fleet = fleet
        self._clock = clock
        self._lease = lease
        self._role = role
        self._program = program
        self._process = process
        self._known_marks = known_marks
        self._count_lanes = count_lanes
        self._hear_time = hear_time
        self._last: Beat | None = None
        self._beat_at: int | None = None
        self._failure: Exception | None = None
        """Why the last beat failed; None if it succeeded."""
        self.is_draining = False
        """Whether this node is ending."""

    @property
    def trouble(self) -> str | None:
        """Why this node cannot work, in sentences for an operator; None if it can."""
        if isinstance(self._failure, DatabaseReadOnly):
            return f"{self._failure} Until then this node takes no changes, and sends nothing once its lease has ended."
        if self._lease.holds:
            return None
        return "The database does not answer this node: it starts no attempts until it does."

    @property
    def seconds_since_beat(self) -> float | None:
        """How long ago the last successful beat was sent; None before the first one, and on a gateway that has its
        database for itself and does not beat."""
        if self._beat_at is None or self._fleet.terms.beat_every == inf:
            return None
        return (self._clock.steady() - self._beat_at) / SECOND

    @property
    def api_nodes(self) -> int:
        """How many nodes answered clients as of the last beat."""
        found = () if self._last is None else self._last.nodes
        return max(1, sum(node.role is not NodeRole.WORKER and not node.is_draining for node in found))

    @property
    def node_count(self) -> int:
        """How many nodes there were at the last beat."""
        return 0 if self._last is None else len(self._last.nodes)

    @property
    def beat_at(self) -> int:
        """When the last beat that succeeded was sent, steady µs."""
        assert self._beat_at is not None
        return self._beat_at

    async def join(self) -> Beat:
        """Join the fleet and beat for the first time. Raises Unavailable."""
        while True:
            await self._fleet.join(self._role, self._program, self._process)
            self._last = None
            beat = await self._beat()
            if beat is not None:
                return beat

    async def run(self, on_beat: Callable[[Beat], None], begin_anew: Callable[[], Awaitable[None]]) -> None:
        """Beat for ever. `on_beat` is told of each beat that shows everything as it should be. `begin_anew` lets go of
        all that this node remembers, loads it and joins; if it fails it is called again."""
        every = self._fleet.terms.beat_every
        is_current = True
        while every < inf:
            await asyncio.sleep(every if self._failure is None else AGAIN_AFTER)
            try:
                is_current = is_current and await self._beat_and_tell(on_beat)
                if not is_current:
                    await begin_anew()
                    is_current = True
                if self._failure is not None:
                    log.info("this node beats again")
                self._failure = None
            except Exception as error:
                self._note_failed(error)

    async def _beat_and_tell(self, on_beat: Callable[[Beat], None]) -> bool:
        """Returns whether what this node remembers may still be true."""
        before, known = self._last, self._known_marks()
        beat = await self._beat()
        if beat is None:
            self._lease.end()
            log.error("this node was taken for dead; loading everything again")
            return False
        if before is not None and _is_earlier(before, known, beat):
            self._lease.end()
            log.error(
                "the database went back to an earlier state: recent commits may be lost; loading everything again"
            )
            return False
        on_beat(beat)
        return True

    async def drain(self) -> None:
        """Tell others that this node is stopping. If the database does not answer at once, it stops without telling
        them."""
        self.is_draining = True
        if self._fleet.terms.beat_every < inf:
            await asyncio.wait([asyncio.ensure_future(self._tell_draining())], timeout=DRAIN_WITHIN)

    async def _tell_draining(self) -> None:
        with suppress(SignalpostError):
            await self._fleet.drain()

    async def _beat(self) -> Beat | None:
        began, asked_at = self._lease.began(), self._clock.steady()
        beat = await self._fleet.beat(self._count_lanes())
        if beat is not None:
            self._lease.renew(began)
            took = self._clock.steady() - asked_at
            self._hear_time(beat.now, took)
            self._last, self._beat_at = beat, self._clock.steady() - took  # the clock may have been adjusted
        return beat

    def _note_failed(self, error: Exception) -> None:
        if not isinstance(error, SignalpostError):
            log.exception("a beat of this node failed with an unexpected error")
        elif type(error) is not type(self._failure):
            log.warning("this node could not beat; trying again", error=str(error))
        self._failure = error


def _is_earlier(before: Beat, known: Mapping[int, TenantMark], beat: Beat) -> bool:
    """Whether a beat shows an earlier state of the database than before. `known` is what this node knew when it sent
    the beat."""
    return (
        beat.number <= before.number
        or beat.history != before.history
        or any(
            mark.last_sequence < known[tenant_id].last_sequence or mark.config_version < known[tenant_id].config_version
            for tenant_id, mark in beat.marks.items()
            if tenant_id in known
        )
    )
