"""Signature requests expire by themselves: at their time, paused, after a restart, by thousands, against signatures."""

import asyncio
import json
from typing import Any

import pytest
from gateway.tests.engine.scripted_world import DISK_RESERVE_MB, TENANT, RunningGateway, ScriptedWorld

from signalpost.commands.workflow import ActOnDocument
from signalpost.domain.documents.document import decode
from signalpost.domain.documents.workflow import Action, ActionInput
from signalpost.domain.errors import Conflict, Unavailable
from signalpost.domain.timestamps import SECOND
from signalpost.engine.committer import MAX_BATCH
from signalpost.engine.maintenance import expiry
from signalpost.engine.maintenance.disk_reserve import LOOK_EVERY, MB

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

DAY = 86_400.0


def act(world: ScriptedWorld, name: str, action: Action, **said: Any) -> ActOnDocument:
    return ActOnDocument(tenant_id=TENANT, document_id=world.uuid(name), action=action, given=ActionInput(**said))


async def ask(gateway: RunningGateway, *names: str, seconds: float) -> int:
    """Have so many documents wait for a signature, for so long; returns when that ends."""
    expires_at = gateway.clock.wall() + round(seconds * SECOND)
    await gateway.create(*names)
    await gateway.submit(
        *(
            act(gateway.world, name, Action.REQUEST_SIGNATURE, people=("ann@x",), expires_at=expires_at)
            for name in names
        )
    )
    return expires_at


async def status(gateway: RunningGateway, name: str) -> str:
    row = await gateway.store.documents.get(TENANT, gateway.world.uuid(name))
    assert row is not None
    return decode(row.body).status


async def expired_at(gateway: RunningGateway) -> dict[str, int]:
    """When the log says so, by document."""
    found = {}
    for event in await gateway.log():
        if json.loads(event.body)["data"]["document"]["status"] == "signatureRequestExpired":
            assert event.document_id not in found
            found[event.document_id] = event.at
    return found


@pytest.mark.parametrize("seconds", [0.5, 3.0, 2 * DAY])
def test_a_signature_request_expires_at_its_time(world: ScriptedWorld, seconds: float) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("well")
        expires_at = await ask(gateway, "one", seconds=seconds)
        await asyncio.sleep(seconds - 0.1)
        assert await status(gateway, "one") == "awaitingSignature"
        await asyncio.sleep(0.2)
        assert await status(gateway, "one") == "signatureRequestExpired"
        (at,) = (await expired_at(gateway)).values()
        assert 0 <= at - expires_at < SECOND // 10
        await gateway.until(lambda: world.endpoint("well").sequences == [1, 2, 3])

    world.run(scenario)


def test_the_nearer_one_comes_first_whenever_it_was_asked_for(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        times = {}
        for name, seconds in (("far", 500.0), ("near", 5.0), ("between", 50.0)):
            times[world.uuid(name)] = await ask(gateway, name, seconds=seconds)
        await asyncio.sleep(600)
        found = await expired_at(gateway)
        assert list(found) == [world.uuid(name) for name in ("near", "between", "far")]
        assert all(0 <= at - times[document] < SECOND // 10 for document, at in found.items())

    world.run(scenario)


@pytest.mark.parametrize("crashed", [False, True], ids=["stopped", "crashed"])
def test_what_expired_while_nothing_ran_expires_at_the_start(world: ScriptedWorld, crashed: bool) -> None:
    async def before(gateway: RunningGateway) -> None:
        await ask(gateway, "soon", seconds=5)
        await ask(gateway, "later", seconds=1000)

    async def after(gateway: RunningGateway) -> None:
        await asyncio.sleep(0.1)
        assert await status(gateway, "soon") == "signatureRequestExpired"
        assert await status(gateway, "later") == "awaitingSignature"
        await asyncio.sleep(1000)
        assert await status(gateway, "later") == "signatureRequestExpired"

    if crashed:
        world.crash(before)
    else:
        world.run(before)
    world.time.now += 60
    world.run(after)


def test_a_paused_one_expires_without_a_word_and_says_so_when_it_is_resumed(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await ask(gateway, "one", seconds=5)
        await gateway.submit(act(world, "one", Action.PAUSE))
        await asyncio.sleep(10)
        assert await status(gateway, "one") == "paused"
        assert await expired_at(gateway) == {}
        assert await gateway.store.documents.expiring(None, 10) == []
        await gateway.submit(act(world, "one", Action.RESUME))
        assert await status(gateway, "one") == "signatureRequestExpired"
        history = await gateway.store.history.page(TENANT, world.uuid("one"), None, 10)
        assert history is not None
        assert [(entry.step.action, entry.event_id is not None) for entry in history.data] == [
            ("resume", True), ("expire", False), ("pause", True), ("requestSignature", True), ("create", True),
        ]  # fmt: skip

    world.run(scenario)


def test_many_expire_at_once_each_with_one_event(world: ScriptedWorld) -> None:
    """In parts of a commit each, so that a client's change waits for no more than that."""
    assert expiry.BATCH <= MAX_BATCH

    async def scenario(gateway: RunningGateway) -> None:
        names = [f"n{number}" for number in range(3 * expiry.BATCH + 1)]
        await ask(gateway, *names, seconds=600)
        before = len(await gateway.log())
        await asyncio.sleep(601)
        assert (await expired_at(gateway)).keys() == {world.uuid(name) for name in names}
        assert len(await gateway.log()) == before + len(names)

    world.run(scenario)


@pytest.mark.parametrize("fault", [Unavailable("busy"), OSError("broken")])
def test_where_nothing_can_be_written_it_is_tried_again(world: ScriptedWorld, fault: Exception) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await ask(gateway, "one", seconds=5)
        world.faults.publish = fault
        await asyncio.sleep(20)
        assert await status(gateway, "one") == "awaitingSignature"
        with pytest.raises((Unavailable, OSError)):
            await gateway.submit(act(world, "one", Action.SIGN, by="ann@x"))
        world.faults.publish = None
        with pytest.raises(Conflict):
            await gateway.submit(act(world, "one", Action.SIGN, by="ann@x"))
        await asyncio.sleep(expiry.LOOK_EVERY)
        assert await status(gateway, "one") == "signatureRequestExpired"
        assert len(await expired_at(gateway)) == 1

    world.run(scenario)


def test_a_full_disk_holds_it_until_there_is_room(world: ScriptedWorld) -> None:
    world.look_every = LOOK_EVERY

    async def scenario(gateway: RunningGateway) -> None:
        await ask(gateway, "one", seconds=100)
        world.disk_free = DISK_RESERVE_MB * MB // 2
        await asyncio.sleep(150)
        assert await status(gateway, "one") == "awaitingSignature"
        assert world.logged("warning", "cannot expire now") == 1
        world.disk_free = 2 * DISK_RESERVE_MB * MB
        await asyncio.sleep(100)
        assert await status(gateway, "one") == "signatureRequestExpired"

    world.run(scenario)


@pytest.mark.parametrize("step", [-3600, 3600])
def test_a_clock_that_is_set_makes_no_request_expire_too_early(world: ScriptedWorld, step: int) -> None:
    """Set back it counts, set ahead it does not: an expiry cannot be undone."""

    async def scenario(gateway: RunningGateway) -> None:
        await ask(gateway, "one", seconds=1800)
        world.wall.offset = step * SECOND
        await asyncio.sleep(40)
        assert await status(gateway, "one") == "awaitingSignature"
        await asyncio.sleep(1800)
        assert await status(gateway, "one") == ("signatureRequestExpired" if step > 0 else "awaitingSignature")
        await asyncio.sleep(3600)
        assert await status(gateway, "one") == "signatureRequestExpired"

    world.run(scenario)


@pytest.mark.parametrize("early", [-2, -1, 0, 1, 2])
def test_a_signature_that_races_with_the_expiry_wins_or_is_refused(world: ScriptedWorld, early: int) -> None:
    """Milliseconds around the deadline: one event tells what happened to it, and the signer was told the same."""

    async def scenario(gateway: RunningGateway) -> None:
        expires_at = await ask(gateway, "one", seconds=60)
        left = (expires_at - gateway.clock.wall()) / SECOND
        await asyncio.sleep(left + early / 1000)
        try:
            await gateway.submit(act(world, "one", Action.SIGN, by="ann@x"))
            signed = True
        except Conflict:
            signed = False
        await asyncio.sleep(1)
        statuses = [json.loads(event.body)["data"]["document"]["status"] for event in await gateway.log()]
        assert statuses == ["created", "awaitingSignature", "executed" if signed else "signatureRequestExpired"]
        assert signed == (early < 0)

    world.run(scenario)


def test_a_clock_that_is_set_ahead_lets_no_request_expire_before_its_time(world: ScriptedWorld) -> None:
    """What cannot be undone waits for time that has passed."""

    async def scenario(gateway: RunningGateway) -> None:
        await ask(gateway, "a", seconds=3600.0)
        world.wall.offset += round(10 * DAY * SECOND)
        await gateway.create("other")  # its `createdAt` is ten days ahead from here on
        await asyncio.sleep(120)
        assert await status(gateway, "a") == "awaitingSignature"
        world.wall.offset = 0
        await asyncio.sleep(3600.0)
        assert await status(gateway, "a") == "signatureRequestExpired"

    world.run(scenario)


def test_a_request_of_a_day_can_be_made_after_a_clock_was_ten_days_ahead(world: ScriptedWorld) -> None:
    """Deadlines count from the clock, while `createdAt` goes on from where it was (C5)."""

    async def scenario(gateway: RunningGateway) -> None:
        world.wall.offset += round(10 * DAY * SECOND)
        await gateway.create("other")
        world.wall.offset = 0
        await ask(gateway, "a", seconds=DAY)
        await asyncio.sleep(DAY / 2)
        assert await status(gateway, "a") == "awaitingSignature"
        await asyncio.sleep(DAY)
        assert await status(gateway, "a") == "signatureRequestExpired"

    world.run(scenario)
