"""What the store keeps of a delivery that waits for a retry, waits behind others of its document, or was given up."""

from typing import NamedTuple

from signalpost.domain.delivery.delivery import (
    STORED_AS,
    TRANSITIONS,
    Delivery,
    DeliveryInput,
    State,
    earlier,
    is_untried,
)


class Row(NamedTuple):
    """An exception row: a delivery in the state that it is stored in."""

    sequence: int
    document_id: str
    state: State
    due: int
    failed_attempts: int
    max_attempts: int
    run: int
    resume_at: int | None
    replay: int | None = None

    def after(self, given: DeliveryInput) -> "Row":
        """The row of a delivery that is not in memory, after an input."""
        return self._replace(state=STORED_AS[TRANSITIONS[self.state][given]])

    @property
    def waits_untried(self) -> bool:
        """Whether it waits, and no attempt that counts is behind it."""
        return self.state is State.AWAITING_RETRY and is_untried(self.run, self.failed_attempts)

    def hurried(self, by: int) -> "Row":
        """The row once the delay of its subscription is so many µs shorter: due earlier, if it waits for that."""
        if not by or not self.waits_untried:
            return self
        due, resume_at = earlier(self.due, self.resume_at, by)
        return self._replace(due=due, resume_at=resume_at)

    def delivery(self) -> Delivery:
        """The delivery that this is the row of, in memory again."""
        return Delivery(
            self.sequence, self.document_id, self.state, self.failed_attempts, self.max_attempts, self.run, self.due,
            self.resume_at, self.replay,
        )  # fmt: skip


class RowCounts(NamedTuple):
    """How many exception rows a lane has, by their states."""

    awaiting_retry: int = 0
    blocked: int = 0
    failed: int = 0


def row_of(delivery: Delivery) -> Row:
    return Row(
        delivery.sequence, delivery.document_id, STORED_AS[delivery.state], delivery.due, delivery.failed_attempts,
        delivery.max_attempts, delivery.run, delivery.resume_at, delivery.replay,
    )  # fmt: skip
