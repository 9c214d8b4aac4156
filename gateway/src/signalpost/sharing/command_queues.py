"""Commands that wait for their commit: in which order they are committed, and how many may wait.

Tenants take turns, one command each. Within a tenant every other turn goes to what its operators ask for (pause a
subscription, revoke a key), so that it does not wait behind a flood of documents. Changes of single documents and lines
of imports take turns with each other.

Each queue holds about as many commands as are committed within a second. The rule of `sharing/slots.py` shares
it between tenants: a tenant may add another command only while fewer than four times as many of its own wait as there
is room for. A tenant that is alone can fill four fifths, and the next one still finds room. A few commands of every
tenant may wait however full the queue is. Beyond that a command is refused at once. A line of an import is not refused:
the import is not read any further until its next line has room.
"""

from collections import deque
from enum import IntEnum
from typing import Final, Generic, TypeVar

from signalpost.domain.errors import TooMany
from signalpost.sharing.slots import share

Item = TypeVar("Item")


class Queue(IntEnum):
    CONTROL = 0
    """Changes of anything but documents."""
    DOCUMENT = 1
    """Changes of documents, each in a request of its own."""
    BACKGROUND = 2
    """Lines of imports, and changes that the gateway makes by itself: they can wait."""


DOCUMENT: Final = Queue.DOCUMENT
# Every change uses it. As a name of this module it is found ten times as fast as a member of its class.
MAX_WAITING: Final = (1_250, 5_000, 2_560)
"""How many commands of all tenants may wait, by queue."""
ALWAYS_ALLOWED: Final = 16
"""How many commands of a tenant may wait in a queue however full it is."""
MAX_BACKGROUND_OF_TENANT: Final = 256
"""How many background commands of a tenant may wait. It is few, since no client waits for a single one of them."""
RETRY_AFTER: Final = 1


class _TenantQueues(Generic[Item]):
    def __init__(self) -> None:
        self.queues: tuple[deque[Item], deque[Item], deque[Item]] = (deque(), deque(), deque())
        """What waits, by queue."""
        self.waiting = 0
        self._control_last = False
        self._background_next = False

    def take(self) -> tuple[Queue, Item]:
        control, documents, background = self.queues
        self.waiting -= 1
        if documents and not control and not background:  # as nearly always
            self._control_last, self._background_next = False, True
            return DOCUMENT, documents.popleft()
        self._control_last = bool(control) and not (self._control_last and (documents or background))
        if self._control_last:
            return Queue.CONTROL, control.popleft()
        if background and (self._background_next or not documents):
            self._background_next = False
            return Queue.BACKGROUND, background.popleft()
        self._background_next = True
        return DOCUMENT, documents.popleft()


class CommandQueues(Generic[Item]):
    def __init__(self) -> None:
        self._tenants: dict[int, _TenantQueues[Item]] = {}
        """The tenants that have something waiting; the first one has the next turn."""
        self._waiting = [0, 0, 0]
        """How many commands of all tenants wait, by queue."""

    @property
    def waiting(self) -> int:
        return sum(self._waiting)

    @property
    def background(self) -> int:
        """How many background commands of all tenants wait."""
        return self._waiting[Queue.BACKGROUND]

    def check(self, tenant_id: int, queue: Queue, max_waiting: int | None = None) -> None:
        """Raises TooMany if the tenant may not add another command. `max_waiting` is how many commands of all tenants
        may wait in the queue; without it `MAX_WAITING` says so."""
        tenant = self._tenants.get(tenant_id)
        own = 0 if tenant is None else len(tenant.queues[queue])
        free = (MAX_WAITING[queue] if max_waiting is None else max_waiting) - self._waiting[queue]
        if own >= ALWAYS_ALLOWED and not share(free, own):
            detail = f"{own} changes of this tenant are waiting to be committed. Repeat this one in a moment."
            raise TooMany("tenant_busy", detail, RETRY_AFTER)

    def add(self, tenant_id: int, queue: Queue, item: Item) -> None:
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            tenant = self._tenants[tenant_id] = _TenantQueues()
        tenant.queues[queue].append(item)
        tenant.waiting += 1
        self._waiting[queue] += 1

    def take(self, max_items: int) -> list[Item]:
        """Removes what has its turn now, and returns it in the order of the turns."""
        taken: list[Item] = []
        while self._tenants and len(taken) < max_items:
            tenant_id = next(iter(self._tenants))
            tenant = self._tenants.pop(tenant_id)
            queue, item = tenant.take()
            taken.append(item)
            self._waiting[queue] -= 1
            if tenant.waiting:
                self._tenants[tenant_id] = tenant
        return taken
