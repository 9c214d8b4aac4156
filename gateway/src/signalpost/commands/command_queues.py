"""What waits for its commit, and in which order it has its turn.

Tenants take turns, one change each. Within a tenant what operators ask for (a subscription paused, a key revoked) has
every other turn: it must not wait behind a flood of documents. Documents that came one per request
and lines of imports take turns with each other.

Each is bounded, by about what is committed within a second, and what a tenant may have of it by the rule of
`domain/delivery/slots.py`: nobody may add one more while four times as many of his wait as there is room for. So
whoever is alone has four fifths, and the next who comes finds room; a few of every tenant may wait however full it is.
What is beyond is refused at once; an import is not refused, it is read no further until its next line has room.
"""

from collections import deque
from enum import IntEnum
from typing import Final, Generic, TypeVar

from signalpost.domain.delivery.slots import share
from signalpost.domain.errors import TooMany

Item = TypeVar("Item")


class Queue(IntEnum):
    CONTROL = 0
    """A change of anything but a document."""
    DOCUMENT = 1
    """A change of a document in a request of its own."""
    BACKGROUND = 2
    """Of an import, and what the gateway does of itself: it can wait."""


MOST: Final = (1_250, 5_000, 2_560)
"""By queue."""
ALWAYS_ALLOWED: Final = 16
MAX_BACKGROUND_OF_TENANT: Final = 256
"""Of an import, since nobody waits for a single one of its background."""
RETRY_AFTER: Final = 1


class _Tenant(Generic[Item]):
    def __init__(self) -> None:
        self.queues: tuple[deque[Item], deque[Item], deque[Item]] = (deque(), deque(), deque())
        """By queue."""
        self.waiting = 0
        self._control_last = False
        self._background_next = False

    def take(self) -> tuple[Queue, Item]:
        control, documents, background = self.queues
        self.waiting -= 1
        self._control_last = bool(control) and not (self._control_last and (documents or background))
        if self._control_last:
            return Queue.CONTROL, control.popleft()
        if background and (self._background_next or not documents):
            self._background_next = False
            return Queue.BACKGROUND, background.popleft()
        self._background_next = True
        return Queue.DOCUMENT, documents.popleft()


class CommandQueues(Generic[Item]):
    def __init__(self) -> None:
        self._tenants: dict[int, _Tenant[Item]] = {}
        """Those with something waiting; the first one has the next turn."""
        self._waiting = [0, 0, 0]
        """By queue."""

    @property
    def waiting(self) -> int:
        return sum(self._waiting)

    def check(self, tenant_id: int, queue: Queue, most: int | None = None) -> None:
        """Raises TooMany where one more may not wait: `most` of all tenants may, or as many as `MOST` says."""
        mine = self._of(tenant_id, queue)
        free = (MOST[queue] if most is None else most) - self._waiting[queue]
        if mine >= ALWAYS_ALLOWED and not share(free, mine):
            detail = f"{mine} changes of this tenant wait to be made: repeat this one in a moment."
            raise TooMany("tenant_busy", detail, RETRY_AFTER)

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
