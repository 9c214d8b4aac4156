"""Sends sample events to endpoints at once, outside the log, so that people see whether an endpoint works."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import urlsplit

from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.delivery.receiver_cases import (
    CASES,
    TOO_MANY,
    CaseFinding,
    CaseRequest,
    CaseRun,
    Samples,
    signing,
)
from signalpost.domain.errors import TooMany
from signalpost.domain.event import Event
from signalpost.domain.request import OutgoingRequest
from signalpost.domain.secrets import secrets_of, without_secrets
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.engine.connectors.connectors import Connectors
from signalpost.engine.delivered_tests import DeliveredTests
from signalpost.engine.lanes.carriers import SLICE_BYTES, sign_in_turns
from signalpost.runtime.clock import Clock
from signalpost.sender.transport import Transport
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.sharing.shares import Shares, alone

MAX_TESTS = 16
"""How many test deliveries may be in flight."""
AGAIN_AFTER = 5


class EndpointTests:
    def __init__(
        self, transport: Transport, connectors: Connectors, delivered: DeliveredTests, clock: Clock, turns: LoopTurns
    ) -> None:
        self._transport = transport
        self._connectors = connectors
        self._delivered = delivered
        self._clock = clock
        self._turns = turns
        self._in_flight = Shares(MAX_TESTS)
        self._runs: set[str] = set()
        """The subscriptions of which a test run is under way."""

    async def run(self, subscription: Subscription, event: Event) -> Outcome:
        """Send a sample event to an endpoint now. If it is delivered, that counts as a success of the endpoint and
        closes its breaker (C16). Raises TooMany."""
        if subscription.kind == WEBHOOK:
            return await self._send(subscription, subscription, CaseRequest(event))
        return await self._awaited(subscription, lambda done: self._connectors.try_out(subscription, event, done))

    async def run_cases(
        self, subscription: Subscription, stranger: str, random_bits: Callable[[int], int]
    ) -> Sequence[CaseFinding]:
        """Send the ten cases to a webhook, one after the other. `stranger` is a secret that it does not have. Raises
        TooMany."""
        if subscription.id in self._runs:
            detail = "The ten cases are being sent to this endpoint. Repeat the request when they have ended."
            raise TooMany("test_run_under_way", detail, retry_after=AGAIN_AFTER)
        self._runs.add(subscription.id)
        try:
            return await self._run_cases(subscription, stranger, random_bits)
        finally:
            self._runs.discard(subscription.id)

    async def _run_cases(
        self, subscription: Subscription, stranger: str, random_bits: Callable[[int], int]
    ) -> Sequence[CaseFinding]:
        now, began = self._clock.wall(), self._clock.steady()
        samples, secrets = Samples(subscription, now, random_bits), secrets_of(subscription)
        run = CaseRun(urlsplit(subscription.url).netloc, samples.types)
        for case in CASES:
            if (why_not := run.why_not(case, self._clock.steady() - began)) is not None:
                run.leave_out(case, why_not)
                continue
            request = case.make(samples)
            try:
                signer = signing(subscription, request.signature, stranger, now)
                outcome = await self._send(subscription, signer, request)
            except TooMany:
                if not run.was_any_sent:
                    raise
                run.leave_out(case, TOO_MANY)
            else:
                run.take(case, request.event.id, without_secrets(outcome, secrets))
        return run.findings

    async def _send(self, subscription: Subscription, signer: Subscription, sample: CaseRequest) -> Outcome:
        """Send a sample to a webhook, with the signatures of `signer` and a token if its endpoint wants one. Raises
        TooMany."""
        if (tokens := self._connectors.tokens.of(subscription)) is not None:
            send, made, judges = (
                self._connectors.send_with_token,
                partial(self._made, signer, sample),
                signer is subscription,
            )
            return await self._awaited(subscription, lambda done: send(tokens, made, done, judges=judges))
        request = await self._made(signer, sample)
        return await self._awaited(subscription, lambda done: self._transport.send(request, done))

    async def _made(self, signer: Subscription, sample: CaseRequest) -> OutgoingRequest:
        kind = RequestKind.TEST_REPLAY if sample.is_replay else RequestKind.TEST
        webhook, event, now = Webhook(signer), sample.event, self._clock.wall()
        if len(event.body) > SLICE_BYTES:
            signatures = await sign_in_turns(webhook, event, now, self._turns)
            return webhook.signed(event, sample.attempt, kind, signatures)
        return webhook.prepare(event, sample.attempt, kind, now)

    async def _awaited(
        self, subscription: Subscription, send: Callable[[Callable[[Outcome], None]], object]
    ) -> Outcome:
        """The outcome of a sample that `send` sends. Raises TooMany."""
        tenant = alone(subscription.tenant_id)
        if not self._in_flight.take(tenant):
            detail = "As many tests are running as may. Repeat the request in a moment."
            raise TooMany("too_many_tests", detail, retry_after=AGAIN_AFTER)
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(ended: Outcome) -> None:
            self._in_flight.give_back(tenant)
            if ended.failure is None:
                self._delivered.note(subscription)
            if not outcome.done():  # the client may be gone
                outcome.set_result(ended)

        send(done)
        return await outcome
