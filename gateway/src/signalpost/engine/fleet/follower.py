"""Follows what other nodes commit.

For each tenant this node knows a version of its configuration: everything that changed it up to there has been taken
up. Own commits tell the version before and after them; beats, polls, announcements and pages of the log tell the
present one. Where that is newer, the configuration is read whole and what differs is taken up, and only then may a lane
see an event that was committed with it or later. So each event meets the filters of its time, whichever node they were
changed through.

Events of other nodes are read if lanes wait for them: all tenants that have some in one query. What cannot be
read now is tried again until it can.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from math import inf
from typing import Any

from msgspec.structs import replace

from signalpost.commands.batch import KEPT_BY_NODES
from signalpost.domain.access.api_key import ApiKey
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.connection import Connection
from signalpost.domain.erasure import Erasure
from signalpost.domain.errors import SignalpostError, Unavailable
from signalpost.domain.subscription import Subscription
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lanes import Lanes
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.store.nouns.fleet import Changes, TenantConfig, TenantMark
from signalpost.store.store import PublishedBatch, Store

NEWS_AT_ONCE = 256
"""How many events of each tenant are read at a time."""
NEVER_KNOWN = 1 << 62
"""Stands for the version of a tenant that no longer exists."""
AGAIN_AFTER = 0.5
"""Seconds to wait if the store could not be read."""


class Follower:
    def __init__(
        self,
        store: Store,
        directory: Directory,
        lanes: Callable[[], Lanes],
        take_up: Callable[[PublishedBatch], None],
        follow: Callable[[PublishedBatch], None],
    ) -> None:
        """`lanes` gets the lanes, which are made later. `take_up` is told of a tenant's row that changed, `follow` of
        what changed in a configuration."""
        self._store = store
        self._directory = directory
        self._lanes = lanes
        self._take_up = take_up
        self._follow = follow
        self._tasks = Tasks()
        self._known: dict[int, int] = {}
        """The version of each tenant's configuration that was taken up."""
        self._awaited: dict[int, int] = {}
        """For each tenant whose configuration this node is about to read: the version that the database has."""
        self._reading: dict[int, asyncio.Task[None]] = {}
        """The tenants whose configuration is being read."""
        self._erased: dict[int, frozenset[str]] = {}
        """The erasures of which the lanes were told, of each tenant that had some in its configuration when that was
        read last."""
        self._reads_news = False
        self._shares = store.fleet.terms.poll_every < inf
        self._has_stopped = False

    def begin(self, tenants: list[Tenant]) -> None:
        """Begin with these tenants, as they are known."""
        self._known = {tenant.id: tenant.config_version for tenant in tenants}
        self._erased.clear()

    def start(self) -> None:
        if self._shares:
            self._store.fleet.listen(self.hear)
            self._tasks.start(self._poll())

    def stop(self) -> None:
        """Read nothing more. Others go on telling until the store is closed."""
        self._has_stopped = True
        self._tasks.cancel()
        for reading in self._reading.values():
            reading.cancel()

    # --- Own commits --------------------------------------------------------------------------------------------------

    def own(self, published: PublishedBatch) -> tuple[PublishedBatch, frozenset[int]]:
        """What to take up from a commit of this node, and the tenants in which others changed something before it that
        this node has not read yet."""
        behind, passed = set(), set()
        for tenant_id, (before, mark) in published.marks.items():
            known = self._known.get(tenant_id, 0)
            if before > known:
                behind.add(tenant_id)
                self._catch_up_soon(tenant_id, mark.config_version)
            elif mark.config_version > known:
                self._known[tenant_id] = mark.config_version
            elif mark.config_version > before:
                passed.add(tenant_id)  # a read of its configuration has shown it already
        if self._shares:
            self._store.fleet.announce({tenant_id: mark for tenant_id, (_, mark) in published.marks.items()})
        left_out = behind | passed
        return (self._without_config(published, left_out) if left_out else published), frozenset(behind)

    def _without_config(self, published: PublishedBatch, tenants: set[int]) -> PublishedBatch:
        return replace(
            published,
            tenants=tuple(each for each in published.tenants if each.id not in tenants),
            rows={
                kind: tuple(each for each in rows if kind not in KEPT_BY_NODES or each.tenant_id not in tenants)
                for kind, rows in published.rows.items()
            },
            retries=tuple(
                each
                for each in published.retries
                if self._lanes().here.tenant_of(each.subscription_number) not in tenants
            ),
        )

    # --- What others tell ---------------------------------------------------------------------------------------------

    def hear(self, marks: Mapping[int, TenantMark]) -> None:
        """Take up how far the logs and the configurations of these tenants go."""
        if self._has_stopped:
            return
        lanes = self._lanes()
        for tenant_id, mark in marks.items():
            if mark.config_version > self._known.get(tenant_id, 0):
                self._catch_up_soon(tenant_id, mark.config_version)
            lanes.offers.hear_end(tenant_id, mark.last_sequence)

    def hear_all(self, marks: Mapping[int, TenantMark]) -> None:
        """Take up how far the logs and the configurations of all tenants go: a tenant that is missing was deleted."""
        self.hear(marks)
        for tenant_id in self._directory.tenant_ids:
            if tenant_id not in marks:
                self._tasks.start(self._read_once(tenant_id))

    async def _read_once(self, tenant_id: int) -> None:
        try:
            await self._read(tenant_id)
        except Exception as error:
            _note_unread("a tenant's configuration", error)  # the next marks ask for it again

    def take_up(self, changes: Changes) -> None:
        """Take up what a look has shown. Of a tenant that is its row alone, which says at once that it is paused or
        deleted; its configuration is read after that."""
        for tenant in changes.tenants:
            known = self._directory.tenant_with(tenant.id)
            if tenant.config_version > (self._known.get(tenant.id, 0) if known is None else known.config_version):
                self._take_up(PublishedBatch((), tenants=(tenant,)))
            if tenant.config_version > self._known.get(tenant.id, 0):
                self._catch_up_soon(tenant.id, tenant.config_version)
        self._directory.follow(PublishedBatch((), rows={ApiKey: changes.keys}))

    async def know(self, tenant_id: int) -> None:
        """Wait until this node knows as much of a tenant's configuration as it has heard that there is. Raises
        Unavailable."""
        if (version := self._awaited.get(tenant_id)) is not None:
            await self._is_known(tenant_id, version)

    def knows(self, tenant_id: int) -> bool:
        """Whether there is nothing that `know` would wait for. Any thread may ask."""
        return self._known.get(tenant_id, 0) >= self._awaited.get(tenant_id, 0)

    async def know_all(self) -> None:
        """Do what `know` does, of all tenants."""
        for tenant_id in [*self._awaited]:
            await self.know(tenant_id)

    async def _poll(self) -> None:
        fleet, before = self._store.fleet, None

        async def read() -> None:
            nonlocal before
            marks = await fleet.marks()
            if marks is not before:  # beats tell all of them again
                self.hear_all(marks)
                before = marks

        while True:
            await asyncio.sleep(fleet.terms.poll_hearing_every if fleet.hears else fleet.terms.poll_every)
            await self._repeated(read, "the marks of tenants")

    def known_marks(self) -> dict[int, TenantMark]:
        """How far every tenant is at least, as this node knows."""
        seen = self._lanes().offers.seen
        return {
            tenant_id: TenantMark(seen.get(tenant_id, 0), version, 0)
            for tenant_id, version in self._known.items()
            if version != NEVER_KNOWN
        }

    # --- Configurations -----------------------------------------------------------------------------------------------

    async def check(self, tenant_id: int, version: int) -> None:
        """Wait until this node knows a tenant's configuration at this version or a later one. Raises Unavailable, also
        if there is no such version, because the database has lost it."""
        if not await self._is_known(tenant_id, version):
            raise Unavailable("The database lost recent changes, and this node is about to load everything again.")

    async def _is_known(self, tenant_id: int, version: int) -> bool:
        """Whether a tenant's configuration is known at this version or a later one once it was read, if it has to be.
        Raises Unavailable."""
        for _ in range(2):  # a read that is under way may have begun before that version was there
            if self._known.get(tenant_id, 0) >= version:
                return True
            await asyncio.shield(self._read(tenant_id))
        return self._known.get(tenant_id, 0) >= version

    def _catch_up_soon(self, tenant_id: int, version: int) -> None:
        if tenant_id not in self._awaited:
            self._tasks.start(self._until_known(tenant_id))
        self._awaited[tenant_id] = max(version, self._awaited.get(tenant_id, 0))

    async def _until_known(self, tenant_id: int) -> None:
        async def read() -> None:
            version = self._awaited[tenant_id]
            if not await self._is_known(tenant_id, version) and self._awaited[tenant_id] == version:
                self._awaited[tenant_id] = 0  # the database has lost it

        while self._known.get(tenant_id, 0) < self._awaited[tenant_id]:
            await self._repeated(read, "a tenant's configuration")
        del self._awaited[tenant_id]

    def _read(self, tenant_id: int) -> "asyncio.Task[None]":
        """Read the configuration of a tenant, once for all who wait for it."""
        reading = self._reading.get(tenant_id)
        if reading is None:
            reading = self._reading[tenant_id] = asyncio.get_running_loop().create_task(self._read_config(tenant_id))
            reading.add_done_callback(lambda _: self._reading.pop(tenant_id))
        return reading

    async def _read_config(self, tenant_id: int) -> None:
        config = await self._store.fleet.config(tenant_id)
        if config is None:
            self._known[tenant_id] = NEVER_KNOWN  # there is no such tenant
            return
        if config.version <= self._known.get(tenant_id, 0):
            return
        self._follow(self._changes(tenant_id, config))
        self._known[tenant_id] = NEVER_KNOWN if config.tenant.deleted_at is not None else config.version
        self._tell_of(tenant_id, config.erasures)

        async def read_inboxes() -> None:
            await self._lanes().take_inboxes(tenant_id)

        self._tasks.start(self._repeated(read_inboxes, "what was asked of lanes"))

    def _tell_of(self, tenant_id: int, erasures: tuple[Erasure, ...]) -> None:
        """Tell the lanes of those that are new."""
        told = self._erased.pop(tenant_id, frozenset())
        for erasure in erasures:
            if erasure.id not in told:
                self._lanes().erase_from_memory(erasure)
        if erasures and self._known[tenant_id] != NEVER_KNOWN:  # else its configuration is not read again
            self._erased[tenant_id] = frozenset(erasure.id for erasure in erasures)

    def _changes(self, tenant_id: int, config: TenantConfig) -> PublishedBatch:
        """What this node does not know yet of a tenant, as if a commit had brought it."""
        if config.tenant.deleted_at is not None:
            return PublishedBatch((), tenants=(config.tenant,))
        subscriptions = {each.id: each for each in self._directory.subscriptions(tenant_id)}
        connections = {each.id: each for each in self._directory.connections(tenant_id)}
        now = {each.id for each in config.subscriptions} | {each.id for each in config.connections}
        return PublishedBatch(
            (),
            tenants=(config.tenant,),
            rows={
                Subscription: (
                    *(each for each in config.subscriptions if subscriptions.get(each.id) != each),
                    *(replace(each, deleted_at=1) for each in subscriptions.values() if each.id not in now),
                ),
                Connection: (
                    *(each for each in config.connections if connections.get(each.id) != each),
                    *(replace(each, deleted_at=1) for each in connections.values() if each.id not in now),
                ),
            },
        )

    # --- News ---------------------------------------------------------------------------------------------------------

    def read_news(self) -> None:
        """Read what other nodes committed for lanes of this one."""
        if not self._reads_news:
            self._reads_news = True
            self._tasks.start(self._read_all_news())

    async def _read_all_news(self) -> None:
        try:
            await self._repeated(self._read_news, "what other nodes committed")
        finally:
            self._reads_news = False

    async def _read_news(self) -> None:
        while unseen := self._lanes().offers.unseen():
            pages = await self._store.fleet.news(unseen, NEWS_AT_ONCE)
            for tenant_id, page in pages.items():
                await self.check(tenant_id, page.config_version)
                self._lanes().offers.offer_page(tenant_id, page)
            # Where a log is shorter than was announced, the next beat tells what that means.
            await asyncio.sleep(0 if any(page.events for page in pages.values()) else AGAIN_AFTER)

    async def _repeated(self, work: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
        """Repeat something until it succeeds."""
        failed = False
        while True:
            try:
                return await work()
            except Exception as error:
                if not failed or not isinstance(error, SignalpostError):
                    _note_unread(what, error)
                failed = True
                await asyncio.sleep(AGAIN_AFTER)


def _note_unread(what: str, error: Exception) -> None:
    if isinstance(error, SignalpostError):
        log.warning(f"{what} could not be read; trying again", error=str(error))
    else:
        log.exception(f"{what} could not be read; trying again")
