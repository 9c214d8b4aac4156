"""The order in which lanes get turns: deficit round robin between tenants, and within a tenant first the lanes that
keep up, then those that are behind.

A tenant spends credit: what its lanes' turns cost, known only after each. Its lanes have turns until that is spent;
then it goes to the end of the ring, with `QUANTUM` more for the next time. What it spent too much it owes. So over any
time tenants that have something to do get the same, no matter what one turn costs and how many lanes one has.

Lanes that keep up go one after the other, and so do those that are behind, however many: of these one has its turn
after `IN_A_ROW` of the others, or if there is no other. What a live lane sends is little and new; what hundreds have
to catch up with is old, and would otherwise have hundreds of turns to its one.

A lane that has something to send and no slot for it waits, which costs nothing; as slots come free such lanes are made
ready again, in turns between tenants too.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

QUANTUM = 256
IN_A_ROW = 4
Lane = TypeVar("Lane")


class _TenantTurns(Generic[Lane]):
    __slots__ = ("_in_a_row", "behind", "credit", "in_ring", "live", "without_slot")

    def __init__(self) -> None:
        self.live: deque[Lane] = deque()
        self.behind: deque[Lane] = deque()
        self.without_slot: deque[Lane] = deque()
        self.credit = 0
        self.in_ring = False
        self._in_a_row = 0
        """Live ones that had their turn since one that is behind."""

    @property
    def is_ready(self) -> bool:
        return bool(self.live or self.behind)

    def next(self) -> Lane:
        if self.behind and (not self.live or self._in_a_row >= IN_A_ROW):
            self._in_a_row = 0
            return self.behind.popleft()
        self._in_a_row += 1
        return self.live.popleft()


class Turns(Generic[Lane]):
    def __init__(self, is_behind: Callable[[Lane], bool] = lambda _: False) -> None:
        """`is_behind` is asked as a lane becomes ready."""
        self._is_behind = is_behind
        self._tenants: dict[int, _TenantTurns[Lane]] = {}
        self._ring: deque[_TenantTurns[Lane]] = deque()
        """Tenants with ready lanes. A tenant that no longer has one is removed when it comes to the front."""
        self._without_slot: deque[_TenantTurns[Lane]] = deque()
        """Tenants with lanes that wait for a slot."""
        self.ready = 0
        """Lanes that wait for their turn."""

    def add(self, tenant_id: int, lane: Lane) -> None:
        self._ready(self._tenant(tenant_id), lane)

    def next(self) -> Lane:
        """The lane that has its turn now; there must be one that is ready. Tell afterwards what it cost."""
        while True:
            tenant = self._ring[0]
            if not tenant.is_ready:
                self._ring.popleft()
                tenant.in_ring = False
                # Debts are kept, savings are not: who rested may not make up for it all at once.
                tenant.credit = min(tenant.credit, 0)
            elif tenant.credit > 0:
                self.ready -= 1
                return tenant.next()
            elif len(self._ring) == 1:
                # At once as after so many rounds. A turn may have cost thousands of them, and be it only because the
                # machine had no core for this process.
                tenant.credit = (tenant.credit - 1) % QUANTUM + 1
            else:
                tenant.credit += QUANTUM
                self._ring.rotate(-1)

    def charge(self, tenant_id: int, cost: int) -> None:
        self._tenants[tenant_id].credit -= cost

    @property
    def any_waits_for_slot(self) -> bool:
        return bool(self._without_slot)

    def wait_for_slot(self, tenant_id: int, lane: Lane) -> None:
        tenant = self._tenant(tenant_id)
        if not tenant.without_slot:
            self._without_slot.append(tenant)
        tenant.without_slot.append(lane)

    def give_slots(self, most: int) -> list[Lane]:
        """Make ready as many of the lanes that wait for a slot, the longest waiting first. Returns them."""
        given: list[Lane] = []
        while len(given) < most and self._without_slot:
            tenant = self._without_slot.popleft()
            lane = tenant.without_slot.popleft()
            self._ready(tenant, lane)
            given.append(lane)
            if tenant.without_slot:
                self._without_slot.append(tenant)
        return given

    def _tenant(self, tenant_id: int) -> _TenantTurns[Lane]:
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            tenant = self._tenants[tenant_id] = _TenantTurns()
        return tenant

    def _ready(self, tenant: _TenantTurns[Lane], lane: Lane) -> None:
        (tenant.behind if self._is_behind(lane) else tenant.live).append(lane)
        self.ready += 1
        if not tenant.in_ring:
            tenant.in_ring = True
            tenant.credit += QUANTUM
            self._ring.append(tenant)
