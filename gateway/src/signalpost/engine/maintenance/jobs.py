"""Jobs that one node of a fleet does at a time: what removes what is old or was asked to be erased, what expires
signature requests, and the use of a refresh token.

Doing a job twice only wastes work, so nothing depends on a single node doing it. A node that is gone loses its jobs at
once, so a job may be taken for long.
"""

from math import inf
from typing import Final

from signalpost.store.nouns.fleet import FleetStore

TAKEN_FOR: Final = 300.0
"""Seconds for which a node takes a job. It takes it again with every pass."""


class Jobs:
    def __init__(self, fleet: FleetStore) -> None:
        self._fleet = fleet
        self._is_alone = fleet.terms.lease == inf

    @property
    def is_alone(self) -> bool:
        """Whether there are no other nodes, so that every job is this one's."""
        return self._is_alone

    async def give_up(self, name: str) -> None:
        """Let other nodes take a job. Raises Unavailable."""
        if not self._is_alone:
            await self._fleet.give_up_job(name)

    async def take(self, name: str) -> bool:
        """Take a job, or go on with it. Returns False while another node has it. Raises Unavailable."""
        return self._is_alone or await self._fleet.take_job(name, TAKEN_FOR)
