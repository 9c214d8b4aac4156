"""A lane: one subscription's way through its tenant's log. Decides what may be sent next; does no I/O, holds no body.

What is authoritative. The store's lane row (`head`, `open`) and the exception rows (parked, blocked, failed) are; this
object is what they will be once its changes are recorded. `changes` hands those over; until they are recorded, a
crash repeats what they say, under the same numbers. Whatever is at or below `head`, not in `open` and without a row is
settled.

Order (C17). At most one delivery of a document flies; the lowest ready sequence goes first. A document with
`document_open_most` open, or in strict order with one waiting for its retry, has what follows as *blocked* rows, which
are promoted as room comes. Between documents, first attempts and retries take turns, so neither can starve the other.

Bounds. With `open_most` open the lane takes nothing more in. Parked ones are kept in memory up to a horizon of due
times; later ones are rows alone until `refill` brings them. Blocked ones (and in strict order parked ones) are all in
memory. With `exceptions_most` blocked and parked in memory the lane takes nothing more in, which costs nothing but lag.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from signalpost.domain.delivery.delivery import TRANSITIONS, Delivery, Input, State, Verdict
from signalpost.domain.delivery.document_queue import DocumentQueue
from signalpost.domain.delivery.retry_queue import RetryQueue


class Bounds(NamedTuple):
    """How much a lane keeps in memory."""

    open_most: int = 512
    document_open_most: int = 8
    exceptions_most: int = 20_000
    parked_kept: int = 2_000
    parked_loaded: int = 1_000
    """How many of them a load or a refill brings at a time; in strict order all there are."""
    replayed_below: int = 512
    """Parked ones in memory below which a replay may bring more."""


BOUNDS = Bounds()


class Row(NamedTuple):
    """An exception row."""

    sequence: int
    document_id: str
    state: State
    due: int
    failed_attempts: int
    max_attempts: int
    run: int
    resume_at: int | None


class Changes(NamedTuple):
    """What to record of a lane: its row, and the exception rows to write, or (None) to remove, by sequence."""

    head: int
    open: tuple[int, ...]
    gaps: tuple[tuple[int, int], ...]
    rows: dict[int, Row | None]
    abandoned_to: int
    """Parked and blocked rows up to here become failed ones, before `rows` are written; 0 for none."""


class Lane:
    def __init__(self, head: int, *, strict: bool, bounds: Bounds = BOUNDS) -> None:
        self.head = head
        """The last sequence taken in."""
        self.strict = strict
        self._bounds = bounds
        self.open: dict[int, Delivery] = {}
        """Taken in, in their first attempt or before it."""
        self.parked = RetryQueue(bounds.parked_kept)
        self.flying = 0
        self.blocked = 0
        self.gaps: list[tuple[int, int]] = []
        """Ranges (first, last) that were never taken in: skipped, or lost to the retention."""
        self._abandoned_to = 0
        self._documents: dict[str, DocumentQueue] = {}
        self._fresh: deque[DocumentQueue] = deque()
        self._late: deque[DocumentQueue] = deque()
        """Documents that may send: whose lowest ready delivery is open, and whose lowest is due."""
        self._late_next = False
        self._rows: dict[int, Row | None] = {}
        self._changed = False

    # --- Taking in ----------------------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether the event after `head` may be taken in."""
        exceptions = self.blocked + len(self.parked)
        bounds = self._bounds
        return (
            len(self.open) < bounds.open_most
            and exceptions < bounds.exceptions_most
            and not (self.strict and self.parked.horizon is not None)
        )

    def skip(self, sequence: int) -> None:
        """Pass over an event that was not asked for."""
        self.head = sequence
        self._changed = True

    def take(self, sequence: int, document_id: str) -> None:
        """Take in the next event that was asked for."""
        self.head = sequence
        self._changed = True
        document = self._documents.get(document_id)
        if document is None:
            document = self._documents[document_id] = DocumentQueue(document_id)
        elif document.blocked or not document.has_room(self._bounds.document_open_most):
            document.block(sequence)
            self.blocked += 1
            self._rows[sequence] = Row(sequence, document_id, TRANSITIONS[State.UNREAD][Input.BLOCK], 0, 0, 0, 0, None)
            return
        self._open(document, sequence)
        self._list(document)

    def _open(self, document: DocumentQueue, sequence: int) -> None:
        delivery = self.open[sequence] = Delivery(sequence, document.id)
        document.make_ready(delivery)

    # --- Sending ------------------------------------------------------------------------------------------------------

    @property
    def sendable(self) -> bool:
        """Whether `next_delivery` would give one."""
        return self._may_send(self._fresh) or self._may_send(self._late)

    @property
    def ready(self) -> int:
        """About how many could be sent now, one of each document."""
        return len(self._fresh) + len(self._late)

    def _may_send(self, listed: deque[DocumentQueue]) -> bool:
        """Drops the first of them as long as something holds it back since it was listed; it is listed again when that
        is over."""
        while listed and listed[0].next is None:
            listed.popleft().listed = False
        return bool(listed)

    def next_delivery(self) -> Delivery | None:
        """The delivery to send now; it flies from here on, until `settle`."""
        fresh, late = self._may_send(self._fresh), self._may_send(self._late)
        if not fresh and not late:
            return None
        source = self._late if late and (self._late_next or not fresh) else self._fresh
        self._late_next = source is self._fresh
        document = source.popleft()
        document.listed = False
        delivery = document.next
        assert delivery is not None
        document.take(delivery)
        delivery.state = TRANSITIONS[delivery.state][Input.SEND]
        self.flying += 1
        return delivery

    def settle(self, delivery: Delivery, verdict: Verdict, attempts: int) -> None:
        """Apply what an attempt came to. `attempts` is the budget of a delivery that is parked for the first time."""
        document = self._documents[delivery.document_id]
        document.flying = None
        self.flying -= 1
        self._changed = True
        state = delivery.state = TRANSITIONS[State.IN_FLIGHT][verdict.input]
        if state is State.OPEN or state is State.RETRY_READY:
            document.make_ready(delivery)
        else:
            self._leave(delivery, settled=state is State.SETTLED)
            if state is State.AWAITING_RETRY:
                delivery.failed_attempts += verdict.counted
                delivery.max_attempts = delivery.max_attempts or attempts
                delivery.due = verdict.due
                delivery.resume_at = None
                self._park(document, delivery)
            elif state is State.FAILED:
                delivery.failed_attempts += verdict.counted
                self._rows[delivery.sequence] = _row(delivery, delivery.max_attempts or attempts)
        self._advance(document)

    def _leave(self, delivery: Delivery, *, settled: bool) -> None:
        if self.open.pop(delivery.sequence, None) is None:
            self.parked.pop(delivery.sequence, None)
            if settled:
                self._rows[delivery.sequence] = None

    def _park(self, document: DocumentQueue, delivery: Delivery) -> None:
        self._rows[delivery.sequence] = _row(delivery, delivery.max_attempts)
        if self._holds_back(delivery):
            document.park(delivery.sequence)
        if not self.parked.is_left_to_store(delivery.due):
            self.parked.put(delivery)
            if not self.strict:
                self.parked.narrow()

    def _advance(self, document: DocumentQueue) -> None:
        """Give the document's next deliveries their turn, and forget a document with none."""
        while document.blocked and document.has_room(self._bounds.document_open_most):
            sequence = document.blocked.popleft()
            self.blocked -= 1
            self._rows[sequence] = None
            self._open(document, sequence)
        if document.ready:
            self._list(document)
        elif document.is_done:
            self._documents.pop(document.id, None)

    def _holds_back(self, delivery: Delivery) -> bool:
        """Whether others of its document wait for its retry; a replay holds nothing back."""
        return self.strict and delivery.run == 0

    def _list(self, document: DocumentQueue) -> None:
        if document.listed or document.flying is not None:
            return
        following = document.next
        if following is not None:
            document.listed = True
            (self._fresh if following.state is State.OPEN else self._late).append(document)

    # --- Retries ------------------------------------------------------------------------------------------------------

    def fall_due(self, now: int) -> None:
        """Make every parked delivery whose time has come ready to be sent."""
        for delivery in self.parked.fall_due(now):
            document = self._document(delivery.document_id)
            document.unpark(delivery.sequence)
            document.make_ready(delivery)
            self._list(document)

    def refill(self, rows: Iterable[Row], horizon: int | None) -> None:
        """Take parked rows from the store, read after every earlier change of this lane was recorded.

        `horizon`: rows due from then on were left there; None if these are all.
        """
        self.parked.horizon = horizon
        for row in rows:
            known = row.sequence in self.parked or row.sequence in self._rows
            if not known and row.sequence > self._abandoned_to:
                self._restore_parked(row)
        for row in self._parked_in_rows_alone():
            if not self.parked.is_left_to_store(row.due):
                self._restore_parked(row)

    def _parked_in_rows_alone(self) -> list[Row]:
        """Those parked beyond the horizon since the last record: not in memory, and not in the store yet."""
        changed = (row for row in self._rows.values() if row is not None and row.state is State.AWAITING_RETRY)
        return [row for row in changed if row.sequence not in self.parked]

    def send_again(self, sequence: int, document_id: str, row: Row | None, max_attempts: int, now: int) -> None:
        """A person's retry (`max_attempts` 1). `row` is the delivery's row, if it has one, as of the last record.

        What is under way or waits its turn is left as it is; a parked one has an extra attempt now and keeps its
        schedule; a failed or settled one starts a new run.
        """
        if sequence > self.head or sequence in self.open:
            return
        row = self._row_now(sequence, row)
        if sequence not in self.parked and row is not None and row.state is State.AWAITING_RETRY:
            self._restore_parked(row)
        delivery = self.parked.get(sequence)
        if delivery is not None:
            if delivery.state is State.AWAITING_RETRY:
                self._hurry(delivery, now)
            return
        if row is not None and row.state is State.BLOCKED:
            return
        self._begin_run(sequence, document_id, row, max_attempts, now)

    @property
    def has_room_for_replays(self) -> bool:
        """Whether a replay may bring more. What it brings goes before the new events of its document (C17), so nothing
        more comes while one of those waits for that."""
        few = self.parked.horizon is None and len(self.parked) < self._bounds.replayed_below
        return few and not any(document.waits_for_replay for document in self._documents.values())

    def replay(self, sequence: int, document_id: str, row: Row | None, max_attempts: int, now: int) -> bool:
        """A replay: what is failed or settled starts a new run; what is unread, under way or waits is left as it is.
        `row` as for `send_again`. Tells whether a run started."""
        row = self._row_now(sequence, row)
        waits = sequence in self.open or (row is not None and row.state is not State.FAILED)
        if sequence > self.head or waits:
            return False
        self._begin_run(sequence, document_id, row, max_attempts, now)
        return True

    def _begin_run(self, sequence: int, document_id: str, row: Row | None, max_attempts: int, now: int) -> None:
        """Once more, of one that is failed or (without a row) settled."""
        run = 1 if row is None else row.run + 1
        state = TRANSITIONS[State.SETTLED if row is None else row.state][Input.AGAIN]
        self._schedule(Delivery(sequence, document_id, state, max_attempts=max_attempts, run=run, due=now))

    def _row_now(self, sequence: int, recorded: Row | None) -> Row | None:
        """The delivery's row with what changed since it was recorded."""
        if sequence in self._rows:
            return self._rows[sequence]
        if recorded is not None and sequence <= self._abandoned_to:
            return recorded._replace(state=State.FAILED)
        return recorded

    def _hurry(self, delivery: Delivery, now: int) -> None:
        if delivery.due > now and delivery.resume_at is None:
            delivery.resume_at = delivery.due
        delivery.due = min(delivery.due, now)
        self._schedule(delivery)

    def _schedule(self, delivery: Delivery) -> None:
        self._changed = True
        self._rows[delivery.sequence] = _row(delivery, delivery.max_attempts)
        self.parked.put(delivery)

    # --- Recording and restoring --------------------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        return self._changed

    def changes(self) -> Changes:
        """Everything since the last call."""
        changes = Changes(self.head, tuple(sorted(self.open)), tuple(self.gaps), self._rows, self._abandoned_to)
        self._rows = {}
        self._abandoned_to = 0
        self._changed = False
        return changes

    def restore(self, open_: Iterable[tuple[int, str]], rows: Iterable[Row], horizon: int | None) -> None:
        """Take up where the store says the lane was. `open_` are pairs of sequence and document, `rows` the parked (up
        to the horizon) and blocked ones."""
        self.parked.horizon = horizon
        for sequence, document_id in sorted(open_):
            self._open(self._document(document_id), sequence)
        for row in sorted(rows):
            if row.state is State.BLOCKED:
                self._document(row.document_id).block(row.sequence)
                self.blocked += 1
            elif row.state is State.AWAITING_RETRY:
                self._restore_parked(row)
        self._relist()

    def _restore_parked(self, row: Row) -> None:
        delivery = Delivery(
            row.sequence,
            row.document_id,
            State.AWAITING_RETRY,
            row.failed_attempts,
            row.max_attempts,
            row.run,
            row.due,
            row.resume_at,
        )
        self.parked.put(delivery)
        if self._holds_back(delivery):
            self._document(row.document_id).park(row.sequence)

    def _document(self, document_id: str) -> DocumentQueue:
        document = self._documents.get(document_id)
        if document is None:
            document = self._documents[document_id] = DocumentQueue(document_id)
        return document

    def is_behind(self, floor: int) -> bool:
        """Whether anything below `floor` is unsettled."""
        return (
            self.head + 1 < floor
            or any(sequence < floor for sequence in self.open)
            or any(sequence < floor for sequence in self.parked)
            or any(document.blocked and document.blocked[0] < floor for document in self._documents.values())
        )

    # --- Giving up ----------------------------------------------------------------------------------------------------

    def abandon(self, up_to: int) -> int:
        """Give up every delivery up to a sequence but those that fly, and move the head there. Returns how many
        unsettled ones that were, those not yet taken in included (a `gap` from here on); those that only the store has
        are given up with the next record, and not counted."""
        lost = max(0, up_to - self.head)
        if lost:
            # A lane that the retention catches up with again and again has one gap that grows.
            continues = self.gaps and self.gaps[-1][1] == self.head
            first = self.gaps.pop()[0] if continues else self.head + 1
            self.gaps.append((first, up_to))
            self.head = up_to
        self._abandoned_to = max(self._abandoned_to, up_to)
        self._changed = True
        for document in list(self._documents.values()):
            lost += sum(self._give_up(delivery) for delivery in document.take_up_to(up_to))
            while document.blocked and document.blocked[0] <= up_to:
                sequence = document.blocked.popleft()
                self.blocked -= 1
                lost += self._give_up(Delivery(sequence, document.id, State.BLOCKED))
        lost += self._abandon_parked(up_to)
        self._relist()
        return lost

    def _abandon_parked(self, up_to: int) -> int:
        lost = 0
        for delivery in [d for d in self.parked.values() if d.sequence <= up_to]:
            if delivery.state is State.AWAITING_RETRY:
                if (document := self._documents.get(delivery.document_id)) is not None:
                    document.unpark(delivery.sequence)
                lost += self._give_up(delivery)
            else:
                # It flies. Its row is written after `abandoned_to` was, so that a crash still repeats it.
                self._rows[delivery.sequence] = _row(delivery, delivery.max_attempts)._replace(
                    state=State.AWAITING_RETRY
                )
        for row in self._parked_in_rows_alone():
            if row.sequence <= up_to:
                self._rows[row.sequence] = row._replace(state=State.FAILED)
                lost += 1
        return lost

    def _give_up(self, delivery: Delivery) -> int:
        delivery.state = TRANSITIONS[delivery.state][Input.GIVE_UP]
        self.open.pop(delivery.sequence, None)
        self.parked.pop(delivery.sequence, None)
        self._rows[delivery.sequence] = _row(delivery, delivery.max_attempts)
        return 1

    def _relist(self) -> None:
        self._fresh.clear()
        self._late.clear()
        for document in list(self._documents.values()):
            document.listed = False
            self._advance(document)


def _row(delivery: Delivery, max_attempts: int) -> Row:
    return Row(
        delivery.sequence, delivery.document_id, delivery.state, delivery.due, delivery.failed_attempts,
        max_attempts, delivery.run, delivery.resume_at,
    )  # fmt: skip
