"""A rank of lanes: those that have turns and slots before the ones of a lower rank, with their turns and their slots.

What a lower rank holds, it holds in slots of its own, so that nothing of it ever stands in the way of a higher one.
"""

from collections.abc import Callable, Iterable
from typing import Generic

from msgspec.structs import asdict

from signalpost.sharing.slots import EndpointSlots, Limits, Trees, bound, process_slots, tenant_slots
from signalpost.sharing.turns import Lane, Turns


class Rank(Generic[Lane]):
    def __init__(self, limits: Limits, is_behind: Callable[[Lane], bool], *, part: int = 1) -> None:
        """The rank has one part in `part` of the slots that the limits allow. `is_behind` is as for `Turns`."""
        self._part = part
        self._limits = Limits(**{name: self._part_of(most) for name, most in asdict(limits).items()})
        self.turns: Turns[Lane] = Turns(is_behind)
        self.slots = process_slots(self._limits)
        self._slots_of: dict[int, Trees] = {}
        self.freed = 0
        """How many slots may have become free since waiting lanes last got some."""

    @property
    def has_work(self) -> bool:
        """Whether a lane may have a turn."""
        return self.turns.ready > 0 or (self.freed > 0 and self.turns.any_waits_for_slot)

    @property
    def tenant_ids(self) -> Iterable[int]:
        """The tenants that have slots here."""
        return self._slots_of

    def slots_for(self, tenant_id: int, most: int) -> EndpointSlots:
        """The slots of one more endpoint of a tenant, of which so many attempts may be in flight in the highest
        rank."""
        tenant = self._slots_of.get(tenant_id)
        if tenant is None:
            tenant = self._slots_of[tenant_id] = tenant_slots(self._part_of(most), self.slots)
        return EndpointSlots(self._limits, tenant)

    def bound_tenant(self, tenant_id: int, most: int) -> bool:
        """Apply how many attempts of a tenant may be in flight in the highest rank. Returns whether that changed."""
        slots, most = self._slots_of.get(tenant_id), self._part_of(most)
        if slots is None or slots.every.most == most:
            return False
        bound(slots, most)
        self.freed += most
        return True

    def give_freed_slots(self) -> list[Lane]:
        """Make lanes ready that waited for the slots that were freed. Returns them."""
        given, self.freed = self.turns.give_slots(self.freed), 0
        return given

    def _part_of(self, most: int) -> int:
        return max(1, most // self._part)
