"""One of both lives: what happens in it, and what is seen."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from gateway.tests.joints.foretold.drawn import SETTLED, Draw, Subscriber
from gateway.tests.joints.joint_world import TENANT, JointWorld
from gateway.tests.joints.node import JointNode
from gateway.tests.joints.plan import HOUR, draw
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.network import Reply, SentRequest, VendorCall, VendorReply
from gateway.tests.world.vendors import FakeVendor

from signalpost.store.nouns.fleet import TenantMark
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid

PERIOD = {"from": "2000-01-01T00:00:00Z"}
DAY = 24 * HOUR


class ForetoldWorld(JointWorld):
    """One life: of the subscription as it is, or (`is_changed`) as it was rehearsed to be."""

    def __init__(self, seed: int, folder: Path, drawn: Draw, *, is_changed: bool) -> None:
        plan = draw(Random(seed))._replace(nodes=drawn.nodes, reply_after=(0.01,), failing=0.0, barring=0.0)
        super().__init__(seed, folder, plan)
        self.checkers = []
        self.drawn = drawn
        self.is_changed = is_changed
        self.statuses: list[int] = []
        """What each step was answered with."""
        self.sent_to: dict[str, list[int]] = {}
        """The sequences that each subscription sent, by its name."""
        self.texts: dict[str, str] = {}
        """What the vendor was told of each document's event, by subscription and sequence."""
        self.failed: dict[str, set[int]] = {}
        """The sequences of each subscription of which nothing could be made."""
        self.kept: dict[str, int] = {}
        """The events that are there in the end, and not erased: the sequence of each id."""
        self.foretold: list[Any] = []
        """The rehearsal of the change, as each node answers it."""
        self.foretold_of_draft: Any = None
        """The rehearsal of a new subscription."""
        self.replayed: set[int] | None = None
        """What a replay of the rehearsal sent; None if there was none."""
        self.is_held_up = False
        """Whether what is left of a subscription waits, because it was disabled or its breaker is open."""
        self.past_is_held_up = False
        """The same of the one that begins in the past, where all that is refused comes in a row."""
        self._ids: dict[str, str] = {}
        self._connection_id = ""
        self._vendor = FakeVendor()

    # --- What is seen -------------------------------------------------------------------------------------------------

    def receiver(self, _host: str) -> Any:
        """An endpoint takes everything."""
        return _Well()

    def answer(self, call: VendorCall) -> VendorReply:
        """The vendor takes everything."""
        message = json.loads(call.body)
        name, _, text = message["text"].partition("|")
        [(sequence,)] = self.rows("SELECT sequence FROM event WHERE id = ?", pack_uuid(message["event"]))
        self._note_sent(name, sequence)
        self.texts[f"{name} {sequence}"] = text
        return self._vendor.answer(call)

    def sent(self, sent: SentRequest) -> None:
        """Take note of a webhook."""
        self._note_sent(sent.host.partition(".")[0], sent.sequence)

    def ended(self, _sent: SentRequest) -> None:
        """Nothing fails."""

    def _note_sent(self, name: str, sequence: int) -> None:
        self.trace(f"{name} sends {sequence}")
        self.sent_to.setdefault(name, []).append(sequence)

    def announced(self, by: JointNode, marks: Mapping[int, TenantMark]) -> None:
        """Every announcement arrives: what comes late is for other worlds."""
        for node in self.running:
            if node is not by and node.has_started:
                node.loop.call_later(0.001, node.store.fleet.on_marks, marks)

    def work_seconds(self) -> float:
        """How long a thread takes for a piece of work: the same in both lives."""
        return 0.0002

    # --- What happens -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Live through the history, and ask in the end."""
        self._begin()
        if self.drawn.restarts:
            self._stop()
            self._begin()
        node = self.running[0]
        self._finish(node.loop.create_task(self._look(node)))
        self._stop()

    def _begin(self) -> None:
        for _ in range(self.plan.nodes):
            self.start()
        self._finish(self.running[0].clients[0])

    def _stop(self) -> None:
        for node in list(self.running):
            self._finish(node.loop.create_task(self._close(node)))
            node.kill()

    async def _serve(self, node: JointNode) -> None:
        await node.start()
        await asyncio.sleep(SETTLED)
        if node.number == 1:
            await self._live_through(node)

    async def _live_through(self, node: JointNode) -> None:
        drawn, wanted = self.drawn, self.drawn.then if self.is_changed else self.drawn.now
        if wanted.kind != "webhook":
            connection = {"kind": wanted.kind, "name": "vendor", "config": {"signIn": "nothing"}}
            self._connection_id = (await self._ask(node, "POST", "/v1/connections", connection))["id"]
        if self.is_changed:
            await self._subscribe(node, "draft", wanted)
        retypes = None if self.is_changed and "eventTypes" in drawn.changed else drawn.retypes
        for number, step in enumerate(drawn.steps):
            if number == drawn.begins:
                await self._until(step.at - SETTLED)
                await self._subscribe(node, "s", wanted)
            if retypes is not None and number == retypes[0]:
                await self._until(step.at - 0.25)
                await self._ask(node, "PATCH", f"/v1/subscriptions/{self._ids['s']}", {"eventTypes": retypes[1]})
            await self._until(step.at)
            answer = await node.call(step.method, step.path, step.body)
            self.trace(f"{step} → {answer.status}")
            self.statuses.append(answer.status)
        await asyncio.sleep(drawn.longest)
        if drawn.prunes:
            await self._ask(node, "PATCH", "/v1/tenants/default", {"retentionDays": 1})
            await self._until(drawn.steps[len(drawn.steps) // 2].at + DAY + 700.0)

    async def _until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - self.time.now))

    async def _ask(self, node: JointNode, method: str, path: str, body: Any = None) -> Any:
        """What a call is answered that must be done."""
        answer = await node.call(method, path, body)
        self.trace(f"{method} {path} {body} → {answer.status}")
        if answer.status >= 300:
            raise Violation(f"answers: {method} {path} {body}: {answer}")
        return answer.json

    async def _subscribe(self, node: JointNode, name: str, wanted: Subscriber, **begins: Any) -> None:
        # What cannot be made is not tried again: a retry would send it once the change is saved, and no replay.
        body = {**self._body(name, wanted), "name": name, "retryDelays": [], **begins}
        made = await self._ask(node, "POST", "/v1/subscriptions", body)
        self._ids[name] = made["id"]

    def _body(self, name: str, wanted: Subscriber) -> dict[str, Any]:
        if wanted.kind == "webhook":
            return {"url": f"https://{name}.example/", **wanted.body(name)}
        return {"kind": wanted.kind, "connection": self._connection_id, **wanted.body(name)}

    # --- What is asked in the end -------------------------------------------------------------------------------------

    async def _look(self, node: JointNode) -> None:
        """Take note of what became of all."""
        kept = "SELECT e.id, sequence, body FROM event e JOIN tenant t ON t.id = tenant_id WHERE t.id = ?"
        for identity, sequence, body in self.rows(f"{kept} AND sequence >= floor", TENANT):
            if json.loads(body)["data"]["document"] is not None:
                self.kept[unpack_uuid(identity)] = sequence
        for name, identity in self._ids.items():
            found = await self._ask(node, "GET", f"/v1/subscriptions/{identity}/deliveries?status=failed&limit=250")
            self.failed[name] = {each["sequence"] for each in found["data"]}
            self.is_held_up |= await self._is_held_up(node, name)
        if not self.is_changed:
            await self._rehearse(node)

    async def _is_held_up(self, node: JointNode, name: str) -> bool:
        """Whether what is left of a subscription waits, because too much in a row failed."""
        health = (await self._ask(node, "GET", f"/v1/subscriptions/{self._ids[name]}"))["health"]
        return bool(health["state"] == "disabled" or health["breaker"] == "open")

    @property
    def _can_be_replayed(self) -> bool:
        """Whether a replay sends what the change sends more. Present types count for all that it sends, it is asked now
        what must still be so, and the latest wins."""
        now, then, changed = self.drawn.now, self.drawn.then, self.drawn.changed
        has_one_time = not (now.asks_newest or then.asks_newest) and then.kind != "setting"
        return has_one_time and (self.drawn.retypes is None or "eventTypes" in changed)

    async def _rehearse(self, node: JointNode) -> None:
        """Ask what would have been sent. Then make it so, and see what is sent."""
        drawn, then = self.drawn, self.drawn.then
        path = f"/v1/subscriptions/{self._ids['s']}"
        change = {each: then.member(each, "s") for each in drawn.changed}
        for each in self.running:
            told = await self._ask(each, "POST", f"{path}/rehearsals", {**PERIOD, "change": change})
            self.foretold.append(told)
        draft = {**PERIOD, "subscription": self._body("past", then)}
        self.foretold_of_draft = told_of_draft = await self._ask(node, "POST", "/v1/subscriptions/rehearsals", draft)
        if not then.asks_newest:
            await self._subscribe(node, "past", then, startsAfter=told_of_draft["fromSequence"] - 1)
            await asyncio.sleep(2 * SETTLED)
            self.past_is_held_up = await self._is_held_up(node, "past")
        if self._can_be_replayed:
            sent = set(self.sent_to.get("s", ()))
            await self._ask(node, "PATCH", path, change)
            await self._ask(node, "POST", f"{path}/replays", {"rehearsal": self.foretold[0]["id"]})
            await asyncio.sleep(2 * SETTLED)
            again = self.sent_to.get("s", [])[len(sent) :]
            self.replayed, self.sent_to["s"] = set(again), [*sent]


class _Well:
    def answer(self, _sent: SentRequest) -> Reply:
        """See `Receiver`."""
        return Reply()
