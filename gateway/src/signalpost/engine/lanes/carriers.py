"""Carriers, which deliver a lane's events, and gates, which may keep a lane from sending.

The signed webhook is carried straight to the transport. Every other kind of destination is carried by a courier
(`engine/connectors/courier.py`), and its lane asks a gate before it sends.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol, TypeAlias

from signalpost.destinations.webhook import DELIVERY, REPLAY, Signing, Webhook
from signalpost.domain.delivery.attempt_trace import AttemptTrace
from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.event import Event
from signalpost.domain.request import OutgoingRequest
from signalpost.domain.subscription import Subscription
from signalpost.runtime.clock import Clock
from signalpost.runtime.tasks import Tasks
from signalpost.sender.transport import Transport
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.nouns.connections import ConnectionStore

NEVER: Final = 1 << 62
"""The time of a send that has to wait until something else happens."""
SLICE_BYTES: Final = 64 * 1024
"""How many bytes of a large event are signed in one turn, which takes 0.15 ms."""
MAX_REMEMBERED: Final = 2_000
"""For how many documents a lane remembers what was made. It is more than a lane leaves unrecorded."""


class Gate(Protocol):
    """What a lane asks before it sends, in addition to what its worker knows about the endpoint."""

    @property
    def trouble(self) -> str | None:
        """A sentence for people: what blocks all sending; None if nothing does, as far as is known."""
        ...

    def ready_at(self, now: int) -> int:
        """When a lane may send, steady µs: at once if that is `now` or earlier. If it is NEVER, the lane is told once
        something has changed."""
        ...

    def try_again(self) -> None:
        """Try again now, because a person may have fixed what was wrong."""
        ...

    def wake(self) -> None:
        """Let lanes ask again that were refused without a time."""
        ...


class GatedLane(Protocol):
    """A lane that has a gate."""

    @property
    def in_flight(self) -> int:
        """How many of its deliveries are in flight."""
        ...

    @property
    def may_send(self) -> bool:
        """Whether it is still this node's, and its subscription and its tenant let it send."""
        ...

    def ask_again(self) -> None:
        """The lane may send now what it could not before."""
        ...


AttemptEnded: TypeAlias = Callable[[Outcome | None], None]
"""Is told the outcome of an attempt; None if the gateway itself could not make it."""


class Carrier(Protocol):
    def carry(self, event: Event, delivery: Delivery, done: AttemptEnded, trace: AttemptTrace | None = None) -> None:
        """Make one attempt, which is in a trace if one is given. Calls `done` once, from the event loop, and never
        before `carry` returns; not at all if the gateway is stopped first."""
        ...


class Made:
    """What the deliveries of one lane made at the vendor, by document.

    The store has what was recorded. A change is kept here until the lane is recorded, which writes it in the same
    transaction as the delivery's end: so a crash repeats the delivery, and it knows as much as before.
    """

    def __init__(self, store: ConnectionStore, subscription_number: int) -> None:
        self._store = store
        self._number = subscription_number
        self._known: dict[str, Mapping[str, str]] = {}
        self._changed: dict[str, Mapping[str, str]] = {}

    async def find(self, document_id: str) -> Mapping[str, str]:
        """What the last delivery for a document made; empty if nothing."""
        made = self._known.get(document_id)
        if made is None:
            found = await self._store.made(self._number, [document_id])
            # No other delivery for the document has ended meanwhile, because only one is in flight.
            made = self._know(document_id, found.get(document_id, {}))
        return made

    def note(self, document_id: str, made: Mapping[str, str]) -> None:
        self._changed[document_id] = self._know(document_id, made)

    def forget(self, document_id: str) -> None:
        self._known.pop(document_id, None)
        self._changed.pop(document_id, None)

    def changes(self) -> Mapping[str, Mapping[str, str]]:
        """Everything since the last call."""
        changed, self._changed = self._changed, {}
        return changed

    def _know(self, document_id: str, made: Mapping[str, str]) -> Mapping[str, str]:
        self._known.pop(document_id, None)
        self._known[document_id] = made
        if len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        return made


class Carriers(Protocol):
    """Knows how each subscription's deliveries are carried."""

    def gate(self, subscription: Subscription, user: GatedLane) -> Gate | None:
        """A new gate for a lane, in place of its earlier one; None for a lane that needs no permission."""
        ...

    def leave(self, user: GatedLane) -> None:
        """A lane has left: it will ask no more."""
        ...

    def latest_wins(self, subscription: Subscription) -> bool:
        """Whether its kind sets what the last event of a document says, so that no earlier one may follow."""
        ...

    def carrier(self, subscription: Subscription, gate: Gate | None, made: Made | None) -> Carrier:
        """The carrier of a subscription's lane. `made` is given if the lane has a gate."""
        ...

    def made(self, subscription: Subscription) -> Made: ...

    async def close(self, grace: float) -> None:
        """Make no further calls. Let attempts end for `grace` seconds, interrupt the others, and wait for the outcome
        of all."""
        ...


class TokenSender(Protocol):
    """Sends the requests of one webhook with a token."""

    async def send(self, made: Callable[[], Awaitable[OutgoingRequest | None]], done: AttemptEnded) -> None:
        """Send the request that is made once there is a token; None if it may not be sent any more. Tells the outcome,
        also if there is no token."""
        ...


class WebhookCarrier:
    """Carries an event to an endpoint as the signed webhook. Signing a large one is long work for the event loop, so it
    is done in slices, in turns with other long work."""

    def __init__(
        self,
        subscription: Subscription,
        transport: Transport,
        clock: Clock,
        turns: LoopTurns,
        attempts: Tasks,
        may_start: Callable[[], bool],
        tokens: TokenSender | None = None,
        was_erased: Callable[[Event], bool] = lambda _: False,
    ) -> None:
        """`attempts` runs the tasks that sign large events or wait for tokens; `may_start` says whether this node may
        start attempts, and `was_erased` whether an event was, as far as it has heard. `tokens` are given if the
        endpoint wants some."""
        self._webhook = Webhook(subscription)
        self._tells_traces = subscription.trace
        self._transport = transport
        self._clock = clock
        self._turns = turns
        self._attempts = attempts
        self._may_start = may_start
        self._tokens = tokens
        self._was_erased = was_erased

    def carry(self, event: Event, delivery: Delivery, done: AttemptEnded, trace: AttemptTrace | None = None) -> None:
        """See `Carrier`."""
        traceparent = trace.header if trace is not None and self._tells_traces else None
        if self._tokens is not None:
            self._attempts.start(self._tokens.send(lambda: self._made(event, delivery, traceparent), done))
            return
        if len(event.body) > SLICE_BYTES:
            self._attempts.start(self._carry_large(event, delivery, done, traceparent))
            return
        kind = REPLAY if delivery.run > 0 else DELIVERY
        request = self._webhook.prepare(event, delivery.failed_attempts + 1, kind, self._clock.wall(), traceparent)
        self._transport.send(request, done)

    async def _carry_large(self, event: Event, delivery: Delivery, done: AttemptEnded, traceparent: str | None) -> None:
        request = await self._made(event, delivery, traceparent)
        if request is None:
            done(None)
        else:
            self._transport.send(request, done)

    async def _made(self, event: Event, delivery: Delivery, traceparent: str | None) -> OutgoingRequest | None:
        """The request of an attempt; None if it may not start any more: the lease may have ended meanwhile, and the
        lane be another node's, or the event was erased."""
        kind, number = REPLAY if delivery.run > 0 else DELIVERY, delivery.failed_attempts + 1
        if len(event.body) <= SLICE_BYTES:
            request = self._webhook.prepare(event, number, kind, self._clock.wall(), traceparent)
        else:
            signing = await sign_in_turns(self._webhook, event, self._clock.wall(), self._turns)
            request = self._webhook.signed(event, number, kind, signing, traceparent)
        return request if self._may_start() and not self._was_erased(event) else None


async def sign_in_turns(webhook: Webhook, event: Event, now: int, turns: LoopTurns) -> Signing:
    """Sign a large event in slices, in turns with other long work; `now` is the wall clock in µs."""
    signing = webhook.signing(event, now)
    for begin in range(0, len(event.body), SLICE_BYTES):
        await turns.turn(webhook.tenant_id)
        signing.update(event.body[begin : begin + SLICE_BYTES])
    return signing
