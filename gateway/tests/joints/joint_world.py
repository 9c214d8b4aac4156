"""Lets everything happen in a world of joints, and has the checkers look on."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import apsw
from gateway.tests.joints import plan as plans
from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.checkers.all import CHECKERS
from gateway.tests.joints.clients import Clients
from gateway.tests.joints.documents import Subject
from gateway.tests.joints.history import Attempt, ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.joints.plan import DAY, Plan
from gateway.tests.joints.receivers import Endpoint, JointVendor
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.folder import fresh
from gateway.tests.world.model.log import LoggedEvent, ModelLog
from gateway.tests.world.model.verdicts import Model, Slack
from gateway.tests.world.model.wishes import Again, Wish
from gateway.tests.world.network import Receiver, SentRequest, Vendor, VendorCall, VendorReply
from gateway.tests.world.socket_network import SocketNetwork
from gateway.tests.world.vendors import HOST, KINDS, TOKEN_PATH
from gateway.tests.world.virtual_time import BEGINNING
from gateway.tests.world.world import World

from signalpost.domain.event import EventType
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.engine.settings import EngineSettings
from signalpost.store.nouns.fleet import TenantMark
from signalpost.store.sqlite.codec import unpack_uuid

TENANT = 1
TRACED = 80
SLACK = Slack(webhook=0.05, vendor=5.0)
SLACK_OF_FLEETS = Slack(webhook=3.0, vendor=8.0, told=3.0)
"""A node hears a moment later what was changed at another, and how it was recorded."""
REJECTED = 422
UNCOUNTED = (401, 429)
HEARD = 0.9
MESSAGES_PATH = "/messages"
SAMPLE = LoggedEvent(0, "", "documentCreated", "", 0.0, 0.0, b"", {}, None)
"""Stands for the event of a sample, which is in no log."""
RECORDED_WITHIN = 3.0
"""The seconds in which a process surely records what it learned."""
CALM_ACTS = 4
"""How many things happen in calm, once all is well."""
A_FEW_BEATS = 10.0
AFTERWARDS = 8
"""How many more changes there are over sockets once all is well: what they cause goes over the connections that are
left."""
RESTS = 30.0
"""The seconds after which nothing is under way any more, once everything is settled."""
SETTLES_WITHIN = 12 * 3_600.0
"""The seconds in which everything must be settled once all is well: a delay may last for three hours."""


class JointWorld(World[JointNode]):
    def __init__(
        self,
        seed: int,
        folder: Path,
        given: Plan | None = None,
        traced: int = TRACED,
        counting: Callable[[str], bool] = lambda _rule: True,
        *,
        goes_on: bool = False,
    ) -> None:
        """`counting` says which rules count. A world that `goes_on` goes on where one was broken."""
        super().__init__(Random(seed))
        self.seed = seed
        self.plan = given or plans.draw(self.random)
        keeps_all = self.plan.keeps_days is None
        self.later = plans.draw_later(Random(f"in the past {seed}")) if keeps_all else ()
        self.path = folder / f"joints-{seed}-{id(self)}.db"
        fresh(1).write(self.path)
        self.destinations = KINDS
        self.log = ModelLog()
        self.model = Model(self.log, SLACK if self.plan.nodes == 1 else SLACK_OF_FLEETS)
        if self.plan.keeps_days is not None:
            self.model.keeps = self.plan.keeps_days * DAY
        self.clients = Clients(self)
        self.endpoints: dict[str, Endpoint] = {}
        self.vendor_there = JointVendor(self.plan, self.random)
        self.attempts_of: dict[tuple[str, int], list[Attempt]] = {}
        """The attempts of each subscription and event."""
        self.attempts_by: dict[str, list[Attempt]] = {}
        """The attempts of each subscription."""
        self.tokens_asked: list[VendorCall] = []
        self.attempts = 0
        self.counts: Counter[str] = Counter()
        self.complaints: dict[str, str] = {}
        """The first complaint of each rule that was broken."""
        self.is_healing = False
        self.healed_at = inf
        """When everything was made well."""
        self.erasing: dict[str, Subject] = {}
        """Documents whose erasure was asked for, by the erasure's id."""
        self._unread_until: dict[int, float] = {}
        """Until when the database did not answer each process."""
        self._started: dict[int, float] = {}
        """When each process had started."""
        self._ended: dict[int, float] = {}
        """When each process ended."""
        self._counting = counting
        self._goes_on = goes_on
        self._sent: dict[SentRequest, Attempt] = {}
        self._trace: deque[str] = deque(maxlen=traced)
        self._connection = apsw.Connection(str(self.path))
        self._connection.set_busy_timeout(1_000)
        self.checkers: list[Checker] = [make(self) for make in CHECKERS]

    # --- What is seen -------------------------------------------------------------------------------------------------

    @property
    def wishes(self) -> Mapping[str, Wish]:
        return self.clients.owners.wishes

    def rows(self, statement: str, *bindings: Any) -> list[Any]:
        """The rows of a statement that an onlooker carries out on the database."""
        return self._connection.execute(statement, bindings).fetchall()

    def read_log(self) -> None:
        """Take note of the events that are in the log by now."""
        rows = self.rows(
            "SELECT sequence, at, id, type, document_id, body FROM event WHERE tenant_id = ? AND sequence > ?"
            " ORDER BY sequence",
            TENANT,
            len(self.log.events),
        )
        for sequence, at, identity, kind, document_id, body in rows:
            of, name = unpack_uuid(document_id), EventType(kind).wire
            document = json.loads(body)["data"]["document"]
            before = self.log.before(of, name == "documentCreated")
            event = LoggedEvent(
                sequence, unpack_uuid(identity), name, of, (at - BEGINNING) / SECOND, self.time.now, body, document,
                before,
            )  # fmt: skip
            self.log.add(event)
            for each in self.checkers:
                each.logged(event)

    def written(self, at: float) -> str:
        """A moment of this world, as the API writes it."""
        return format_timestamp(BEGINNING + round(at * SECOND))

    def trace(self, what: object) -> None:
        self._trace.append(f"{self.time.now:14.3f}  {what}")

    def fail(self, rule: str, message: str) -> None:
        """Take note that a rule of the model was broken."""
        if self._counting(rule):
            self.complaints.setdefault(rule, message)

    def judge(self) -> None:
        """Raise Violation if a rule was broken, unless the world is to go on all the same."""
        if self.complaints and not self._goes_on:
            rule, message = next(iter(self.complaints.items()))
            raise Violation(f"{rule}: {message}")

    def answered(self, asked: ClientCall) -> None:
        for each in self.checkers:
            each.answered(asked)

    def retried(self, wish: Wish, event: LoggedEvent) -> None:
        """A client is about to ask for a delivery once more."""

    def resent(self, wish: Wish, again: Again, asked: ClientCall, event: LoggedEvent | None) -> None:
        """A retry by hand or a replay was answered."""
        for each in self.checkers:
            each.resent(wish, again, asked, event)

    def note_erasure(self, subject: Subject, asked: ClientCall) -> None:
        """An erasure was answered."""
        assert asked.answer is not None
        self.erasing[asked.answer.json["id"]] = subject
        self.model.erased[subject.id] = (asked.begun, float("inf"))

    async def follow_erasures(self, node: JointNode) -> None:
        """Look which erasures are done."""
        for identity, subject in list(self.erasing.items()):
            found = await self.clients.read(node, f"/v1/erasures/{identity}")
            if found is not None and found["state"] == "finished" and self.erasing.pop(identity, None) is not None:
                self.trace(f"erased: {subject.word}")
                self.model.erased[subject.id] = (self.model.erased[subject.id][0], self.time.now)

    # --- What is known of attempts ------------------------------------------------------------------------------------

    def is_under_way(self, attempt: Attempt) -> bool:
        """Whether its process waits for an answer."""
        return attempt.ok is None and not attempt.is_lost and attempt.process not in self._ended

    def over_at(self, attempt: Attempt) -> float:
        """When its outcome was known, or its process ended."""
        return min(attempt.ended_at, self._ended.get(attempt.process, inf))

    def is_recorded(self, attempt: Attempt) -> bool:
        """Whether its process surely had the time to record the outcome."""
        return self.recorded_by(attempt) < inf

    def recorded_by(self, attempt: Attempt) -> float:
        """When the outcome was surely recorded; infinite if it perhaps never was."""
        by = max(attempt.ended_at, self._unread_until.get(attempt.process, 0.0)) + RECORDED_WITHIN
        return by if attempt.ok is not None and by < self._ended.get(attempt.process, inf) else inf

    def able_since(self, process: int) -> float:
        """Since when a process is surely able to do its work."""
        return max(self._started.get(process, inf), self._unread_until.get(process, 0.0))

    def may_be_over(self, wish: Wish, attempts: Sequence[Attempt]) -> bool:
        """Whether what these attempts were for may have been delivered or given up."""
        failed = sum(each.ok is not True for each in attempts)
        is_done = any(each.ok or each.is_rejected for each in attempts)
        return is_done or failed > min(len(delays) for delays in wish.delays.ever())

    def is_surely_over(self, wish: Wish, attempts: Sequence[Attempt]) -> bool:
        """Whether what these attempts were for was surely delivered or given up, once at least."""
        recorded = [each for each in attempts if self.is_recorded(each)]
        failed = sum(each.ok is False and not each.is_uncounted for each in recorded)
        is_done = any(each.ok or each.is_rejected for each in recorded)
        return is_done or failed > max(len(delays) for delays in wish.delays.ever())

    # --- The database, as it is on the disk ---------------------------------------------------------------------------

    def raw(self) -> bytes:
        """The bytes of the database's files."""
        files = [self.path.with_name(f"{self.path.name}{ending}") for ending in ("", "-wal")]
        return b"".join(each.read_bytes() for each in files if each.exists())

    def tables_with(self, word: str) -> list[str]:
        """The tables that have a word."""
        return [
            table
            for (table,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if any(word in str(row) for row in self.rows(f"SELECT * FROM {table}"))
        ]

    def announced(self, by: JointNode, marks: Mapping[int, TenantMark]) -> None:
        """A node announces what it committed. Most announcements arrive."""
        for node in self.running:
            if node is not by and node.has_started and self.random.random() < HEARD:
                node.loop.call_later(self.random.uniform(0.0, 0.02), node.store.fleet.on_marks, marks)

    # --- The network --------------------------------------------------------------------------------------------------

    def receiver(self, host: str) -> Receiver:
        return self.clients.endpoint_tokens.receiver(self._endpoint(host))

    def _endpoint(self, host: str) -> Endpoint:
        if (shadow := self.clients.shadows.by_host.get(host)) is not None:
            return shadow.endpoint
        found = self.endpoints.get(host)
        if found is None:
            found = self.endpoints[host] = Endpoint(self.plan, self.random)
            found.is_well = self.is_healing
        return found

    def vendor(self, host: str) -> Vendor | None:
        if self.clients.endpoint_tokens.has(host):
            return self.clients.endpoint_tokens
        return self if host == HOST else None

    def answer(self, call: VendorCall) -> VendorReply:
        """See `Vendor`."""
        reply = self.vendor_there.answer(call)
        if call.path == TOKEN_PATH:
            self.trace(f"asks for a token: {reply.status}")
            self.tokens_asked.append(call)
            for each in self.checkers:
                each.token_asked(call)
            return reply
        message = json.loads(call.body) if call.path == MESSAGES_PATH else {"text": ""}
        if not message["text"]:
            return reply
        wish = self.wishes[message["text"].partition("|")[0]]
        attempt = self._note(
            wish, message["event"], call.process, f"https://{call.host}{call.path}", call.headers, call.body
        )
        is_taken = reply.failure is None and 200 <= reply.status < 300
        attempt.is_uncounted = reply.failure is None and reply.status in UNCOUNTED
        attempt.is_rejected = reply.failure is None and reply.status == REJECTED
        node = next(each for each in self.running if each.number == call.process)
        node.loop.call_later(reply.after, self._end, attempt, is_taken, reply.status)
        return reply

    def sent(self, sent: SentRequest) -> None:
        wish = self.clients.shadows.original_at(sent.host) or self.wishes[sent.host.partition(".")[0]]
        if self.clients.shadows.sent(sent, wish):
            return
        if sent.is_test:
            sample = Attempt(wish, SAMPLE, self.time.now, sent.process, f"https://{sent.host}{sent.path}", sent.headers,
                             sent.body, sent.certificate)  # fmt: skip
            for each in self.checkers:
                each.tried(sample)
            return
        self._sent[sent] = self._note(
            wish, sent.event_id, sent.process, f"https://{sent.host}{sent.path}", sent.headers, sent.body,
            sent.certificate,
        )  # fmt: skip

    def ended(self, sent: SentRequest) -> None:
        if self.clients.shadows.ended(sent):
            return
        attempt = self._sent.pop(sent, None)
        if attempt is None:
            return
        if sent.is_cut:
            attempt.is_lost, attempt.ended_at = True, self.time.now
        else:
            attempt.is_uncounted = sent.is_unauthorised
            self._end(attempt, sent.is_delivered, sent.outcome)

    def _note(
        self,
        wish: Wish,
        event_id: str,
        process: int,
        url: str,
        headers: dict[str, str],
        body: bytes,
        certificate: bytes = b"",
    ) -> Attempt:
        self.read_log()
        event = next(each for each in reversed(self.log.events) if each.id == event_id)
        attempt = Attempt(wish, event, self.time.now, process, url, headers, body, certificate)
        self.attempts += 1
        self.trace(f"sends {attempt}")
        for each in self.checkers:
            each.sent(attempt)
        self.attempts_of.setdefault((wish.name, event.sequence), []).append(attempt)
        self.attempts_by.setdefault(wish.name, []).append(attempt)
        return attempt

    def _end(self, attempt: Attempt, is_taken: bool, why: object) -> None:
        attempt.ok, attempt.ended_at = is_taken, self.time.now
        self.trace(f"ended {attempt} {'' if is_taken else why}")
        for each in self.checkers:
            each.ended(attempt)

    def unhandled(self, process: JointNode, context: dict[str, Any]) -> None:
        self.fail("defects", f"an error that nobody handles: {context}")

    def database_broke(self, process: JointNode, error: BaseException) -> None:
        self.fail("defects", f"the database broke: {error!r}")

    def logged(self, line: str) -> None:
        for each in self.checkers:
            each.line(line)

    def work_seconds(self) -> float:
        """How long a thread takes for a piece of work."""
        return self.random.random() * self.plan.commit_seconds

    # --- What happens -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let everything happen. Raises Violation."""
        for _ in range(self.plan.nodes):
            self.start()
        troubles = [*["kill"] * self.plan.kills, *["freeze"] * self.plan.freezes, *["unread"] * self.plan.troubles]
        troubles += ["part"] * self.plan.partings
        self.random.shuffle(troubles)
        lasts = self.plan.acts * max(self.plan.pauses) / (len(troubles) + 1)
        for trouble in troubles:
            self._live(self.random.random() * lasts)
            node = self.random.choice(self.running)
            self.counts[trouble] += 1
            match trouble:
                case "kill":
                    self._replace(node)
                case "freeze":
                    self._freeze(node)
                case "part":
                    self._part(node)
                case _ if node.has_started:  # one that cannot read its store does not start
                    node.faults.until = self.time.now + self.random.choice((0.5, 5.0))
                    self._unread_until[node.number] = node.faults.until
        self._live(None)
        self._heal()

    def start(self) -> None:
        """Start a process."""
        days = self.plan.keeps_days or EngineSettings().retention_days
        node = JointNode(self, EngineSettings(disable_after_days=0, retention_days=days))
        self.trace(f"process {node.number} starts")
        node.clients.append(node.loop.create_task(self._serve(node)))

    def _replace(self, node: JointNode) -> None:
        """End a process at once, and start another a little later."""
        self.trace(f"process {node.number} is killed")
        node.kill()
        self._lose(node)
        self._live_on(self.random.choice(self.plan.downtimes))
        self.start()

    def _freeze(self, node: JointNode) -> None:
        """Let a node stand still for a while. Others may take over what it had."""
        self.trace(f"process {node.number} stands still")
        node.is_frozen = True
        self._lose(node)
        self._live_on(self.random.choice((1.0, 7.0, 20.0)))
        self.trace(f"process {node.number} goes on")
        node.is_frozen = False

    def _part(self, node: JointNode) -> None:
        """Cut a node off from all endpoints for a while."""
        seconds = self.random.choice((1.0, 7.0, 60.0))
        self.trace(f"process {node.number} reaches no endpoint for {seconds} s")
        assert isinstance(node.network, SocketNetwork)
        node.network.part(seconds)

    def _lose(self, node: JointNode) -> None:
        """From now on the model does not rely on what a process has under way, or records."""
        self._ended.setdefault(node.number, self.time.now)

    def _live_on(self, seconds: float) -> None:
        """Let so much time pass for those processes that run."""
        end = self.time.now + seconds
        while self.next_event < end:
            self._step()
        self.time.now = max(self.time.now, end)

    async def _serve(self, node: JointNode) -> None:
        await node.start()
        self._started[node.number] = self.time.now
        await self.clients.ask_again(node)
        await self.clients.owners.begin(node)
        reads = self.clients.reads
        await asyncio.gather(self.clients.live(node), self.clients.live(node), reads.live(node), reads.live(node))

    def _live(self, seconds: float | None) -> None:
        """Let the clients do what they do, to the end or for some seconds."""
        end = inf if seconds is None else self.time.now + seconds
        while self.next_event < end and not all(node.clients[0].done() for node in self.running):
            self._step()
        for node in self.running:
            if node.clients[0].done():
                node.clients[0].result()

    def _step(self) -> None:
        self.step()
        self.judge()

    def _finish(self, task: "asyncio.Task[None]") -> None:
        while not task.done():
            self._step()
        task.result()
        self.judge()

    def _heal(self) -> None:
        self.trace("all is well from now on")
        node = self.running[0]
        self.is_healing = True
        self.healed_at = self.time.now
        self.vendor_there.is_well = True
        for endpoint in self.endpoints.values():
            endpoint.is_well = True
        self.clients.shadows.heal()
        for each in self.running:
            each.faults.until = 0.0
            if isinstance(each.network, SocketNetwork):
                each.network.heal()
        self._finish(node.loop.create_task(self._settle(node)))
        if self.plan.nodes > 1:
            self._act_in_calm(node)
        self._finish(node.loop.create_task(self._conclude(node)))
        for each in list(self.running):
            self._finish(each.loop.create_task(self._close(each)))
            each.kill()

    def _act_in_calm(self, node: JointNode) -> None:
        """A few things happen, each by itself and through any node, so that nothing else wakes those that have to do
        something about it."""
        for _ in range(CALM_ACTS):
            asked = self.random.choice(self.running)
            self._finish(asked.loop.create_task(self.clients.owners.act(asked)))
            self._finish(node.loop.create_task(asyncio.sleep(A_FEW_BEATS)))
            alone = {number for (number,) in self.rows("SELECT subscription_number FROM lane WHERE owner IS NULL")}
            alone -= {each.number for each in node.engine.directory.all_subscriptions() if each.is_read}
            if alone:
                self.fail("owners", f"no node owns {alone} after process {asked.number} was asked for something")

    async def _settle(self, node: JointNode) -> None:
        while self.clients.open:
            await self.clients.ask_again(node)
            await asyncio.sleep(0.1)
        await self._resume(node)
        await self._has_settled(node)

    async def _resume(self, node: JointNode) -> None:
        await self.clients.owners.reconnect_all(node)
        await self.clients.owners.resume_all(node)
        await self.clients.shadows.resume_all(node)
        await self.clients.reads.resume_all(node)
        await self.clients.owners.hurry_some(node)

    async def _conclude(self, node: JointNode) -> None:
        if self.plan.nodes > 1:
            await self._resume(node)
        if not await self._has_settled(node):
            return
        if self.plan.wires is not None:
            await self._lose_connections(node)
            if not await self._has_settled(node):
                return
        elif self.plan.nodes == 1:  # the beats of a fleet make an hour slow
            await self.clients.owners.sign_after_rotations(node)
        await asyncio.sleep(RESTS if self.plan.wires is None else RESTS + self.plan.wires.kept_seconds)
        for each in self.running:
            self._check_rest(each)
        self.read_log()
        for checker in self.checkers:
            await checker.finished(node)
        await self.clients.shadows.finished(node)
        self.clients.reads.finished()

    async def _has_settled(self, node: JointNode) -> bool:
        """Wait until nothing has anything left to do. Returns whether that came."""
        end = self.time.now + SETTLES_WITHIN
        wait = 1.0
        while (unsettled := await self._unsettled(node)) is not None:
            await self.follow_erasures(node)
            if self.time.now > end:
                self.fail("settling", f"still not settled: {unsettled}")
                return False
            await asyncio.sleep(wait)
            wait = min(wait * 2, 600.0)
        return True

    async def _lose_connections(self, node: JointNode) -> None:
        """Have connections forgotten while they are idle, and then some changes."""
        for each in self.running:
            assert isinstance(each.network, SocketNetwork)
            each.network.forget()
        self.healed_at = self.time.now
        for _ in range(AFTERWARDS):
            await self.clients.documents.act(node)
            await asyncio.sleep(self.random.choice((0.0, 3.0)))

    def _check_rest(self, node: JointNode) -> None:
        """Nothing is under way any more at a node."""
        if node.engine.lanes.in_flight:
            self.fail("leaks", f"{node.engine.lanes.in_flight} slots are taken, and nothing is under way")
        if isinstance(node.network, SocketNetwork):
            node.network.check_rest()

    async def _unsettled(self, node: JointNode) -> str | None:
        """What a subscription says that it has still to do; None if none does."""
        for wish in self.wishes.values():
            found = None if wish.deleted.last else await self.clients.read(node, f"/v1/subscriptions/{wish.id}")
            if found is None:
                continue
            if found["status"] == "disabled":
                await self.clients.owners.resume_all(node)
                return f"{wish} was disabled"
            health = found["health"]
            if health["lag"] or health["waiting"] or health["oldestDueAt"] is not None:
                return f"{wish}: {health}"
            for replay in (await self.clients.read(node, f"/v1/subscriptions/{wish.id}/replays"))["data"]:
                if replay["state"] == "running" or replay["waiting"]:
                    return f"{wish}: {replay}"
        if (unsettled := await self.clients.shadows.unsettled(node)) is not None:
            return unsettled
        if (unsettled := await self.clients.reads.unsettled(node)) is not None:
            return unsettled
        return next(filter(None, [each.unsettled() for each in self.checkers]), None)

    async def _close(self, node: JointNode) -> None:
        await node.engine.close(6.0)
        await node.store.close()

    def close(self) -> None:
        """Let go of everything."""
        for node in list(self.running):
            node.kill()
        self._connection.close()
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(f"{self.path.name}{ending}").unlink(missing_ok=True)

    def last_steps(self) -> list[str]:
        return [f"{self.plan}", *self._trace]
