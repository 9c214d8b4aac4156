"""A fleet in a seeded world: two to four nodes on one database, which join, leave, are killed, freeze, and cannot reach
the database for a while.

The nodes are real engines and stores, each with an event loop and a wire of its own to the database: what it asks may
take long, may not arrive, or may be done without an answer. SQLite runs one transaction at a time, so nothing
interleaves inside one; everything around them does.

Looked at from outside, whatever happens:

- A node starts nothing beyond its lease, which the world counts for itself.
- A request for a lane comes from the node that owns it in the database.
- No document of a subscription has two requests in flight, of whichever nodes, except of a node that was lost.
- What was delivered is not sent again, unless a node was lost that might not have recorded it.
- An event is first sent after those of its document that came before it.
- In the end everything that was committed and wanted is delivered.

A node is *lost* while it is killed, frozen or cut off, and from then on for what it had begun before.
"""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from gateway.tests.bodies import document_patch, new_document, subscription_patch, subscription_request
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.folder import fresh
from gateway.tests.world.network import Reply, SentRequest
from gateway.tests.world.process import Machine, Options, Process
from gateway.tests.world.store import Operation, StoreFaults
from gateway.tests.world.world import World

from signalpost.commands.documents import CreateDocument, PatchDocument
from signalpost.commands.subscriptions import CreateSubscription, PatchSubscription, RetryDelivery
from signalpost.domain.errors import SignalpostError, Unavailable
from signalpost.domain.subscription import wanted
from signalpost.store.fleet import SHARED, Mark
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.sqlite.codec import pack_uuid
from signalpost.store.sqlite.connect import connect

LASTS = 60.0
"""The seconds in which clients write and nodes fail."""
SETTLES_WITHIN = 240.0
"""The seconds in which everything must be settled once all is well."""
GRACE = 5.2
TRACED = 200
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class FleetPlan(NamedTuple):
    """What a world is like, drawn from its seed."""

    tenants: int
    nodes: int
    subscriptions: int
    documents: int
    faults: int
    """How many things happen to nodes."""
    pauses: tuple[float, ...]
    """The seconds between two things that a client does."""
    reply_after: tuple[float, ...]
    failing: float
    """The share of requests that receivers refuse."""


def draw(random: Random) -> FleetPlan:
    return FleetPlan(
        tenants=random.choice((1, 1, 2, 5)),
        nodes=random.choice((2, 2, 3, 4)),
        subscriptions=random.choice((2, 5, 9)),
        documents=random.choice((1, 4, 20)),
        faults=random.choice((0, 1, 3, 6)),
        pauses=random.choice(((0.1, 0.5), (0.2, 2.0), (0.5, 5.0))),
        reply_after=random.choice(((0.005, 0.03), (0.02, 0.4), (0.3, 3.0))),
        failing=random.choice((0.0, 0.0, 0.1)),
    )


class Wire(StoreFaults):
    """The way of one node to the database."""

    def __init__(self, world: "FleetWorld", node: "FleetNode") -> None:
        self._world = world
        self._node = node
        self.is_cut = False
        self.is_slow = False
        self.loses = 0.0
        """The share of requests of which the answer is lost."""
        self._beat_began = 0.0
        self.lease_until = 0.0
        """Until when the node may start attempts, by the beats whose answers it had."""

    async def before(self, operation: Operation) -> None:
        if operation is Operation.BEAT:
            self._beat_began = self._world.time.now
        await asyncio.sleep(self._seconds())
        if self.is_cut:
            raise Unavailable("The database cannot be reached.")
        if operation in (Operation.CLAIM, Operation.RELEASE):
            self._world.trace(f"process {self._node.number}: {operation}")

    async def after(self, operation: Operation) -> None:
        await asyncio.sleep(self._seconds())
        if self.is_cut or self._world.random.random() < self.loses:
            raise Unavailable("The answer was lost.")
        if operation is Operation.BEAT:
            self.lease_until = self._beat_began + SHARED.lease

    def _seconds(self) -> float:
        return self._world.random.uniform(0.0, 2.0 if self.is_slow else 0.004)


class FleetNode(Process):
    """One node, and what the world knows of it."""

    def __init__(self, world: "FleetWorld") -> None:
        self.wire = Wire(world, self)
        self.lost_until = 0.0
        """Until when it was lost last; infinity while it is, or if it was killed."""
        self.has_started = False
        self.is_stopping = False
        self.clients: list[asyncio.Task[None]] = []
        super().__init__(
            world, world.database, Machine(self.wire, lambda: world.random.uniform(0.0, 0.002), terms=SHARED), Options()
        )
        self.store.fleet.on_announced = lambda marks: world.announced(self, marks)

    def was_lost_since(self, at: float) -> bool:
        return self.is_dead or self.lost_until >= at


class FleetWorld(World[FleetNode]):
    """All that happens in a run, and all that was seen of it."""

    def __init__(self, seed: int, folder: Path, given: FleetPlan | None = None, traced: int = TRACED) -> None:
        super().__init__(Random(seed))
        self.seed = seed
        self.plan = given or draw(self.random)
        self.database = folder / f"fleet-{seed}-{id(self)}.db"
        fresh(self.plan.tenants).write(self.database)
        self._outside = connect(self.database)
        """A connection of whoever looks on."""
        self.nodes: dict[int, FleetNode] = {}
        self.sends: dict[tuple[str, int], list[SentRequest]] = {}
        """The requests with each event, by the host of the subscription."""
        self.in_flight: dict[tuple[str, str], list[SentRequest]] = {}
        self.subscribed: dict[str, tuple[int, str]] = {}
        """The tenant and the id of the subscription with each host."""
        self.attempts = 0
        self.counts: Counter[str] = Counter()
        self.retried: Counter[tuple[str, int]] = Counter()
        """How often somebody asked for each delivery once more."""
        self.violation: Violation | None = None
        self._mends: list[Callable[[], None]] = []
        """What ends each thing that went wrong."""
        self.is_healing = False
        self._trace: deque[str] = deque(maxlen=traced)
        self._ids = itertools.count(1)

    def rows(self, statement: str, *bindings: Any) -> list[Any]:
        """What the database has now."""
        return self._outside.execute(statement, bindings).fetchall()

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
        return Reply(status=503 if fails else 200, after=after)

    def sent(self, sent: SentRequest) -> None:
        self.attempts += 1
        self.trace(f"sends {sent}")
        node = self.nodes[sent.process]
        if self.time.now >= node.wire.lease_until:
            self.fail("lease", f"{sent}: its node's lease ended at {node.wire.lease_until:.3f}")
        self._check_owner(sent, node)
        key = (sent.host, sent.sequence)
        before = self.sends.setdefault(key, [])
        self._check_repeat(sent, before)
        self._check_order(sent, before)
        before.append(sent)
        self.in_flight.setdefault((sent.host, sent.document_id), []).append(sent)

    def ended(self, sent: SentRequest) -> None:
        self.in_flight[sent.host, sent.document_id].remove(sent)
        self.trace(f"ended {sent}")

    def _check_owner(self, sent: SentRequest, node: FleetNode) -> None:
        _, identity = self.subscribed[sent.host]
        ((owner,),) = self.rows(
            "SELECT l.owner FROM lane l JOIN subscription s ON s.number = l.subscription_number WHERE s.id = ?",
            pack_uuid(identity),
        )
        if owner != node.store.fleet.node_id:
            self.fail("owner", f"{sent} is sent by node {node.store.fleet.node_id}, and node {owner} owns the lane")

    def _check_repeat(self, sent: SentRequest, before: list[SentRequest]) -> None:
        delivered = [each for each in before if each.is_delivered and not self._was_lost(each)]
        if len(delivered) > self.retried[sent.host, sent.sequence]:
            self.fail("repeat", f"{sent} was delivered before: {delivered}")

    def _check_order(self, sent: SentRequest, before: list[SentRequest]) -> None:
        others = self.in_flight.get((sent.host, sent.document_id), [])
        for other in others:
            if not self._was_lost(other):
                self.fail("overlap", f"{sent} beside {other}")
        if before:
            return
        for (host, sequence), requests in self.sends.items():
            is_later = host == sent.host and sequence > sent.sequence and requests[0].document_id == sent.document_id
            if is_later and not any(self._was_lost(each) for each in requests):
                self.fail("order", f"{sent} comes first after {requests[0]}")

    def _was_lost(self, sent: SentRequest) -> bool:
        return self.nodes[sent.process].was_lost_since(sent.at)

    def unhandled(self, process: FleetNode, context: dict[str, Any]) -> None:
        self.fail("defects", f"an error that nobody handles: {context}")

    def database_broke(self, process: FleetNode, error: BaseException) -> None:
        self.fail("defects", f"the database broke: {error!r}")

    def announced(self, by: FleetNode, marks: Mapping[int, Mark]) -> None:
        for node in self.running:
            if node is not by and node.has_started and self.random.random() < 0.9:
                node.loop.call_later(self.random.uniform(0.0, 0.02), node.store.fleet.on_marks, marks)

    # --- What happens -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let everything happen. Raises Violation."""
        for _ in range(self.plan.nodes):
            self.start_node()
            self.drive(self.random.choice((0.0, 0.1, 3.0)))
        end = self.time.now + LASTS
        for at in sorted(self.random.uniform(0.0, LASTS) for _ in range(self.plan.faults)):
            self.drive(max(0.0, end - LASTS + at - self.time.now))
            self._go_wrong()
        self.drive(max(0.0, end - self.time.now))
        self._heal()

    def drive(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.time.now + seconds
        while self.next_event < end:
            self._step()
        self.time.now = max(self.time.now, end)

    def _step(self) -> None:
        self.step()
        if self.violation is not None:
            raise self.violation

    def start_node(self) -> FleetNode:
        """Start one more node."""
        node = FleetNode(self)
        self.nodes[node.number] = node
        self.trace(f"process {node.number} starts")
        node.clients.append(node.loop.create_task(self._serve(node)))
        return node

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
            if len(self.subscribed) < self.plan.subscriptions:
                await self._subscribe(node)
            elif self.random.random() < 0.06:
                await self._change(node)
            elif self.random.random() < 0.03:
                await self._retry(node)
            else:
                await self._write(node)
        except SignalpostError as error:
            self.counts[f"refused: {type(error).__name__}"] += 1

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
                retry_delays=(10, 10, 10, 10, 10, 10),
            )
        )

    async def _change(self, node: FleetNode) -> None:
        tenant, identity = self.random.choice(list(self.subscribed.values()))
        patch = subscription_patch(eventTypes=self.random.choice((1, 2, 3, 7)))
        await node.engine.submit(PatchSubscription(tenant_id=tenant, subscription_id=identity, patch=patch))

    async def _retry(self, node: FleetNode) -> None:
        if not self.sends:
            return
        (host, sequence), sent = self.random.choice(list(self.sends.items()))
        tenant, identity = self.subscribed[host]
        self.retried[host, sequence] += 1
        await node.engine.submit(
            RetryDelivery(
                tenant_id=tenant,
                subscription_id=identity,
                sequence=sequence,
                event_type=7,
                event_document_id=sent[0].document_id,
            )
        )

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
        await node.engine.submit(command)

    # --- What goes wrong ----------------------------------------------------------------------------------------------

    def _go_wrong(self) -> None:
        awake = [node for node in self.running if node.has_started and not node.is_frozen and not node.is_stopping]
        if not awake:
            return
        node = self.random.choice(awake)
        what: Callable[[FleetNode], None] = self.random.choice(
            (self._kill, self._freeze, self._cut, self._slow_down, self._stop, self._lose_answers)
        )
        self.counts[what.__name__.removeprefix("_")] += 1
        self.trace(f"process {node.number}: {what.__name__.removeprefix('_')}")
        what(node)

    def _kill(self, node: FleetNode) -> None:
        self._end(node)
        if self.random.random() < 0.7:
            self.start_node()

    def _end(self, node: FleetNode) -> None:
        node.lost_until = float("inf")
        node.kill()
        for requests in self.in_flight.values():
            requests[:] = [sent for sent in requests if sent.process != node.number]
        if not self.running:
            self.start_node()

    def _freeze(self, node: FleetNode) -> None:
        if len(self.running) > 1 and not any(each.is_frozen for each in self.running):
            node.is_frozen = True
            node.lost_until = float("inf")
            self._later(self.random.choice((0.5, 3.0, 7.0, 13.0, 20.0)), lambda: self._thaw(node))

    def _thaw(self, node: FleetNode) -> None:
        self.trace(f"process {node.number} thaws")
        node.is_frozen = False
        # What it had under way then ends at once, and is recorded a little later, if it still counts.
        self._recover(node, 1.0)

    def _cut(self, node: FleetNode) -> None:
        node.wire.is_cut = True
        node.lost_until = float("inf")
        self._later(self.random.choice((0.5, 3.0, 8.0, 15.0)), lambda: self._mend(node))

    def _mend(self, node: FleetNode) -> None:
        self.trace(f"process {node.number} reaches the database again")
        node.wire.is_cut = False
        self._recover(node, 2.0)

    def _recover(self, node: FleetNode, within: float) -> None:
        if not node.is_dead:
            node.lost_until = self.time.now + within

    def _slow_down(self, node: FleetNode) -> None:
        node.wire.is_slow = True
        node.lost_until = float("inf")

        def recover() -> None:
            node.wire.is_slow = False
            self._recover(node, 6.0)

        self._later(self.random.uniform(1.0, 20.0), recover)

    def _lose_answers(self, node: FleetNode) -> None:
        node.wire.loses = 0.2
        node.lost_until = float("inf")

        def recover() -> None:
            node.wire.loses = 0.0
            self._recover(node, 6.0)

        self._later(self.random.uniform(1.0, 10.0), recover)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do something later, in the turn of some node that is awake then."""
        awake = next(node for node in self.running if not node.is_frozen)
        awake.loop.call_later(seconds, work)
        self._mends.append(work)

    def _stop(self, node: FleetNode) -> None:
        """End a node in order, as SIGTERM does, and start another in its place."""
        node.is_stopping = True

        async def stop() -> None:
            await node.engine.close(GRACE)
            await node.store.close()

        stopping = node.loop.create_task(stop())
        self.start_node()
        while not stopping.done():
            self._step()
        stopping.result()
        self.trace(f"process {node.number} has stopped")
        node.kill()

    # --- The end ------------------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        self.is_healing = True
        self.trace("all is well from now on")
        for mend in self._mends:
            mend()
        end = self.time.now + SETTLES_WITHIN
        while (unsettled := self._unsettled()) is not None:
            if self.time.now > end:
                self.fail("settling", unsettled)
                assert self.violation is not None
                raise self.violation
            self.drive(2.0)
        for host, sequence in self._owed():
            if not any(sent.is_delivered for sent in self.sends.get((host, sequence), [])):
                lost = [sent for sent in self.sends.get((host, sequence), []) if self.nodes[sent.process].is_dead]
                if not lost:
                    self.fail("delivery", f"{host} never got {sequence}")
        for node in list(self.running):
            node.kill()
        if self.violation is not None:
            raise self.violation

    def _unsettled(self) -> str | None:
        for number, head, packed, owner, waiting, last in self.rows(
            "SELECT s.number, l.head, l.open, l.owner, l.awaiting_retry + l.blocked, t.last_sequence"
            " FROM lane l JOIN subscription s ON s.number = l.subscription_number JOIN tenant t ON t.id = s.tenant_id"
        ):
            open_ = unpack_sequences(packed)
            wants = [key for key in self._owed_of(number) if key[1] > head] if last > head else []
            if open_ or waiting or wants:
                return f"lane {number} of node {owner} at {head} of {last}: {open_}, {waiting} wait, {wants[:5]} unread"
        return None

    def _owed(self) -> list[tuple[str, int]]:
        return [key for number in self._numbers() for key in self._owed_of(number)]

    def _numbers(self) -> list[int]:
        return [number for (number,) in self.rows("SELECT number FROM subscription")]

    def _owed_of(self, number: int) -> list[tuple[str, int]]:
        """The host of a subscription, with each event that it wants."""
        ((identity, tenant),) = self.rows("SELECT id, tenant_id FROM subscription WHERE number = ?", number)
        [host] = [host for host, (_, each) in self.subscribed.items() if pack_uuid(each) == identity]
        node = next(node for node in self.running if node.has_started)
        found = node.engine.directory.subscription(tenant, self.subscribed[host][1])
        if found is None:
            return [(host, 1 << 62)]  # nobody has heard of it yet
        return [
            (host, sequence)
            for sequence, event_type in self.rows(
                "SELECT sequence, type FROM event WHERE tenant_id = ? AND sequence > ? ORDER BY sequence",
                tenant,
                found.starts_after,
            )
            if event_type & wanted(found.filters, sequence)
        ]

    def close(self) -> None:
        """Let go of everything."""
        for node in list(self.running):
            node.kill()
        self._outside.close()
        for ending in ("", "-wal", "-shm"):
            self.database.with_name(f"{self.database.name}{ending}").unlink(missing_ok=True)

    def last_steps(self) -> list[str]:
        return [f"{self.plan}", *self._trace]


def simulate(seed: int, folder: Path, given: FleetPlan | None = None, traced: int = TRACED) -> FleetWorld:
    """Run the fleet of a seed. Raises Violation, with the last steps."""
    world = FleetWorld(seed, folder, given, traced)
    try:
        world.run()
    except BaseException as error:
        steps = "\n".join(world.last_steps())
        error.add_note(f"{steps}\nTo run it again: make simulate-fleets SEED={seed} COUNT=1")
        raise
    finally:
        world.close()
    return world
