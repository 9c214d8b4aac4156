"""A world in which endpoints and sources come and go, nodes end, the disk fills up and tenants are deleted, while
people are told.

The nodes are real engines and stores with their real job, on virtual time. What they tell is read from the log of the
tenant `operations`, and held against what happened: see `notice_checks.py`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from gateway.tests.bodies import document_patch, new_document, subscription_patch, subscription_request
from gateway.tests.notices.contact_checks import ContactChecks
from gateway.tests.notices.loss_checks import LossChecks
from gateway.tests.notices.notice_checks import Checks
from gateway.tests.notices.plan import HOUR, NoticePlan
from gateway.tests.notices.source_checks import SourceChecks
from gateway.tests.simulation.fleet_database import FleetDatabase
from gateway.tests.simulation.logs import live
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.network import BROKEN, Reply, SentRequest, VendorCall, VendorReply
from gateway.tests.world.process import Machine, Process
from gateway.tests.world.store import Operation, StoreFaults
from gateway.tests.world.vendors import HOST, KINDS, FakeVendor
from gateway.tests.world.virtual_time import VirtualExecutor
from gateway.tests.world.world import World

from signalpost.commands.connections import CreateConnection
from signalpost.commands.correspondence import UnsubscribeContact
from signalpost.commands.documents import CreateDocument, DeleteDocument, PatchDocument
from signalpost.commands.erasures import EraseDocument
from signalpost.commands.notices import MuteNotice
from signalpost.commands.replays import StartReplay
from signalpost.commands.subscriptions import (
    CreateConnectorSubscription,
    CreateSubscription,
    DeleteSubscription,
    PatchSubscription,
)
from signalpost.commands.tenants import DeleteTenant
from signalpost.destinations.mail import Smtp
from signalpost.destinations.registry import Destinations
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.contacts import ContactIds
from signalpost.domain.delivery import retry
from signalpost.domain.delivery.replay import ReplayChoice, ReplayRange
from signalpost.domain.errors import SignalpostError, Unavailable
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.signing_key import SigningKey
from signalpost.engine.maintenance.disk_reserve import MB
from signalpost.engine.maintenance.eraser import Eraser
from signalpost.engine.settings import EngineSettings
from signalpost.files.folder import Folder
from signalpost.store.nouns.fleet import ALONE, TenantMark, Terms

LOOKS_EVERY = 10.0
TOGETHER = Terms(
    beat_every=10.0, lease=30.0, dead_after=60.0, look_every=30.0, poll_every=10.0, poll_hearing_every=60.0
)
"""The terms of a fleet, slower than real ones: a world lasts for hours, and each beat is a dozen steps of it."""
RESERVE_MB = 100
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OPS = "ops"
"""The host that has the notices told."""
MAIL_SERVER = "mail.example"
CONTACTS = ("ada@customer.example", "bob@customer.example", "eve@customer.example")
LINKS = UnsubscribeLinks([SigningKey(1, bytes(32))], ContactIds(bytes(32)), "https://gateway.example")
OVER_WITHIN = 2.0 * HOUR
"""In so long everything is closed and told, once all is well: the loss of a node is told for an hour."""
TRACED = 120


class Client(NamedTuple):
    """A subscription, and who has it."""

    host: str
    tenant: int
    id: str
    contacts: tuple[str, ...] = ()


class Way(StoreFaults):
    """The way of a node to the database."""

    def __init__(self, world: "NoticeWorld") -> None:
        self._world = world

    async def before(self, operation: Operation) -> None:
        if self._world.is_cut:
            raise Unavailable("The database cannot be reached.")


class Node(Process):
    world: "NoticeWorld"

    def __init__(self, world: "NoticeWorld") -> None:
        machine = Machine(
            Way(world),
            lambda: world.random.uniform(0.0, world.plan.work_seconds),
            disk_reserve_mb=RESERVE_MB,
            free_bytes=lambda: world.disk_free,
            look_every=20.0,
            terms=ALONE if world.plan.nodes == 1 else TOGETHER,
        )
        super().__init__(world, world.database.path, machine, EngineSettings(public_url="https://gateway.example"))
        self.store.fleet.on_announced = lambda marks: world.announced(self, marks)
        self.has_started = False
        self.loop.create_task(self._start())

    async def _start(self) -> None:
        while not self.has_started:
            try:
                await self.engine.start()
            except Unavailable:
                await asyncio.sleep(1.0)
            else:
                self.has_started = True
        self.loop.create_task(self.engine.postman(LINKS).run())
        files = Folder(self.world.files, VirtualExecutor(), self.world.random.randbytes)
        await Eraser(self.store, files, self.engine.lanes, self.clock, self.engine.erasures_asked).run()


class NoticeWorld(World[Node]):
    def __init__(self, seed: int, folder: Path, plan: NoticePlan, traced: int = TRACED) -> None:
        super().__init__(Random(seed))
        self.seed, self.plan = seed, plan
        self.database = FleetDatabase(folder / f"notices-{seed}-{id(self)}.db", 1 + plan.tenants)
        self.files = folder / "files"
        self.destinations = Destinations([*KINDS.kinds.values(), Smtp()])
        self.slack = FakeVendor()
        self.slack.take = self._take
        self.mail_server = FakeVendor()
        self.mail_server.take = self._take_mail
        self.contacts = ContactChecks(self)
        self.sources = SourceChecks(self)
        self.losses = LossChecks(self)
        self.clients: list[Client] = []
        self.gone: dict[str, str] = {}
        """The hosts to which nothing is to be sent any more, or not now, and why."""
        self.deleted: dict[int, float] = {}
        """When each tenant was deleted."""
        self.removed: dict[str, float] = {}
        """When each subscription was deleted, by the name of its host."""
        self.documents: list[tuple[int, str]] = []
        self.disk_free = 2 * RESERVE_MB * MB
        self.is_cut = False
        self.is_healed = False
        self.troubled_at = 0.0
        """When something last kept a node from looking."""
        self.attempts = 0
        self.edges = 0
        """How often an endpoint goes or comes back, and so how many messages there were if each was told."""
        self.answers: dict[str, list[tuple[float, bool, int]]] = {}
        """When each endpoint was asked, whether it took what it got, and by which process."""
        self.failing: dict[str, list[tuple[float, int]]] = {}
        """When each endpoint that fails refused something since it last took something, and from which process."""
        self.ended_at: dict[int, float] = {}
        """When each process ended."""
        self.checks = Checks(self)
        self.violation: Violation | None = None
        self._down: dict[str, list[tuple[float, float]]] = {}
        self._trace: deque[str] = deque(maxlen=traced)
        self._under_way = 0
        """How many clients wait for an answer."""
        self._numbers = iter(range(1, 10**9))

    # --- What is seen -------------------------------------------------------------------------------------------------

    def trace(self, what: object) -> None:
        self._trace.append(f"{self.time.now - 1_000.0:10.1f}  {what}")

    def fail(self, rule: str, message: str) -> None:
        if self.violation is None:
            self.violation = Violation(f"{rule}: {message}")

    def rows(self, statement: str, *bindings: Any) -> list[Any]:
        return self.database.rows(statement, *bindings)

    def unhandled(self, process: Node, context: dict[str, Any]) -> None:
        self.fail("defects", f"an error that nobody handles: {context}")

    def database_broke(self, process: Node, error: BaseException) -> None:
        self.fail("defects", f"the database broke: {error!r}")

    def last_steps(self) -> list[str]:
        return [f"{self.plan}", *self._trace]

    # --- Endpoints ----------------------------------------------------------------------------------------------------

    def receiver(self, host: str) -> "NoticeWorld":
        return self

    def vendor(self, host: str) -> FakeVendor | None:
        return {HOST: self.slack, MAIL_SERVER: self.mail_server}.get(host)

    def is_down(self, host: str) -> bool:
        return not self.is_healed and any(began <= self.time.now < ended for began, ended in self._down.get(host, ()))

    def answer(self, sent: SentRequest) -> Reply:
        return BROKEN if self.is_down(sent.host) else Reply()

    def sent(self, sent: SentRequest) -> None:
        self.attempts += 1
        if sent.host == OPS:
            self.checks.told(sent)

    def ended(self, sent: SentRequest) -> None:
        if sent.host == OPS or sent.is_cut:
            return
        if sent.is_delivered:
            self.failing.pop(sent.host, None)
        else:
            self.failing.setdefault(sent.host, []).append((self.time.now, sent.process))
        self.answers.setdefault(sent.host, []).append((self.time.now, sent.is_delivered, sent.process))

    def _take(self, call: VendorCall) -> VendorReply | None:
        is_broken = self.plan.breaks_slack and not self.is_healed and self.time.now % HOUR < HOUR / 2
        return VendorReply(404, b"no_service") if is_broken else None

    def _take_mail(self, call: VendorCall) -> VendorReply:
        self.contacts.told(call)
        return VendorReply(250)

    def deleted_at(self, host: str) -> float | None:
        """When a subscription was deleted, or its tenant."""
        [tenant] = [each.tenant for each in self.clients if each.host == host]
        return self.removed.get(host, self.deleted.get(tenant))

    def announced(self, by: Node, marks: Mapping[int, TenantMark]) -> None:
        for node in self.running:
            if node is not by and node.has_started:
                node.loop.call_later(0.01, node.store.fleet.on_marks, marks)

    def _draw_troubles(self) -> None:
        """When each endpoint is down."""
        began, plan, random = self.time.now, self.plan, self.random
        up, down = plan.up
        for number, client in enumerate(self.clients):
            found = self._down[client.host] = []
            if number < plan.dead:
                found.append((began, inf))
            elif number < plan.dead + plan.flapping:
                at = began + plan.lasts / 4
                while at < began + plan.lasts / 4 + plan.flaps_for:
                    found.append((at, at + down))
                    at += up + down
            else:
                for _ in range(plan.blips):
                    at = began + random.uniform(0.0, plan.lasts)
                    found.append((at, at + random.choice(plan.blip_lasts)))
            self.edges += 2 * len(found)

    # --- What happens -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let everything happen. Raises Violation."""
        for _ in range(self.plan.nodes):
            self._start_node()
        while not all(node.has_started for node in self.running):
            self.drive(1.0)
        self._prepare()
        while self._under_way:
            self.drive(1.0)
        self._draw_troubles()
        self.sources.draw_troubles()
        began, plan = self.time.now, self.plan
        drawn: list[tuple[Callable[[], None], int]] = [
            (self._kill, plan.kills), (self._cut, plan.cuts), (self._fill_disk, plan.low_disks),
            (self._mute, plan.mutes), (self._delete_tenant, plan.deletions), (self._change, plan.changes),
            (self._erase, plan.erasures), (self._unsubscribe, plan.unsubscribes),
        ]  # fmt: skip
        happens = [(began + self.random.uniform(0.0, plan.lasts), act) for act, times in drawn for _ in range(times)]
        happens += [(began + at, self._write) for at in self._writes()]
        for at, act in sorted(happens, key=lambda each: each[0]):
            self.drive(max(0.0, at - self.time.now))
            act()
        self._heal()

    def _writes(self) -> Iterator[float]:
        """After how many seconds something is written."""
        plan, at = self.plan, 0.0
        flaps_from = plan.lasts / 4
        while at < plan.lasts:
            yield at
            flaps = flaps_from <= at < flaps_from + plan.flaps_for
            at += plan.writes_while_flapping if flaps else plan.writes_every

    def drive(self, seconds: float) -> None:
        """Let so much time pass, and look at what is kept every ten seconds."""
        end = self.time.now + seconds
        while self.time.now < end:
            until = min(end, self.time.now + LOOKS_EVERY - self.time.now % LOOKS_EVERY)
            while (moves := self.first_to_move())[0] < until:
                assert moves[1] is not None
                moves[1].loop.step()
            self.time.now = max(self.time.now, until)
            if self.time.now % LOOKS_EVERY == 0.0:
                self.checks.look()
                self.sources.look()
                self.losses.look()
            if self.violation is not None:
                raise self.violation

    def do(self, work: Callable[[Node], Coroutine[Any, Any, Any]]) -> None:
        """Have one of the nodes do what a client asks it for."""
        able = [node for node in self.running if node.has_started]
        if able:
            node = self.random.choice(able)
            self._under_way += 1
            node.loop.create_task(self._done(work, node))

    async def _done(self, work: Callable[[Node], Coroutine[Any, Any, Any]], node: Node) -> None:
        try:
            await work(node)
        except SignalpostError as error:
            self.trace(f"refused: {error}")
        finally:
            self._under_way -= 1

    def _submit(self, *commands: Any) -> None:
        async def work(node: Node) -> None:
            for command in commands:
                await node.engine.submit(command)

        self.do(work)

    def uuid(self, kind: int) -> str:
        return f"00000000-0000-4000-{kind:04d}-{next(self._numbers):012d}"

    def _start_node(self) -> None:
        node = Node(self)
        self.trace(f"process {node.number} starts")

    def _prepare(self) -> None:
        """The subscriptions, and those to notices."""
        ops, connection = self.uuid(8001), self.uuid(8002)
        self._submit(
            self._subscription(OPERATIONS_TENANT, ops, OPS, eventTypes=8, ordering="strict"),
            CreateConnection(
                tenant_id=OPERATIONS_TENANT,
                connection_id=connection,
                kind="fake",
                name="Slack",
                config={},
                needs_consent=False,
            ),
            CreateConnectorSubscription(
                tenant_id=OPERATIONS_TENANT,
                subscription_id=self.uuid(8003),
                kind="fake",
                connection_id=connection,
                url="https://vendor.example",
                name="Slack",
                event_types=("notice",),
                retry_delays=retry.DELAYS,
                config={"text": "{{ notice.sentence }}"},
            ),
        )
        self._submit(
            CreateConnection(
                tenant_id=OPERATIONS_TENANT,
                connection_id=self.uuid(8004),
                kind="mail",
                name="Mail",
                config={
                    "server": f"smtps://{MAIL_SERVER}:465",
                    "signIn": {"with": "nothing"},
                    "sender": "us@gateway.example",
                },
                needs_consent=False,
            )
        )
        for number in range(self.plan.subscriptions):
            tenant = self.tenants[number % len(self.tenants)]
            contacts = CONTACTS[number % 4 :][: 1 + number % 2]
            self.clients.append(Client(f"s{number}", tenant, self.uuid(9000), contacts))
        self.sources.begin()
        self.documents = [(tenant, self.uuid(8000)) for tenant in self.tenants for _ in range(3)]
        for tenant, document in self.documents:
            self._submit(
                CreateDocument(
                    tenant_id=tenant, document_id=document, new=new_document(), source_app="app", idempotency=None
                )
            )
        self._submit(
            *(self._subscription(each.tenant, each.id, each.host, contacts=[*each.contacts]) for each in self.clients)
        )

    @property
    def tenants(self) -> list[int]:
        return [each for each in range(1, 2 + self.plan.tenants) if each not in self.deleted]

    def _subscription(self, tenant: int, identity: str, host: str, **given: Any) -> CreateSubscription:
        members = {"url": f"https://{host}/", "name": host, "eventTypes": 7, **given}
        return CreateSubscription(
            tenant_id=tenant,
            subscription_id=identity,
            new=subscription_request(**members),
            secret=SECRET,
            retry_delays=(10, 60, 300, 600),
        )

    def _write(self) -> None:
        for tenant in self.tenants:
            document = self.random.choice([each for of, each in self.documents if of == tenant])
            patch = document_patch(title=f"t{next(self._numbers)}")
            self._submit(PatchDocument(tenant_id=tenant, document_id=document, patch=patch, if_match=None))

    def _kill(self) -> None:
        node = self.random.choice(self.running)
        self.trace(f"process {node.number} is killed")
        self.losses.killed(node)
        node.kill()
        self.ended_at[node.number] = self.troubled_at = self.time.now
        self.contacts.losses.append(self.time.now)
        self.drive(self.random.choice((0.0, 20.0)))
        self._start_node()

    def _cut(self) -> None:
        self.trace("nobody reaches the database")
        self.contacts.losses.append(self.time.now)
        self.is_cut, self.troubled_at = True, inf
        self.drive(self.random.choice((5.0, 60.0)))
        self.is_cut, self.troubled_at = False, self.time.now

    def _fill_disk(self) -> None:
        free = self.random.choice((RESERVE_MB // 2, RESERVE_MB * 3 // 2)) * MB
        self.trace(f"{free // MB} MB are free")
        self.disk_free = free
        self.drive(self.random.choice((60.0, 900.0)))
        self.disk_free = 2 * RESERVE_MB * MB

    def _mute(self) -> None:
        found = self.rows("SELECT lower(hex(id)) FROM condition ORDER BY number")
        if found:
            [bare] = self.random.choice(found)
            identity = f"{bare[:8]}-{bare[8:12]}-{bare[12:16]}-{bare[16:20]}-{bare[20:]}"
            self.trace(f"mutes {identity}")
            self._submit(MuteNotice(tenant_id=OPERATIONS_TENANT, condition_id=identity, hours=1))

    def _delete_tenant(self) -> None:
        candidates = [each for each in self.tenants if each > 1]
        if not candidates:
            return
        tenant = self.random.choice(candidates)
        [(name,)] = self.rows("SELECT name FROM tenant WHERE id = ?", tenant)

        async def work(node: Node) -> None:
            await node.engine.submit(DeleteTenant(tenant_id=1, name=name, erasure_id=self.uuid(8100)))
            self.trace(f"tenant {tenant} is deleted")
            self.deleted[tenant] = self.time.now
            self.gone.update({each.host: "its tenant is deleted" for each in self.clients if each.tenant == tenant})

        self.do(work)

    def _change(self) -> None:
        client = self.random.choice([each for each in self.clients if each.tenant not in self.deleted])
        act = self.random.choice(("delete", "pause", "pause"))
        if self.gone.get(client.host) == "deleted":
            return

        async def work(node: Node) -> None:
            if act == "delete":
                await node.engine.submit(DeleteSubscription(tenant_id=client.tenant, subscription_id=client.id))
            else:
                patch = subscription_patch(status="paused")
                await node.engine.submit(
                    PatchSubscription(tenant_id=client.tenant, subscription_id=client.id, patch=patch)
                )
            self.gone[client.host] = f"{act}d"
            if act == "delete":
                self.removed[client.host] = self.time.now
            self.trace(f"{client.host} is {act}d")

        self.do(work)

    def _unsubscribe(self) -> None:
        address = self.random.choice(CONTACTS)
        told = [each for each in self.clients if address in each.contacts and self.deleted_at(each.host) is None]

        async def work(node: Node) -> None:
            for each in told:
                command = UnsubscribeContact(tenant_id=each.tenant, subscription_id=each.id, address=address)
                await (await node.engine.enqueue_eventless(command))
                self.contacts.unsubscribed[address, each.host] = self.time.now
            self.trace(f"{address} wants no more mail")

        self.do(work)

    def _erase(self) -> None:
        tenant, document = self.random.choice(self.documents)
        if tenant in self.deleted or len([each for each in self.documents if each[0] == tenant]) == 1:
            return
        self.documents.remove((tenant, document))
        [(name,)] = self.rows("SELECT name FROM tenant WHERE id = ?", tenant)
        self._submit(
            DeleteDocument(tenant_id=tenant, document_id=document),
            EraseDocument(tenant_id=tenant, tenant=name, document_id=document, erasure_id=self.uuid(8200)),
        )

    # --- The end ------------------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        """Everything works again, and what was given up is sent again: then nothing is wrong."""
        self.trace("all is well from now on")
        self.is_healed = True
        end = self.time.now + OVER_WITHIN
        self.drive(600.0)
        while self.rows("SELECT 1 FROM condition"):
            if self.time.now > end:
                rows = self.rows("SELECT kind, name, tenant_id, told_at, absent_since FROM condition")
                raise Violation(f"closing: still open though nothing is wrong: {rows}")
            for client in self.clients:
                self.do(partial(self._mend, client))
            self.drive(600.0)
        self.drive(2_000.0)  # and contacts read the last of it
        self.checks.finished()
        self.contacts.finished()
        for node in [*self.running]:
            node.kill()
        if self.violation is not None:
            raise self.violation

    async def _mend(self, client: Client, node: Node) -> None:
        """Resume a subscription, and send again what was given up."""
        found = node.engine.directory.subscription(client.tenant, client.id)
        if found is None:
            return
        if found.status != "active":
            patch = subscription_patch(status="active")
            await node.engine.submit(PatchSubscription(tenant_id=client.tenant, subscription_id=client.id, patch=patch))
        choice, last = ReplayChoice("failed"), await node.engine.lanes.views.head_of(found) or 0
        count, capped = await node.store.replays.count(found, 1, last, choice)
        if count:
            await node.engine.submit(
                StartReplay(
                    tenant_id=client.tenant,
                    subscription_id=client.id,
                    replay_id=self.uuid(8300),
                    choice=choice,
                    range=ReplayRange(from_at=0, to_at=node.clock.wall(), from_sequence=1, to_sequence=last),
                    count=count,
                    count_is_capped=capped,
                )
            )

    def close(self) -> None:
        """Let go of everything."""
        for node in list(self.running):
            node.kill()
        self.database.close()


def simulate(seed: int, folder: Path, plan: NoticePlan, traced: int = TRACED) -> NoticeWorld:
    """Run the world of a seed. Raises Violation, with the last steps."""
    world = NoticeWorld(seed, folder, plan, traced)
    live(world, f"simulate-notices SEED={seed} COUNT=1")
    return world
