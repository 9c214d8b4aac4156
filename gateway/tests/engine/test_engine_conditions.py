"""What a subscription wants, asked again before an attempt: of the webhook as of every other kind."""

import asyncio

import pytest
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.engine.test_engine_connectors import an_hour_with_a_document, failures
from gateway.tests.world.network import Reply, VendorReply
from gateway.tests.world.vendors import HOST, KINDS, FakeVendor

from signalpost.commands.documents import DeleteDocument
from signalpost.commands.erasures import EraseDocument
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.errors import Unavailable
from signalpost.domain.subscription import Delay

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

IS_A = {"field": "document.title", "is": "a"}


@pytest.fixture
def setting(world: ScriptedWorld) -> FakeVendor:
    """A vendor whose kind sets values, so that the last event of a document is all that counts."""
    world.destinations = KINDS
    vendor = world.vendors[HOST] = FakeVendor()
    return vendor


# --- After a delay ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changed", "sent"), [(True, []), (False, [1])])
def test_a_webhook_asks_after_its_delay_whether_the_newest_state_still_calls_for_it(
    world: ScriptedWorld, *, changed: bool, sent: list[int]
) -> None:
    endpoint = world.endpoint("a.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", types=1, after={"seconds": 3_600, "if": IS_A})
        await an_hour_with_a_document(gateway, changed=changed)

    world.run(scenario)
    assert endpoint.sequences == sent
    if changed:
        (attempt,) = world.attempts("a.example", 1)
        assert attempt.detail == "Not sent: by now document.title is 'no. 1', not 'a'."
        assert world.deliveries("a.example") == {}


def test_a_webhook_asks_the_newest_state_before_each_retry_too(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")
    endpoint.answers(Reply(status=500))

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", types=1, after={"seconds": 60, "if": IS_A})
        await gateway.create("a")
        await gateway.until(lambda: len(endpoint.calls) == 1)
        await gateway.update("a")
        await asyncio.sleep(60)

    world.run(scenario)
    assert failures(world, "a.example", 1) == [Failure.STATUS, Failure.SKIPPED]


def test_a_delivery_waits_while_the_newest_state_cannot_be_read_and_goes_out_no_more_after_a_pause(
    world: ScriptedWorld,
) -> None:
    endpoint = world.endpoint("a.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", after={"seconds": 60, "if": IS_A})
        await gateway.create("a")
        await asyncio.sleep(30)
        world.faults.read = Unavailable("The database is away.")
        await asyncio.sleep(60)
        assert endpoint.calls == []
        await gateway.change("a.example", status="paused")
        world.faults.read = None
        await asyncio.sleep(60)
        assert endpoint.calls == []
        await gateway.change("a.example", status="active")
        await gateway.until(lambda: endpoint.sequences == [1])
        await gateway.until_recorded()

    world.run(scenario, cache_bytes=0)
    assert failures(world, "a.example", 1) == [None]


def test_a_condition_that_is_removed_while_it_is_being_asked_decides_nothing(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", types=1, after={"seconds": 60, "if": IS_A})
        await gateway.create("a")
        await gateway.update("a")
        await asyncio.sleep(30)
        world.faults.read = Unavailable("The database is away.")
        await asyncio.sleep(60)
        await gateway.change("a.example", after={"seconds": 60})
        world.faults.read = None
        await gateway.until(lambda: endpoint.sequences == [1])

    world.run(scenario)


def test_a_document_that_is_erased_while_a_condition_is_being_asked_is_not_sent(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", types=1, after={"seconds": 60, "if": IS_A})
        await gateway.create("a")
        await asyncio.sleep(30)
        world.faults.read = Unavailable("The database is away.")
        await asyncio.sleep(60)
        await gateway.submit(world.delete("a"))
        document_id = world.uuid("a")
        await gateway.submit(
            EraseDocument(tenant_id=1, tenant="default", document_id=document_id, erasure_id=world.uuid("erasure"))
        )
        await asyncio.sleep(60)
        world.faults.read = None
        await asyncio.sleep(60)

    world.run(scenario)
    assert endpoint.calls == []


# --- A new run --------------------------------------------------------------------------------------------------------


def test_a_replay_to_a_webhook_asks_the_condition_as_it_is_by_then(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example")
        await gateway.create("a", "b")
        await gateway.until(lambda: len(endpoint.sequences) == 2)
        await gateway.until_recorded()
        await gateway.replay("a.example", "all")
        await gateway.change("a.example", when=IS_A)
        await asyncio.sleep(10)

    world.run(scenario)
    assert endpoint.sequences == [1, 2, 1]


# --- The latest wins --------------------------------------------------------------------------------------------------


def test_a_retry_puts_no_older_state_over_a_newer_one_where_the_latest_wins(
    world: ScriptedWorld, setting: FakeVendor
) -> None:
    setting.take = lambda _call: VendorReply(500) if len(setting.calls) == 1 else None

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="setting")
        await gateway.deliver("s", "c", kind="setting", config={"text": "{{ document.title }}"})
        await gateway.create("a")
        await gateway.until(lambda: len(setting.calls) == 1)
        await gateway.update("a")
        await asyncio.sleep(60)

    world.run(scenario)
    assert [message["text"] for message in setting.messages] == ["no. 1"]
    assert failures(world, "s", 1) == [Failure.STATUS, Failure.SKIPPED]
    assert world.attempts("s", 1)[1].detail.endswith("of the same document came later and was wanted too.")


def test_what_a_deletion_removed_does_not_come_back_by_a_retry(world: ScriptedWorld, setting: FakeVendor) -> None:
    setting.take = lambda _call: VendorReply(500) if len(setting.calls) == 1 else None

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="setting")
        await gateway.deliver("s", "c", kind="setting", config={"text": "{{ event.type }}"})
        await gateway.create("a")
        await gateway.until(lambda: len(setting.calls) == 1)
        await gateway.submit(DeleteDocument(tenant_id=1, document_id=world.uuid("a")))
        await gateway.until(lambda: len(setting.messages) == 1)
        await gateway.until_recorded()
        await gateway.retry("s", 1)
        await asyncio.sleep(60)

    world.run(scenario)
    assert [message["text"] for message in setting.messages] == ["documentDeleted"]
    assert failures(world, "s", 1) == [Failure.STATUS, Failure.SKIPPED]


def test_a_later_event_that_waits_for_its_own_delay_makes_no_earlier_one_old(
    world: ScriptedWorld, setting: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="setting")
        await gateway.deliver(
            "s", "c", kind="setting", config={"text": "{{ document.title }}"}, after=Delay(seconds=3_600)
        )
        await gateway.create("a")
        for _ in range(4):  # always another within the delay of the one before
            await asyncio.sleep(1_800)
            await gateway.update("a")
        await gateway.until(lambda: len(setting.messages) == 5)

    world.run(scenario)
    assert [message["text"] for message in setting.messages] == ["a", "no. 1", "no. 2", "no. 3", "no. 4"]


# --- Conditions that this version cannot read -------------------------------------------------------------------------


def test_a_webhook_whose_condition_cannot_be_read_gets_nothing(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", when=IS_A)

    async def second(gateway: RunningGateway) -> None:
        await gateway.create("a")
        await asyncio.sleep(60)
        assert gateway.health("a.example")["lag"] == 1

    world.run(first)
    world.query(
        "UPDATE subscription SET config = CAST(replace(CAST(config AS TEXT), 'document.title', 'document.on') AS BLOB)"
    )
    world.run(second)
    assert endpoint.calls == []


# --- What is passed over ----------------------------------------------------------------------------------------------


def test_thousands_of_events_that_a_condition_does_not_want_leave_nothing_behind_and_few_writes(
    world: ScriptedWorld,
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", when=IS_A)
        await gateway.create("b")
        await gateway.until(lambda: world.lane("a.example").head == 1)
        before = world.lane("a.example").version
        for _ in range(200):
            await gateway.update("b", 10)
            await asyncio.sleep(0.5)
        await asyncio.sleep(10)
        assert world.lane("a.example").head == 2_001, "people see soon that it is passed over"
        assert world.lane("a.example").version - before <= 100 / 5 + 2

    world.run(scenario)
    assert world.query("SELECT count(*) FROM attempt") == [(0,)]
    assert world.endpoint("a.example").calls == []


def test_what_was_passed_over_before_a_crash_is_passed_over_again(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", when=IS_A)
        await gateway.create("b", "c", "d")
        await asyncio.sleep(0.5)

    async def second(gateway: RunningGateway) -> None:
        await gateway.create("a")
        await gateway.until(lambda: endpoint.sequences == [4])

    world.crash(first)
    world.run(second)
    assert world.lane("a.example").head == 4
