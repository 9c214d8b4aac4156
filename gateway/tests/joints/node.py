"""One process of the gateway in a world of joints, with its API: clients call it as they would over HTTP."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.tests.answer import Answer
from gateway.tests.joints.api_of_node import OPERATOR_KEY, ApiOfNode
from gateway.tests.joints.faults import JointFaults
from gateway.tests.world.network import Network
from gateway.tests.world.process import LINKS, Machine, Process
from gateway.tests.world.socket_network import SocketNetwork
from gateway.tests.world.sockets import SocketLoop
from gateway.tests.world.virtual_time import VirtualExecutor, VirtualLoop

from signalpost.api.app import Api
from signalpost.api.guards.passwords import Passwords
from signalpost.api.guards.principals import Principals
from signalpost.api.guards.request_limits import RequestLimits
from signalpost.api.guards.sessions import BrowserSessions
from signalpost.api.guards.sign_in_tries import SignInTries
from signalpost.api.http.body_reader import BodyReader
from signalpost.api.http.downloads import Downloads
from signalpost.api.http.request_counts import RequestCounts
from signalpost.api.http.shared_rendering import SharedRendering
from signalpost.api.resources.metrics import FORMATS as METRICS_FORMATS
from signalpost.api.routes import OPEN_ROUTES, ROUTES
from signalpost.api.routing.services import Installation, Services
from signalpost.asgi import Asgi, Message
from signalpost.domain.access.consent import Tickets
from signalpost.domain.contacts import ContactIds
from signalpost.domain.delivery import retry
from signalpost.domain.evidence import EvidenceSigner
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.timestamps import SECOND
from signalpost.engine.attention_counts import AttentionCounts
from signalpost.engine.maintenance.audit_end import AuditEnd
from signalpost.engine.maintenance.eraser import Eraser
from signalpost.engine.maintenance.master_key_change import MasterKeyChange
from signalpost.engine.other_nodes import OtherNodes
from signalpost.engine.settings import EngineSettings
from signalpost.files.content_types import KINDS
from signalpost.files.folder import Folder
from signalpost.runtime.loop_delay import LoopDelay
from signalpost.sender.addresses import Guard
from signalpost.sharing.resting_turns import RestingTurns
from signalpost.store.nouns.fleet import ALONE, SHARED
from signalpost.store.vault import CONSENTS

if TYPE_CHECKING:
    from gateway.tests.joints.joint_world import JointWorld

CONNECTIONS = 1_000
PUBLIC_URL = "https://gateway.example"


class _NoKeySource:
    """Master keys do not change in these worlds."""

    name = "MASTER_KEY"

    def read(self) -> tuple[bytes, ...]:
        return (bytes(32),)

    def add(self) -> tuple[bytes, ...]:
        raise AssertionError("no client of these worlds changes the master key")


class JointNode(Process, ApiOfNode):
    """A running gateway with its API."""

    world: "JointWorld"

    def __init__(self, world: "JointWorld", settings: EngineSettings) -> None:
        self.faults = JointFaults(world)
        terms = SHARED if world.plan.nodes > 1 else ALONE
        super().__init__(world, world.path, Machine(self.faults, world.work_seconds, terms=terms), settings)
        self.store.fleet.on_announced = lambda marks: world.announced(self, marks)
        self.clients: list[asyncio.Task[None]] = []
        self.has_started = False
        self.is_stopping = False
        self.api: Api | None = None
        self.services: Services | None = None

    def _event_loop(self) -> VirtualLoop:
        return VirtualLoop(self.world.time) if self.world.plan.wires is None else SocketLoop(self.world.time)

    def _transport(self, attempt_timeout: float) -> Network:
        world, wires = self.world, self.world.plan.wires
        if wires is None or not isinstance(self.loop, SocketLoop):
            return super()._transport(attempt_timeout)
        return SocketNetwork(world, self.loop, self.number, attempt_timeout, wires, world.random, world.fail)

    async def start(self) -> None:
        """Start what `Gateway` starts."""
        await self.engine.start()
        tickets = Tickets((await self.store.data_keys.signing())[CONSENTS])
        self.services = self._services(self.world.path.parent / "files", tickets)
        self.api = Api(self.services, ROUTES, OPEN_ROUTES)
        eraser = Eraser(self.store, self.services.files, self.engine.lanes, self.clock, self.engine.erasures_asked)
        self.clients.append(self.loop.create_task(eraser.run()))
        self.has_started = True

    async def _requested(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Answer:
        sent = False
        started: dict[str, Any] = {}
        parts: list[bytes] = []
        path, _, query = path.partition("?")
        given = {**headers, "content-length": str(len(content))}
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "headers": [(name.encode(), text.encode()) for name, text in given.items()],
        }  # fmt: skip

        async def receive() -> Message:
            nonlocal sent
            if sent:
                await asyncio.get_running_loop().create_future()
            sent = True
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message["body"])

        assert self.api is not None
        await Asgi(self.api)(scope, receive, send)
        found = {name.decode(): text.decode() for name, text in started["headers"]}
        return Answer(started["status"], found, b"".join(parts))

    def _services(self, folder: Path, tickets: Tickets) -> Services:
        engine, clock, store, world = self.engine, self.clock, self.store, self.world
        thread, secret_bytes = VirtualExecutor(), world.random.randbytes
        files = Folder(folder, thread, secret_bytes)
        return Services(
            installation=Installation(
                settings=(),
                public_url=PUBLIC_URL,
                database="sqlite",
                warnings=(),
                retry_delays=retry.DELAYS,
                file_kinds=frozenset(KINDS),
                metrics_tenants=(),
                trusted_proxies=(),
                idle_seconds=60.0,
            ),
            store=store,
            engine=engine,
            directory=engine.directory,
            lane_views=engine.lanes.views,
            attention_counts=AttentionCounts(engine.directory, engine.lanes.views, clock, thread),
            clock=clock,
            random_bits=world.random.getrandbits,
            secret_bytes=secret_bytes,
            principals=Principals.of_gateway(OPERATOR_KEY, engine, store, clock.wall),
            sessions=BrowserSessions(store.sign_ins, clock.wall, secret_bytes),
            passwords=Passwords(thread, secret_bytes),
            off_loop=thread,
            page_turns=RestingTurns(lambda: 0.0),
            sign_in_tries=SignInTries(store.sign_ins, clock.wall),
            links=LINKS,
            files=files,
            downloads=Downloads(files),
            requests=RequestCounts(),
            destinations=world.destinations,
            guard=Guard((), ()),
            tickets=tickets,
            unsubscribe_links=UnsubscribeLinks(
                [SigningKey(1, bytes(32))], ContactIds(bytes(32)), "https://gateway.example"
            ),
            evidence=EvidenceSigner([SigningKey(1, bytes(32))]),
            master_key=MasterKeyChange(store, _NoKeySource(), {}),
            audit_end=AuditEnd(store.audit, folder, thread, engine.audited),
            limits=RequestLimits.of_connections(CONNECTIONS, clock, engine.limits.share_of),
            other_nodes=OtherNodes(store.stats, clock, engine.revisions),
            metrics={media_type: SharedRendering(clock) for media_type in METRICS_FORMATS},
            loop_delay=LoopDelay(lambda: clock.steady() / SECOND),
            body_reader=BodyReader(thread, lambda: 0.0),
        )
