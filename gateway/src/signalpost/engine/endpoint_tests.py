"""Sends sample events to endpoints at once, outside the log, so that people see whether an endpoint works."""

import asyncio

from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.errors import TooMany
from signalpost.domain.event import Event
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.engine.connectors.connectors import Connectors
from signalpost.engine.lanes.lanes import Lanes
from signalpost.runtime.clock import Clock
from signalpost.sender.transport import Transport

MAX_TESTS = 16
"""How many test deliveries may be in flight."""


class EndpointTests:
    def __init__(self, transport: Transport, connectors: Connectors, lanes: Lanes, clock: Clock) -> None:
        self._transport = transport
        self._connectors = connectors
        self._lanes = lanes
        self._clock = clock
        self._in_flight = 0

    async def run(self, subscription: Subscription, event: Event) -> Outcome:
        """Send a sample event to an endpoint now. If it is delivered, that counts as a success of the endpoint and
        closes its breaker (C16). Raises TooMany."""
        if self._in_flight >= MAX_TESTS:
            raise TooMany(
                "too_many_tests",
                f"{MAX_TESTS} tests are already running. Repeat the request in a moment.",
                retry_after=5,
            )
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(ended: Outcome) -> None:
            self._in_flight -= 1
            if ended.failure is None:
                self._lanes.note_delivered_test(subscription)
            if not outcome.done():  # the client may be gone
                outcome.set_result(ended)

        self._in_flight += 1
        if subscription.kind == WEBHOOK:
            request = Webhook(subscription).prepare(event, 1, RequestKind.TEST, self._clock.wall())
            self._transport.send(request, done)
        else:
            self._connectors.try_out(subscription, event, done)
        return await outcome
