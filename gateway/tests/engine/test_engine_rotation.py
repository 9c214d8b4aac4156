"""A secret that is changed while deliveries are on their way (C21)."""

import asyncio

import pytest
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.engine.world import BROKEN, TENANT, Life, Reply, RequestContext, World

from signalpost.commands.subscriptions import PromoteSecret, RotateSecret

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

OLD, NEW = "not a secret", "the new secret"
HOUR = 3600.0


def rotate(world: World, secret: str = NEW, overlap_hours: int = 1) -> RotateSecret:
    return RotateSecret(
        tenant_id=TENANT, subscription_id=world.ids["a"], secret=secret, overlap_hours=overlap_hours
    )  # fmt: skip


def promote(world: World) -> PromoteSecret:
    return PromoteSecret(tenant_id=TENANT, subscription_id=world.ids["a"])


def fits(call: RequestContext, secret: str) -> bool:
    return bool(verify_signature(call.body, call.headers, secret.encode()))


def alternate_fits(call: RequestContext, secret: str) -> bool:
    alternate = call.headers.get("plexus-webhook-signature-alternate", "")
    return bool(verify_signature(call.body, {"plexus-webhook-signature": alternate}, secret.encode()))


def in_overlap(call: RequestContext) -> bool:
    return fits(call, OLD) and alternate_fits(call, NEW) and call.headers["webhook-signature"].count("v1,") == 2


def only(call: RequestContext, secret: str) -> bool:
    alone = "plexus-webhook-signature-alternate" not in call.headers
    return fits(call, secret) and alone and call.headers["webhook-signature"].count("v1,") == 1


@pytest.mark.parametrize("promoted", [True, False])
def test_a_retry_is_signed_with_the_secrets_of_its_own_time(world: World, promoted: bool) -> None:
    """The overlap ends while the delivery waits."""

    async def scenario(life: Life) -> None:
        await life.subscribe("a", delays=(10, 7_200))
        world.endpoint("a").answers(BROKEN)
        await life.create("x")
        await asyncio.sleep(1)
        await life.submit(rotate(world))
        await asyncio.sleep(60)
        if promoted:
            await life.submit(promote(world))
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(3 * HOUR)
        first, second, third = world.endpoint("a").calls
        assert only(first, OLD)
        assert in_overlap(second)
        assert only(third, NEW)
        assert [call.attempt for call in (first, second, third)] == [1, 2, 3]

    world.run(scenario)


@pytest.mark.parametrize("crash", [True, False])
def test_a_restart_goes_on_with_the_rotation_and_ends_it_in_time(world: World, crash: bool) -> None:
    async def begin(life: Life) -> None:
        await life.subscribe("a")
        await life.submit(rotate(world))
        await life.create("x")
        await asyncio.sleep(1)

    async def go_on(life: Life) -> None:
        await life.create("y")
        await asyncio.sleep(1)

    async def end(life: Life) -> None:
        await asyncio.sleep(HOUR)
        await life.create("z")
        await asyncio.sleep(1)
        await life.change("a", name="renamed")
        await life.create("zz")
        await asyncio.sleep(1)

    for scenario in (begin, go_on, end):
        (world.crash if crash else world.run)(scenario)
    calls = world.endpoint("a").calls
    assert [call.sequence for call in calls] == [1, 2, 3, 4]
    assert [in_overlap(call) for call in calls] == [True, True, False, False]
    assert only(calls[2], NEW)
    assert only(calls[3], NEW)


def test_a_paused_subscription_s_backlog_goes_out_with_the_secrets_of_the_resume(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        await life.submit(rotate(world))
        await life.change("a", status="paused")
        await life.create("x", "y")
        await asyncio.sleep(2 * HOUR)
        await life.change("a", status="active")
        await asyncio.sleep(1)
        assert [only(call, NEW) for call in world.endpoint("a").calls] == [True, True]

    world.run(scenario)


def test_other_changes_in_the_middle_leave_the_rotation_as_it_is(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        await life.submit(rotate(world))
        for change in (
            {"rateLimit": 5},
            {"ordering": "strict"},
            {"url": "https://a/elsewhere"},
            {"headers": {"k": "v"}},
        ):
            await life.change("a", **change)
            await life.create(str(change))
            await asyncio.sleep(1)
        assert [in_overlap(call) for call in world.endpoint("a").calls] == [True] * 4
        await asyncio.sleep(HOUR)
        await life.create("after")
        await asyncio.sleep(1)
        assert only(world.endpoint("a").calls[-1], NEW)

    world.run(scenario)


def test_a_deletion_in_the_middle_ends_it(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        await life.submit(rotate(world))
        await life.unsubscribe("a")
        await life.create("x")
        await asyncio.sleep(2 * HOUR)
        assert world.endpoint("a").calls == []
        assert (await life.store.load()).subscriptions == ()

    world.run(scenario)


def test_an_attempt_under_way_when_the_secret_changes_is_not_disturbed(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        world.endpoint("a").answers(Reply(after=2))
        await life.create("x")
        await asyncio.sleep(1)
        await life.submit(rotate(world, overlap_hours=0))
        await asyncio.sleep(5)
        (call,) = world.endpoint("a").calls
        assert call.delivered
        assert only(call, OLD)

    world.run(scenario)
