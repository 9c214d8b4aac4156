"""Reads from the store the parts of the log that lanes need and the cache lacks: next pages, and events to send again.

A page is read once for all lanes that want it, such as those that were resumed together, and the events that a tenant's
deliveries wait for are read together. If the store cannot be read, lanes ask for their page again a little later;
events are read again until they arrive, because their deliveries already have slots.
"""

import asyncio
from collections.abc import Awaitable, Callable

from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.delivery.lane import Lane
from signalpost.domain.errors import SignalpostError
from signalpost.domain.event import Event
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.store.nouns.log import LogPart
from signalpost.store.store import Store

PAGE = 256
BYTES_IN_A_ROW = 1024 * 1024
"""How many bytes of events are given to deliveries, and signed and sent, before the loop gets to its sockets."""
AGAIN_AFTER = 0.5
"""Seconds to wait after the store could not be read."""


class LogReader:
    def __init__(
        self,
        store: Store,
        log_cache: LogCache,
        check_config: Callable[[int, int], Awaitable[None]],
        on_page: Callable[[LaneWorker, LogPart | None], None],
        on_event: Callable[[LaneWorker, Delivery, Event | None], None],
    ) -> None:
        """`check_config` waits until this node knows a tenant's configuration at a version. `on_page` gets what follows
        the lane's head; None if that could not be read or is no longer useful. `on_event` gets a delivery's event, None
        if the retention removed it."""
        self._store = store
        self._log = log_cache
        self._check_config = check_config
        self._on_page = on_page
        self._on_event = on_event
        self._pages: dict[tuple[int, int], list[tuple[LaneWorker, Lane]]] = {}
        """The lanes that wait for a page that is being read, by tenant and by the sequence that the page follows."""
        self._wanted: list[tuple[LaneWorker, Delivery]] = []
        """Deliveries whose events will be read next."""
        self._tasks = Tasks()

    def stop(self) -> None:
        """Stop reading. No lane gets what it asked for."""
        self._tasks.cancel()

    def want_page(self, worker: LaneWorker) -> None:
        """Read the page that follows the lane's head."""
        worker.begin_reading()
        tenant_id, head = worker.subscription.tenant_id, worker.lane.head
        wanting = self._pages.setdefault((tenant_id, head), [])
        wanting.append((worker, worker.lane))
        if len(wanting) == 1:
            self._tasks.start(self._read_page(tenant_id, head))

    async def _read_page(self, tenant_id: int, head: int) -> None:
        page: LogPart | None = None
        try:
            read = await self._store.log.after(tenant_id, head, PAGE)
            await self._check_config(tenant_id, read.config_version)
            # Something of it may have been erased while it was read. A lane takes it in as the store has it now.
            page = read._replace(events=[*self._log.erased.as_kept(read.events)])
            self._log.put(page.events)
        except Exception as error:
            note_unread(error)
            await asyncio.sleep(AGAIN_AFTER)
        for worker, lane in self._pages.pop((tenant_id, head)):
            # Not earlier: a lane that has a turn meanwhile would read again, and then be given the page as well.
            worker.end_reading()
            # The lane may have been loaded again meanwhile, or have skipped events: then it reads again.
            is_next = worker.lane is lane and lane.head == head
            self._on_page(worker, page if is_next else None)
            await asyncio.sleep(0)  # hundreds may want it: the loop must get to its sockets in between

    def want_event(self, worker: LaneWorker, delivery: Delivery) -> None:
        self._wanted.append((worker, delivery))
        if len(self._wanted) == 1:
            self._tasks.start(self._read_events())

    async def _read_events(self) -> None:
        while self._wanted:
            wanted, self._wanted = self._wanted, []
            for tenant_id in {worker.subscription.tenant_id for worker, _ in wanted}:
                await self._give(tenant_id, [(w, d) for w, d in wanted if w.subscription.tenant_id == tenant_id])

    async def _give(self, tenant_id: int, wanted: list[tuple[LaneWorker, Delivery]]) -> None:
        """Give these deliveries of a tenant their events, as many at a time as the store reads."""
        given = 0
        while wanted:
            events, floor = await self._events(tenant_id, sorted({delivery.sequence for _, delivery in wanted}))
            left = []
            for worker, delivery in wanted:
                event = events.get(delivery.sequence)
                if event is None and delivery.sequence >= floor:
                    left.append((worker, delivery))
                    continue
                self._on_event(worker, delivery, event)
                given += 0 if event is None else len(event.body)
                if given >= BYTES_IN_A_ROW:
                    given = 0
                    await asyncio.sleep(0)
            if left and not events:
                log.error("the log lacks events that it should have; trying again", tenant=tenant_id)
                await asyncio.sleep(AGAIN_AFTER)
            wanted = left

    async def _events(self, tenant_id: int, sequences: list[int]) -> tuple[dict[int, Event], int]:
        """The events, as many as the store reads at a time, and the floor of the log: what is missing below it was
        removed."""
        while True:
            try:
                events = await self._store.log.events(tenant_id, sequences)
                floor = 1 if len(events) == len(sequences) else await self._store.log.floor(tenant_id)
            except Exception as error:
                note_unread(error)
                await asyncio.sleep(AGAIN_AFTER)
            else:
                return {event.sequence: event for event in events}, floor


def note_unread(error: Exception) -> None:
    if isinstance(error, SignalpostError):
        log.warning("the log could not be read; trying again", error=str(error))
    else:
        log.exception("the log could not be read; trying again")
