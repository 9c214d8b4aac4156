"""Deliveries by mail: what a mail server's answer makes of an event, of the connection, and of others that wait."""

import asyncio
import re

import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import VendorCall, VendorReply
from gateway.tests.world.vendors import HOST, KINDS, LOST, SECRET, FakeVendor

from signalpost.commands.erasures import EraseDocument
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.outcome import Failure

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


@pytest.fixture
def vendor(world: ScriptedWorld) -> FakeVendor:
    """The mail server of the world."""
    world.destinations = KINDS
    vendor = FakeVendor()
    world.vendors[HOST] = vendor
    return vendor


async def subscribed(gateway: RunningGateway, does: str = "send") -> None:
    await gateway.connect("c", kind="posting")
    await gateway.deliver("s", "c", kind="posting", config={"text": "New: {{ document.title }}", "does": does})


def failures(world: ScriptedWorld, sequence: int = 1) -> list[str | None]:
    return [attempt.failure for attempt in world.attempts("s", sequence)]


def test_an_event_becomes_a_mail_that_is_filled_in_with_its_document(world: ScriptedWorld, vendor: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway)
        await gateway.create("a", "b")
        await gateway.until(lambda: len(vendor.calls) == 2)

    world.run(scenario)
    assert [(call.method, call.headers["to"]) for call in vendor.calls] == [("MAIL", "you@vendor.example")] * 2
    assert b"Subject: New: a\r\n" in vendor.calls[0].body
    assert failures(world) == [None]
    assert world.lane("s").head == 2


def test_a_mail_that_is_sent_again_has_the_same_id(world: ScriptedWorld, vendor: FakeVendor) -> None:
    """C16"""
    replies = iter([LOST, VendorReply(450, b"4.2.0 Later"), VendorReply(334), None])
    vendor.take = lambda _call: next(replies)

    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway)
        await gateway.create("a")
        await gateway.until(lambda: len(vendor.calls) == 4)

    world.run(scenario)
    assert failures(world) == [Failure.RESET, Failure.STATUS, Failure.STATUS, None]
    assert len({re.findall(rb"Message-ID: (\S+)", call.body)[0] for call in vendor.calls}) == 1


def test_a_mail_that_the_server_refuses_fails_at_once(world: ScriptedWorld, vendor: FakeVendor) -> None:
    vendor.take = lambda _call: VendorReply(550, b"5.1.1 Nobody")

    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway)
        await gateway.create("a")
        await gateway.until(lambda: bool(vendor.calls))
        await gateway.until_recorded()
        assert world.deliveries("s")[1].state == State.FAILED
        assert gateway.health("s")["state"] == "healthy"

    world.run(scenario)
    assert world.attempts("s", 1)[0].detail == "5.1.1: 550 5.1.1 Nobody"
    assert failures(world) == [Failure.REJECTED]


@pytest.mark.parametrize("status", [421, 454])
def test_a_server_that_is_busy_holds_up_all_mail_of_the_connection_and_nothing_is_counted(
    world: ScriptedWorld, vendor: FakeVendor, status: int
) -> None:
    busy: list[float] = []

    def take(call: VendorCall) -> VendorReply | None:
        if not busy:
            busy.append(call.at)
            return VendorReply(status, b"4.3.2 Busy")
        return None

    vendor.take = take

    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway)
        await gateway.create("a")
        await gateway.until(lambda: bool(busy))
        await gateway.create("b")
        await gateway.until(lambda: len(vendor.calls) == 3)

    world.run(scenario)
    assert all(call.at >= busy[0] + 60 for call in vendor.calls[1:])
    assert [(each.failure, each.counted) for each in world.attempts("s", 1)] == [("throttled", 0), (None, 1)]


def test_a_password_that_is_refused_disables_the_subscription_until_there_is_another(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    vendor.take = lambda _call: VendorReply(535, f"5.7.8 {SECRET} is wrong".encode())

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="posting", signIn="fixed")
        await gateway.deliver("s", "c", kind="posting")
        await gateway.create("a")
        await gateway.until(lambda: gateway.of("s").status == "disabled")
        assert gateway.connection("c").state == "broken"
        assert SECRET not in (gateway.of("s").disabled_because or "")
        assert "535 5.7.8" in (gateway.of("s").disabled_because or "")

    world.run(scenario)
    assert failures(world) == [Failure.UNAUTHORISED]


def test_a_mail_goes_nowhere_but_to_the_connections_server(world: ScriptedWorld, vendor: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway, does="elsewhere")
        await gateway.create("a")
        await gateway.until(lambda: bool(world.attempts("s", 1)))

    world.run(scenario)
    assert not vendor.calls
    assert failures(world)[0] == Failure.CONNECTOR
    assert "none of the connection's origins" in world.attempts("s", 1)[0].detail


def test_a_connection_is_tested_by_a_conversation_without_a_mail(world: ScriptedWorld, vendor: FakeVendor) -> None:
    replies = iter([None, VendorReply(535, f"5.7.8 {SECRET} is wrong".encode()), LOST])
    vendor.take = lambda _call: next(replies)

    async def scenario(gateway: RunningGateway) -> None:
        connection = await gateway.connect("c", kind="posting")
        works, refused, lost = [await gateway.engine.connectors.test(connection) for _ in range(3)]
        assert works.works
        assert (refused.works, refused.detail) == (False, "535 5.7.8 [secret] is wrong")
        assert (lost.works, lost.detail) == (False, "no answer")

    world.run(scenario)
    assert [(call.headers["to"], call.body) for call in vendor.calls] == [("", b"")] * 3


def test_a_mail_whose_process_ends_is_sent_again(world: ScriptedWorld, vendor: FakeVendor) -> None:
    """C15: what was under way at a crash is repeated, as the same mail."""
    vendor.take = lambda _call: VendorReply(250, after=30.0 if len(vendor.calls) == 1 else 0.01)

    async def first(gateway: RunningGateway) -> None:
        await subscribed(gateway)
        await gateway.create("a")
        await gateway.until(lambda: bool(vendor.calls))

    async def second(gateway: RunningGateway) -> None:
        await gateway.until(lambda: len(vendor.calls) == 2)
        await asyncio.sleep(1)

    world.crash(first)
    world.run(second)
    assert len({re.findall(rb"Message-ID: (\S+)", call.body)[0] for call in vendor.calls}) == 1
    assert failures(world) == [None]


def test_a_mail_that_waits_is_not_sent_once_its_document_is_erased(world: ScriptedWorld, vendor: FakeVendor) -> None:
    vendor.take = lambda _call: VendorReply(450, b"4.2.0 Later")

    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway)
        await gateway.create("gone")
        await gateway.until(lambda: bool(vendor.calls))
        await gateway.submit(
            world.delete("gone"),
            EraseDocument(
                tenant_id=TENANT, tenant="default", document_id=world.uuid("gone"), erasure_id=world.uuid("erasure")
            ),
        )
        vendor.take = lambda _call: None
        sent = len(vendor.calls)
        await gateway.create("another")
        await gateway.until(lambda: any(b"New: another" in call.body for call in vendor.calls))
        await asyncio.sleep(900)
        assert not any(b"New: gone" in call.body for call in vendor.calls[sent:])

    world.run(scenario)
