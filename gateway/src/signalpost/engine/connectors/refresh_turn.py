"""The turn of one node to use a connection's refresh token: a job of the fleet, taken for as long as it takes.

What is kept is read once the turn is there, since the node that had it before may have renewed the token. The turn ends
once the new one is committed. A node that dies in between loses the turn as it loses its lanes; what the vendor gave it
is then lost, and whether the old token is good for a while longer is the vendor's choice.
"""

from collections.abc import Callable
from contextlib import suppress

from signalpost.commands.connections import require_connection
from signalpost.domain.connection import Connection
from signalpost.domain.errors import SignalpostError
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.store.store import Store


class RefreshTurn:
    """See `Turn`."""

    def __init__(self, store: Store, known: Callable[[], Connection], follow: Callable[[Connection], None]) -> None:
        """`known` is the connection as this node knows it; `follow` takes up what is kept instead."""
        self._lists = store.lists
        self._jobs = Jobs(store.fleet)
        self._known = known
        self._follow = follow

    async def begin(self) -> bool:
        if self._jobs.is_alone:
            return True
        try:
            if not await self._jobs.take(self._name):
                return False
            known = self._known()
            kept = await self._lists.page(Connection, known.tenant_id, known.number + 1, 1)
        except SignalpostError:
            return False
        found = kept[0] if kept and kept[0].id == known.id else None
        if found is not None and found.grant_version == known.grant_version:
            return True
        await self.end()
        self._follow(require_connection(found))
        return False

    async def end(self) -> None:
        with suppress(SignalpostError):  # then it ends by itself, or with this node
            await self._jobs.give_up(self._name)

    @property
    def _name(self) -> str:
        return f"token of {self._known().id}"
