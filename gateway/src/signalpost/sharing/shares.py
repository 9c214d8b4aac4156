"""Shares a bounded number of things between callers, as attempts share slots (decision 14): between tenants, and a
tenant's part between its keys, members and guests. So no one gets more by having many keys.
"""

from collections.abc import Hashable
from typing import Final

from msgspec import Struct

from signalpost.sharing.slots import share

NOBODY: Final = 0
"""Stands for the id of the tenant if none is known."""


class Caller(Struct, frozen=True):
    """Who holds a share."""

    tenant_id: int
    """The tenant that is asked about."""
    holders: tuple[Hashable, ...]
    """The holders of the parts that it counts against, the caller's own last. No two levels use the same values."""

    @property
    def group(self) -> Hashable:
        """The holder of the part that all like it share: a tenant, an operator in one, or strangers."""
        return self.holders[0]


def alone(holder: int) -> Caller:
    """A tenant whose part is not shared any further."""
    return Caller(holder, (holder,))


class Shares:
    """A holder may take one more while it holds fewer than four times what is free, so that the next finds one. What is
    free for a caller is what its tenant may still take."""

    def __init__(self, most: int) -> None:
        self._free = self._most = most
        self._held: dict[Hashable, int] = {}
        """How many each holder holds."""

    @property
    def taken(self) -> int:
        """How many are taken in all."""
        return self._most - self._free

    def take(self, caller: Caller) -> bool:
        """Take one for this caller. Returns False if it may hold no more."""
        held, room = self._held, self._free
        after = []
        for holder in caller.holders:
            mine = held.get(holder, 0)
            room = share(room, mine)
            after.append((holder, mine + 1))
        if not room:
            return False
        held.update(after)
        self._free -= 1
        return True

    def give_back(self, caller: Caller) -> None:
        for holder in caller.holders:
            left = self._held[holder] - 1
            if left:
                self._held[holder] = left
            else:
                del self._held[holder]
        self._free += 1
