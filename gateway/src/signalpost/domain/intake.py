"""What waits for its commit, and in which order it has its turn.

Tenants take turns, one change each. Within a tenant what operators ask for (a subscription paused, a key revoked) has
every other turn: it must not wait behind a flood of documents. Documents that came one a request and lines of imports
take turns with each other.

Each is bounded, by about what is committed within a second: a tenant's documents below those of the process, so
that one tenant's flood leaves room for others. What is beyond is refused at once; an import is not refused, it is read
no further until its next line has room.
"""

from collections import deque
from enum import IntEnum
from typing import Final, Generic, TypeVar

from msgspec import Struct

from signalpost.domain.errors import TooMany

Item = TypeVar("Item")


class Queue(IntEnum):
    CONTROL = 0
    """A change of anything but a document."""
    DOCUMENT = 1
    """A change of a document in a request of its own."""
    LINE = 2
    """Of an import, and what the gateway does of itself: it can wait."""


class Bounds(Struct, frozen=True):
    of_tenant: int
    of_process: int


BOUNDS: Final = (Bounds(1_000, 2_000), Bounds(4_000, 6_000), Bounds(256, 2_048))
"""By queue."""
RETRY_AFTER: Final = 1


class _Tenant(Generic[Item]):
    def __init__(self) -> None:
        self.queues: tuple[deque[Item], deque[Item], deque[Item]] = (deque(), deque(), deque())
        """By queue."""
        self.waiting = 0
        self._control_last = False
        self._line_next = False

    def take(self) -> tuple[Queue, Item]:
        control, documents, lines = self.queues
        self.waiting -= 1
        self._control_last = bool(control) and not (self._control_last and (documents or lines))
        if self._control_last:
            return Queue.CONTROL, control.popleft()
        if lines and (self._line_next or not documents):
            self._line_next = False
            return Queue.LINE, lines.popleft()
        self._line_next = True
        return Queue.DOCUMENT, documents.popleft()


class Intake(Generic[Item]):
    def __init__(self) -> None:
        self._tenants: dict[int, _Tenant[Item]] = {}
        """Those with something waiting; the first one has the next turn."""
        self._waiting = [0, 0, 0]
        """By queue."""

    @property
    def waiting(self) -> int:
        return sum(self._waiting)

    def check(self, tenant_id: int, queue: Queue) -> None:
        """Raises TooMany where one more may not wait."""
        bounds = BOUNDS[queue]
        if self._of(tenant_id, queue) >= bounds.of_tenant:
            detail = f"{bounds.of_tenant} changes of this tenant wait to be made: repeat this one in a moment."
            raise TooMany("tenant_busy", detail, RETRY_AFTER)
        if self._waiting[queue] >= bounds.of_process:
            detail = f"{bounds.of_process} changes wait to be made: repeat this one in a moment."
            raise TooMany("busy", detail, RETRY_AFTER)

    def add(self, tenant_id: int, queue: Queue, item: Item) -> None:
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            tenant = self._tenants[tenant_id] = _Tenant()
        tenant.queues[queue].append(item)
        tenant.waiting += 1
        self._waiting[queue] += 1

    def take(self, most: int) -> list[Item]:
        """Those that have their turn now."""
        taken: list[Item] = []
        while self._tenants and len(taken) < most:
            tenant_id = next(iter(self._tenants))
            tenant = self._tenants.pop(tenant_id)
            queue, item = tenant.take()
            taken.append(item)
            self._waiting[queue] -= 1
            if tenant.waiting:
                self._tenants[tenant_id] = tenant
        return taken

    def _of(self, tenant_id: int, queue: Queue) -> int:
        tenant = self._tenants.get(tenant_id)
        return 0 if tenant is None else len(tenant.queues[queue])
