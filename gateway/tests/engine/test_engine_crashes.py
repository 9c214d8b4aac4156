"""Crashes at any moment: nothing is lost, and no more is repeated than what was sent and not yet recorded (C16)."""

import asyncio
from random import Random
from typing import Any

import pytest
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld, types
from gateway.tests.examples import cases
from gateway.tests.world.network import BROKEN, HANG, REFUSED, Reply, SentRequest

from signalpost.commands.command import Command
from signalpost.commands.subscriptions import PatchSubscription
from signalpost.domain.delivery.delivery import State
from signalpost.domain.errors import SignalpostError
from signalpost.domain.subscription import Subscription, wanted
from signalpost.domain.timestamps import SECOND

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOSTS = ("plain", "strict", "picky", "limited", "flaky")
CRASHES = 5
"""How often each world crashes."""


class Auditor:
    """Knows at every request what the database and the requests of this process allow."""

    def __init__(self, world: ScriptedWorld) -> None:
        self._world = world
        self._counted: dict[tuple[str, int], int] = {}
        self._settled: set[tuple[str, int]] = set()
        self._due: dict[tuple[str, int], int] = {}
        self._bodies: dict[int, tuple[str, bytes]] = {}
        world.checks.append(self.check)

    def read(self) -> None:
        """What was recorded when the last process ended."""
        world = self._world
        self._counted, self._settled, self._due = {}, set(), {}
        for host in world.ids:
            for sequence, failure, counted, run in world.query(
                "SELECT sequence, failure, counted, run FROM attempt WHERE subscription_number ="
                " (SELECT number FROM subscription WHERE id = ?)",
                bytes.fromhex(world.ids[host].replace("-", "")),
            ):
                assert run == 0
                if failure is None:
                    assert (host, sequence) not in self._settled, "delivered twice and recorded twice"
                    self._settled.add((host, sequence))
                elif counted:
                    self._counted[host, sequence] = self._counted.get((host, sequence), 0) + 1
            for row in world.deliveries(host).values():
                if row.state == State.AWAITING_RETRY:
                    self._due[host, row.sequence] = row.due

    def check(self, call: SentRequest) -> None:
        key = (call.host, call.sequence)
        assert key not in self._settled, f"recorded as delivered, and sent again: {call}"
        known = self._counted.get(key, 0)
        assert call.attempt == known + 1, f"{known} failures are known: {call}"
        assert not call.is_replay
        due = self._due.pop(key, None)
        assert due is None or self._world.wall.at(call.at) >= due, f"before its time: {call}"
        identity = self._bodies.setdefault(call.sequence, (call.event_id, call.body))
        assert identity == (call.event_id, call.body)

    def ended(self, call: SentRequest) -> None:
        key = (call.host, call.sequence)
        if call.is_delivered:
            self._settled.add(key)
        elif call.outcome is not None and call.outcome.failure != "cut":
            self._counted[key] = self._counted.get(key, 0) + 1


def _workload(world: ScriptedWorld, random: Random) -> Command[Any]:
    kind = random.random()
    name = f"d{random.randrange(12)}"
    if kind < 0.25:
        return world.create(f"{name}-{random.randrange(10**6)}")
    if kind < 0.9:
        return world.update(name)
    host = random.choice(HOSTS)
    changes: list[dict[str, Any]] = [
        {"eventTypes": random.randrange(1, 8)},
        {"ordering": random.choice(["loose", "strict"])},
        {"status": "paused"},
        {"status": "active"},
        {"status": "active"},
        {"rateLimit": random.choice([None, 5, 50])},
    ]
    return PatchSubscription(
        tenant_id=TENANT, subscription_id=world.ids[host], patch=subscription_patch(**random.choice(changes))
    )


def _answers(random: Random) -> Reply:
    chance = random.random()
    if chance < 0.55:
        return Reply(after=random.choice([0.001, 0.01, 0.3, 2.0]))
    if chance < 0.85:
        return BROKEN
    if chance < 0.95:
        return random.choice([REFUSED, HANG])
    return Reply(status=429, retry_after=str(random.randrange(40)))


@pytest.mark.parametrize("seed", cases(range(12), range(0, 12, 2)))
def test_nothing_is_lost_and_only_the_unrecorded_is_repeated_over_crashes_c16(world: ScriptedWorld, seed: int) -> None:
    world.random.seed(seed)
    random = Random(seed)
    auditor = Auditor(world)
    world.on_end = auditor.ended

    async def begin(gateway: RunningGateway) -> None:
        await gateway.submit(
            world.subscription("plain"),
            world.subscription("strict", ordering="strict"),
            world.subscription("picky", types=types("documentUpdated")),
            world.subscription("limited", rateLimit=7),
            world.subscription("flaky", delays=(1, 2, 4, 8)),
        )
        await gateway.create(*(f"d{number}" for number in range(12)))

    async def work(gateway: RunningGateway) -> None:
        while True:
            for _ in range(random.randrange(1, 6)):
                commands = [_workload(world, random) for _ in range(random.randrange(1, 8))]
                for answer in await asyncio.gather(
                    *(gateway.engine.submit(command) for command in commands), return_exceptions=True
                ):
                    assert not isinstance(answer, BaseException) or isinstance(answer, SignalpostError), answer
            await asyncio.sleep(random.choice([0.001, 0.02, 0.5, 12.0, 70.0]))

    async def end(gateway: RunningGateway) -> list[Subscription]:
        for host in HOSTS:
            world.endpoint(host).answers(Reply())
            await gateway.change(host, status="active", rateLimit=None)
        await asyncio.sleep(3_600)
        return [gateway.of(host) for host in HOSTS]

    world.run(begin)
    for host in HOSTS:
        world.endpoint(host).answer = lambda _call: _answers(random)
    cache = random.choice([1, 3_000, 64_000_000])
    for _ in range(CRASHES):
        auditor.read()
        world.crash(work, turns=random.randrange(1, random.choice([30, 300, 3_000])), cache_bytes=cache)
        world.time.now += random.choice([0.0, 1.0, 50.0])
    auditor.read()
    found = world.run(end, cache_bytes=cache)

    assert [entry for entry in world.logs if entry["level"] == "error"] == []
    log = world.query("SELECT sequence, type FROM event WHERE tenant_id > 0 ORDER BY sequence")
    assert [sequence for sequence, _ in log] == list(range(1, len(log) + 1))
    for subscription in found:
        (host,) = (host for host in HOSTS if world.ids[host] == subscription.id)
        asked_for = {
            sequence
            for sequence, event_type in log
            if sequence > subscription.starts_after and event_type & wanted(subscription.filters, sequence)
        }
        delivered = set(world.endpoint(host).sequences)
        failed = {row.sequence for row in world.deliveries(host).values() if row.state == State.FAILED}
        assert {row.state for row in world.deliveries(host).values()} <= {State.FAILED}
        assert delivered | failed == asked_for, f"{host}: lost {sorted(asked_for - delivered - failed)}"
        for sequence in failed:
            counted = [a for a in world.attempts(host, sequence) if a.counted]
            assert len(counted) == subscription.attempts
        assert world.lane(host).open == []


def test_what_was_recorded_is_not_sent_again_after_a_crash(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(after=0.3))
        await gateway.create(*(f"d{number}" for number in range(500)))
        await gateway.until(lambda: len(world.endpoint("a").calls) > 200)

    async def second(gateway: RunningGateway) -> None:
        await gateway.until(lambda: len(set(world.endpoint("a").sequences)) == 500, every=1)
        await asyncio.sleep(10)

    world.crash(first)
    lane = world.lane("a")
    recorded = {s for s in world.endpoint("a").sequences if s <= lane.head and s not in lane.open}
    assert recorded
    before = len(world.endpoint("a").calls)
    world.run(second)
    again = [call for call in world.endpoint("a").calls if call.process == 2]
    assert not {call.sequence for call in again} & recorded
    assert before + len(again) <= 500 + 130
    assert all(call.attempt == 1 for call in again)


def test_a_crash_loses_no_retry_time(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x", "y", "z")
        await asyncio.sleep(2)

    async def second(_gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(100)

    world.crash(first)
    due = {row.sequence: row.due for row in world.deliveries("a").values()}
    assert len(due) == 3
    world.crash(second)
    for call in world.endpoint("a").calls[3:]:
        assert 0 <= world.wall.at(call.at) - due[call.sequence] < SECOND // 10
