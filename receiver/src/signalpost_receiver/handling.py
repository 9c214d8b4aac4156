"""What happens to a verified event: claimed, handled and committed, or held for its turn.

    receive ─┬─ sample ─────────────────────────────────────▶ TEST
             ├─ no handler for its type ────────────────────▶ UNHANDLED
             ├─ handled or held before ─────────────────────▶ DUPLICATE
             ├─ a later one of its document was handled ────▶ STALE
             ├─ it, or another of its document, in progress ▶ InProgress is raised: the sender tries again
             ├─ buffered ───────────────────────────────────▶ HELD ── drain ──▶ handled
             └─ claimed ── handler ─┬─ returned ── commit ──▶ HANDLED
                                    └─ raised ─── release ──▶ HandlerError is raised: the sender tries again

The store says which (`stores.base`). If the process dies between the claim and the commit, the lease ends and the event
is handled again; if the commit fails, too. So a handler may see an event twice, and never not at all.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from .envelope import Hints, parse
from .errors import HandlerError, InProgress, StoreError, UsageError
from .event import Event, Name
from .steps import Step, Steps
from .stores.base import AsyncStore, Busy, Claim, Claimed, Handled, Held, Item, Stale, Store, item_of

Handler: TypeAlias = Callable[[Event], object]
"""Called with an event; may return an awaitable for `areceive`. If it raises, the sender tries again."""


class Outcome(Name):
    """What happened to an event. All of them are successes to the sender."""

    HANDLED = "handled"
    DUPLICATE = "duplicate"
    STALE = "stale"
    HELD = "held"
    UNHANDLED = "unhandled"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Result:
    """A request that was received; answer it with `status`."""

    outcome: Outcome
    event: Event

    @property
    def status(self) -> int:
        """The HTTP status to answer with: 204, since the answer has no body."""
        return 204


@dataclass(frozen=True, slots=True)
class SkipStale:
    """Handle an event at once, unless a later one of its document was handled: that one says all that this one did."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Hold every event for a while in the store, and hand a document's events to the handlers in their order.

    `hold` is how long an event waits for those before it. The request is answered at once; `drain` calls the handlers.
    An event that arrives after a later one was handled is skipped as with `SkipStale`.

    `retry_after` is how long a document waits after a handler failed for it.
    """

    hold: timedelta = timedelta(seconds=15)
    retry_after: timedelta = timedelta(seconds=30)


Order: TypeAlias = "SkipStale | Buffer | None"
"""How a document's events are kept in order; None handles each as it comes."""


class Handlers:
    """Which function handles which type of event."""

    def __init__(self) -> None:
        self.by_type: dict[str, Handler] = {}
        self.others: Handler | None = None
        self.tests: Handler | None = None

    def of(self, event: Event) -> Handler | None:
        """The function for an event; a sample goes to that for samples alone."""
        if event.is_test:
            return self.tests
        return self.by_type.get(str(event.type), self.others)


class Handling:
    """Takes verified events through a store to their handlers. Its methods only describe the steps."""

    def __init__(
        self,
        store: Store | AsyncStore,
        handlers: Handlers,
        order: Order,
        *,
        lease: timedelta,
        remember: timedelta,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._order = order
        self._lease_s = lease.total_seconds()
        self._remember_s = remember.total_seconds()
        self._clock = clock

    def is_forgotten(self, event: Event) -> bool:
        """Whether the store may have forgotten that the event was handled."""
        return self._clock() - event.created_at.timestamp() >= self._remember_s

    def receive(self, body: bytes, event: Event) -> Steps[Result]:
        """Take one verified event as far as it gets now."""
        handler = self._handlers.of(event)
        if event.is_test:
            if handler is not None:
                yield from _handle(handler, event)
            return Result(Outcome.TEST, event)
        if handler is None:
            return Result(Outcome.UNHANDLED, event)
        item = item_of(event, ordered=self._order is not None)
        if isinstance(self._order, Buffer):
            return Result((yield from self._hold(item, body, event, self._order)), event)
        claim = yield from self._claim(item)
        if isinstance(claim, Claimed):
            yield from self._handle_claimed(handler, event, item, claim.token, again_at=0.0)
            return Result(Outcome.HANDLED, event)
        return Result(self._refused(claim), event)

    def drain_one(self) -> Steps[Result | HandlerError | StoreError | None]:
        """Handle the next event that is due: its result, or why it failed; None if none is due."""
        now = self._clock()
        held: Held | None = yield from self._ask(lambda: self._store.take(now=now, lease_until=now + self._lease_s))
        if held is None:
            return None
        event = parse(held.body, Hints(*json.loads(held.hints)))
        handler = self._handlers.of(event)
        retry_after = self._order.retry_after if isinstance(self._order, Buffer) else timedelta(0)
        if handler is None:
            yield from self._commit(held.item, held.token)
            return Result(Outcome.UNHANDLED, event)
        try:
            again_at = now + retry_after.total_seconds()
            yield from self._handle_claimed(handler, event, held.item, held.token, again_at)
        except (HandlerError, StoreError) as error:
            return error
        return Result(Outcome.HANDLED, event)

    def _hold(self, item: Item, body: bytes, event: Event, buffer: Buffer) -> Steps[Outcome]:
        now = self._clock()
        hints = json.dumps([event.sequence, event.attempt, event.is_replay, event.is_test])
        due_at = now + buffer.hold.total_seconds()
        claim: Claim = yield from self._ask(lambda: self._store.hold(item, body, hints, now=now, due_at=due_at))
        return Outcome.HELD if isinstance(claim, Claimed) else self._refused(claim)

    def _claim(self, item: Item) -> Steps[Claim]:
        now = self._clock()
        claim: Claim = yield from self._ask(lambda: self._store.claim(item, now=now, lease_until=now + self._lease_s))
        return claim

    def _refused(self, claim: Handled | Stale | Busy | Claim) -> Outcome:
        if isinstance(claim, Busy):
            seconds = max(1, math.ceil(claim.until - self._clock()))
            raise InProgress("the event, or another one of its document, is being handled", seconds)
        return Outcome.STALE if isinstance(claim, Stale) else Outcome.DUPLICATE

    def _handle_claimed(self, handler: Handler, event: Event, item: Item, token: str, again_at: float) -> Steps[None]:
        # What ends the program or the task leaves the claim to its lease: a handler on a thread may go on meanwhile.
        try:
            yield from _handle(handler, event)
        except Exception:
            yield from self._release(item, token, again_at)
            raise
        yield from self._commit(item, token)

    def _release(self, item: Item, token: str, again_at: float) -> Steps[None]:
        try:
            yield from self._ask(lambda: self._store.release(item, token, again_at=again_at))
        except StoreError:
            # The lease ends by itself, and what the handler raised says more.
            return

    def _commit(self, item: Item, token: str) -> Steps[None]:
        now = self._clock()
        forget_at = now + self._remember_s
        # The handler that took over after the lease ended commits by itself.
        yield from self._ask(lambda: self._store.commit(item, token, now=now, forget_at=forget_at))

    def _ask(self, call: Callable[[], Any]) -> Steps[Any]:
        try:
            return (yield Step(call, self._store.blocking))
        except UsageError:
            raise
        except Exception as error:
            raise StoreError(f"the store failed: {type(error).__name__}") from error


def _handle(handler: Handler, event: Event) -> Steps[None]:
    try:
        # An asynchronous handler is only called here, and awaited where it was called.
        yield Step(lambda: handler(event), not _is_asynchronous(handler))
    except UsageError:
        raise
    except Exception as error:
        raise HandlerError(f"the handler of {event.type} failed: {type(error).__name__}") from error


def _is_asynchronous(handler: Handler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004
