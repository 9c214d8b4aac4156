"""What the store keeps of a delivery that waits for a retry, waits behind others of its document, or was given up."""

from typing import NamedTuple

from signalpost.domain.delivery.delivery import STORED_AS, TRANSITIONS, Delivery, DeliveryInput, State


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
