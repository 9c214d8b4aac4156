"""Deliveries through a kind of destination other than the webhook: what a reply makes of an event, tokens, and a kind
that goes wrong."""

import asyncio
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from gateway.tests.bodies import document_patch
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.network import VendorCall, VendorReply
from gateway.tests.world.vendors import HOST, KINDS, LOST, SECRET, FakeVendor

from signalpost.commands.connections import KeepGrant
from signalpost.commands.documents import PatchDocument
from signalpost.destinations.registry import Destinations
from signalpost.domain.connection import Granted
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.errors import Unavailable
from signalpost.domain.subscription import Delay
from signalpost.engine.lanes.still_wanted import MAX_LATER

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

GRANTED = Granted(refresh_token="refresh-0")


@pytest.fixture
def vendor(world: ScriptedWorld) -> FakeVendor:
    return serve(world)


def serve(world: ScriptedWorld, **given: object) -> FakeVendor:
    """A vendor in the world, whose kind is installed."""
    world.destinations = KINDS
    vendor = FakeVendor(**given)  # type: ignore[arg-type]
    world.vendors[HOST] = vendor
    return vendor


async def an_hour_with_a_document(gateway: RunningGateway, *, changed: bool) -> None:
    """Create a document that is changed at once, or not, and let more than an hour pass."""
    await gateway.create("a")
    await asyncio.sleep(10)
    if changed:
        await gateway.update("a")
    await asyncio.sleep(3_700)


def failures(world: ScriptedWorld, name: str, sequence: int) -> list[str | None]:
    return [attempt.failure for attempt in world.attempts(name, sequence)]


# --- What a reply makes of an event -----------------------------------------------------------------------------------


def test_an_event_becomes_a_call_that_is_filled_in_with_its_document(world: ScriptedWorld, vendor: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", config={"text": "New: {{ document.title }}"})
        await gateway.create("a", "b")
        await gateway.until(lambda: len(vendor.messages) == 2)

    world.run(scenario)
    assert [message["text"] for message in vendor.messages] == ["New: a", "New: b"]
    assert len({message["key"] for message in vendor.messages}) == 2
    assert failures(world, "s", 1) == [None]
    assert world.lane("s").head == 2


def test_a_retry_is_the_same_call(world: ScriptedWorld, vendor: FakeVendor) -> None:
    """C16"""
    replies = iter([VendorReply(500), VendorReply(503), None])
    vendor.take = lambda _call: next(replies)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: bool(vendor.messages))

    world.run(scenario)
    assert len({call.body for call in vendor.calls}) == 1
    assert failures(world, "s", 1) == [Failure.STATUS, Failure.STATUS, None]


def test_an_event_that_the_vendor_refuses_fails_at_once_and_a_retry_sends_it(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    vendor.take = lambda _call: VendorReply(422, b'{"error": "no_such_field"}')

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: bool(vendor.calls))
        await gateway.until_recorded()
        assert world.deliveries("s")[1].state == State.FAILED
        assert gateway.health("s")["state"] == "healthy"
        vendor.take = lambda _call: None
        await gateway.retry("s", 1)
        await gateway.until(lambda: bool(vendor.messages))

    world.run(scenario)
    assert failures(world, "s", 1) == [Failure.REJECTED, None]
    assert world.attempts("s", 1)[0].detail == "no_such_field: The vendor does not want it."
    assert world.deliveries("s") == {}


def test_ten_refusals_in_a_row_for_one_cause_disable_the_subscription(world: ScriptedWorld, vendor: FakeVendor) -> None:
    vendor.take = lambda _call: VendorReply(422, b'{"error": "no_such_field"}')

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", rate_limit=5)
        await gateway.create(*(f"d{number}" for number in range(100)))
        await gateway.until(lambda: gateway.of("s").status == "disabled")
        await asyncio.sleep(60)
        assert "no_such_field" in (gateway.of("s").disabled_because or "")
        assert "no_such_field" in str(gateway.health("s")["disabledReason"])

    world.run(scenario)
    assert 10 <= len(vendor.calls) < 20


def test_all_of_a_connection_waits_when_the_vendor_wants_fewer_calls_and_nothing_is_counted(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    throttled: list[float] = []

    def take(call: VendorCall) -> VendorReply | None:
        if not throttled:
            throttled.append(call.at)
            return VendorReply(429, headers={"retry-after": "3600"})
        return None

    vendor.take = take

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: bool(throttled))
        await gateway.deliver("t", "c")
        await gateway.create("b")
        await gateway.until(lambda: len(vendor.messages) == 3, within=20_000)
        await gateway.until_recorded()

    world.run(scenario)
    assert all(call.at >= throttled[0] + 3600 for call in vendor.calls[1:])
    (first, second) = world.attempts("s", 1)
    assert (first.failure, first.counted, first.number, second.failure, second.number) == ("throttled", 0, 1, None, 1)


def test_a_vendor_that_wants_to_be_left_alone_is_after_a_crash_too_for_one_write(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    vendor.take = lambda _call: VendorReply(429, headers={"retry-after": "3600"})

    async def first(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c")
        await gateway.create(*(f"d{number}" for number in range(8)))
        await gateway.until(lambda: len(vendor.calls) == 8)
        await gateway.until(lambda: gateway.connection("c").held_until is not None)
        await asyncio.sleep(60)
        vendor.take = lambda _call: None

    async def second(gateway: RunningGateway) -> None:
        await asyncio.sleep(3_000)
        assert len(vendor.calls) == 8, "the vendor is left alone"
        await gateway.until(lambda: len(vendor.messages) == 8, within=1_000)
        assert gateway.connection("c").version == 1, "the ETag of the connection holds"

    world.crash(first)
    world.run(second)


def test_short_waits_of_a_vendor_are_not_kept_and_new_credentials_end_a_wait(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    waits = ["2", "600"]
    vendor.take = lambda _call: VendorReply(429, headers={"retry-after": waits.pop(0)}) if waits else None

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: len(vendor.calls) == 1)
        await asyncio.sleep(1)
        assert gateway.connection("c").held_until is None
        await gateway.until(lambda: gateway.connection("c").held_until is not None)
        await gateway.reconnect("c", key="another")
        assert gateway.connection("c").held_until is None
        await gateway.deliver("t", "c")
        await gateway.create("b")
        await gateway.until(lambda: bool(vendor.messages), within=30)

    world.run(scenario)


def test_a_skip_settles_a_delivery_with_a_sentence(world: ScriptedWorld, vendor: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", config={"does": "skip"})
        await gateway.create("a")
        await gateway.until(lambda: not gateway.health("s")["lag"])
        await gateway.until_recorded()

    world.run(scenario)
    (attempt,) = world.attempts("s", 1)
    assert (attempt.failure, attempt.detail) == ("skipped", "There is nothing to say.")
    assert vendor.calls == []


def test_what_was_made_is_there_for_the_next_event_of_the_document_even_after_a_crash(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", config={"does": "remember"})
        await gateway.create("a")
        await gateway.update("a")
        await gateway.until(lambda: len(vendor.messages) == 2)
        await gateway.until_recorded()

    async def second(gateway: RunningGateway) -> None:
        await gateway.update("a")
        await gateway.until(lambda: len(vendor.messages) == 3)

    world.crash(first)
    world.run(second)
    assert [message["made"] for message in vendor.messages] == [{}, {"id": "m1"}, {"id": "m2"}]


# --- Signed calls -----------------------------------------------------------------------------------------------------


def test_every_attempt_is_signed_with_its_own_time(world: ScriptedWorld, vendor: FakeVendor) -> None:
    times: list[float] = []

    def busy(call: VendorCall) -> VendorReply | None:
        times.append(call.at)
        return VendorReply(503) if len(times) == 1 else None

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="signed")
        await gateway.deliver("s", "c")
        vendor.take = busy
        await gateway.create("a")
        await gateway.until(lambda: len(vendor.messages) == 1)

    world.run(scenario)
    signed = [call.headers["authorization"].split(" ") for call in vendor.calls]
    assert [said[1:] for said in signed] == [
        [str(len(SECRET)), "POST", "/messages", HOST, str(len(call.body))] for call in vendor.calls
    ]
    assert int(signed[1][0]) - int(signed[0][0]) == int(times[1]) - int(times[0]) > 0


def test_a_call_that_cannot_be_signed_is_not_made_and_shows_no_secret(world: ScriptedWorld, vendor: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="signed", key="broken")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: bool(world.attempts("s", 1)))

    world.run(scenario)
    assert not vendor.calls
    assert world.attempts("s", 1)[0].failure == Failure.CONNECTOR.value
    assert world.attempts("s", 1)[0].detail == "The call could not be signed: RuntimeError."


def test_an_event_that_its_kind_refuses_is_not_sent_and_fails_at_once(world: ScriptedWorld, vendor: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", config={"does": "refuse"})
        await gateway.create("a")
        await gateway.until(lambda: bool(world.attempts("s", 1)))
        await asyncio.sleep(3_700)

    world.run(scenario)
    assert not vendor.calls
    assert failures(world, "s", 1) == [Failure.REJECTED.value]
    assert world.attempts("s", 1)[0].detail == "too_long: The vendor takes nothing as long as that."


# --- Conditions and delays --------------------------------------------------------------------------------------------


def test_an_event_that_does_not_meet_the_condition_is_settled_and_leaves_no_trace(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", when={"field": "document.title", "is": "b"})
        await gateway.create("a", "b", "c")
        await gateway.until(lambda: bool(vendor.messages) and not gateway.health("s")["lag"])
        await gateway.until_recorded()

    world.run(scenario)
    assert [message["text"] for message in vendor.messages] == ["b"]
    assert [failures(world, "s", sequence) for sequence in (1, 2, 3)] == [[], [None], []]
    assert world.lane("s").head == 3
    assert world.deliveries("s") == {}


def test_a_delayed_event_is_sent_after_its_time_and_nothing_is_counted(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", after=Delay(seconds=3_600))
        await gateway.create("a")
        await gateway.until_recorded()
        assert gateway.health("s")["waiting"] == 1

    async def second(gateway: RunningGateway) -> None:
        await gateway.until(lambda: bool(vendor.messages))

    world.crash(first)
    world.run(second)
    (event,) = [call.at for call in vendor.calls]
    (attempt,) = world.attempts("s", 1)
    assert (attempt.failure, attempt.number, attempt.run) == (None, 1, 0)
    assert 1_000 + 3_600 <= event < 1_000 + 3_602


@pytest.mark.parametrize(("changed", "sent"), [(True, 0), (False, 1)])
def test_after_its_delay_an_event_is_only_sent_if_the_newest_state_still_calls_for_it(
    world: ScriptedWorld, vendor: FakeVendor, *, changed: bool, sent: int
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver(
            "s", "c", types=1, after=Delay(seconds=3_600, condition={"field": "document.title", "is": "a"})
        )
        await an_hour_with_a_document(gateway, changed=changed)

    world.run(scenario)
    assert len(vendor.messages) == sent
    if changed:
        (attempt,) = world.attempts("s", 1)
        assert attempt.detail == "Not sent: by now document.title is 'no. 1', not 'a'."


def test_a_replay_asks_the_condition_again(world: ScriptedWorld, vendor: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", when={"field": "document.title", "is": "b"})
        await gateway.create("a", "b")
        await gateway.until(lambda: len(vendor.messages) == 1)
        await gateway.until_recorded()
        await gateway.replay("s", "all")
        await gateway.until(lambda: len(vendor.messages) == 2)
        await gateway.until_recorded()

    world.run(scenario)
    assert [message["text"] for message in vendor.messages] == ["b", "b"]
    assert failures(world, "s", 1) == [], "the replay leaves it out"


def test_where_the_latest_wins_a_replay_leaves_out_what_a_later_wanted_event_has_made_old(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    wants = {"field": "document.type", "isNot": "Draft"}

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="setting")
        await gateway.deliver("s", "c", kind="setting", when=wants)
        await gateway.connect("d")
        await gateway.deliver("t", "d", when=wants)
        await gateway.create("a", "b")
        for change in ({"title": "a, changed"}, {"type": "Draft"}):  # a draft is not wanted, and makes nothing old
            patch = document_patch(**change)
            await gateway.submit(PatchDocument(tenant_id=1, document_id=world.uuid("a"), patch=patch))
        await gateway.until(lambda: len(vendor.messages) == 6)
        await gateway.until_recorded()
        vendor.messages.clear()
        await gateway.replay("s", "all")
        await gateway.replay("t", "all")
        await gateway.until(lambda: len(vendor.messages) == 5)
        await gateway.until_recorded()

    world.run(scenario)
    assert failures(world, "s", 1) == [None, "skipped"]
    assert failures(world, "s", 2) == failures(world, "s", 3) == [None, None]
    assert failures(world, "t", 1) == [None, None], "messages are all sent again"
    left_out = world.attempts("s", 1)[-1].detail
    assert left_out is not None
    assert left_out.endswith("of the same document came later and was wanted too.")


def test_the_latest_wins_however_many_events_lie_between(world: ScriptedWorld, vendor: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="setting")
        await gateway.deliver("s", "c", kind="setting", when={"field": "document.title", "startsWith": "wanted"})
        await gateway.create("wanted")
        await gateway.update("wanted", times=2 * MAX_LATER)
        last = document_patch(title="wanted at last")
        await gateway.submit(PatchDocument(tenant_id=1, document_id=world.uuid("wanted"), patch=last))
        await gateway.until(lambda: len(vendor.messages) == 2)
        await gateway.until_recorded()
        await gateway.replay("s", "all")
        await gateway.until(lambda: len(vendor.messages) == 3)
        await asyncio.sleep(5)

    world.run(scenario)
    assert [message["text"] for message in vendor.messages] == ["wanted", "wanted at last", "wanted at last"]
    assert failures(world, "s", 1) == [None, "skipped"]


# --- A kind that goes wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("does", "detail"),
    [
        ("raise", "The destination fake failed: RuntimeError: no use with [secret]"),
        ("nonsense", "The destination fake made neither a call, a mail, a skip nor a refusal of the event."),
        ("elsewhere", "The call goes to https://elsewhere.example, which is none of the connection's origins."),
        ("never_end", "The destination fake wants more than 2 further calls."),
    ],
)
def test_a_kind_that_goes_wrong_fails_its_own_deliveries_and_harms_nobody_else(
    world: ScriptedWorld, vendor: FakeVendor, does: str, detail: str
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("bad", "c", config={"does": does})
        await gateway.deliver("good", "c")
        await gateway.subscribe("webhook")
        await gateway.create("a")
        await gateway.until(lambda: len(world.attempts("bad", 1)) == 4, every=10.0)

    world.run(scenario)
    assert failures(world, "bad", 1) == [Failure.CONNECTOR] * 4
    assert {attempt.detail for attempt in world.attempts("bad", 1)} == {detail}
    assert failures(world, "good", 1) == [None]
    assert world.endpoint("webhook").sequences == [1]
    assert SECRET not in json.dumps(world.logs, default=str)


@pytest.mark.parametrize("error", [Unavailable("The database does not answer."), OSError("no such file")])
def test_an_error_of_the_gateway_itself_is_charged_to_no_delivery_and_all_are_sent_once_it_is_well(
    world: ScriptedWorld, vendor: FakeVendor, error: Exception
) -> None:
    """C16, C17"""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", config={"text": "{{ document.externalId }}"})
        world.faults.read = error
        for number in range(10):
            await gateway.create(f"d{number}")
            await gateway.update(f"d{number}", times=2)
        await asyncio.sleep(5)
        assert vendor.calls == []
        assert "fault of its own" in str(gateway.health("s")["lastError"])
        assert gateway.health("s")["failingSince"] is None, "the vendor did nothing"
        world.faults.read = None
        await gateway.until(lambda: len(vendor.messages) == 30, within=60)
        await gateway.until_recorded()
        assert gateway.health("s")["lastError"] is None

    world.run(scenario)
    assert [failures(world, "s", sequence) for sequence in range(1, 31)] == [[None]] * 30
    for number in range(10):
        document = world.uuid(f"d{number}")
        of_document = [message["event"] for message in vendor.messages if message["text"] == document]
        assert len(of_document) == 3
        assert of_document == sorted(of_document), "the events of a document keep their order"
    assert 0 < world.logged("warning", "could not be made") + world.logged("error", "could not be made") <= 5


def test_the_subscriptions_of_a_kind_that_is_gone_wait_and_lose_nothing(
    world: ScriptedWorld, vendor: FakeVendor
) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c")
        await gateway.subscribe("webhook")

    async def without(gateway: RunningGateway) -> None:
        await gateway.create("a")
        await gateway.until(lambda: world.endpoint("webhook").sequences == [1])
        await asyncio.sleep(1_000)
        assert "fake is not installed" in str(gateway.health("s")["lastError"])

    async def again(gateway: RunningGateway) -> None:
        await gateway.until(lambda: bool(vendor.messages))

    world.run(first)
    world.destinations = Destinations(())
    world.run(without)
    world.destinations = KINDS
    world.run(again)
    assert failures(world, "s", 1) == [None]


# --- Tokens -----------------------------------------------------------------------------------------------------------


def test_forty_deliveries_after_an_expiry_ask_for_one_token(world: ScriptedWorld) -> None:
    vendor = serve(world, sign_in="grant")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="grant")
        await gateway.deliver("s", "c")
        await gateway.deliver("t", "c")
        await gateway.create("first")
        await gateway.until(lambda: len(vendor.messages) == 2)
        assert len(vendor.token_calls) == 1
        await asyncio.sleep(1_750)  # it ends in less than a minute
        await gateway.create(*(f"d{number}" for number in range(20)))
        await gateway.until(lambda: len(vendor.messages) == 42)

    world.run(scenario)
    assert len(vendor.token_calls) == 2
    assert {failure for sequence in range(1, 22) for failure in failures(world, "s", sequence)} == {None}


def test_while_no_token_comes_everything_waits_and_nothing_is_charged(world: ScriptedWorld) -> None:
    vendor = serve(world, sign_in="grant")
    vendor.give = lambda _call: VendorReply(503)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="grant")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await asyncio.sleep(7_200)
        assert "the vendor answered 503" in str(gateway.health("s")["lastError"])
        vendor.give = lambda _call: None
        await gateway.until(lambda: bool(vendor.messages), within=301)

    world.run(scenario)
    assert failures(world, "s", 1) == [None]
    assert 24 <= len(vendor.token_calls) < 70


def test_a_token_that_ended_costs_no_attempt(world: ScriptedWorld) -> None:
    vendor = serve(world, sign_in="grant")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="grant")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: len(vendor.messages) == 1)
        vendor.end_tokens()
        await gateway.create("b")
        await gateway.until(lambda: len(vendor.messages) == 2)
        await gateway.until_recorded()

    world.run(scenario)
    assert [(a.failure, a.counted) for a in world.attempts("s", 2)] == [("unauthorised", 0), (None, 1)]
    assert len(vendor.token_calls) == 2


def test_a_new_token_that_is_refused_is_a_failure_like_others(world: ScriptedWorld) -> None:
    vendor = serve(world, sign_in="grant")
    vendor.take = lambda _call: VendorReply(401)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="grant")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await asyncio.sleep(600)
        assert world.deliveries("s")[1].state == State.FAILED

    world.run(scenario)
    assert failures(world, "s", 1) == [Failure.STATUS] * 4


@pytest.mark.parametrize("sign_in", ["grant", "consent"])
def test_a_path_that_refuses_every_token_fails_its_own_deliveries_and_costs_a_token_a_minute(
    world: ScriptedWorld, sign_in: str
) -> None:
    """Another path takes the same tokens, so that each of them is known to be good."""
    vendor = serve(world, sign_in=sign_in, token_seconds=1e6)
    vendor.take = lambda call: VendorReply(401) if b"#refused" in call.body else None

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn=sign_in, granted=GRANTED if sign_in == "consent" else None)
        await gateway.deliver("good", "c")
        await gateway.deliver("bad", "c", config={"text": "#refused"})
        began = gateway.loop.time()
        for number in range(44):
            await gateway.create(f"d{number}")
            await asyncio.sleep(0.5)
        assert len(vendor.token_calls) <= 2
        await gateway.until(
            lambda: [row.state for row in world.deliveries("bad").values()] == [State.FAILED] * 44, 100_000, every=30
        )
        assert len(vendor.token_calls) <= 2 + (gateway.loop.time() - began) / 60

    world.run(scenario)
    for sequence in range(1, 45):
        assert failures(world, "good", sequence) == [None]
        assert sum(attempt.counted for attempt in world.attempts("bad", sequence)) == 4
        assert len(world.attempts("bad", sequence)) <= 8


def test_a_fixed_token_that_is_refused_disables_at_once_and_a_mended_one_delivers(world: ScriptedWorld) -> None:
    vendor = serve(world, sign_in="fixed")
    vendor.refuses = "revoked"

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="fixed")
        await gateway.deliver("s", "c")
        await gateway.create("a", "b")
        await gateway.until(lambda: gateway.of("s").status == "disabled")
        await asyncio.sleep(1_000)
        assert gateway.connection("c").state == "broken"
        assert len(vendor.calls) <= 2
        vendor.refuses = None
        await gateway.change("s", status="active")
        await gateway.until(lambda: len(vendor.messages) == 2)
        await gateway.until(lambda: gateway.connection("c").state == "ready")

    world.run(scenario)
    assert {attempt.counted for attempt in world.attempts("s", 1)} == {0, 1}


@pytest.mark.parametrize("error", ["invalid_client", "invalid_grant"])
def test_where_the_vendor_lets_nobody_in_the_subscriptions_are_disabled_and_a_resume_delivers(
    world: ScriptedWorld, error: str
) -> None:
    vendor = serve(world, sign_in="grant")
    vendor.refuses = error

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="grant")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: gateway.of("s").status == "disabled")
        await asyncio.sleep(1_000)
        assert len(vendor.token_calls) == 1
        assert error in (gateway.of("s").disabled_because or "")
        vendor.refuses = None
        await gateway.change("s", status="active")
        await gateway.until(lambda: bool(vendor.messages))
        await gateway.until(lambda: gateway.connection("c").state == "ready")

    world.run(scenario)
    assert failures(world, "s", 1) == [None]


def test_a_refresh_token_that_was_replaced_is_kept_before_the_token_is_used(world: ScriptedWorld) -> None:
    vendor = serve(world, sign_in="consent")
    world.faults.late_publish = 0.05

    kept: list[bool] = []

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", granted=GRANTED, signIn="consent")
        await gateway.deliver("s", "c")

        def check(call: VendorCall) -> None:
            granted = gateway.connection("c").granted
            kept.append(granted is not None and call.headers["authorization"] == f"Bearer {granted.access_token}")

        vendor.take = check
        for number in range(5):
            await gateway.create(f"d{number}")
            await gateway.until(lambda sent=number: len(vendor.messages) == sent + 1)  # type: ignore[misc]
            await asyncio.sleep(1_800)

    world.run(scenario)
    assert len(vendor.token_calls) == 5
    assert kept == [True] * 5


def test_a_refresh_that_is_on_its_way_ends_before_a_changed_connection_asks_with_its_refresh_token(
    world: ScriptedWorld,
) -> None:
    vendor = serve(world, sign_in="consent")  # without a grace: two that ask at once lose the consent

    def slowly(_call: VendorCall) -> VendorReply:
        given = {"access_token": list(vendor.tokens)[-1], "refresh_token": vendor.refresh_token}
        return VendorReply(200, json.dumps(given).encode(), after=5.0)

    async def scenario(gateway: RunningGateway) -> None:
        vendor.give = slowly
        await gateway.connect("c", granted=GRANTED, signIn="consent")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: bool(vendor.token_calls))
        for number in range(3):
            await gateway.reconnect("c", signIn="consent", key=f"another-secret-{number}")
            await asyncio.sleep(1)
        await gateway.until(lambda: bool(vendor.messages))

    world.run(scenario)
    assert len(vendor.token_calls) == 1
    assert {call.holder for call in (*vendor.calls, *vendor.token_calls)} == {1}, "they wait for its own look-ups"


def test_a_connection_that_is_let_in_otherwise_does_not_use_what_a_person_granted(world: ScriptedWorld) -> None:
    vendor = serve(world, sign_in="grant")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", granted=Granted(refresh_token="r", access_token="of-the-person"), signIn="consent")
        await gateway.reconnect("c", signIn="grant")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: bool(vendor.messages))

    world.run(scenario)
    assert failures(world, "s", 1) == [None]
    assert [call.headers["authorization"] for call in vendor.calls] == ["Bearer token-1"]


def test_a_lost_answer_to_a_refresh_is_asked_for_again_at_once(world: ScriptedWorld) -> None:
    """The vendor takes the replaced refresh token for a while yet."""
    vendor = serve(world, sign_in="consent", grace=60.0)
    lost = iter([LOST])
    vendor.give = lambda _call: next(lost, None)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", granted=GRANTED, signIn="consent")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: bool(vendor.messages), within=1)

    world.run(scenario)
    assert len(vendor.token_calls) == 2


def test_a_consent_that_nothing_uses_is_renewed_about_once_a_week(world: ScriptedWorld) -> None:
    """Vendors forget a refresh token that is not used."""
    vendor = serve(world, sign_in="consent")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", granted=GRANTED, signIn="consent")
        await asyncio.sleep(7 * 24 * 3600)
        assert len(vendor.token_calls) == 1, "on the first day, because nobody knows when it was used before"
        await asyncio.sleep(3 * 24 * 3600)
        granted = gateway.connection("c").granted
        assert granted is not None
        assert granted.refresh_token != GRANTED.refresh_token

    world.run(scenario)
    assert len(vendor.token_calls) == 2
    assert vendor.calls == []


def test_a_connection_without_a_consent_waits_for_it(world: ScriptedWorld) -> None:
    vendor = serve(world, sign_in="consent")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="consent")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await asyncio.sleep(1_000)
        assert vendor.calls == vendor.token_calls == []
        assert "give consent at the vendor" in str(gateway.health("s")["lastError"])

    world.run(scenario)


def test_no_secret_is_in_what_is_kept_of_an_attempt(world: ScriptedWorld) -> None:
    vendor = serve(world, sign_in="fixed")
    vendor.take = lambda call: VendorReply(500, f"you sent {call.headers['authorization']}".encode())

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="fixed")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: bool(world.attempts("s", 1)))

    world.run(scenario)
    (attempt,) = world.attempts("s", 1)
    assert SECRET.encode() not in attempt.answer
    assert attempt.answer == b"you sent [secret]"


# --- Answers that come late -------------------------------------------------------------------------------------------


class SlowVendor(FakeVendor):
    """A vendor whose answers to some calls take long, whatever they say."""

    def __init__(self, slow: Callable[[VendorCall], float], **given: Any) -> None:
        super().__init__(**given)
        self._slow = slow

    def answer(self, call: VendorCall) -> VendorReply:
        """See `Vendor`; the answer takes as long as this call does."""
        return super().answer(call)._replace(after=self._slow(call))


def serve_slowly(world: ScriptedWorld, slow: Callable[[VendorCall], float], sign_in: str) -> SlowVendor:
    world.destinations = KINDS
    vendor = world.vendors[HOST] = SlowVendor(slow, sign_in=sign_in)
    return vendor


def test_a_late_refusal_of_a_token_that_was_replaced_says_nothing_about_the_new_one(world: ScriptedWorld) -> None:
    vendor = serve_slowly(
        world, lambda call: 3.0 if b"late" in call.body and b"again" not in call.body else 0.01, "grant"
    )

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="grant")
        await gateway.deliver("s", "c")
        await gateway.create("first")
        await gateway.until(lambda: len(vendor.messages) == 1)
        vendor.end_tokens()
        await gateway.create("late", "soon")
        await gateway.until(lambda: len(vendor.messages) == 2)
        await gateway.create("another")
        await gateway.until(lambda: len(vendor.messages) == 4, within=20)
        await gateway.until_recorded()

    world.run(scenario)
    assert len(vendor.token_calls) == 2
    assert [(each.failure, each.counted) for each in world.attempts("s", 2)] == [("unauthorised", 0), (None, 1)]
    assert failures(world, "s", 4) == [None]


@pytest.mark.parametrize("sign_in", ["fixed", "signed"])
def test_a_late_refusal_of_credentials_that_were_replaced_breaks_nothing(world: ScriptedWorld, sign_in: str) -> None:
    vendor = serve_slowly(world, lambda _call: 3.0, sign_in)
    vendor.refuses = "revoked"

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn=sign_in)
        await gateway.reconnect("c", signIn=sign_in, key="another-secret")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: len(vendor.calls) == 1)
        await gateway.reconnect("c", signIn=sign_in)
        vendor.refuses = None
        await gateway.until(lambda: len(vendor.messages) == 1, within=20)
        assert gateway.connection("c").state == "ready"
        assert gateway.of("s").status == "active"

    world.run(scenario)


def test_a_late_refusal_of_a_consent_that_was_given_again_breaks_nothing(world: ScriptedWorld) -> None:
    vendor = serve_slowly(world, lambda call: 5.0 if call.path == "/token" else 0.01, "consent")
    vendor.refuses = "invalid_grant"

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="consent", granted=GRANTED)
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: len(vendor.token_calls) == 1)
        vendor.refuses = None
        connection = gateway.connection("c")
        again = Granted(refresh_token=vendor.refresh_token)
        await gateway.submit(
            KeepGrant(
                tenant_id=1, connection_id=connection.id, granted=again, of_grant_version=connection.grant_version
            )
        )
        await gateway.until(lambda: len(vendor.messages) == 1, within=30)
        assert gateway.connection("c").state == "ready"
        assert gateway.of("s").status == "active"

    world.run(scenario)
    assert len(vendor.token_calls) == 2
    assert failures(world, "s", 1) == [None]


def test_a_late_answer_to_a_consent_that_was_given_again_is_not_kept(world: ScriptedWorld) -> None:
    """What it brought is the former consent's, and may be good for another account."""
    vendor = serve_slowly(world, lambda call: 5.0 if call.path == "/token" else 0.01, "consent")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="consent", granted=GRANTED)
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: len(vendor.token_calls) == 1)
        connection = gateway.connection("c")
        again = Granted(refresh_token=vendor.refresh_token, account={"tenant": "the other"})
        await gateway.submit(
            KeepGrant(
                tenant_id=1, connection_id=connection.id, granted=again, of_grant_version=connection.grant_version
            )
        )
        await gateway.until(lambda: len(vendor.messages) == 1, within=30)
        granted = gateway.connection("c").granted
        assert granted is not None
        assert granted.account == {"tenant": "the other"}
        assert granted.access_token == "token-2"

    world.run(scenario)
    assert [call.headers["authorization"] for call in vendor.calls] == ["Bearer token-2"]


# --- Moves ------------------------------------------------------------------------------------------------------------


async def sends_at_once(gateway: RunningGateway, vendor: FakeVendor, connection: str) -> None:
    """What a connection has under way does not hold up another subscription of it."""
    await gateway.deliver("t", connection, types=1)
    began = gateway.loop.time()
    await gateway.create("e")
    await gateway.until(lambda: any(b'"e"' in call.body for call in vendor.calls))
    assert gateway.loop.time() - began < 1.0, "nothing is under way at its connection"


def test_a_subscription_that_moved_does_not_count_at_its_former_connection(world: ScriptedWorld) -> None:
    vendor = serve(world)
    vendor.take = lambda call: VendorReply(after=4.0 if b"slow" in call.body else 0.01)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.connect("d")
        for number in range(2):  # of a lane four are under way at first, and eight of a connection
            await gateway.deliver(f"s{number}", "c", config={"text": "slow"})
        for number in range(2):
            await gateway.move(f"s{number}", "d")
        await gateway.create(*(f"d{number}" for number in range(4)))
        await gateway.until(lambda: len(vendor.calls) == 8)
        await sends_at_once(gateway, vendor, "c")

    world.run(scenario)


def test_a_subscription_that_moved_counts_there_alone_also_if_its_former_connection_changes_before_its_calls_end(
    world: ScriptedWorld,
) -> None:
    vendor = serve(world)
    vendor.take = lambda call: VendorReply(after=4.0 if b"slow" in call.body else 0.01)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.connect("d")
        for number in range(2):
            await gateway.deliver(f"s{number}", "c", config={"text": "slow"})
        await gateway.create("before")
        await gateway.until(lambda: len(vendor.calls) == 2)
        for number in range(2):
            await gateway.move(f"s{number}", "d")
        await gateway.reconnect("c", key="another")
        await gateway.until(lambda: len(world.attempts("s0", 1)) == len(world.attempts("s1", 1)) == 1)
        await gateway.create(*(f"d{number}" for number in range(4)))
        await gateway.until(lambda: len(vendor.calls) == 2 + 8)
        await sends_at_once(gateway, vendor, "c")

    world.run(scenario)


# --- Rates ------------------------------------------------------------------------------------------------------------


def test_the_rate_and_what_is_under_way_are_bounded_for_all_subscriptions_of_a_connection_together(
    world: ScriptedWorld,
) -> None:
    vendor = serve(world)
    vendor.take = lambda _call: VendorReply(after=2.0)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c")
        await gateway.deliver("t", "c")
        await gateway.create(*(f"d{number}" for number in range(40)))
        await gateway.until(lambda: len(vendor.messages) == 80)

    world.run(scenario)
    starts = [call.at for call in vendor.calls]
    assert all(later > earlier + 1.999 for earlier, later in zip(starts, starts[8:], strict=False))
    assert starts[-1] - starts[0] < 2.0 * 80 / 8 + 20.0, "as many as may be under way are"


def apart(calls: Sequence[VendorCall]) -> list[float]:
    """The seconds between calls that followed one another."""
    return [later.at - earlier.at for earlier, later in pairwise(sorted(calls, key=lambda call: call.at))]


def test_each_channel_has_the_rate_for_itself(world: ScriptedWorld) -> None:
    vendor = serve(world)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="unhurried")
        for name, channel in (("s", "#a"), ("t", "#a"), ("u", "#b")):
            config = {"channel": channel, "text": channel}
            await gateway.deliver(name, "c", kind="unhurried", config=config)
        await gateway.create(*(f"d{number}" for number in range(10)))
        await gateway.until(lambda: len(vendor.messages) == 30)

    world.run(scenario)
    of = {channel: [call for call in vendor.calls if channel in call.body.decode()] for channel in ("#a", "#b")}
    assert (len(of["#a"]), len(of["#b"])) == (20, 10)
    for calls in of.values():
        assert min(apart(calls)) > 0.999
    assert of["#b"][-1].at < of["#a"][12].at, "one channel does not wait for the other"


def test_a_subscription_that_moves_to_another_channel_goes_at_that_ones_pace(world: ScriptedWorld) -> None:
    vendor = serve(world)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="unhurried")
        for name, channel in (("s", "#a"), ("t", "#b")):
            await gateway.deliver(name, "c", kind="unhurried", config={"channel": channel, "text": channel})
        await gateway.create("a")
        await gateway.until(lambda: len(vendor.messages) == 2)
        await gateway.change("t", config={"channel": "#a", "text": "#a"})
        await gateway.create(*(f"d{number}" for number in range(5)))
        await gateway.until(lambda: len(vendor.messages) == 12)

    world.run(scenario)
    assert min(apart([call for call in vendor.calls if b"#a" in call.body])) > 0.999


def test_a_channel_keeps_its_rate_after_a_connection_that_could_not_be_used_while_a_call_was_under_way(
    world: ScriptedWorld,
) -> None:
    vendor = serve(world)
    vendor.take = lambda call: VendorReply(after=4.0 if b"slow" in call.body else 0.01)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="unhurried")
        for name in ("s", "t"):
            config = {"channel": "#a", "text": "{{ document.title }}"}
            await gateway.deliver(name, "c", kind="unhurried", config=config)
        await gateway.create("slow")
        await gateway.until(lambda: len(vendor.calls) == 2)
        await gateway.reconnect("c", signIn="in no way that the kind knows")
        await gateway.until(lambda: len(vendor.messages) == 2)
        await gateway.until(lambda: len(world.attempts("s", 1)) == len(world.attempts("t", 1)) == 1)
        await gateway.reconnect("c")
        await gateway.create(*(f"d{number}" for number in range(5)))
        await gateway.until(lambda: len(vendor.messages) == 12)

    world.run(scenario)
    assert min(apart(vendor.calls)) > 0.999


def test_a_further_call_of_a_delivery_waits_for_its_turn(world: ScriptedWorld) -> None:
    vendor = serve(world)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", kind="unhurried")
        await gateway.deliver("s", "c", kind="unhurried", config={"does": "twice"})
        await gateway.deliver("t", "c", kind="unhurried", config={"does": "twice"})
        await gateway.create(*(f"d{number}" for number in range(5)))
        await gateway.until(lambda: len(vendor.messages) == 20)
        await gateway.until_recorded()

    world.run(scenario)
    assert min(apart(vendor.calls)) > 0.999
    assert vendor.calls[-1].at - vendor.calls[0].at < 22
    assert {failure for sequence in range(1, 6) for failure in failures(world, "s", sequence)} == {None}
