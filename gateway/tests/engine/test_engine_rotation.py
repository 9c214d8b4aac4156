"""A secret that is changed while deliveries are on their way (C21)."""

import asyncio

import pytest
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, Reply, SentRequest
from msgspec.structs import replace

from signalpost.commands.secrets import PromoteSecret, RotateSecret
from signalpost.domain.key_pair import made_of
from signalpost.domain.subscription import Subscription
from signalpost_receiver import Mismatch, Receiver

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

OLD, NEW = "not a secret", "the new secret"
HOUR = 3600.0


def rotate(world: ScriptedWorld, secret: str = NEW, overlap_hours: int = 1) -> RotateSecret:
    return RotateSecret(
        tenant_id=TENANT, subscription_id=world.ids["a"], secret=secret, overlap_hours=overlap_hours
    )  # fmt: skip


def promote(world: ScriptedWorld) -> PromoteSecret:
    return PromoteSecret(tenant_id=TENANT, subscription_id=world.ids["a"])


def fits(call: SentRequest, secret: str) -> bool:
    return bool(verify_signature(call.body, call.headers, secret.encode()))


def alternate_fits(call: SentRequest, secret: str) -> bool:
    alternate = call.headers.get("plexus-webhook-signature-alternate", "")
    return bool(verify_signature(call.body, {"plexus-webhook-signature": alternate}, secret.encode()))


def in_overlap(call: SentRequest) -> bool:
    return fits(call, OLD) and alternate_fits(call, NEW) and call.headers["webhook-signature"].count("v1,") == 2


def only(call: SentRequest, secret: str) -> bool:
    alone = "plexus-webhook-signature-alternate" not in call.headers
    return fits(call, secret) and alone and call.headers["webhook-signature"].count("v1,") == 1


@pytest.mark.parametrize("promoted", [True, False])
def test_a_retry_is_signed_with_the_secrets_of_its_own_time(world: ScriptedWorld, promoted: bool) -> None:
    """The overlap ends while the delivery waits."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(10, 7_200))
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.submit(rotate(world))
        await asyncio.sleep(60)
        if promoted:
            await gateway.submit(promote(world))
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(3 * HOUR)
        first, second, third = world.endpoint("a").calls
        assert only(first, OLD)
        assert in_overlap(second)
        assert only(third, NEW)
        assert [call.attempt for call in (first, second, third)] == [1, 2, 3]

    world.run(scenario)


@pytest.mark.parametrize("crash", [True, False])
def test_a_restart_goes_on_with_the_rotation_and_ends_it_in_time(world: ScriptedWorld, crash: bool) -> None:
    async def begin(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.submit(rotate(world))
        await gateway.create("x")
        await asyncio.sleep(1)

    async def go_on(gateway: RunningGateway) -> None:
        await gateway.create("y")
        await asyncio.sleep(1)

    async def end(gateway: RunningGateway) -> None:
        await asyncio.sleep(HOUR)
        await gateway.create("z")
        await asyncio.sleep(1)
        await gateway.change("a", name="renamed")
        await gateway.create("zz")
        await asyncio.sleep(1)

    for scenario in (begin, go_on, end):
        (world.crash if crash else world.run)(scenario)
    calls = world.endpoint("a").calls
    assert [call.sequence for call in calls] == [1, 2, 3, 4]
    assert [in_overlap(call) for call in calls] == [True, True, False, False]
    assert only(calls[2], NEW)
    assert only(calls[3], NEW)


def test_a_paused_subscription_s_backlog_goes_out_with_the_secrets_of_the_resume(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.submit(rotate(world))
        await gateway.change("a", status="paused")
        await gateway.create("x", "y")
        await asyncio.sleep(2 * HOUR)
        await gateway.change("a", status="active")
        await asyncio.sleep(1)
        assert [only(call, NEW) for call in world.endpoint("a").calls] == [True, True]

    world.run(scenario)


def test_other_changes_in_the_middle_leave_the_rotation_as_it_is(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.submit(rotate(world))
        for change in (
            {"rateLimit": 5},
            {"ordering": "strict"},
            {"url": "https://a/elsewhere"},
            {"headers": {"k": "v"}},
        ):
            await gateway.change("a", **change)
            await gateway.create(str(change))
            await asyncio.sleep(1)
        assert [in_overlap(call) for call in world.endpoint("a").calls] == [True] * 4
        await asyncio.sleep(HOUR)
        await gateway.create("after")
        await asyncio.sleep(1)
        assert only(world.endpoint("a").calls[-1], NEW)

    world.run(scenario)


def test_a_deletion_in_the_middle_ends_it(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.submit(rotate(world))
        await gateway.unsubscribe("a")
        await gateway.create("x")
        await asyncio.sleep(2 * HOUR)
        assert world.endpoint("a").calls == []
        assert await gateway.store.lists.every(Subscription) == []

    world.run(scenario)


def test_an_attempt_under_way_when_the_secret_changes_is_not_disturbed(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(after=2))
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.submit(rotate(world, overlap_hours=0))
        await asyncio.sleep(5)
        (call,) = world.endpoint("a").calls
        assert call.is_delivered
        assert only(call, OLD)

    world.run(scenario)


def test_an_overlap_ends_by_the_clock_after_the_clock_was_ten_days_ahead(world: ScriptedWorld) -> None:
    """C21: an hour is an hour, wherever the last `createdAt` lies."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.wall.offset += round(240 * HOUR * 1_000_000)
        await gateway.create("x")
        world.wall.offset = 0
        await gateway.submit(rotate(world))
        await gateway.create("y")
        await asyncio.sleep(HOUR + 1)
        await gateway.create("z")
        await asyncio.sleep(1)
        _, during, after = world.endpoint("a").calls
        assert in_overlap(during)
        assert only(after, NEW)

    world.run(scenario)


def test_a_retry_is_signed_with_the_key_pairs_of_its_own_time(world: ScriptedWorld) -> None:
    """The rotation begins while the delivery waits, and ends while it waits again."""
    old, new = (made_of(bytes([number]) * 32) for number in (1, 2))

    def signed_by(call: SentRequest) -> list[bool]:
        """Whether each of both pairs signed it."""
        known = (Receiver(secrets=[each.public_key], max_age=None) for each in (old, new))
        return [verifies(receiver, call) for receiver in known]

    async def scenario(gateway: RunningGateway) -> None:
        made = world.subscription("a", delays=(10, 7_200), signWithKeyPair=True)
        await gateway.submit(replace(made, key_pair=old))
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.submit(replace(rotate(world), key_pair=new))
        await asyncio.sleep(60)
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(3 * HOUR)

    world.run(scenario)
    calls = world.endpoint("a").calls
    assert [call.attempt for call in calls] == [1, 2, 3]
    assert [signed_by(call) for call in calls] == [[True, False], [True, True], [False, True]]


def verifies(receiver: Receiver, call: SentRequest) -> bool:
    try:
        receiver.verify(call.body, call.headers)
    except Mismatch:
        return False
    return True
