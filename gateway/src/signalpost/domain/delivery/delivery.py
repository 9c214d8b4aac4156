"""One delivery: an event on its way to one subscription. Its states, and what an attempt's outcome makes of it.

    UNREAD ─skip──▶ SETTLED          not asked for
       │ └──block─▶ BLOCKED ─promote─▶ OPEN      behind others of its document
       └────take──▶ OPEN ─send─▶ IN_FLIGHT
    IN_FLIGHT ─delivered─▶ SETTLED
       ├─fail────▶ AWAITING_RETRY ─due─▶ RETRY_READY ─send─▶ IN_FLIGHT
       ├─give_up─▶ FAILED
       └─interrupted─▶ OPEN or RETRY_READY, as it was before it was sent
    FAILED, SETTLED ─again─▶ AWAITING_RETRY   a retry by hand or a replay: a new run with its own attempts
    AWAITING_RETRY ─hurry─▶ AWAITING_RETRY    a retry by hand: due now; its schedule stays

What is durable: OPEN and IN_FLIGHT deliveries are numbers in the lane's `open` list. AWAITING_RETRY, RETRY_READY,
BLOCKED and FAILED ones are exception rows. A RETRY_READY one, and an IN_FLIGHT one that is a retry, is stored as
AWAITING_RETRY, so that a crash repeats it under the same number. UNREAD is above the lane's head, and everything
else at or below it is SETTLED. That a delivery is in flight is known to memory alone.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from msgspec import Struct

from signalpost.domain.delivery import retry
from signalpost.domain.delivery.outcome import Failure, Outcome


class State(IntEnum):
    """Values of those that are stored are part of the schema."""

    UNREAD = 0
    AWAITING_RETRY = 1
    BLOCKED = 2
    FAILED = 3
    OPEN = 4
    RETRY_READY = 5
    IN_FLIGHT = 6
    SETTLED = 7


class Input(IntEnum):
    SKIP = 0
    TAKE = 1
    BLOCK = 2
    PROMOTE = 3
    SEND = 4
    FALL_DUE = 5
    DELIVERED = 6
    FAIL = 7
    GIVE_UP = 8
    INTERRUPTED = 9
    """An attempt of one that was open."""
    RETRY_INTERRUPTED = 10
    """An attempt of one that was due."""
    HURRY = 11
    AGAIN = 12


TRANSITIONS: Mapping[State, Mapping[Input, State]] = {
    State.UNREAD: {Input.SKIP: State.SETTLED, Input.TAKE: State.OPEN, Input.BLOCK: State.BLOCKED},
    State.BLOCKED: {Input.PROMOTE: State.OPEN, Input.GIVE_UP: State.FAILED},
    State.OPEN: {Input.SEND: State.IN_FLIGHT, Input.GIVE_UP: State.FAILED},
    State.AWAITING_RETRY: {
        Input.FALL_DUE: State.RETRY_READY,
        Input.HURRY: State.AWAITING_RETRY,
        Input.GIVE_UP: State.FAILED,
    },
    State.RETRY_READY: {Input.SEND: State.IN_FLIGHT, Input.GIVE_UP: State.FAILED},
    State.IN_FLIGHT: {
        Input.DELIVERED: State.SETTLED,
        Input.FAIL: State.AWAITING_RETRY,
        Input.GIVE_UP: State.FAILED,
        Input.INTERRUPTED: State.OPEN,
        Input.RETRY_INTERRUPTED: State.RETRY_READY,
    },
    State.FAILED: {Input.AGAIN: State.AWAITING_RETRY},
    State.SETTLED: {Input.AGAIN: State.AWAITING_RETRY},
}
"""What may follow what. An input that is missing under a state cannot happen there, or changes nothing."""


class Delivery(Struct, eq=False, gc=False):
    """An unsettled delivery in memory."""

    sequence: int
    document_id: str
    state: State = State.OPEN
    failed_attempts: int = 0
    """Counted attempts of this run that failed."""
    max_attempts: int = 0
    """Counted attempts that this run has; 0 while it is open for the first time: the subscription's own then."""
    run: int = 0
    """0 at first, one more with every retry of a settled or failed one and every replay."""
    due: int = 0
    """When a parked one may be sent again, µs."""
    resume_at: int | None = None
    """Set while an extra attempt by hand is due or under way: where its own schedule goes on if that fails."""

    def __lt__(self, other: "Delivery") -> bool:
        return self.sequence < other.sequence

    def __repr__(self) -> str:
        return f"Delivery({self.sequence}, {self.state.name}, charged={self.failed_attempts}, run={self.run})"

    @property
    def is_retry(self) -> bool:
        """It has an exception row, rather than a number in the lane's `open` list."""
        return self.max_attempts > 0


class Verdict(Struct, frozen=True):
    """What becomes of a delivery after an attempt."""

    input: Input
    counted: bool = False
    """Whether the attempt counts against the budget (C16)."""
    due: int = 0
    """Of one that is parked: when it may be sent again, µs."""


_SETTLED = Verdict(Input.DELIVERED, counted=True)


def decide(
    delivery: Delivery,
    outcome: Outcome,
    delays: Sequence[int],
    now: int,
    jitter: float,
    retry_after: int | None,
) -> Verdict:
    """What an attempt's outcome makes of its delivery (C15, C16).

    `now` is the end of the attempt, `jitter` a random number in [0, 1), `retry_after` the seconds that the endpoint
    asked for.
    """
    if outcome.failure is None:
        return _SETTLED
    if outcome.failure is Failure.INTERRUPTED:
        return Verdict(Input.RETRY_INTERRUPTED if delivery.is_retry else Input.INTERRUPTED)
    if delivery.resume_at is not None:
        return Verdict(Input.FAIL, due=max(delivery.resume_at, now))
    failures = delivery.failed_attempts + 1
    if failures >= (delivery.max_attempts or len(delays) + 1):
        return Verdict(Input.GIVE_UP, counted=True)
    # A run whose budget is longer than the schedule (the schedule was changed since) repeats the last delay.
    seconds = (delays or retry.DELAYS)[min(failures, len(delays)) - 1]
    return Verdict(Input.FAIL, counted=True, due=now + retry.delay(seconds, jitter, retry_after))
