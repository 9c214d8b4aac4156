"""A receiver of webhooks: verifies requests, and hands their events to functions, each once.

receiver = Receiver(secrets=[os.environ["WEBHOOK_SECRET"]])

@receiver.on("documentUpdated")
def updated(event: DocumentEvent) -> None: ...

receiver.receive(body, headers)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeAlias, TypeVar, Union, cast, overload

from .envelope import Hints, parse
from .errors import ConfigError, HandlerError, InFuture, StoreError, TooLarge, TooOld, UsageError
from .event import MAX_BODY_BYTES, DocumentEvent, Event, EventType
from .feed import Feed
from .handling import Buffer, Handler, Handlers, Handling, Order, Result
from .headers import Headers, number, read_headers
from .reconciling import Reconciliation, reconcile
from .sign import ATTEMPT, REPLAY, SEQUENCE, TEST
from .steps import run, run_async
from .stores.base import AsyncStore, Store
from .stores.memory import MemoryStore
from .verify import Verifier

DEFAULT_MAX_AGE = timedelta(hours=1)
DEFAULT_SKEW = timedelta(seconds=60)
DEFAULT_REMEMBER = timedelta(days=30)
"""As long as a gateway keeps events, by default, and so can send them again."""
DEFAULT_LEASE = timedelta(seconds=30)

Body: TypeAlias = Union[bytes, bytearray, memoryview]  # noqa: UP007  # Python 3.10
"""A request's body exactly as it arrived."""

DocumentType: TypeAlias = Union[EventType, Literal["documentCreated", "documentUpdated", "documentDeleted"]]  # noqa: UP007
"""A type of event that always has a document."""

_Function = TypeVar("_Function", bound=Handler)
_DocumentFunction = TypeVar("_DocumentFunction", bound=Callable[[DocumentEvent], object])


class Receiver:
    """Verifies, reads and handles the requests of one subscription. Safe to share between threads.

    `secrets` is the subscription's secret, or during a rotation both (C21): a request is genuine if any of its
    signatures fits any of them. If the subscription signs with a key pair, its public keys (`whpk_…`) may stand there
    instead; that needs the extra `signalpost-receiver[ed25519]`.

    `max_age` refuses requests that were signed longer ago than that, and those signed more than `skew` ahead of this
    machine's clock. The signed time is that of the attempt (`webhook-timestamp`), which retries and replays renew, so
    they are never too old. A request with only `plexus-webhook-signature` has no signed time but the event's
    `createdAt`, which they do not renew: late ones are refused. With None, no time is checked.

    `store` remembers for the time `remember` which events were handled; without it, this process does. An event that
    is being handled is left to its handler for as long as `lease`. `order` keeps the events of a document in order.

    `max_body_bytes` caps what is hashed. `clock` gives seconds since the epoch.

    Raises ConfigError for a secret or a limit that can never work or would not be safe.
    """

    def __init__(
        self,
        *,
        secrets: str | Sequence[str],
        max_age: timedelta | None = DEFAULT_MAX_AGE,
        skew: timedelta = DEFAULT_SKEW,
        max_body_bytes: int = MAX_BODY_BYTES,
        store: Store | AsyncStore | None = None,
        remember: timedelta = DEFAULT_REMEMBER,
        lease: timedelta = DEFAULT_LEASE,
        order: Order = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max_age is not None:
            _require_span("max_age", max_age)
        _require_span("skew", skew, least=timedelta(0))
        if max_body_bytes <= 0:
            raise ConfigError("max_body_bytes must be positive")
        _require_span("lease", lease)
        _require_span("remember", remember)
        if max_age is not None and remember < max_age + skew:
            raise ConfigError("remember must be at least max_age and skew together: else a request could be replayed")
        if isinstance(order, Buffer):
            _require_span("hold", order.hold, least=timedelta(0))
            _require_span("retry_after", order.retry_after)
        self._verifier = Verifier(secrets)
        self._handlers = Handlers()
        self._handling = Handling(
            MemoryStore() if store is None else store,
            self._handlers,
            order,
            lease=lease,
            remember=remember,
            clock=clock,
        )
        self._max_age_s = None if max_age is None else max_age.total_seconds()
        self._skew_s = skew.total_seconds()
        self.max_body_bytes = max_body_bytes
        """The longest body that is taken: there is no use in reading more."""
        self._clock = clock

    @overload
    def on(self, first: DocumentType, /, *types: DocumentType) -> Callable[[_DocumentFunction], _DocumentFunction]: ...

    @overload
    def on(self, *types: str) -> Callable[[_Function], _Function]: ...

    def on(self, *types: str) -> Callable[[Any], Any]:
        """Have the decorated function handle events of these types; without types, all that no other handles.

        Raises ConfigError if a type has a handler already.
        """
        for event_type in types:
            if str(event_type) in self._handlers.by_type:
                raise ConfigError(f"{event_type} has a handler already")
        if not types and self._handlers.others is not None:
            raise ConfigError("the other types have a handler already")

        def register(function: Handler) -> Handler:
            for event_type in types:
                self._handlers.by_type[str(event_type)] = function
            if not types:
                self._handlers.others = function
            return function

        return register

    def on_test(self, function: _DocumentFunction) -> _DocumentFunction:
        """Have the decorated function handle the samples that test the endpoint. No other function gets them."""
        self._handlers.tests = cast("Handler", function)
        return function

    def receive(self, body: Body, headers: Headers) -> Result:
        """Verify a request, and handle its event unless that was done before.

        Raises what `verify` does; InProgress while the event is being handled by another; HandlerError and StoreError.
        Each has the `status` to answer with.
        """
        event = self.verify(body, headers)
        return run(self._handling.receive(bytes(body), event))

    async def areceive(self, body: Body, headers: Headers) -> Result:
        """Do what `receive` does, on an event loop: awaits handlers and stores, or has a thread call them."""
        event = self.verify(body, headers)
        return await run_async(self._handling.receive(bytes(body), event))

    def drain(self) -> list[Result | HandlerError | StoreError]:
        """Handle the held events that are due, and return what happened to each. An error is of one event: the others
        of its document wait for it, those of other documents do not.

        Raises StoreError.
        """
        done: list[Result | HandlerError | StoreError] = []
        while (result := run(self._handling.drain_one())) is not None:
            done.append(result)
        return done

    async def adrain(self) -> list[Result | HandlerError | StoreError]:
        """Do what `drain` does, on an event loop."""
        done: list[Result | HandlerError | StoreError] = []
        while (result := await run_async(self._handling.drain_one())) is not None:
            done.append(result)
        return done

    def reconcile(self, feed: Feed, since: int) -> Reconciliation:
        """Look through the gateway's log from after the sequence `since`, and handle what was missed.

        Raises FeedError.
        """
        return run(reconcile(self._handling, feed, since))

    async def areconcile(self, feed: Feed, since: int) -> Reconciliation:
        """Do what `reconcile` does, on an event loop: a thread asks the feed."""
        return await run_async(reconcile(self._handling, feed, since))

    def verify(self, body: Body, headers: Headers) -> Event:
        """The event of a genuine request. `body` is the request's body exactly as it arrived.

        For any bytes and headers, it raises nothing but VerificationError, ReplayError and PayloadError, to
        be answered with their `status`, and UsageError for a body that is not bytes.
        """
        body = self._raw(body)
        found = read_headers(headers)
        signed_at = self._verifier.check(body, found)
        if signed_at is not None:
            self._check_age(signed_at)
        event = parse(body, _hints(found))
        if signed_at is None:
            self._check_age(event.created_at.timestamp())
        return event

    def _raw(self, body: object) -> bytes:
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise UsageError(
                f"the body is {type(body).__name__}, not bytes: give the request's raw body, before anything parses it"
            )
        if (body.nbytes if isinstance(body, memoryview) else len(body)) > self.max_body_bytes:
            raise TooLarge(f"the body is longer than {self.max_body_bytes} bytes")
        return bytes(body)

    def _check_age(self, signed_at: float) -> None:
        if self._max_age_s is None:
            return
        age = self._clock() - signed_at
        if age > self._max_age_s:
            raise TooOld("the request was signed too long ago")
        if -age > self._skew_s:
            raise InFuture("the request was signed ahead of this machine's clock")


def _hints(headers: dict[str, str]) -> Hints:
    return Hints(
        number(headers.get(SEQUENCE)),
        number(headers.get(ATTEMPT)),
        headers.get(REPLAY) == "true",
        headers.get(TEST) == "true",
    )


def _require_span(name: str, span: object, least: timedelta = timedelta(microseconds=1)) -> None:
    if not isinstance(span, timedelta):
        raise ConfigError(f"{name} must be a timedelta")
    if span < least:
        raise ConfigError(f"{name} must be positive" if least else f"{name} must not be negative")
