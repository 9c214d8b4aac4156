"""A fleet in a seeded world: two to five nodes on one database, which join, leave, are killed, freeze, and cannot reach
the database for a while. The database may lose what was committed last (`fleet_troubles.py`).

The nodes are real engines and stores, each with an event loop and a wire of its own to the database: what it asks may
take long, may not arrive, or may be done without an answer. SQLite runs one transaction at a time, so nothing
interleaves inside one; everything around them does. What must hold meanwhile is in `fleet_checkers.py`.
"""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import apsw
from gateway.tests.bodies import document_patch, new_document, subscription_patch, subscription_request
from gateway.tests.simulation.fleet_checkers import RETRY_DELAY, DeliveredTest, FleetCheckers
from gateway.tests.simulation.fleet_database import FleetDatabase
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.simulation.fleet_plan import FleetPlan, draw
from gateway.tests.simulation.fleet_troubles import FleetTroubles
from gateway.tests.simulation.logs import live
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.network import Reply, SentRequest
from gateway.tests.world.store import Operation
from gateway.tests.world.world import World

from signalpost.commands.command import CompletedCommand
from signalpost.commands.deliveries import RetryDelivery
from signalpost.commands.documents import CreateDocument, PatchDocument
from signalpost.commands.subscriptions import CreateSubscription, DeleteSubscription, PatchSubscription
from signalpost.domain.delivery.breaker import MAX_JITTER, PROBE_LAST
from signalpost.domain.documents import sample
from signalpost.domain.errors import NotFound, SignalpostError
from signalpost.domain.event import EventType
from signalpost.domain.timestamps import SECOND
from signalpost.engine.settings import EngineSettings
from signalpost.store.nouns.fleet import SHARED, TenantMark
from signalpost.store.sqlite.codec import pack_uuid

SETTLES_WITHIN = 120.0
"""The seconds in which everything must be settled once all is well, and no breaker waits any more."""
TOLD_WITHIN = 3.0
"""The seconds in which all nodes know then what was changed last."""
A_FEW_BEATS = 10.0
TRACED = 200
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class FleetWorld(World[FleetNode]):
    """All that happens in a run, and all that was seen of it."""

    engine_settings = EngineSettings()
    """What the engines of its nodes are set to, but for what its plan says."""
    terms = SHARED._replace(look_every=0.5)
    """Looks come less often than at real nodes: no client here has a key, and each is a dozen steps of a world."""

    def __init__(self, seed: int, folder: Path, given: FleetPlan | None = None, traced: int = TRACED) -> None:
        super().__init__(Random(seed))
        self.seed = seed
        self.plan = given or draw(self.random)
        self.database = FleetDatabase(folder / f"fleet-{seed}-{id(self)}.db", self.plan.tenants)
        self.nodes: dict[int, FleetNode] = {}
        self.subscribed: dict[str, tuple[int, str]] = {}
        """The tenant and the id of the subscription with each host."""
        self.attempts = 0
        self.counts: Counter[str] = Counter()
        self.violation: Violation | None = None
        self.is_healing = False
        self._mended_at = self.time.now + self.plan.broken
        self._trace: deque[str] = deque(maxlen=traced)
        self._ids = itertools.count(1)
        self._checkers = FleetCheckers(self)
        self._troubles = FleetTroubles(self)

    def rows(self, statement: str, *bindings: Any) -> list[Any]:
        """The rows of a statement that an onlooker carries out on the database."""
        return self.database.rows(statement, *bindings)

    # --- What is seen -------------------------------------------------------------------------------------------------

    def trace(self, what: str) -> None:
        self._trace.append(f"{self.time.now:10.3f}  {what}")

    def fail(self, checker: str, message: str) -> None:
        if self.violation is None:
            self.violation = Violation(f"{checker}: {message}")

    def receiver(self, host: str) -> "FleetWorld":
        return self

    def answer(self, sent: SentRequest) -> Reply:
        after = 0.01 if self.is_healing else self.random.choice(self.plan.reply_after)
        fails = not self.is_healing and self.random.random() < self.plan.failing
        is_broken = self.time.now < self._mended_at
        return Reply(status=503 if fails or is_broken else 200, after=after)

    def sent(self, sent: SentRequest) -> None:
        self.attempts += 1
        self.trace(f"sends {sent}")
        self._checkers.sent(sent)

    def ended(self, sent: SentRequest) -> None:
        self._checkers.ended(sent)
        self.trace(f"ended {sent}")

    def unhandled(self, process: FleetNode, context: dict[str, Any]) -> None:
        self.fail("defects", f"an error that nobody handles: {context}")

    def database_broke(self, process: FleetNode, error: BaseException) -> None:
        self.fail("defects", f"the database broke: {error!r}")

    def announced(self, by: FleetNode, marks: Mapping[int, TenantMark]) -> None:
        if self.plan.pooled:
            return
        for node in self.running:
            if node is not by and node.has_started and self.random.random() < self.plan.heard:
                node.loop.call_later(self.random.uniform(0.0, 0.02), node.store.fleet.on_marks, marks)

    # --- What happens -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let everything happen. Raises Violation."""
        for _ in range(self.plan.nodes):
            self.start_node()
            self.drive(self.random.choice((0.0, 0.1, 3.0)))
        began, lasts = self.time.now, self.plan.lasts
        for at in sorted(self.random.uniform(0.0, lasts) for _ in range(self.plan.faults)):
            self.drive(max(0.0, began + at - self.time.now))
            self._troubles.begin_one()
        self.drive(max(0.0, began + lasts - self.time.now))
        self._heal()

    def drive(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.time.now + seconds
        while self.step_before(end):
            pass
        self.time.now = max(self.time.now, end)

    def step_before(self, end: float) -> bool:
        """Let a trouble end, or a node make a turn, whichever comes first. Returns False if neither is due by `end`."""
        at, node = self.first_to_move()
        trouble_ends = self._troubles.next_end
        if min(at, trouble_ends) >= end:
            return False
        if node is None or trouble_ends <= at:
            self.time.now = max(self.time.now, trouble_ends)
            self._troubles.end_next()
        else:
            node.loop.step()
        if self.violation is not None:
            raise self.violation
        return True

    def start_node(self, machine: int | None = None) -> FleetNode:
        """Start one more node, on any machine unless one is given."""
        if machine is None:
            machine = Random(f"{self.seed} {len(self.nodes)}").randrange(self.plan.machines)
        node = FleetNode(self, machine)
        self.nodes[node.number] = node
        self.trace(f"process {node.number} starts")
        node.clients.append(node.loop.create_task(self._serve(node)))
        return node

    def kill(self, node: FleetNode) -> None:
        """End a node at once."""
        node.kill()
        self._checkers.killed(node)

    def crash_database(self, standby: apsw.Connection) -> None:
        """End the server of the database at once, and have it be from then on what a standby has. No node reaches it
        yet."""
        self.database.is_down = True
        while any(node.wire.at_work for node in self.running):
            self.step_before(inf)  # each transaction is done or not
        self.trace("the database goes back")
        self.database.go_back(standby)
        for node in self.nodes.values():
            node.be_forgotten()  # with what it recorded; one that has ended will never be told
        self._checkers.failed_over()

    async def _serve(self, node: FleetNode) -> None:
        await node.engine.start()
        self.trace(f"process {node.number} is node {node.store.fleet.node_id}")
        node.has_started = True
        while True:
            await asyncio.sleep(self.random.choice(self.plan.pauses))
            if self.is_healing or node.is_stopping:
                return
            await self._act(node)

    async def _act(self, node: FleetNode) -> None:
        """Do one thing that a client does."""
        try:
            if len(self.subscribed) < self.plan.subscriptions and self.random.random() < self._subscribing:
                await self._subscribe(node)
            elif self.random.random() < self.plan.changing:
                await self._change(node)
            elif self.random.random() < self.plan.retrying:
                await self._retry(node)
            elif self.plan.testing and self.random.random() < self.plan.testing:
                await self._test(node)
            else:
                await self._write(node)
        except SignalpostError as error:
            self.counts[f"refused: {type(error).__name__}"] += 1

    @property
    def _subscribing(self) -> float:
        return self.plan.subscribing if self.subscribed else 1.0

    async def _subscribe(self, node: FleetNode) -> None:
        number = next(self._ids)
        host, identity = f"s{number}", f"00000000-0000-4000-9000-{number:012d}"
        tenant = self.random.randrange(1, self.plan.tenants + 1)
        self.subscribed[host] = (tenant, identity)
        await node.engine.submit(
            CreateSubscription(
                tenant_id=tenant,
                subscription_id=identity,
                new=subscription_request(url=f"https://{host}/", eventTypes=self.random.choice((1, 7, 7))),
                secret=SECRET,
                retry_delays=(RETRY_DELAY,) * 10,
            )
        )

    async def _change(self, node: FleetNode) -> None:
        tenant, identity = self.random.choice(list(self.subscribed.values()))
        patch = subscription_patch(eventTypes=self.random.choice((1, 2, 3, 7)))
        await node.engine.submit(PatchSubscription(tenant_id=tenant, subscription_id=identity, patch=patch))

    async def _retry(self, node: FleetNode) -> None:
        """Ask for some deliveries once more, as a person does who clicks at one after the other."""
        asked = self.random.sample([*self._checkers.sends.items()], k=min(3, len(self._checkers.sends)))
        for (host, sequence), sent in asked:
            tenant, identity = self.subscribed[host]
            self._checkers.retried[host, sequence] += 1
            await node.engine.submit(
                RetryDelivery(
                    tenant_id=tenant,
                    subscription_id=identity,
                    sequence=sequence,
                    event_type=7,
                    event_document_id=sent[0].document_id,
                )
            )

    async def _test(self, node: FleetNode) -> None:
        """Send a test to an endpoint. If it is delivered, look a little later whether that has closed the breaker."""
        host = self.random.choice([*self.subscribed])
        if not node.engine.lookout.is_recent:  # as the API does, which knows no key otherwise
            await node.engine.lookout.look()
        found = node.engine.directory.subscription(*self.subscribed[host])
        if found is None:
            return
        event = sample.event(EventType.CREATED, found.tenant_id, self.wall.now, self.random.getrandbits)
        before = self._checkers.lane_of(host)
        test = DeliveredTest(host, node, self.time.now, before)
        if (await node.engine.endpoint_tests.run(found, event)).failure is None:
            await asyncio.sleep(TOLD_WITHIN)
            self._checkers.tested(test)

    async def _write(self, node: FleetNode) -> None:
        tenant = self.random.randrange(1, self.plan.tenants + 1)
        number = self.random.randrange(self.plan.documents)
        document = f"00000000-0000-4000-8000-{tenant:04d}{number:08d}"
        command: Any = PatchDocument(
            tenant_id=tenant,
            document_id=document,
            patch=document_patch(title=f"t{next(self._ids)}"),
            if_match=None,
        )
        ((there,),) = self.rows("SELECT count(*) FROM document WHERE external_id = ?", pack_uuid(document))
        if not there:
            command = CreateDocument(
                tenant_id=tenant, document_id=document, new=new_document(), source_app="app", idempotency=None
            )
        history = self.database.history
        outcome = await node.engine.submit(command)
        assert isinstance(outcome, CompletedCommand)
        self._checkers.failovers.answered(outcome.event_id, history)

    # --- The end ------------------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        self.is_healing = True
        self.trace("all is well from now on")
        self._checkers.check_counts()
        self._troubles.end_all()
        last_probe = PROBE_LAST / SECOND * (1 + MAX_JITTER) if self.plan.broken else 0.0
        end = self.time.now + last_probe + SETTLES_WITHIN
        # What a client was about to do is done meanwhile, so it is looked at once more after that.
        while any(self._is_unsettled(end) for _ in range(2)):
            pass
        self._rest()
        self._checkers.finished()
        self._part()
        for node in list(self.running):
            node.kill()
        if self.violation is not None:
            raise self.violation

    def _is_unsettled(self, end: float) -> bool:
        """Whether something is left to do, by which all nodes know a little later what there was."""
        unsettled = self._checkers.unsettled()
        if unsettled is not None and self.time.now > end:
            raise Violation(f"settling: {unsettled}")
        self.drive(TOLD_WITHIN)
        return unsettled is not None

    def _rest(self) -> None:
        """No client has anything to do, so nodes ask for nothing but whether there is."""
        before = {node: node.wire.asked[Operation.FOLLOW] for node in self.running}
        self.drive(TOLD_WITHIN)
        for node, asked in before.items():
            if node.wire.asked[Operation.FOLLOW] > asked:
                self.fail("rest", f"process {node.number} reads again and again what is not there")

    def _part(self) -> None:
        """Some subscriptions are deleted, each through some node. Lanes that move to others by that get there."""
        for tenant, identity in self.random.sample([*self.subscribed.values()], k=min(3, len(self.subscribed))):
            node = self.random.choice(self.running)
            node.loop.create_task(self._unsubscribe(node, tenant, identity))
            self.drive(A_FEW_BEATS)
            if alone := self.rows("SELECT subscription_number FROM lane WHERE owner IS NULL"):
                self.fail("owners", f"no node owns {alone} after process {node.number} has deleted a subscription")

    async def _unsubscribe(self, node: FleetNode, tenant: int, identity: str) -> None:
        with suppress(NotFound):  # the database may have lost it
            await node.engine.submit(DeleteSubscription(tenant_id=tenant, subscription_id=identity))

    def close(self) -> None:
        """Let go of everything."""
        for node in list(self.running):
            node.kill()
        self.database.close()

    def last_steps(self) -> list[str]:
        return [f"{self.plan}", *self._trace]


def simulate(seed: int, folder: Path, given: FleetPlan | None = None, traced: int = TRACED) -> FleetWorld:
    """Run the fleet of a seed. Raises Violation, with the last steps."""
    world = FleetWorld(seed, folder, given, traced)
    live(world, f"simulate-fleets SEED={seed} COUNT=1" + ("" if given is None else ", with the same TROUBLE"))
    return world
