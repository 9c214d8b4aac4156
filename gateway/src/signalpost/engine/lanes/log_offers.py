"""Follows the logs of tenants, and offers what is new in them to the lanes that sleep: each event once and in order. It
wakes those that want it; a lane that is awake reads on by itself.
"""

from collections.abc import Container, Iterable, Mapping, Sequence

from signalpost.domain.event import Event
from signalpost.engine.lanes.dispatcher import Dispatcher
from signalpost.engine.lanes.lane_states import CAUGHT_UP
from signalpost.engine.lanes.lanes_here import LanesHere
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.owning_node import OwningNode
from signalpost.engine.revisions import Revisions, Topic
from signalpost.store.nouns.log import LATEST_AMONG, LatestOfTypes, LogPart, LogStore


class LogOffers:
    def __init__(
        self,
        log_store: LogStore,
        log_cache: LogCache,
        here: LanesHere,
        dispatcher: Dispatcher,
        owner: OwningNode,
        revisions: Revisions,
    ) -> None:
        """`revisions` are told how far logs go."""
        self._store = log_store
        self._log = log_cache
        self._here = here
        self._dispatcher = dispatcher
        self._owner = owner
        self._revisions = revisions

    @property
    def seen(self) -> Mapping[int, int]:
        """Up to which sequence each tenant's log was offered to the lanes here."""
        return self._log.seen

    def unseen(self) -> dict[int, int]:
        """For each tenant whose log goes on: up to which sequence it was offered to the lanes here."""
        seen = self._log.seen
        return {
            tenant_id: seen.get(tenant_id, 0)
            for tenant_id in self._here.tenant_ids
            if self._log.end.get(tenant_id, 0) > seen.get(tenant_id, 0)
        }

    def hear_end(self, tenant_id: int, last: int) -> None:
        """Note how far a tenant's log goes now."""
        if last > self._log.end.get(tenant_id, 0):
            self._log.end[tenant_id] = last
            self._revisions.note(tenant_id, Topic.EVENTS)
            if self._here.count_of(tenant_id):
                self._owner.on_news()

    def offer_page(self, tenant_id: int, page: LogPart) -> None:
        """Offer what other nodes committed to the sleeping lanes. This node must already know the configuration that
        was in force when the page was read."""
        seen = self._log.seen.get(tenant_id, 0)
        if page.floor > seen + 1:
            # Events that no lane here has seen were removed. Each lane finds out for itself what it lost.
            workers = self._here.all_awake(tenant_id)
            self._log.seen[tenant_id] = page.floor - 1
            for worker in workers:
                worker.wake()
                self._dispatcher.give_turn(worker)
        self._log.end[tenant_id] = max(page.last, self._log.end.get(tenant_id, 0))
        self.offer(page.events)

    def offer(self, events: Sequence[Event], behind: Container[int] = ()) -> None:
        """Offer events to the sleeping lanes if no event before them is missing, and their tenants are not `behind`.
        The others are read once more, together with the missing ones."""
        end, seen = self._log.end, self._log.seen
        fresh: list[Event] = []
        for event in events:
            tenant_id, sequence = event.tenant_id, event.sequence
            if sequence == seen.get(tenant_id, 0) + 1 and tenant_id not in behind:
                seen[tenant_id] = sequence
                fresh.append(event)
                if sequence > end.get(tenant_id, 0):
                    end[tenant_id] = sequence
            elif sequence > seen.get(tenant_id, 0):
                self.hear_end(tenant_id, sequence)
        self._log.put(fresh)
        self._wake_for(fresh)

    def _wake_for(self, events: Iterable[Event]) -> None:
        """Wake the lanes that want the events; no other lane is touched."""
        rises = False
        seen: set[tuple[int, int]] = set()
        for event in events:
            key = (event.tenant_id, event.type)
            if key in seen:
                continue
            seen.add(key)
            for worker in self._here.workers.wanting(*key):
                if worker.progress is CAUGHT_UP:
                    # The lane may have read this very event in a page, after its commit and before this call.
                    worker.skip_unwanted(event.sequence - 1)
                    worker.wake()
                    self._dispatcher.give_turn(worker)
            rises |= self._here.resting.rise(*key, event.sequence - 1)
        if rises:
            self._here.wake_rising()

    async def latest(self, tenant_id: int, heads: Iterable[int]) -> LatestOfTypes | None:
        """Which events a tenant's log had last, so that lanes with these heads need not read what they do not want;
        None if they have read everything or are further behind. Raises Unavailable."""
        end = self._log.end.get(tenant_id, 0)
        after = min((head for head in heads if end - LATEST_AMONG <= head < end), default=None)
        if after is None:
            return None
        latest = await self._store.latest(tenant_id, after)
        await self._owner.check_config(tenant_id, latest.config_version)
        return latest
