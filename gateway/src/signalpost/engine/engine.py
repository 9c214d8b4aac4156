"""The engine: commands in, deliveries out. It has what every node knows (`directory`) and the lanes that this node owns
(`lanes`): all lanes of the store that it is given.

Clock, randomness, transport and store are passed in, so the same code runs in a process and in a simulation.
"""

import asyncio
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from signalpost import VERSION
from signalpost.commands.command import Command, CommandOutcome, Result
from signalpost.destinations.registry import Destinations
from signalpost.domain.connection import Connection
from signalpost.domain.errors import Conflict, DiskNearlyFull, NotFound, SignalpostError
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.engine.audited import note_in_log
from signalpost.engine.committer import Committer
from signalpost.engine.connectors.connectors import Connectors
from signalpost.engine.counts import Counts
from signalpost.engine.delivered_tests import DeliveredTests
from signalpost.engine.directory import Directory
from signalpost.engine.endpoint_tests import EndpointTests
from signalpost.engine.fleet.follower import Follower
from signalpost.engine.fleet.lane_owner import LaneOwner
from signalpost.engine.fleet.lease import Lease
from signalpost.engine.fleet.lookout import Lookout
from signalpost.engine.fleet.node import ThisNode
from signalpost.engine.fleet.standing_writer import StandingWriter
from signalpost.engine.host import Host
from signalpost.engine.lanes.auto_disable import AutoDisable
from signalpost.engine.lanes.lanes import Lanes
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.outcomes import Outcomes
from signalpost.engine.lanes.owning_node import OwningNode
from signalpost.engine.lanes.retention_use import RetentionUse
from signalpost.engine.lanes.subjects import Subjects
from signalpost.engine.limits_here import LimitsHere
from signalpost.engine.maintenance.disk_reserve import DiskReserve
from signalpost.engine.maintenance.maintenance import Maintenance
from signalpost.engine.maintenance.retention import Retention
from signalpost.engine.operations.gateway_facts import FleetFacts, NodeFacts, PartitionFacts
from signalpost.engine.operations.lane_facts import LaneFacts
from signalpost.engine.operations.objective_facts import ObjectiveFacts
from signalpost.engine.operations.postman import Postman
from signalpost.engine.operations.reading_facts import ReadingFacts
from signalpost.engine.operations.source_facts import SourceFacts
from signalpost.engine.operations.watch import Watch
from signalpost.engine.rehearsing.log_walks import LogWalks
from signalpost.engine.rehearsing.process_walks import ProcessWalks
from signalpost.engine.rehearsing.question import Walks
from signalpost.engine.rehearsing.rehearsals import Rehearsals
from signalpost.engine.revisions import Revisions
from signalpost.engine.settings import EngineSettings
from signalpost.runtime.clock import Clock
from signalpost.runtime.loop_executor import LoopExecutor
from signalpost.runtime.tasks import Tasks
from signalpost.sender.transport import MailTransport, Transport
from signalpost.sharing.command_queues import Queue
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.sharing.resting_turns import RestingTurns
from signalpost.store.nouns.fleet import Beat
from signalpost.store.store import PublishedBatch, Store

if TYPE_CHECKING:
    from signalpost.engine.tracing.traces import Traces

NO_OTHERS = Destinations(())


class Engine:
    def __init__(
        self,
        store: Store,
        transport: Transport,
        mailer: MailTransport,
        clock: Clock,
        random: Random,
        disk: DiskReserve,
        settings: EngineSettings,
        destinations: Destinations = NO_OTHERS,
        host: Host = Host(),  # noqa: B008 - it is frozen
        traces: "Traces | None" = None,
    ) -> None:
        """`destinations` are the kinds other than the webhook. Without `traces`, no spans are made."""
        self._store, self._fleet, self._clock = store, store.fleet, clock
        self._transport, self._mailer = transport, mailer
        self._traces = traces
        self._tasks = Tasks()
        self.disk = disk
        self.counts = Counts()
        self.directory = Directory(settings.tenant_limits, settings.retention_days)
        self.revisions = Revisions(f"{clock.wall():x}")
        self.erasures_asked = asyncio.Event()
        """Set by each commit of an erasure."""
        self.audited = asyncio.Event()
        """Set by each commit with an entry in the audit."""
        self.limits = self._make_limits()
        self.turns = LoopTurns(host.cpu)
        """Tenants take these turns for long work on the event loop."""
        self._conditions = LoopExecutor(1, "conditions")
        self._log = LogCache(settings.cache_bytes)
        self.subjects = Subjects(self._conditions, RestingTurns(host.cpu), self._log.erased)
        """Events as conditions look at them, each decoded once."""
        self._long_work, self._long_turns = LoopExecutor(1, "long-work"), RestingTurns(host.cpu)
        self.rehearsals = self._make_rehearsals(host)
        self._lease = Lease(store.fleet.terms.lease, host.boot_time)
        self._follower = Follower(store, self.directory, lambda: self.lanes, self._take_up, self._follow)
        self.know = self._follower.know
        """See `Follower.know`."""
        self.knows = self._follower.knows
        """See `Follower.knows`."""
        self.know_all = self._follower.know_all
        """See `Follower.know_all`."""
        self.lookout = Lookout(store.fleet, host.boot_time, self._follower.take_up)
        self._committer = Committer(store, self.counts, self._on_published)
        self.check_queue = self._committer.check
        """See `Committer.check`. It is asked before a body is read, which need not be if the change is refused."""
        self.wait_for_no_more = self._committer.wait_for_no_more
        """See `Committer.wait_for_no_more`."""
        auto_disable = AutoDisable(self._committer, clock, self.counts, self._tasks, settings.disable_after_days)
        self.connectors = self._make_connectors(destinations, auto_disable, random)
        self.lanes = self._make_lanes(settings, Outcomes(clock, random, self.counts, auto_disable.consider, traces))
        self.retention_use = RetentionUse(store.lanes, clock, self.directory, self.lanes.here, self._log, self.turns)
        delivered = DeliveredTests(self.lanes, self.directory, self._committer, self._tasks)
        self.endpoint_tests = EndpointTests(transport, self.connectors, delivered, clock, self.turns)
        self.node = self._make_node(settings, host)
        """This process in the fleet."""
        self._lane_owner = self._make_lane_owner(settings, destinations, host)
        self._standing_writer = StandingWriter(store, self.lanes.views)
        retention = Retention(store, clock, self.directory, self.lanes, self.counts)
        self.maintenance = Maintenance(retention, store, clock, self.enqueue)
        self.watch = self._make_watch(settings, host)
        self._look_every = settings.look_every

    def _make_rehearsals(self, host: Host) -> Rehearsals:
        store, erased, long_work = self._store, self._log.erased, (self._long_work, self._long_turns)
        walks: Walks = LogWalks(store.log, store.connections.made, *long_work, self._clock, erased)
        if host.database_url is not None:
            walks = ProcessWalks(walks, host.database_url, host.processes, erased)
        return Rehearsals(store, walks, *long_work, self._clock, erased)

    def _make_limits(self) -> LimitsHere:
        return LimitsHere(
            self._clock,
            self.directory,
            self._fleet.terms.lease,
            lambda: self.node.api_nodes,
            lambda tenant_id: self.lanes.here.count_of(tenant_id),
        )

    def _make_watch(self, settings: EngineSettings, host: Host) -> Watch:
        store, directory, lanes = self._store, self.directory, self.lanes
        long_work = self._long_work, self._long_turns
        watch = Watch(
            store,
            directory,
            lanes,
            self._clock,
            self._committer.enqueue,
            settings.notices,
            settings.public_url,
            *long_work,
        )

        def is_first() -> bool:
            return watch.is_first

        watch.add(
            LaneFacts(store, directory, lanes.here, self._log, *long_work, settings.disable_after_days, is_first),
            NodeFacts(self.disk, self._lane_owner, store.fleet, host.process.host, is_first),
            ObjectiveFacts(store.stats, directory, is_first),
            SourceFacts(store.sources, directory, self.counts, is_first),
            ReadingFacts(directory, lanes.views, is_first),
            FleetFacts(store, directory, is_first),
            PartitionFacts(self.maintenance.preparation),
        )
        return watch

    def postman(self, links: UnsubscribeLinks) -> Postman:
        """What writes to contacts, with these links in the mails. A gateway runs it, once it has the keys for them."""
        return Postman(
            self._store,
            self.directory,
            self.connectors,
            self._clock,
            self._committer.enqueue,
            self.turns,
            self.counts,
            links,
        )

    def _make_connectors(self, destinations: Destinations, auto_disable: AutoDisable, random: Random) -> Connectors:
        return Connectors(
            destinations,
            self._store,
            self._transport,
            self._mailer,
            self._committer,
            auto_disable,
            self._clock,
            random,
            self.turns,
            self.subjects,
            self.counts,
            may_start=lambda: self._lease.holds,
        )

    def _make_node(self, settings: EngineSettings, host: Host) -> ThisNode:
        return ThisNode(
            self._fleet,
            self._clock,
            self._lease,
            settings.role,
            VERSION,
            host.process,
            self._follower.known_marks,
            lambda: self.lanes.here.count,
            host.hear_time,
        )

    def _make_lane_owner(self, settings: EngineSettings, destinations: Destinations, host: Host) -> LaneOwner:
        return LaneOwner(
            self._fleet,
            self.directory,
            self.lanes,
            self._clock,
            settings.role,
            settings.lane_bounds,
            settings.attempt_timeout,
            destinations.longest_call,
            host.has_ended,
        )

    def _make_lanes(self, settings: EngineSettings, outcomes: Outcomes) -> Lanes:
        owner = OwningNode(
            may_start=lambda: self._lease.holds,
            in_flight_of=self.limits.in_flight_of,
            check_config=self._follower.check,
            on_news=self._follower.read_news,
        )
        return Lanes(
            self._store,
            self._log,
            self._clock,
            settings,
            owner,
            self.connectors,
            outcomes,
            self.counts,
            self.revisions,
            self.turns,
            self.subjects,
        )

    async def start(self) -> None:
        """Join the fleet, and take up every lane that should be this node's where the store says it was."""
        await self.disk.look()
        await self._begin()
        self.lanes.start()
        self._follower.start()
        self._lane_owner.start()
        for work in (
            self.node.run(self._on_beat, self._begin_anew),
            self.lookout.run(),
            self._standing_writer.run(),
            *self.maintenance.works(),
            self.watch.run(self._look_every),
            self.disk.run(),
            self.connectors.keep_consents_alive(),
        ):
            self._tasks.start(work)

    async def _begin(self) -> None:
        """Load what every node knows, join, and claim lanes. Raises Unavailable."""
        history = await self._fleet.history()
        position = (await self._fleet.changes(None)).position
        # Tenants come first, with the versions of their configurations: what is read after them may be newer, and is
        # then read once more.
        tenants, subscriptions = await self._store.access.tenants(), await self._store.lists.every(Subscription)
        keys = [*await self._store.access.keys(), *await self._store.access.revoked_keys()]
        connections, erasures = await self._store.lists.every(Connection), await self._store.erasures.pending()
        self.directory.load(tenants, keys, subscriptions, connections)
        self._follower.begin(tenants)
        self.connectors.load(connections)
        self.lanes.begin(tenants)
        for erasure in erasures:
            self.lanes.erase_from_memory(erasure)
        beat = await self.node.join()
        if beat.history != history:
            await self._begin_anew()  # the database went back while this was loaded
            return
        self.lookout.begin(position)
        self._on_beat(beat)
        await self._lane_owner.pass_once()

    def _on_beat(self, beat: Beat) -> None:
        self._follower.hear_all(beat.marks)
        retention = self.maintenance.retention
        for tenant_id, floor in retention.announced(beat.marks):
            self._tasks.start(retention.give_up_below(tenant_id, floor))
        self._lane_owner.observe(beat)
        self.lanes.bound_tenants()
        self.lanes.go_on()

    async def _begin_anew(self) -> None:
        """Forget everything that this node remembers, and start again. Raises Unavailable."""
        self.lookout.forget()
        self.lanes.departures.leave_all()
        await self._fleet.leave()
        await self._begin()

    async def close(self, grace: float) -> None:
        """Take no more commands, let attempts end for `grace` seconds, record everything."""
        await self.node.drain()
        await self.rehearsals.close()
        await self.connectors.close_tokens(grace)
        await self._committer.close()
        self._tasks.cancel()
        self._lane_owner.stop()
        await self.lanes.close(grace)
        self._conditions.shutdown(wait=False)
        self._long_work.shutdown(wait=False)
        self._follower.stop()
        with suppress(SignalpostError):  # others find it dead a little later
            await self._fleet.leave()
        await self.maintenance.write()

    def begin(self, command: Command[Result]) -> asyncio.Future[CommandOutcome[Result]]:
        """See `Committer.begin`. What may make an event is refused with DiskNearlyFull while the disk is nearly full,
        and with TooMany beyond what the tenant may change in a second."""
        if command.queue is not Queue.CONTROL:
            self.disk.check()
            self.limits.take_change(command.tenant_id)
        return self._committer.begin(command)

    async def submit(self, command: Command[Result]) -> CommandOutcome[Result]:
        """Wait until a command is committed. Raises as `begin` and the future that it returns do."""
        try:
            return await self.begin(command)
        except DiskNearlyFull:
            await self.disk.look()
            raise

    async def enqueue(self, command: Command[Result]) -> asyncio.Future[CommandOutcome[Result]]:
        """See `Committer.enqueue`. Raises DiskNearlyFull while the disk is nearly full."""
        self.disk.check()
        return await self._committer.enqueue(command)

    async def enqueue_eventless(self, command: Command[Result]) -> asyncio.Future[CommandOutcome[Result]]:
        """See `Committer.enqueue`. For what makes no event: the disk has room for it."""
        return await self._committer.enqueue(command)

    async def check_changeable(self, tenant_id: int) -> None:
        """Raises Conflict while the tenant is paused, NotFound once it is deleted, and Unavailable if that cannot be
        known."""
        if not self.lookout.is_recent:
            await self.lookout.look()
        try:
            self.directory.check_changeable(tenant_id)
        except (NotFound, Conflict):
            await self.lookout.next_look()  # another node may have made or resumed it a moment ago
            self.directory.check_changeable(tenant_id)

    @property
    def trouble(self) -> str | None:
        """Why the engine cannot work, in a sentence for an operator; None if it can."""
        since = self.lanes.failing_since
        recording = None if since is None else f"Deliveries cannot be recorded since {format_timestamp(since)}."
        troubles = (self.disk.trouble, self.node.trouble, self.lookout.trouble, recording)
        return " ".join(filter(None, troubles)) or None

    @property
    def waiting(self) -> int:
        """Commands that wait for their commit to begin."""
        return self._committer.waiting

    def _on_published(self, published: PublishedBatch, took: float) -> None:
        published, behind = self._follower.own(published)
        made = self._made_here(published)
        self._take_up(published, made, behind)
        if made:
            self._lane_owner.note_new()
        self.counts.count_events(published.events)
        if self._traces is not None:
            self._traces.committed(published.events, took)
        note_in_log(published.audited)
        if published.audited:
            self.audited.set()
        for erasure in published.erasures:  # another node may be the one that carries it out
            self.lanes.erase_from_memory(erasure)
            self.erasures_asked.set()
        for at in published.expiries:
            self.maintenance.expiries.note(at)

    def _follow(self, changed: PublishedBatch) -> None:
        """Take up what other nodes changed of a tenant."""
        self._take_up(changed)
        self.erasures_asked.set()
        self._lane_owner.consider()

    def _made_here(self, published: PublishedBatch) -> frozenset[int]:
        """The new subscriptions of a commit whose lanes this node owns."""
        if published.owner is None or published.owner != self._fleet.node_id:
            return frozenset()
        return frozenset(
            each.number
            for each in published.changed(Subscription)
            if self.directory.subscription(each.tenant_id, each.id) is None
        )

    def _take_up(
        self, published: PublishedBatch, made: frozenset[int] = frozenset(), behind: frozenset[int] = frozenset()
    ) -> None:
        if published.tenants or published.rows:  # not if it changed documents alone
            published = self.directory.with_all_of_deleted_tenants(published)
            self.directory.follow(published)
            self.connectors.follow(published.changed(Connection))
        self.revisions.follow(published)
        self.lanes.follow(published, made, behind)
