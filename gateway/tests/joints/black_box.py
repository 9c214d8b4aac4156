"""A world of joints around a real gateway: its clients call a process over HTTP, its endpoints listen on loopback with
TLS, and time is the machine's. What came is compared with the same model.

How long anything takes depends on the machine. So a request may be as it was at any moment until it came, the model
does not know when the gateway learned of an answer, and only what holds at any speed is checked: what must never come,
what must have come in the end, in which form, and no two of a document at a time."""

import asyncio
import json
import re
import ssl
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from gateway.tests.acceptance.client import Client, Lost, Reply
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.answer import Answer
from gateway.tests.joints.api_of_node import OPERATOR_KEY, ApiOfNode
from gateway.tests.joints.checkers.answers import Answers
from gateway.tests.joints.checkers.carried import Resends
from gateway.tests.joints.checkers.changes import Changes
from gateway.tests.joints.checkers.content import Content
from gateway.tests.joints.checkers.once import Once
from gateway.tests.joints.checkers.reading import Reading
from gateway.tests.joints.checkers.sending import Sending
from gateway.tests.joints.checkers.settling import Settling
from gateway.tests.joints.clients import Clients
from gateway.tests.joints.history import Attempt, ClientCall
from gateway.tests.joints.joint_world import RECORDED_WITHIN, JointWorld
from gateway.tests.joints.plan import Plan, draw
from gateway.tests.joints.reads import ReadOnes, Reads
from gateway.tests.joints.shadows import DOMAIN as DOMAIN_OF_SHADOWS
from gateway.tests.patience import PATIENCE
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.verdicts import Model, Slack
from gateway.tests.world.network import Reply as EndpointReply
from gateway.tests.world.network import SentRequest
from gateway.tests.world.virtual_time import VirtualTime

from signalpost.domain.event import EventType
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.domain.timestamps import SECOND, format_timestamp

ANY_TIME = 1e12
"""More seconds than there ever were: whatever held once may be what a request was made by."""
LOOKS_EVERY = 0.1
CHECKERS = (Sending, Content, Once, Changes, Answers, Settling, Resends, Reading)
"""The checkers that know only what is seen from outside."""
DOMAINS = ("example", "elsewhere.example", DOMAIN_OF_SHADOWS)
"""Each stands for an origin."""
URL = re.compile(rf"https://(s\d+)\.({'|'.join(map(re.escape, DOMAINS))})/")
PATH = re.compile(rf"/(s\d+\.(?:{'|'.join(map(re.escape, DOMAINS))}))(/.*)")


def draw_black_box(random: Random) -> Plan:
    """A plan that real time is enough for: short waits, few things to do."""
    return draw(random)._replace(
        webhooks=3,
        connectors=0,
        documents=4,
        acts=60,
        pauses=(0.01, 0.1),
        waits=(1.0, 2.0),
        retries=((1, 1, 1), (1,), ()),
        kills=1,
        troubles=0,
        failing=random.choice((0.0, 0.2, 0.4)),
        reply_after=(0.005, 0.03),
        conditions=0.5,
        delays=0.4,
        owning=0.4,
        erasing=0.0,
        readers=1,
        has_tokens=False,
        certificates=0.0,
    )


class _MachineTime(VirtualTime):
    """The time of the machine, which no test can set."""

    def __init__(self) -> None: ...

    @property
    def now(self) -> float:
        return time.time()

    @now.setter
    def now(self, _value: float) -> None:
        raise AssertionError("the machine's time goes by itself")


class RealNode(ApiOfNode):
    """The gateway's process, as clients of these worlds call it. A client that calls one that was killed repeats the
    call until there is an answer."""

    is_dead = False
    number = 0
    """All processes are one node to a reader."""

    def __init__(self, gateway: GatewayProcess, origins: Mapping[str, str]) -> None:
        """`origins` are those of the real endpoints, by the domain that stands for each."""
        self._gateway = gateway
        self._origins = origins

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """Call the API; a URL of these worlds becomes one of a real endpoint."""
        if isinstance(body, dict) and "url" in body:
            body = {**body, "url": URL.sub(self._real, body["url"])}
        return await super().call(method, path, body, **more)

    async def _requested(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Answer:
        reply = await asyncio.to_thread(self.until_answered, method, path, content or None, headers)
        return Answer(reply.status, dict(reply.headers), reply.body)

    async def call_once(self, path: str, body: Any, key: str) -> Answer:
        """Make a call of a reader. Without an answer it is as if the gateway could do nothing."""
        client = Client(lambda: self._gateway.address, lambda: key)
        try:
            reply = await asyncio.to_thread(client.request, "POST", path, body)
        except Lost:
            return Answer(503, {}, b"{}")
        return Answer(reply.status, dict(reply.headers), reply.body)

    def until_answered(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Reply:
        """Call the API from a thread that can wait."""
        client = Client(lambda: self._gateway.address, lambda: OPERATOR_KEY)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return client.request(method, path, body, **headers)
            except Lost:
                assert time.monotonic() < end, f"{method} {path} is not answered"
                time.sleep(LOOKS_EVERY)

    def _real(self, found: re.Match[str]) -> str:
        name, domain = found.groups()
        return f"{self._origins[domain]}/{name}.{domain}/"


class BlackBoxReads(Reads):
    """Their calls are made once: a call that is repeated would hide what the first one was handed."""

    leases = (1, 2)
    waits = (0, 0, 1)
    soon = inf

    async def _call(self, node: Any, read: ReadOnes, name: str, body: Mapping[str, Any]) -> Answer:
        key, begun = self._key(read), self._world.time.now
        answer: Answer = await node.call_once(f"/v1/subscriptions/{read.wish.id}/{name}", body, key)
        self.secrets.check(read.wish, key, begun, answer)
        return answer


class BlackBoxClients(Clients):
    """Customers have an API key here: their pages have tests of their own."""

    def __init__(self, world: JointWorld) -> None:
        super().__init__(world)
        self.reads = BlackBoxReads(self)

    async def _call(self, node: Any, asked: ClientCall) -> Answer:
        if asked.by == "guest":
            asked.by = "subscriber"
        return await super()._call(node, asked)


class BlackBoxWorld(JointWorld):
    """What is asked of a real gateway, and what it sends."""

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed, folder, draw_black_box(Random(seed)), goes_on=True)
        self.time = _MachineTime()
        self.model = Model(self.log, Slack(webhook=ANY_TIME, under_way=ANY_TIME))
        self.clients = BlackBoxClients(self)
        self.checkers = [make(self) for make in CHECKERS]
        self._life = 1
        """The number of the process that runs."""
        self._is_settled = False
        self._node: Any = None

    # --- What is seen, and what nobody knows --------------------------------------------------------------------------

    def read_log(self) -> None:
        while True:
            path = f"/v1/events?after={len(self.log.events)}&limit=250"
            page = self._node.until_answered("GET", path, None, {})
            entries = page.json()["data"] if page.status == 200 else ()
            for entry in entries:
                self._log(entry["sequence"], entry["event"])
            if not entries and page.status == 200:
                return

    def _log(self, sequence: int, event: Mapping[str, Any]) -> None:
        body = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        document, kind = event["data"]["document"], event["type"]
        made_at = datetime.fromisoformat(event["createdAt"]).timestamp()
        assert kind in {each.wire for each in EventType}
        before = self.log.before(document["externalId"], kind == "documentCreated")
        self.log.add(
            LoggedEvent(
                sequence, event["id"], kind, document["externalId"], made_at, self.time.now, body, document, before
            )
        )

    def written(self, at: float) -> str:
        return format_timestamp(round(at * SECOND))

    def is_recorded(self, attempt: Attempt) -> bool:
        """The model cannot know until all is settled: then those of the process that runs are."""
        return self._is_settled and attempt.process == self._life and attempt.ok is not None

    def recorded_by(self, attempt: Attempt) -> float:
        """When the outcome was surely recorded; infinite if it perhaps never was."""
        return attempt.ended_at + RECORDED_WITHIN if self.is_recorded(attempt) else inf

    # --- What happens -------------------------------------------------------------------------------------------------

    async def live_with(self, gateway: GatewayProcess, listeners: Mapping[str, Any], tls: ssl.SSLContext) -> None:
        """Let clients ask this gateway, which is killed meanwhile, and compare what comes. `listeners` are listening
        sockets by the domain that they stand for."""
        origins = {domain: f"https://localhost:{each.getsockname()[1]}" for domain, each in listeners.items()}
        self._node = RealNode(gateway, origins)
        async with AsyncExitStack() as stack:
            loop = asyncio.get_running_loop()
            for listener in listeners.values():
                server = await loop.create_server(self._accept, sock=listener, ssl=tls)
                await stack.enter_async_context(server)
            await self.clients.owners.begin(self._node)
            clients, reads = self.clients, self.clients.reads
            lives = (each.live(self._node) for each in (clients, clients, reads, reads))
            acting = asyncio.gather(*lives)
            for kill in range(self.plan.kills):
                while not acting.done() and self.clients.acts < self.plan.acts * (kill + 1) // (self.plan.kills + 1):
                    await asyncio.sleep(LOOKS_EVERY / 10)
                self._kill(gateway)
            await acting
            await self._finish_all()

    def _kill(self, gateway: GatewayProcess) -> None:
        self.trace("the gateway is killed")
        gateway.kill()
        self._life += 1
        self._ended[self._life - 1] = self.time.now
        gateway.start()

    async def _finish_all(self) -> None:
        """Wait until all is settled, and have the checkers look once more."""
        self.is_healing = True
        for endpoint in self.endpoints.values():
            endpoint.is_well = True
        self.clients.shadows.heal()
        await self.clients.owners.resume_all(self._node)
        await self.clients.shadows.resume_all(self._node)
        await self.clients.reads.resume_all(self._node)
        end = time.monotonic() + PATIENCE
        while (unsettled := await self._unsettled(self._node)) is not None:
            assert time.monotonic() < end, f"still not settled: {unsettled}"
            await asyncio.sleep(LOOKS_EVERY)
        self.read_log()
        self._is_settled = True
        for checker in self.checkers:
            await checker.finished(self._node)
        await self.clients.shadows.finished(self._node)
        self.clients.reads.finished()

    async def _unsettled(self, node: Any) -> str | None:
        """What a subscription has still to do. Its health may say a few seconds too early that this is nothing: after a
        kill its lane is that of the lost process until that counts as dead, and what a condition refused is recorded
        every 5 s. The list of deliveries follows what is recorded."""
        for wish in self.wishes.values():
            for status in () if wish.deleted.last else ("pending", "retrying"):
                path = f"/v1/subscriptions/{wish.id}/deliveries?status={status}&limit=1"
                found = await self.clients.read(node, path)
                if found is None or found["data"]:
                    return f"{wish}: {found}"
        return await super()._unsettled(node)

    # --- Endpoints ----------------------------------------------------------------------------------------------------

    def _accept(self) -> asyncio.StreamReaderProtocol:
        """A connection that was accepted, of the process that runs now. Once its handshake is over that may have been
        killed, and what it had sent by then is read all the same."""
        serve = partial(self._serve_one, self._life)
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), serve)

    async def _serve_one(self, life: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                (length,) = re.findall(rb"\r\ncontent-length: (\d+)\r\n", head)
                sent = _request(head, await reader.readexactly(int(length)), life, self.time.now)
                await self._answer(sent, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # its process has ended, or the world has
        finally:
            writer.transport.abort()

    async def _answer(self, sent: SentRequest, writer: asyncio.StreamWriter) -> None:
        self.sent(sent)
        attempt = self._sent.pop(sent, None) or self.clients.shadows.pop(sent)
        reply: EndpointReply = self.receiver(sent.host).answer(sent)
        if reply.after < 1.0:
            await asyncio.sleep(reply.after)
        if attempt is not None:
            attempt.ok = reply.status == 200
            self.trace(f"answers {attempt}")
        if reply.status is None:
            writer.transport.abort()
            raise ConnectionResetError
        body = b"ok"
        writer.write(f"HTTP/1.1 {reply.status} Word\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    def sent(self, sent: SentRequest) -> None:
        super().sent(sent)
        attempt = self._sent.get(sent)
        if attempt is None:
            return
        for other in self.log.of(attempt.event.document_id):
            for each in self.attempts_of.get((attempt.wish.name, other.sequence), ()):
                if each is not attempt and each.process == attempt.process and each.ok is None:
                    self.fail("order", f"{attempt} while {each} is under way")


def _request(head: bytes, body: bytes, life: int, now: float) -> SentRequest:
    """A request that came, as if it had gone to the host that its path stands for."""
    method, path, version = head.split(b"\r\n", 1)[0].decode().split(" ")
    found = PATH.fullmatch(path)
    assert found is not None, path
    lines = head.split(b"\r\n", 1)[1]
    meant = f"{method} {found[2]} {version}\r\n".encode() + lines
    return SentRequest(OutgoingRequest(Target("https", found[1], 443), meant, body), life, now, 0)
