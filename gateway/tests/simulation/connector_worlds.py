"""Worlds with connectors: a vendor whose tokens end and whose refresh tokens are replaced, who wants fewer calls, fails
and loses its answers, while the database is away now and then, and processes of the gateway are killed.

A world is drawn from its seed and lives through some processes, each killed somewhere, and a last one in which all is
well. What is checked, by looking from outside:

- no token of a consent is used before the store has it;
- of one process, one request for a token is on its way at a time;
- no attempt is charged that failed for want of a token, or because the vendor wanted fewer calls, and never more than
  there were calls;
- every event is delivered, or skipped as the condition says, unless the vendor lets no one in any more;
- that happens only where the vendor takes no former refresh token, and an answer of it was lost.
"""

import asyncio
import json
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import apsw
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.network import VendorCall, VendorReply
from gateway.tests.world.vendors import HOST, KINDS, LOST, FakeVendor

from signalpost.domain.connection import Granted
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.errors import Unavailable
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.nouns.data_keys import load
from signalpost.store.sqlite.tables import codec_with
from signalpost.store.tables.connections import CONNECTION
from signalpost.store.vault import MasterKeys, Vault

WANTED = {"field": "document.title", "contains": "wanted"}
_CHARGED = (
    "SELECT e.id, count(*) FROM attempt a JOIN event e USING (tenant_id, sequence) WHERE a.counted = 1 GROUP BY e.id"
)
UNCHARGED = {Failure.UNAUTHORISED, Failure.THROTTLED, Failure.SKIPPED, Failure.INTERRUPTED}


class Plan(NamedTuple):
    sign_in: str
    token_seconds: float
    grace: float
    """For how many seconds a refresh token is good once it was replaced."""
    troubles: float
    """How many of the vendor's answers are no success."""
    lost: float
    """How many of them never arrive."""
    processes: int
    """How many are killed."""
    events: int
    """How many events each process makes."""
    pause: float
    """About how many seconds lie between two of them."""
    outages: float
    """In how many of these pauses the database does not answer."""
    commits: float
    """The seconds that a commit waits for its turn."""


def draw(random: Random) -> Plan:
    return Plan(
        sign_in=random.choice(("grant", "consent", "consent")),
        token_seconds=random.choice((5.0, 90.0, 1_800.0)),
        grace=random.choice((0.0, 1_800.0, 1_800.0)),
        troubles=random.choice((0.0, 0.1, 0.3)),
        lost=random.choice((0.0, 0.05, 0.2)),
        processes=random.choice((0, 1, 2, 4)),
        events=random.choice((3, 10, 20)),
        pause=random.choice((0.01, 2.0, 40.0)),
        outages=random.choice((0.0, 0.3)),
        commits=random.choice((0.0, 0.02)),
    )


class TokenUse:
    """Watches the vendor's door: which token is used, and how many are asked for at a time."""

    def __init__(self, world: ScriptedWorld, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        self._asked_until: dict[int, float] = {}
        """When the last request for a token of each process has been answered."""
        self._complaint: str | None = None
        """What was seen first that must not happen. It is raised later, because here the gateway would catch it."""

    def note_request(self, call: VendorCall, reply: VendorReply) -> None:
        """A token was asked for."""
        if call.at < self._asked_until.get(call.process, 0.0):
            self._complain(f"two requests for a token under way at {call.at:.3f}")
        self._asked_until[call.process] = call.at + reply.after

    def note_use(self, call: VendorCall) -> None:
        """A call was made with a token."""
        token = call.headers["authorization"].removeprefix("Bearer ")
        if self._plan.sign_in == "consent" and token not in self._kept():
            self._complain(f"{token} was used before it was kept")

    def _complain(self, of: str) -> None:
        self._complaint = self._complaint or of

    def check(self) -> None:
        """Raises Violation if something was seen that must not happen."""
        if self._complaint is not None:
            raise Violation(self._complaint)

    def _kept(self) -> set[str]:
        with closing(apsw.Connection(str(self._world.path))) as database:
            load(database, vault := Vault(MasterKeys([bytes(32)])))
            rows: list[Any] = database.execute(f"SELECT {CONNECTION.listed} FROM connection").fetchall()
        kept = [CONNECTION.unpack(row, codec_with(vault)).granted for row in rows]
        return {granted.access_token for granted in kept if granted is not None}


class UnreliableVendor(FakeVendor):
    """A vendor who fails as the plan says, until it is told to be well."""

    def __init__(self, plan: Plan, random: Random, watch: TokenUse) -> None:
        super().__init__(sign_in=plan.sign_in, token_seconds=plan.token_seconds, grace=plan.grace)
        self._plan = plan
        self._random = random
        self._watch = watch
        self.is_well = False
        self.lost_tokens = 0
        """Answers with a token that did not arrive."""
        self.take = self._troubled
        self.give = self._troubled_giving

    def answer(self, call: VendorCall) -> VendorReply:
        """Watches each call, and takes its time."""
        is_for_token = call.path == "/token"
        if not is_for_token:
            self._watch.note_use(call)
        reply = super().answer(call)._replace(after=0.01 if self.is_well else self._random.choice((0.001, 0.05, 1.5)))
        if is_for_token:
            self._watch.note_request(call, reply)
        return reply

    def _troubled(self, _call: VendorCall) -> VendorReply | None:
        if self.is_well:
            return None
        if self._random.random() < self._plan.lost:
            return LOST
        if self._random.random() < self._plan.troubles:
            return self._random.choice((VendorReply(429, headers={"retry-after": "7"}), VendorReply(503)))
        return None

    def _troubled_giving(self, _call: VendorCall) -> VendorReply | None:
        reply = self._troubled(_call)
        self.lost_tokens += reply is not None
        return reply


class ConnectorWorld:
    """One world from its beginning to its end."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = Random(seed)
        self.plan = draw(self.random)
        self.world = ScriptedWorld(folder / f"connectors-{seed}.db", seed)
        self.world.destinations = KINDS
        self.world.faults.late_publish = self.plan.commits
        self.watch = TokenUse(self.world, self.plan)
        self.vendor = UnreliableVendor(self.plan, self.random, self.watch)
        self.world.vendors[HOST] = self.vendor
        self.made = 0
        self.kills = 0

    def run(self) -> None:
        """Let everything happen. Raises Violation."""
        self.world.crash(self._begin)
        for _ in range(self.plan.processes):
            self.kills += 1
            self.world.faults.read = self.world.faults.publish = None
            self.world.crash(self._live, turns=self.random.randrange(200, 4_000))
            self.watch.check()
        self.vendor.is_well = True
        self.world.faults.read = self.world.faults.publish = None
        self.world.run(self._end)
        self.watch.check()
        self._check_attempts()

    async def _begin(self, gateway: RunningGateway) -> None:
        granted = Granted(refresh_token="refresh-0") if self.plan.sign_in == "consent" else None
        await gateway.connect("c", granted=granted, signIn=self.plan.sign_in)
        # A schedule on which nothing is given up while the vendor fails.
        await gateway.deliver("all", "c", delays=(5,) * 10)
        await gateway.deliver("some", "c", delays=(5,) * 10, when=WANTED)

    async def _live(self, gateway: RunningGateway) -> None:
        for _ in range(self.plan.events):
            self.made += 1
            name = f"{'wanted' if self.made % 3 == 0 else 'other'} {self.made}"
            await gateway.create(name)
            faults = self.world.faults
            if not self.vendor.is_well and self.random.random() < self.plan.outages:
                faults.read = faults.publish = Unavailable("The database does not answer.")
            await asyncio.sleep(self.random.random() * 2 * self.plan.pause)
            faults.read = faults.publish = None

    async def _end(self, gateway: RunningGateway) -> None:
        await self._live(gateway)
        if self._is_lost(gateway):
            return
        if not await self._all_settled(gateway):
            raise Violation("something still waits although all is well")
        await gateway.until_recorded()
        if self._is_lost(gateway):
            return
        for event in await gateway.log():
            self._check(gateway, event.id, event.sequence)

    async def _all_settled(self, gateway: RunningGateway) -> bool:
        for _ in range(1_000):
            self.watch.check()
            health = [gateway.health(name) for name in ("all", "some")]
            if not any(each["waiting"] or each["lag"] for each in health) or self._is_lost(gateway):
                return True
            await asyncio.sleep(1)
        return False

    def _is_lost(self, gateway: RunningGateway) -> bool:
        """Whether the vendor lets no one in any more, which it may only where it is that strict."""
        if gateway.connection("c").state != "broken":
            return False
        may_be = self.plan.sign_in == "consent" and self.plan.grace == 0.0 and (self.kills or self.vendor.lost_tokens)
        if not may_be:
            raise Violation("the connection was lost")
        return True

    def _check(self, gateway: RunningGateway, event_id: str, sequence: int) -> None:
        taken = [message for message in self.vendor.messages if message["event"] == event_id]
        title = taken[0]["text"] if taken else ""
        for name in ("all", "some"):
            ends = [attempt.failure for attempt in gateway.attempts(name, sequence)]
            given_up = sequence in self.world.deliveries(name)
            expected = [] if name == "some" and "wanted" not in title else [None]
            if not given_up and ends[-1:] != expected:
                raise Violation(f"event {sequence} ended at {name} with {ends[-1:]}, not with {expected}")
        if not taken:
            raise Violation(f"event {sequence} never came")

    def _check_attempts(self) -> None:
        charged = self.world.query("SELECT failure FROM attempt WHERE counted = 1 AND failure IS NOT NULL")
        if wrong := {failure for (failure,) in charged} & UNCHARGED:
            raise Violation(f"charged although it should not be: {wrong}")
        called = Counter(json.loads(call.body)["event"] for call in self.vendor.calls)
        for packed, times in self.world.query(_CHARGED):
            if times > called[unpack_uuid(packed)]:
                raise Violation(
                    f"{times} attempts were charged, and the vendor got {called[unpack_uuid(packed)]} calls"
                )


def simulate(seed: int, folder: Path) -> ConnectorWorld:
    """Run the world of a seed. Raises Violation."""
    world = ConnectorWorld(seed, folder)
    try:
        world.run()
    except BaseException as error:
        error.add_note(f"seed {seed}: {world.plan}")
        raise
    return world
