"""One delivery: an event on its way to one subscription. Its states, and what an attempt's outcome makes of it.

    UNREAD ─skip──▶ SETTLED          not asked for
       │ └──block─▶ BLOCKED ─promote─▶ OPEN      behind others of its document
       └────take──▶ OPEN ─send─▶ IN_FLIGHT
    IN_FLIGHT ─delivered─▶ SETTLED
       ├─skip────▶ SETTLED          there was nothing to send
       ├─fail────▶ AWAITING_RETRY ─come_due─▶ RETRY_READY ─send─▶ IN_FLIGHT
       ├─wait────▶ AWAITING_RETRY   too early: nothing failed
       ├─give_up─▶ FAILED
       └─interrupted─▶ OPEN or RETRY_READY, as it was before it was sent
    FAILED, SETTLED ─new_run─▶ AWAITING_RETRY       a retry by hand or a replay: a new run with its own attempts
    AWAITING_RETRY ─retry_now─▶ AWAITING_RETRY      a retry by hand: an extra attempt, due now
    OPEN, RETRY_READY ─retry_now─▶ RETRY_READY      the same

What is durable: OPEN and IN_FLIGHT deliveries are numbers in the lane's `open` list. AWAITING_RETRY, RETRY_READY,
BLOCKED and FAILED ones are exception rows. A RETRY_READY one, and an IN_FLIGHT one that is a retry, is stored as
AWAITING_RETRY, so that a crash repeats it under the same number. UNREAD is above the lane's head, and everything
else at or below it is SETTLED. That a delivery is in flight is known to memory alone.

`Delivery.advance` and `Row.after` are the only ways from one state to another.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

from msgspec import Struct

from signalpost.domain.delivery import retry
from signalpost.domain.delivery.outcome import UNCOUNTED, Failure, Outcome
from signalpost.domain.timestamps import SECOND
from signalpost.domain.transitions import Transitions


class State(IntEnum):
    """The values of AWAITING_RETRY, BLOCKED and FAILED are part of the schema."""

    UNREAD = 0
    AWAITING_RETRY = 1
    BLOCKED = 2
    FAILED = 3
    OPEN = 4
    RETRY_READY = 5
    IN_FLIGHT = 6
    SETTLED = 7


class DeliveryInput(IntEnum):
    SKIP = 0
    TAKE = 1
    BLOCK = 2
    PROMOTE = 3
    SEND = 4
    COME_DUE = 5
    DELIVERED = 6
    FAIL = 7
    GIVE_UP = 8
    INTERRUPTED = 9
    """The attempt of a delivery that was OPEN does not count: it is as it was before."""
    RETRY_INTERRUPTED = 10
    """The same, of a delivery that was RETRY_READY."""
    RETRY_NOW = 11
    NEW_RUN = 12
    WAIT = 13
    """Not to be sent before a moment: the subscription delays the delivery, or a vendor wants fewer calls."""


TRANSITIONS: Transitions[State, DeliveryInput] = {
    State.UNREAD: {
        DeliveryInput.SKIP: State.SETTLED,
        DeliveryInput.TAKE: State.OPEN,
        DeliveryInput.BLOCK: State.BLOCKED,
    },
    State.BLOCKED: {DeliveryInput.PROMOTE: State.OPEN, DeliveryInput.GIVE_UP: State.FAILED},
    State.OPEN: {
        DeliveryInput.SEND: State.IN_FLIGHT,
        DeliveryInput.RETRY_NOW: State.RETRY_READY,
        DeliveryInput.GIVE_UP: State.FAILED,
    },
    State.AWAITING_RETRY: {
        DeliveryInput.COME_DUE: State.RETRY_READY,
        DeliveryInput.RETRY_NOW: State.AWAITING_RETRY,
        DeliveryInput.GIVE_UP: State.FAILED,
    },
    State.RETRY_READY: {
        DeliveryInput.SEND: State.IN_FLIGHT,
        DeliveryInput.RETRY_NOW: State.RETRY_READY,
        DeliveryInput.GIVE_UP: State.FAILED,
    },
    State.IN_FLIGHT: {
        DeliveryInput.DELIVERED: State.SETTLED,
        DeliveryInput.SKIP: State.SETTLED,
        DeliveryInput.FAIL: State.AWAITING_RETRY,
        DeliveryInput.WAIT: State.AWAITING_RETRY,
        DeliveryInput.GIVE_UP: State.FAILED,
        DeliveryInput.INTERRUPTED: State.OPEN,
        DeliveryInput.RETRY_INTERRUPTED: State.RETRY_READY,
    },
    State.FAILED: {DeliveryInput.NEW_RUN: State.AWAITING_RETRY},
    State.SETTLED: {DeliveryInput.NEW_RUN: State.AWAITING_RETRY},
}

STORED_AS: Mapping[State, State] = {
    State.AWAITING_RETRY: State.AWAITING_RETRY,
    State.RETRY_READY: State.AWAITING_RETRY,
    State.IN_FLIGHT: State.AWAITING_RETRY,
    State.BLOCKED: State.BLOCKED,
    State.FAILED: State.FAILED,
}
"""The state that an exception row has. A first attempt has none, whether it is in flight or not."""


BY_HAND_ATTEMPTS = 1
"""The maximum attempts of a run that a retry by hand begins; a replay's runs have more."""


AT_ONCE: Final = 0
"""The due time of a delivery that a person wants sent now. It is due no matter what a clock says, even after a
restart."""


class Delivery(Struct, eq=False, gc=False):
    """An unsettled delivery in memory."""

    sequence: int
    document_id: str
    state: State = State.UNREAD
    failed_attempts: int = 0
    """Counted attempts of this run that failed."""
    max_attempts: int = 0
    """How many counted attempts this run has; 0 in a first attempt and before it: as many as the subscription says."""
    run: int = 0
    """0 at first; every replay, and every retry by hand of a settled or failed delivery, begins the next."""
    due: int = AT_ONCE
    """When it may be sent again if it awaits a retry, µs; or `AT_ONCE`."""
    resume_at: int | None = None
    """Set while an extra attempt by hand is due or in flight: when its own schedule goes on if that fails, µs."""
    replay: int | None = None
    """The number of the replay that it belongs to, until it ends: it counts there."""

    def __lt__(self, other: "Delivery") -> bool:
        return self.sequence < other.sequence

    def __repr__(self) -> str:
        return f"Delivery({self.sequence}, {self.state.name}, failed={self.failed_attempts}, run={self.run})"

    def advance(self, given: DeliveryInput) -> State:
        """Follow an input to the next state, which is returned. Raises KeyError if the table has no entry."""
        self.state = state = TRANSITIONS[self.state][given]
        return state

    @property
    def is_by_hand(self) -> bool:
        """Whether its next attempt is one that a person asked for: an extra one, or the only one of a new run."""
        return self.resume_at is not None or (self.run > 0 and self.max_attempts == BY_HAND_ATTEMPTS)

    @property
    def is_delayed(self) -> bool:
        """Whether its next attempt is its first, and waits for the delay of its subscription, if that has one: no one
        asked for it to be made now."""
        return is_untried(self.run, self.failed_attempts) and (self.due > AT_ONCE or not self.is_retry)

    def retry_now(self, attempts: int, now: int) -> None:
        """Get an extra attempt, due now, and keep the schedule. `attempts` is the maximum if none was tried yet."""
        self.advance(DeliveryInput.RETRY_NOW)
        self.resume_at = self.due or now
        self.due = AT_ONCE
        self.max_attempts = self.max_attempts or attempts

    def hurry(self, by: int) -> None:
        """Be due so many µs earlier."""
        self.due, self.resume_at = earlier(self.due, self.resume_at, by)

    @property
    def is_retry(self) -> bool:
        """Whether it has an exception row; otherwise its sequence is in the lane's `open` list."""
        return self.max_attempts > 0


def is_untried(run: int, failed_attempts: int) -> bool:
    """Whether a delivery that waits has no attempt behind it that counts: it waits for the delay of its subscription,
    for a vendor that wants fewer calls, or for what a person asked for."""
    return run == 0 and failed_attempts == 0


def earlier(due: int, resume_at: int | None, by: int) -> tuple[int, int | None]:
    """When a delivery is due, and when its own schedule goes on, so many µs earlier."""
    return max(AT_ONCE, due - by), None if resume_at is None else resume_at - by


class Verdict(Struct, frozen=True):
    """What happens to a delivery after an attempt."""

    input: DeliveryInput
    counted: bool = False
    """Whether the attempt counts (C16)."""
    due: int = 0
    """When it may be sent again, µs, with `DeliveryInput.FAIL` and `DeliveryInput.WAIT`."""


_SETTLED = Verdict(DeliveryInput.DELIVERED, counted=True)
_SKIPPED = Verdict(DeliveryInput.SKIP)
_GIVEN_UP = Verdict(DeliveryInput.GIVE_UP, counted=True)


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
    failure = outcome.failure
    if failure is None:
        return _SETTLED
    if failure in UNCOUNTED:
        return _uncounted(delivery, outcome, now)
    if failure is Failure.REJECTED:
        return _GIVEN_UP
    if delivery.resume_at is not None:
        return Verdict(DeliveryInput.FAIL, due=max(delivery.resume_at, now))
    failures = delivery.failed_attempts + 1
    if failures >= (delivery.max_attempts or len(delays) + 1):
        return _GIVEN_UP
    # A run that has more attempts than the schedule has delays (a replay, or one from before a change of the schedule)
    # repeats the last delay.
    schedule = delays or retry.DELAYS
    seconds = schedule[min(failures, len(schedule)) - 1]
    return Verdict(DeliveryInput.FAIL, counted=True, due=now + retry.delay(seconds, jitter, retry_after))


def _uncounted(delivery: Delivery, outcome: Outcome, now: int) -> Verdict:
    match outcome.failure:
        case Failure.SKIPPED:
            return _SKIPPED
        case Failure.THROTTLED:
            return waits_until(delivery, now + outcome.wait * SECOND)
        case _:
            return taken_back(delivery)


def taken_back(delivery: Delivery) -> Verdict:
    """A delivery that was not sent, or of which nothing is known, is as it was before."""
    return Verdict(DeliveryInput.RETRY_INTERRUPTED if delivery.is_retry else DeliveryInput.INTERRUPTED)


def waits_until(delivery: Delivery, due: int) -> Verdict:
    """A delivery that may not be sent before a moment waits until then, or for its schedule if that is later."""
    return Verdict(DeliveryInput.WAIT, due=max(due, delivery.resume_at or 0))
