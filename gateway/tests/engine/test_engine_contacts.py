"""Contacts of subscriptions are told by mail how these do: when, how often, and by which mails, whatever happens to the
gateway, to the mail server and to the subscriptions meanwhile."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

import msgspec
import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.engine.test_engine_reading import acknowledge, hand_out
from gateway.tests.engine.test_engine_reading import subscribe as subscribe_to_read
from gateway.tests.world.network import Reply, VendorReply
from gateway.tests.world.vendors import LOST, FakeVendor
from msgspec.structs import replace

from signalpost.commands.connections import CreateConnection, DeleteConnection
from signalpost.commands.correspondence import UnsubscribeContact
from signalpost.commands.tenants import ChangeTenant, CreateTenant, DeleteTenant
from signalpost.destinations.mail import Smtp
from signalpost.destinations.registry import Destinations
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.contacts import ContactIds
from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.operations.correspondence import Correspondence
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.timestamps import DAY
from signalpost.store.nouns.lanes import EndpointHealth

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

ADA, BOB = "ada@customer.example", "bob@customer.example"
HOST = "mail.example"
IDS = ContactIds(b"key")
LINKS = UnsubscribeLinks([SigningKey(1, b"key")], IDS, "https://gateway.example")
MINUTE, HOUR = 60.0, 3600.0
SOON = 3 * MINUTE
"""The time that the watch takes to open a condition, and some looks."""
CLOSES = 10 * MINUTE + SOON
"""The time from a delivery that arrives to the end of a condition."""


@pytest.fixture
def server(world: ScriptedWorld) -> FakeVendor:
    """The mail server of the world."""
    world.look_every, world.destinations = 30.0, Destinations([Smtp()])
    server = FakeVendor()
    world.vendors[HOST] = server
    return server


async def connect(gateway: RunningGateway, name: str = "m", recipients: Sequence[str] = ()) -> None:
    """Give the tenant `operations` a connection of mail."""
    config = {"server": f"smtps://{HOST}:465", "signIn": {"with": "nothing"}, "sender": "us@gateway.example"}
    gateway.world.ids[name] = gateway.world.uuid(name)
    await gateway.submit(
        CreateConnection(
            tenant_id=OPERATIONS_TENANT,
            connection_id=gateway.world.ids[name],
            kind="mail",
            name=name,
            config={**config, "recipients": list(recipients)},
            needs_consent=False,
        )
    )


@asynccontextmanager
async def postmen(gateway: RunningGateway, count: int = 1) -> AsyncIterator[None]:
    """Postmen at work: of several, each takes itself for the only one."""
    made = [gateway.engine.postman(LINKS) for _ in range(count)]
    gateway.engine.watch.add(made[0])
    tasks = [asyncio.create_task(each.run()) for each in made]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def failing(gateway: RunningGateway, *hosts: str, contacts: Sequence[str] = (ADA,)) -> None:
    """Subscriptions whose endpoints begin to fail."""
    for host in hosts:
        gateway.world.endpoint(host).answers(Reply(500))
        await gateway.subscribe(host, delays=(), contacts=list(contacts))
    await gateway.create(f"first of {hosts[0]}")


async def trouble(gateway: RunningGateway, *hosts: str, contacts: Sequence[str] = (ADA,)) -> None:
    """A connection of mail, and subscriptions whose endpoints begin to fail."""
    await connect(gateway)
    await failing(gateway, *hosts, contacts=contacts)


async def works_again(gateway: RunningGateway, *hosts: str) -> None:
    for host in hosts:
        gateway.world.endpoint(host).answers(Reply())
    await gateway.create(f"again {gateway.loop.time()}")


def mails(server: FakeVendor, to: str | None = None) -> list[EmailMessage]:
    read = [message_from_bytes(call.body, policy=policy.default) for call in server.calls]
    return [each for each in read if to in (None, each["to"])]


def subjects(server: FakeVendor, to: str | None = None) -> list[str]:
    return [each["subject"] for each in mails(server, to)]


def rows(world: ScriptedWorld) -> int:
    return int(world.query("SELECT count(*) FROM correspondence")[0][0])


def test_contacts_hear_once_that_nothing_arrived_for_an_hour_and_once_that_it_is_over(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example", contacts=[ADA, BOB])
        async with postmen(gateway):
            await asyncio.sleep(HOUR - MINUTE)
            assert not server.calls
            await asyncio.sleep(5 * HOUR)
            assert subjects(server, ADA) == subjects(server, BOB) == ["Nothing arrives at a.example"]
            await works_again(gateway, "a.example")
            await asyncio.sleep(5 * HOUR)
        assert subjects(server, ADA) == ["Nothing arrives at a.example", "a.example no longer fails"]
        assert not [row for row in await gateway.store.lists.every(Correspondence) if row.known]

    world.run(scenario)
    first, second = mails(server, ADA)
    text = first.get_content()
    assert "\n- a.example, since 20" in text
    assert first["from"] == "us@gateway.example"
    [link] = re.findall(r"https://gateway\.example/unsubscribe/\S+", text)
    assert first["list-unsubscribe"].replace(" ", "").replace("\r\n", "") == f"<{link}>"
    assert first["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert first["message-id"] != second["message-id"]
    assert ADA not in str(world.logs)
    assert not world.query("SELECT 1 FROM event WHERE tenant_id = ? AND body LIKE '%customer.example%'", -2)


def test_hundreds_of_subscriptions_that_fail_together_are_one_mail_that_names_twenty(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    hosts = [f"h{number}.example" for number in range(200)]
    world.look_every = MINUTE

    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, *hosts)
        async with postmen(gateway):
            await asyncio.sleep(HOUR + HOUR / 2)
            await works_again(gateway, *hosts)
            await asyncio.sleep(HOUR)

    world.run(scenario)
    assert subjects(server) == ["Nothing arrives at 200 subscriptions", "200 subscriptions no longer fail"]
    lines = mails(server)[0].get_content().splitlines()
    assert len([line for line in lines if re.match(r"- h\d+\.example, since", line)]) == 20
    assert "- and 180 more" in lines
    assert server.calls[1].at - server.calls[0].at >= 15 * MINUTE


def test_what_changes_within_fifteen_minutes_of_a_mail_is_in_the_next(world: ScriptedWorld, server: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        await asyncio.sleep(5 * MINUTE)
        await failing(gateway, "b.example")
        await asyncio.sleep(MINUTE)
        await failing(gateway, "c.example")
        async with postmen(gateway):
            await asyncio.sleep(2 * HOUR)

    world.run(scenario)
    assert subjects(server) == ["Nothing arrives at a.example", "Nothing arrives at 2 subscriptions"]
    assert server.calls[1].at - server.calls[0].at >= 15 * MINUTE


def test_an_endpoint_that_comes_and_goes_is_not_told_of_again_and_again(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        async with postmen(gateway):
            await asyncio.sleep(HOUR + SOON)
            for _ in range(10):
                await works_again(gateway, "a.example")
                await asyncio.sleep(MINUTE)
                gateway.world.endpoint("a.example").answers(Reply(500))
                await gateway.create(f"fails {gateway.loop.time()}")
                await asyncio.sleep(9 * MINUTE)
            assert len(server.calls) == 1
            await works_again(gateway, "a.example")
            await asyncio.sleep(HOUR)

    world.run(scenario)
    assert subjects(server) == ["Nothing arrives at a.example", "a.example no longer fails"]


def test_a_mail_whose_process_ends_is_sent_again_with_the_same_id_but_not_within_fifteen_minutes(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    server.take = lambda _call: VendorReply(250, after=20.0 if len(server.calls) == 1 else 0.01)

    async def first(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        running = asyncio.create_task(gateway.engine.postman(LINKS).run())
        await gateway.until(lambda: bool(server.calls))
        assert not running.done()

    async def second(gateway: RunningGateway) -> None:
        async with postmen(gateway):
            await asyncio.sleep(HOUR)

    world.crash(first)
    world.run(second)
    assert len({mail["message-id"] for mail in mails(server)}) == 1
    assert len(server.calls) == 2
    assert server.calls[1].at - server.calls[0].at >= 15 * MINUTE


def test_a_process_that_ends_before_a_mail_is_sent_forgets_nothing(world: ScriptedWorld, server: FakeVendor) -> None:
    async def first(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        await asyncio.sleep(HOUR + SOON)
        gateway.world.faults.slow_word = 1e6  # the row of the mail is committed, and nobody hears of it
        asyncio.get_running_loop().create_task(gateway.engine.postman(LINKS).look())
        await gateway.until(lambda: rows(world) == 1)

    async def second(gateway: RunningGateway) -> None:
        gateway.world.faults.slow_word = 0.0
        async with postmen(gateway):
            await asyncio.sleep(HOUR)

    world.crash(first)
    assert not server.calls
    world.run(second)
    assert subjects(server) == ["Nothing arrives at a.example"]


def test_what_was_perhaps_told_before_a_crash_is_told_to_be_over(world: ScriptedWorld, server: FakeVendor) -> None:
    server.take = lambda _call: VendorReply(250, after=20.0 if len(server.calls) == 1 else 0.01)

    async def first(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        asyncio.get_running_loop().create_task(gateway.engine.postman(LINKS).run())
        await gateway.until(lambda: bool(server.calls))

    async def second(gateway: RunningGateway) -> None:
        async with postmen(gateway):
            await works_again(gateway, "a.example")
            await asyncio.sleep(HOUR)

    world.crash(first)
    world.run(second)
    assert subjects(server) == ["Nothing arrives at a.example", "a.example no longer fails"]
    assert not rows(world)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (LOST, ["Nothing arrives at a.example", "a.example no longer fails"]),
        (VendorReply(451, b"4.3.0 Later"), ["Nothing arrives at a.example"]),
    ],
)
def test_that_something_is_over_is_told_only_if_its_mail_may_have_arrived(
    world: ScriptedWorld, server: FakeVendor, reply: VendorReply, told: list[str]
) -> None:
    replies = iter([reply])
    server.take = lambda _call: next(replies, None)

    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        async with postmen(gateway):
            await gateway.until(lambda: bool(server.calls))
            await works_again(gateway, "a.example")
            await asyncio.sleep(HOUR)

    world.run(scenario)
    assert subjects(server) == told
    assert not rows(world)


def test_of_two_nodes_that_take_themselves_for_the_one_that_writes_one_writes(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example", "b.example", contacts=[ADA, BOB])
        async with postmen(gateway, count=2):
            await asyncio.sleep(2 * HOUR)
            await works_again(gateway, "a.example", "b.example")
            await asyncio.sleep(HOUR)

    world.run(scenario)
    told = ["Nothing arrives at 2 subscriptions", "2 subscriptions no longer fail"]
    assert subjects(server, ADA) == subjects(server, BOB) == told


def test_who_unsubscribed_is_told_nothing_and_who_is_no_contact_any_more_neither(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example", contacts=[ADA, BOB])
        async with postmen(gateway):
            await asyncio.sleep(HOUR + SOON)
            subscription = gateway.of("a.example").id
            command = UnsubscribeContact(tenant_id=TENANT, subscription_id=subscription, address=ADA.upper())
            await (await gateway.engine.enqueue(command))
            assert gateway.of("a.example").unsubscribed == (ADA,)
            await gateway.change("a.example", contacts=[ADA, "eve@customer.example"])
            assert gateway.of("a.example").unsubscribed == (ADA,)
            await asyncio.sleep(HOUR)
            await works_again(gateway, "a.example")
            await asyncio.sleep(HOUR)
        assert not rows(world)
        await gateway.change("a.example", contacts=[])
        assert (await gateway.change("a.example", contacts=[ADA])).told_contacts == (ADA,)

    world.run(scenario)
    assert subjects(server, ADA) == subjects(server, BOB) == ["Nothing arrives at a.example"]
    told = ["Nothing arrives at a.example", "a.example no longer fails"]
    assert subjects(server, "eve@customer.example") == told


def test_who_unsubscribed_at_one_subscription_is_not_written_to_by_the_next(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example", contacts=[ADA, BOB])
        command = UnsubscribeContact(tenant_id=TENANT, subscription_id=gateway.of("a.example").id, address=ADA)
        await (await gateway.engine.enqueue(command))
        await failing(gateway, "b.example", contacts=[ADA.upper(), BOB])
        async with postmen(gateway):
            await asyncio.sleep(2 * HOUR)
            await works_again(gateway, "a.example", "b.example")
            await asyncio.sleep(HOUR)

    world.run(scenario)
    assert {each["to"] for each in mails(server)} == {BOB}


def test_a_mail_that_is_refused_after_its_text_is_not_repeated_and_another_is_sent_for_what_comes_next(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    replies = iter([VendorReply(554, f"5.7.1 {ADA} is no friend".encode())])
    server.take = lambda _call: next(replies, None)

    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        async with postmen(gateway):
            await asyncio.sleep(3 * HOUR)
            assert len(server.calls) == 1
            await failing(gateway, "b.example")
            await asyncio.sleep(2 * HOUR)
        assert gateway.engine.counts.contact_mails == {"refused": 1, "sent": 1}

    world.run(scenario)
    assert subjects(server) == ["Nothing arrives at a.example", "Nothing arrives at b.example"]
    assert world.logged("warning", "refuses a mail to a contact") == 1
    assert ADA not in str(world.logs)


@pytest.mark.parametrize("reply", [VendorReply(451, b"4.3.0 Later"), VendorReply(421, b"4.3.2 Busy"), LOST])
def test_a_mail_that_the_server_does_not_take_now_is_sent_later_and_others_are_not_harmed(
    world: ScriptedWorld, server: FakeVendor, reply: VendorReply
) -> None:
    replies = iter([reply])
    server.take = lambda _call: next(replies, None)

    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example", contacts=[ADA])
        async with postmen(gateway):
            await asyncio.sleep(HOUR + 5 * MINUTE)
            assert len(server.calls) == 1
            await failing(gateway, "b.example", contacts=[BOB])
            await asyncio.sleep(2 * HOUR)

    world.run(scenario)
    first, second = mails(server, ADA)
    assert first["message-id"] == second["message-id"]
    times = [call.at for call in server.calls if call.headers["to"] == ADA]
    assert times[1] - times[0] >= 15 * MINUTE
    assert subjects(server, BOB) == ["Nothing arrives at b.example"]
    assert ADA not in str(world.logs)


def test_a_server_that_does_not_answer_is_not_asked_for_every_address_in_turn(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    server.take = lambda _call: LOST

    async def scenario(gateway: RunningGateway) -> None:
        await connect(gateway)
        for number in range(20):
            await failing(gateway, f"h{number}.example", contacts=[f"c{number}@customer.example"])
        async with postmen(gateway):
            await asyncio.sleep(HOUR + SOON)
        assert 5 <= len(server.calls) <= 5 * 4

    world.run(scenario)


def test_a_password_that_is_refused_breaks_the_connection_and_nothing_more_is_sent(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    server.take = lambda _call: VendorReply(535, b"5.7.8 wrong")

    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        async with postmen(gateway):
            await asyncio.sleep(3 * HOUR)
        [connection] = gateway.engine.directory.connections(OPERATIONS_TENANT)
        assert connection.state == "broken"

    world.run(scenario)
    assert len(server.calls) == 1


@pytest.mark.parametrize("reply", [VendorReply(451, b"4.3.0 Later"), VendorReply(535, b"5.7.8 wrong"), LOST])
def test_operators_are_told_that_no_mail_gets_through_until_one_does(
    world: ScriptedWorld, server: FakeVendor, reply: VendorReply
) -> None:
    def told(gateway: RunningGateway) -> list[str]:
        return [each.kind for each in gateway.engine.watch.open if each.kind == "contactsNotTold"]

    server.take = lambda _call: reply

    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        async with postmen(gateway):
            await asyncio.sleep(HOUR + HOUR / 2 - MINUTE)
            assert not told(gateway)
            await asyncio.sleep(SOON)
            assert told(gateway) == ["contactsNotTold"]
            server.take = lambda _call: None
            if reply.status == 535:
                [connection] = gateway.engine.directory.connections(OPERATIONS_TENANT)
                assert (await gateway.engine.connectors.test(connection)).works
            await asyncio.sleep(HOUR)
            assert not told(gateway)

    world.run(scenario)


@pytest.mark.parametrize("way", ["connection", "tenant"])
def test_operators_are_told_no_longer_that_no_mail_gets_through_once_they_switched_it_off(
    world: ScriptedWorld, server: FakeVendor, way: str
) -> None:
    def told(gateway: RunningGateway) -> bool:
        return any(each.kind == "contactsNotTold" for each in gateway.engine.watch.open)

    server.take = lambda _call: LOST

    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        async with postmen(gateway):
            await asyncio.sleep(2 * HOUR)
            assert told(gateway)
            if way == "connection":
                gone = DeleteConnection(tenant_id=OPERATIONS_TENANT, connection_id=gateway.world.ids["m"])
                await gateway.submit(gone)
            else:
                await pause(gateway, "operations", paused=True)
            await asyncio.sleep(HOUR)
            assert not told(gateway)
            if way == "connection":
                await connect(gateway, "n")
            else:
                await pause(gateway, "operations", paused=False)
            await asyncio.sleep(HOUR / 2 - MINUTE)
            assert not told(gateway)

    world.run(scenario)


def test_without_a_connection_nothing_waits_and_with_one_what_is_so_by_then_is_told(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await failing(gateway, "a.example")
        await failing(gateway, "b.example")
        async with postmen(gateway):
            await asyncio.sleep(2 * HOUR)
            assert not rows(world)
            await works_again(gateway, "a.example")
            await asyncio.sleep(HOUR)
            await connect(gateway)
            await asyncio.sleep(HOUR)
            await gateway.submit(DeleteConnection(tenant_id=OPERATIONS_TENANT, connection_id=gateway.world.ids["m"]))
            await works_again(gateway, "b.example")
            await asyncio.sleep(HOUR)

    world.run(scenario)
    assert subjects(server) == ["Nothing arrives at b.example"]


def test_a_connection_that_lists_who_may_get_mail_writes_to_nobody_else(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await connect(gateway, recipients=["@ops.example"])
        await failing(gateway, "a.example", contacts=[ADA, "eve@ops.example"])
        async with postmen(gateway):
            await asyncio.sleep(2 * HOUR)
            assert subjects(server) == subjects(server, "eve@ops.example") == ["Nothing arrives at a.example"]
            assert rows(world) == 1
            await connect(gateway, "n", recipients=["@customer.example"])
            await asyncio.sleep(HOUR)

    world.run(scenario)
    assert subjects(server, ADA) == ["Nothing arrives at a.example"]


def test_a_pause_ends_what_was_told_and_a_resume_is_no_news(world: ScriptedWorld, server: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        async with postmen(gateway):
            await asyncio.sleep(HOUR + SOON)
            await gateway.change("a.example", status="paused")
            await asyncio.sleep(HOUR)
            assert subjects(server) == ["Nothing arrives at a.example", "a.example was paused"]
            await gateway.change("a.example", status="active")
            await works_again(gateway, "a.example")
            await asyncio.sleep(HOUR)

    world.run(scenario)
    assert len(server.calls) == 2


def test_contacts_of_a_subscription_that_is_read_hear_that_no_reader_comes_and_that_one_came(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await connect(gateway)
        await subscribe_to_read(world, gateway, name="Acme", contacts=[ADA])
        await gateway.create("a")
        async with postmen(gateway):
            await asyncio.sleep(HOUR - MINUTE)
            assert not server.calls
            await asyncio.sleep(3 * HOUR)
            assert subjects(server) == ["No reader comes for Acme"]
            assert len((await hand_out(world, gateway)).events) == 1
            assert await acknowledge(world, gateway) == 1
            await asyncio.sleep(HOUR)

    world.run(scenario)
    assert subjects(server, ADA) == ["No reader comes for Acme", "Acme is read again"]


def failed_for(world: ScriptedWorld, days: float) -> None:
    """Let the only endpoint have failed for so long, while no process runs."""
    since = world.wall.at(world.time.now) - round(days * DAY)
    health = EndpointHealth(Breaker(failures=500, failing_since=since), "status: 500")
    world.query("UPDATE lane SET health = ?", msgspec.json.encode(health))


def test_a_subscription_that_is_disabled_and_resumed_is_told_step_by_step(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def begin(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        await gateway.until_recorded()

    async def go_on(gateway: RunningGateway) -> None:
        async with postmen(gateway):
            await gateway.create(f"more {gateway.loop.time()}")
            await asyncio.sleep(HOUR / 2)

    async def resume(gateway: RunningGateway) -> None:
        assert gateway.of("a.example").status == "disabled"
        async with postmen(gateway):
            await gateway.change("a.example", status="active")
            await works_again(gateway, "a.example")
            await asyncio.sleep(HOUR)

    world.run(begin)
    for days in (1.0, 4.1, 5.1):
        failed_for(world, days)
        world.run(go_on)
    world.run(resume)
    assert subjects(server) == [
        "Nothing arrives at a.example",
        "a.example is about to be disabled",
        "a.example was disabled",
        "a.example no longer fails",
    ]


def test_nothing_stays_of_a_subscription_that_is_deleted(world: ScriptedWorld, server: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        async with postmen(gateway):
            await asyncio.sleep(HOUR + SOON)
            assert rows(world) == 1
            await gateway.unsubscribe("a.example")
            await asyncio.sleep(HOUR)

    world.run(scenario)
    assert len(server.calls) == 1
    assert not rows(world)


async def acme_with_trouble(gateway: RunningGateway, contact: str) -> None:
    """Another tenant, whose one subscription fails."""
    world = gateway.world
    await gateway.submit(CreateTenant(tenant_id=TENANT, name="acme"))
    acme = gateway.engine.directory.tenant("acme")
    assert acme is not None
    world.endpoint("b.example").answers(Reply(500))
    made = world.subscription("b.example", delays=(), contacts=[contact])
    await gateway.submit(replace(made, tenant_id=acme.id))
    await gateway.submit(replace(world.create("of acme"), tenant_id=acme.id))


def test_an_address_in_two_tenants_gets_one_mail_and_nothing_stays_of_a_tenant_that_is_deleted(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await connect(gateway)
        await acme_with_trouble(gateway, ADA.upper())
        await failing(gateway, "a.example")
        async with postmen(gateway):
            await asyncio.sleep(HOUR + HOUR / 2)
            assert subjects(server) == ["Nothing arrives at 2 subscriptions"]
            erasure = gateway.world.uuid("erasure")
            await gateway.submit(DeleteTenant(tenant_id=TENANT, name="acme", erasure_id=erasure))
            await asyncio.sleep(HOUR)
        [row] = await gateway.store.lists.every(Correspondence)
        assert [*row.known] == [gateway.of("a.example").id]

    world.run(scenario)
    assert len(server.calls) == 1


def test_nothing_stays_of_a_tenant_that_is_deleted_after_the_connection_was(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await connect(gateway)
        await acme_with_trouble(gateway, ADA)
        async with postmen(gateway):
            await asyncio.sleep(HOUR + HOUR / 2)
            await gateway.submit(DeleteConnection(tenant_id=OPERATIONS_TENANT, connection_id=gateway.world.ids["m"]))
            await asyncio.sleep(HOUR)
            assert rows(world) == 1
            erasure = gateway.world.uuid("erasure")
            await gateway.submit(DeleteTenant(tenant_id=TENANT, name="acme", erasure_id=erasure))
            await asyncio.sleep(HOUR)
        assert not rows(world)

    world.run(scenario)
    assert len(server.calls) == 1


def test_nothing_is_written_while_the_tenant_operations_is_paused(world: ScriptedWorld, server: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await trouble(gateway, "a.example")
        await pause(gateway, "operations", paused=True)
        async with postmen(gateway):
            await asyncio.sleep(2 * HOUR)
            assert not server.calls
            await pause(gateway, "operations", paused=False)
            await asyncio.sleep(SOON)

    world.run(scenario)
    assert subjects(server) == ["Nothing arrives at a.example"]


async def pause(gateway: RunningGateway, tenant: str, *, paused: bool) -> None:
    await gateway.submit(ChangeTenant(tenant_id=TENANT, name=tenant, status="paused" if paused else "active"))
