"""Shares what there is a bounded number of between callers, as attempts share slots (decision 14)."""

from collections.abc import Hashable

from signalpost.domain.delivery.slots import Slots


class Shares:
    """A caller may take one more while it holds fewer than four times what is free, so that the next finds one."""

    def __init__(self, most: int) -> None:
        self._all = Slots(most)
        self._of: dict[Hashable, Slots] = {}

    def take(self, caller: Hashable) -> bool:
        """Take one for this caller. Returns False if it may hold no more."""
        held = self._of.get(caller)
        if held is None:
            held = Slots(self._all.most, self._all)
        if held.room == 0:
            return False
        held.take()
        self._of[caller] = held
        return True

    def give_back(self, caller: Hashable) -> None:
        held = self._of[caller]
        held.take(-1)
        if held.held == 0:
            del self._of[caller]
