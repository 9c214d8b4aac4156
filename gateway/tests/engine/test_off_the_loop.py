"""What grows with the number of subscriptions, or of what is wrong, is not done on the event loop."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec
from gateway.tests.engine.off_loop import ForThread, OffLoop
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld

from signalpost.api.resources import notices
from signalpost.api.resources.subscription_lists import SubscriptionQuery, list_all
from signalpost.domain.access.api_key import Role
from signalpost.store.sqlite.readers import at_once

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

T = TypeVar("T")
MANY = 40


class ReadOn:
    """A store that is read on this thread."""

    def __init__(self, thread: OffLoop) -> None:
        self._thread = thread

    async def reading(self, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: at_once(asking()))


def test_a_list_of_subscriptions_is_put_in_words_on_a_thread(world: ScriptedWorld) -> None:
    thread = OffLoop()

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.submit(*(world.subscription(f"s{number}") for number in range(MANY)))
        engine = gateway.engine
        services = SimpleNamespace(
            off_loop=thread,
            store=ReadOn(thread),
            clock=ForThread(thread, gateway.clock),
            directory=engine.directory,
            lane_views=engine.lanes.views,
        )
        context: Any = SimpleNamespace(
            services=services,
            query=SubscriptionQuery,
            subscriptions=lambda: engine.directory.subscriptions(TENANT),
            tenant_id=TENANT,
            principal=SimpleNamespace(role=Role.OPERATOR),
            portal=None,
        )
        listed = msgspec.json.decode((await list_all(context)).body)
        assert [each["id"] for each in listed["data"]] == [gateway.of(f"s{number}").id for number in range(MANY)][::-1]
        assert services.clock.looks == MANY, "once for each that is listed"

    world.run(scenario)


class Conditions:
    """Stands for very many that are open. They are not gone through."""

    def __len__(self) -> int:
        return MANY


def test_what_is_wrong_is_counted_without_going_through_it() -> None:
    watch = SimpleNamespace(open=Conditions(), counts=SimpleNamespace(of_tenants=Counter({TENANT: 3})))

    def count(role: Role, tenant_id: int) -> int:
        context: Any = SimpleNamespace(
            services=SimpleNamespace(engine=SimpleNamespace(watch=watch)),
            query=lambda: None,
            principal=SimpleNamespace(role=role),
            tenant_id=tenant_id,
        )
        return asyncio.run(notices.count(context)).count

    assert count(Role.OPERATOR, TENANT) == MANY
    assert count(Role.SUBSCRIBER, TENANT) == 3
    assert count(Role.SUBSCRIBER, TENANT + 1) == 0
