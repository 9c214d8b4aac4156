"""A large event is signed in slices, in turns with all else that takes the event loop long."""

import asyncio
from collections.abc import Callable
from random import Random

from gateway.tests.engine.subscriptions import subscription
from msgspec.structs import replace

from signalpost.destinations.webhook import DELIVERY, Webhook
from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.documents import sample
from signalpost.domain.event import Event, EventType
from signalpost.domain.request import OutgoingRequest
from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes.carriers import SLICE_BYTES, WebhookCarrier
from signalpost.runtime.tasks import Tasks
from signalpost.sharing.loop_turns import LoopTurns

NOW = 1_700_000_000 * SECOND
SMALL = sample.event(EventType.CREATED, 1, NOW, Random(1).getrandbits)
SLICES = 15
LARGE = replace(SMALL, body=bytes(SLICES * SLICE_BYTES - 7))


class Standing:
    """A clock that stands still."""

    def steady(self) -> int:
        return NOW

    def wall(self) -> int:
        return NOW


class KeepingTransport:
    """A transport that keeps what it is to send."""

    def __init__(self) -> None:
        self.requests: list[OutgoingRequest] = []

    def send(self, request: OutgoingRequest, _done: Callable[[Outcome], None]) -> None:
        self.requests.append(request)

    async def close(self, _grace: float) -> None:
        pass


def carry(carrier: WebhookCarrier, event: Event) -> None:
    carrier.carry(event, Delivery(event.sequence, event.document_id), lambda _: None)


def test_a_small_event_is_sent_at_once_and_a_large_one_after_a_turn_for_each_slice_of_it() -> None:
    async def scenario() -> None:
        turns, sent = LoopTurns(), KeepingTransport()
        carrier = WebhookCarrier(subscription(1), sent, Standing(), turns, Tasks(), lambda: True)
        carry(carrier, SMALL)
        assert len(sent.requests) == 1
        carry(carrier, LARGE)
        rounds = 0
        while len(sent.requests) < 2:
            await asyncio.sleep(0)
            rounds += 1
        assert rounds >= SLICES
        assert sent.requests == [Webhook(subscription(1)).prepare(each, 1, DELIVERY, NOW) for each in (SMALL, LARGE)]

    asyncio.run(scenario())


def test_another_tenants_large_event_does_not_wait_for_all_of_one_tenants() -> None:
    async def scenario() -> None:
        turns, sent, attempts = LoopTurns(), KeepingTransport(), Tasks()
        many = WebhookCarrier(subscription(1), sent, Standing(), turns, attempts, lambda: True)
        one = WebhookCarrier(subscription(2), sent, Standing(), turns, attempts, lambda: True)
        for _ in range(100):
            carry(many, LARGE)
        carry(one, LARGE)
        while not sent.requests:
            await asyncio.sleep(0)
        assert [each.holder for each in sent.requests] == [2], "it had every second slice"
        attempts.cancel()

    asyncio.run(scenario())


def test_a_large_event_is_not_sent_if_the_lease_ended_while_it_was_signed() -> None:
    async def scenario() -> None:
        sent, leases, outcomes = KeepingTransport(), [True], list[Outcome | None]()
        carrier = WebhookCarrier(subscription(1), sent, Standing(), LoopTurns(), Tasks(), lambda: leases[-1])
        carrier.carry(LARGE, Delivery(LARGE.sequence, LARGE.document_id), outcomes.append)
        await asyncio.sleep(0)
        leases.append(False)
        while not (outcomes or sent.requests):
            await asyncio.sleep(0)
        assert (outcomes, sent.requests) == ([None], [])

    asyncio.run(scenario())
