"""Handles the end of an attempt, and deliveries that need no attempt after all.

The steps: decide what the outcome means, note it for the recorder, settle the delivery, update the endpoint's health,
and log. Nothing here is durable: the recorder writes what was noted.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from msgspec.json import encode

from signalpost.domain.delivery import retry
from signalpost.domain.delivery.attempt_trace import AttemptTrace
from signalpost.domain.delivery.delivery import Delivery, DeliveryInput, Verdict, decide
from signalpost.domain.delivery.exchange import exchange_of
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.delivery.sending import Sending
from signalpost.domain.objective import Objective
from signalpost.domain.secrets import SHORTEST, Secrets, secrets_of, without_secrets
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.store.nouns.deliveries import AttemptRow

if TYPE_CHECKING:
    from signalpost.engine.tracing.traces import Traces

# Every delivery uses these. As names of this module they are found ten times as fast as members of their class.
DELIVERED, GIVE_UP = DeliveryInput.DELIVERED, DeliveryInput.GIVE_UP

MAX_KNOWN: Final = 10_000
"""The secrets of how many subscriptions are kept, each with their forms: some 2 KiB."""


class Outcomes:
    def __init__(
        self,
        clock: Clock,
        random: Random,
        counts: Counts,
        on_failure: Callable[[LaneWorker], None],
        traces: "Traces | None" = None,
    ) -> None:
        """`on_failure` is told of a lane whose endpoint failed."""
        self._traces = traces
        self._clock = clock
        self._random = random
        self._counts = counts
        self._on_failure = on_failure
        self.unrecorded = 0
        """Attempts that ended and are not recorded yet."""
        self._known: dict[int, tuple[Subscription, Secrets]] = {}
        """The secrets of the subscriptions of which something was last answered, by number."""

    def take(self, worker: LaneWorker, sending: Sending, outcome: Outcome) -> None:
        """Handle the outcome of an attempt."""
        sent, delivery, event, trace = sending.subscription, sending.delivery, sending.event, sending.trace
        subscription = worker.subscription
        now, jitter = self._clock.steady(), self._random.random()
        wait = None if outcome.retry_after is None else retry.parse_retry_after(outcome.retry_after, self._clock.wall())
        verdict = decide(delivery, outcome, subscription.retry_delays, now, jitter, wait)
        if len(outcome.answer) >= SHORTEST or outcome.trace is not None:
            outcome = without_secrets(outcome, self._secrets(sent))
        due = event.at if sent.after is None else event.at + sent.delay * SECOND
        # A subscription that begins in the past promised nothing of that, and a shadow promises nothing at all.
        is_promised = event.at >= sent.created_at and sent.shadow_of is None
        objective = sent.objective if is_promised else None
        on_time = None if objective is None else _on_time(objective, delivery, due, verdict, outcome)
        attempt = _attempt(delivery, verdict, outcome, sent.url, on_time=on_time)
        self._note_attempt(worker, attempt, outcome)
        if self._traces is not None:
            self._traces.attempted(sending, outcome, worker.held)
        if verdict.input is DELIVERED and delivery.run == 0 and is_promised:
            self._counts.count_delivery(sent.kind, due, outcome, trace)
        elif verdict.input is GIVE_UP and sent.shadow_of is None:
            self._counts.given_up += 1
            worker.note_given_up(now)
        worker.settle(delivery, verdict)
        breaker = worker.health.breaker
        if sent.url == subscription.url:  # the answer of a former URL says nothing about this one
            worker.note_outcome(delivery, outcome, now, jitter, wait)
        if outcome.failure is not None and outcome.failure is not Failure.SKIPPED:
            self._on_failure(worker)
            _log_failure(worker, attempt, delivery, event.id, outcome.own_words, trace)
        if worker.health.breaker is not breaker and worker.health.breaker.is_open != breaker.is_open:
            log.warning("breaker closed" if breaker.is_open else "breaker opened", subscription=subscription.id)
            self._counts.breakers_opened += not breaker.is_open

    @property
    def are_traced(self) -> bool:
        """Whether spans are made of attempts."""
        return self._traces is not None

    def _secrets(self, sent: Subscription) -> Secrets:
        """To make them takes as long as a whole delivery, and to keep those of every lane takes much memory."""
        known = self._known.pop(sent.number, None)
        if known is None or known[0] is not sent:
            known = sent, secrets_of(sent)
            if len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
        self._known[sent.number] = known
        return known[1]

    def skip(self, worker: LaneWorker, delivery: Delivery, why: str) -> None:
        """Settle a delivery that need not be sent any more."""
        verdict = Verdict(DeliveryInput.SKIP)
        self._note_skip(worker, delivery, verdict, why)
        worker.settle(delivery, verdict)

    def give_up_removed(self, worker: LaneWorker, delivery: Delivery) -> None:
        """Give up a delivery whose event the retention removed while it waited, and log that."""
        self.note_lost(worker, 1)
        worker.settle(delivery, Verdict(GIVE_UP))
        log.error(
            "an event was removed before it was delivered",
            subscription=worker.subscription.id,
            sequence=delivery.sequence,
        )

    def note_lost(self, worker: LaneWorker, count: int) -> None:
        """Note that so many events were removed before the lane delivered them. A shadow loses none."""
        if worker.subscription.shadow_of is not None:
            return
        worker.note_lost(count, self._clock.steady())
        self._counts.lost += count

    def note_delivered_test(self, worker: LaneWorker) -> None:
        """A test of the endpoint was delivered, which closes the breaker."""
        was_open = worker.health.breaker.is_open
        worker.note_success(self._clock.steady())
        if was_open:
            log.warning("breaker closed", subscription=worker.subscription.id)

    def note_recorded(self, count: int) -> None:
        """Note that so many attempts are durable now."""
        self.unrecorded -= count

    def _note_skip(self, worker: LaneWorker, delivery: Delivery, verdict: Verdict, why: str) -> None:
        skipped = Outcome(failure=Failure.SKIPPED, detail=why, started_at=self._clock.wall())
        self._note_attempt(worker, _attempt(delivery, verdict, skipped), skipped)

    def _note_attempt(self, worker: LaneWorker, attempt: AttemptRow, outcome: Outcome) -> None:
        self._counts.count_attempt(worker.subscription.kind, outcome)
        worker.attempts.append(attempt)
        worker.unrecorded += 1
        self.unrecorded += 1


def _log_failure(
    worker: LaneWorker, attempt: AttemptRow, delivery: Delivery, event_id: str, words: str, trace: AttemptTrace | None
) -> None:
    log.info(
        "attempt failed",
        event=event_id,
        subscription=worker.subscription.id,
        attempt=attempt.number,
        failure=str(attempt.failure),
        status=attempt.status,
        detail=words,
        then=delivery.state.name.lower(),
        **({} if trace is None else {"trace": trace.trace.hex(), "span": trace.span.hex()}),
    )


def _on_time(objective: Objective, delivery: Delivery, due: int, verdict: Verdict, outcome: Outcome) -> bool | None:
    """Whether an event, which was to be sent at `due`, kept the objective; None if its first run is not over."""
    if delivery.run or verdict.input not in (DELIVERED, GIVE_UP):
        return None
    late = outcome.started_at + outcome.elapsed_us - due
    return verdict.input is DELIVERED and late <= objective.within * SECOND


def _attempt(
    delivery: Delivery, verdict: Verdict, outcome: Outcome, url: str = "", *, on_time: bool | None = None
) -> AttemptRow:
    """The row of an attempt, for people to read. Make it before the delivery is settled."""
    return AttemptRow(
        sequence=delivery.sequence,
        started_at=outcome.started_at,
        elapsed_us=outcome.elapsed_us,
        number=delivery.failed_attempts + 1,
        run=delivery.run,
        counted=verdict.counted,
        status=outcome.status,
        failure=outcome.failure,
        detail=outcome.detail,
        answer=outcome.answer,
        exchange=b"" if outcome.trace is None else encode(exchange_of(outcome.trace, url)),
        document_id=delivery.document_id,
        on_time=on_time,
    )
