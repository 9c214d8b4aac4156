"""Shares a bounded number of things between callers, as attempts share slots (decision 14)."""

from collections.abc import Hashable

from signalpost.domain.delivery.slots import share


class Shares:
    """A caller may take one more while it holds fewer than four times what is free, so that the next finds one."""

    def __init__(self, most: int) -> None:
        self._free = self._most = most
        self._held: dict[Hashable, int] = {}
        """How many each caller holds."""

    @property
    def taken(self) -> int:
        """How many are taken in all."""
        return self._most - self._free

    def take(self, caller: Hashable) -> bool:
        """Take one for this caller. Returns False if it may hold no more."""
        mine = self._held.get(caller, 0)
        if not share(self._free, mine):
            return False
        self._held[caller] = mine + 1
        self._free -= 1
        return True

    def give_back(self, caller: Hashable) -> None:
        mine = self._held[caller] - 1
        if mine:
            self._held[caller] = mine
        else:
            del self._held[caller]
        self._free += 1
