"""A lane: one subscription's way through its tenant's log. Decides what may be sent next; does no I/O, holds no body.

What is authoritative. The store's lane row (`head`, `open`) and the exception rows (awaiting a retry, blocked, failed)
are; this object is what they will be once its changes are recorded. `changes` hands those over; until they are
recorded, a crash repeats what they say, under the same numbers. Whatever is at or below `head`, not in `open` and
without a row is settled.

Order (C17). At most one delivery of a document is in flight; the lowest ready sequence goes first. A document with
`max_open_per_document` open, or in strict order with one awaiting its retry, has what follows as *blocked* rows, which
are promoted as room comes. Between documents, what a person asked for goes first, then first attempts and retries take
turns (`SendOrder`).

Bounds. With `max_open` open the lane takes nothing more in. Deliveries that await a retry are kept in memory up to a
horizon of due times; later ones are rows alone until `refill` brings them (`RetryQueue`). Blocked ones (and in strict
order all that await a retry) are all in memory. With `max_exceptions` of both in memory the lane takes nothing more in,
which costs nothing but lag.
"""

from collections.abc import Iterable
from typing import NamedTuple

from signalpost.domain.delivery.delivery import AT_ONCE, BY_HAND_ATTEMPTS, Delivery, DeliveryInput, State, Verdict
from signalpost.domain.delivery.document_queue import DocumentQueue
from signalpost.domain.delivery.exception_row import Row, row_of
from signalpost.domain.delivery.replay import Ended
from signalpost.domain.delivery.retry_queue import RetryQueue
from signalpost.domain.delivery.send_order import SendOrder

# What every delivery asks for, under names of the module: to get a member from its class takes ten times as long.
TAKE, SEND = DeliveryInput.TAKE, DeliveryInput.SEND
OPEN, RETRY_READY, SETTLED = State.OPEN, State.RETRY_READY, State.SETTLED

_DELIVERED, _FAILED, _SKIPPED = Ended(delivered=1), Ended(failed=1), Ended(skipped=1)


class Bounds(NamedTuple):
    """How much a lane keeps in memory."""

    max_open: int = 512
    max_open_per_document: int = 8
    max_exceptions: int = 20_000
    retries_kept: int = 2_000
    retries_loaded: int = 1_000
    """How many a load or a refill brings at a time; in strict order it brings all."""
    replays_below: int = 512
    """A replay may bring more while fewer than that await a retry."""


BOUNDS = Bounds()


class Changes(NamedTuple):
    """What to record of a lane: its row, and the exception rows to write, or (None) to remove, by sequence."""

    head: int
    open: tuple[int, ...]
    gaps: tuple[tuple[int, int], ...]
    rows: dict[int, Row | None]
    abandoned_to: int
    """Rows up to here that await a retry or are blocked become failed ones, before `rows` are written; 0 for none."""
    ended: dict[int, Ended]
    """How deliveries of replays ended, by the replays' numbers; without those that only `abandoned_to` ends."""


class Lane:
    def __init__(self, head: int, *, strict: bool, bounds: Bounds = BOUNDS) -> None:
        self.head = head
        """The last sequence taken in."""
        self.strict = strict
        self._bounds = bounds
        self.open: dict[int, Delivery] = {}
        """Taken in, in their first attempt or before it."""
        self.retry_queue = RetryQueue(bounds.retries_kept)
        self.in_flight = 0
        self.blocked = 0
        self.gaps: list[tuple[int, int]] = []
        """Ranges (first, last) that were never taken in: skipped, or removed by the retention."""
        self._abandoned_to = 0
        self._documents: dict[str, DocumentQueue] = {}
        self._send_order = SendOrder()
        self._rows: dict[int, Row | None] = {}
        """Exception rows that changed since the last record."""
        self._ended: dict[int, Ended] = {}
        """How deliveries of replays ended since then."""
        self._changed = False

    # --- Taking in ----------------------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether the event after `head` may be taken in."""
        exceptions = self.blocked + len(self.retry_queue)
        bounds = self._bounds
        return (
            len(self.open) < bounds.max_open
            and exceptions < bounds.max_exceptions
            and not (self.strict and self.retry_queue.horizon is not None)
        )

    def skip(self, sequence: int) -> None:
        """Pass over what follows up to a sequence. Nothing of it was asked for, so all of it is settled
        (`DeliveryInput.SKIP`), and what is settled leaves no trace but the head."""
        self.head = sequence
        self._changed = True

    def take(self, sequence: int, document_id: str) -> None:
        """Take in the next event that was asked for."""
        self.head = sequence
        self._changed = True
        delivery = Delivery(sequence, document_id)
        document = self._documents.get(document_id)
        if document is None:
            document = self._documents[document_id] = DocumentQueue(document_id)
        elif document.blocked or not document.has_room(self._bounds.max_open_per_document):
            self._block(document, delivery)
            return
        self._open(document, delivery, TAKE)
        self._send_order.add(document)

    def _open(self, document: DocumentQueue, delivery: Delivery, given: DeliveryInput) -> None:
        delivery.advance(given)
        self.open[delivery.sequence] = delivery
        document.make_ready(delivery)

    def _block(self, document: DocumentQueue, delivery: Delivery) -> None:
        delivery.advance(DeliveryInput.BLOCK)
        document.block(delivery.sequence)
        self.blocked += 1
        self._rows[delivery.sequence] = row_of(delivery)

    # --- Sending ------------------------------------------------------------------------------------------------------

    @property
    def sendable(self) -> bool:
        """Whether `next_delivery` would give one."""
        return self._send_order.has_next

    @property
    def sends_by_hand(self) -> bool:
        """Whether `next_delivery` would give one that a person asked to have sent now, or one that goes before it."""
        return self._send_order.has_by_hand

    def is_in_flight(self, sequence: int, document_id: str) -> bool:
        """Whether a delivery is being sent right now."""
        document = self._documents.get(document_id)
        return document is not None and document.in_flight is not None and document.in_flight.sequence == sequence

    @property
    def ready(self) -> int:
        """About how many could be sent now, one of each document."""
        return len(self._send_order)

    def next_delivery(self) -> Delivery | None:
        """The delivery to send now; it is in flight from here on, until `settle`."""
        delivery = self._send_order.take_next()
        if delivery is None:
            return None
        delivery.advance(SEND)
        self.retry_queue.note_flight()
        self.in_flight += 1
        return delivery

    def settle(self, delivery: Delivery, verdict: Verdict, attempts: int) -> None:
        """Apply what an attempt came to. `attempts` is how many a delivery has that failed for the first time."""
        document = self._documents[delivery.document_id]
        document.in_flight = None
        self.in_flight -= 1
        self._changed = True
        state = delivery.advance(verdict.input)
        if state is OPEN or state is RETRY_READY:
            self.retry_queue.note_flight()
            self._make_ready(document, delivery)
        elif state is SETTLED:
            if self.open.pop(delivery.sequence, None) is None:
                self.retry_queue.remove(delivery.sequence)
                self._rows[delivery.sequence] = None
                self._note_end(delivery.replay, _SKIPPED if verdict.input is DeliveryInput.SKIP else _DELIVERED)
        else:
            delivery.failed_attempts += verdict.counted
            delivery.max_attempts = delivery.max_attempts or attempts
            if state is State.FAILED:
                self._note_end(delivery.replay, _FAILED)
                self._keep_row_alone(delivery)
            else:
                self._await_retry(document, delivery, verdict.due)
        self._advance(document)

    def _await_retry(self, document: DocumentQueue, delivery: Delivery, due: int) -> None:
        delivery.due, delivery.resume_at = due, None
        self._keep_row_alone(delivery)
        if self._holds_back(delivery):
            document.hold_back_behind(delivery.sequence)
        if not self.retry_queue.is_left_to_store(due):
            self.retry_queue.put(delivery)
            if not self.strict:
                self.retry_queue.narrow()

    def _keep_row_alone(self, delivery: Delivery) -> None:
        self.open.pop(delivery.sequence, None)
        self.retry_queue.remove(delivery.sequence)
        self._rows[delivery.sequence] = row_of(delivery)

    def _note_end(self, replay: int | None, how: Ended) -> None:
        """Count for its replay that a delivery ended."""
        if replay is not None:
            self._ended[replay] = self._ended.get(replay, Ended()) + how

    def _advance(self, document: DocumentQueue) -> None:
        """Give the document's next deliveries their turn, and forget a document with none."""
        while document.blocked and document.has_room(self._bounds.max_open_per_document):
            sequence = document.blocked.popleft()
            self.blocked -= 1
            self._rows[sequence] = None
            self._open(document, Delivery(sequence, document.id, State.BLOCKED), DeliveryInput.PROMOTE)
        if document.ready:
            self._send_order.add(document)
        elif document.is_done:
            self._documents.pop(document.id, None)

    def _holds_back(self, delivery: Delivery) -> bool:
        """Whether others of its document wait for its retry; a replay holds nothing back."""
        return self.strict and delivery.run == 0

    # --- Retries ------------------------------------------------------------------------------------------------------

    def make_due_ready(self, now: int) -> None:
        """Make every delivery whose retry is due ready to be sent."""
        for delivery in self.retry_queue.take_due(now):
            document = self._document(delivery.document_id)
            document.release(delivery.sequence)
            self._make_ready(document, delivery)
            self._send_order.add(document)

    def _make_ready(self, document: DocumentQueue, delivery: Delivery) -> None:
        document.make_ready(delivery)
        if delivery.is_by_hand:
            self._send_order.ask_for(document, delivery.sequence)

    def refill(self, rows: Iterable[Row], horizon: int | None) -> None:
        """Take rows that await a retry from the store, read after every earlier change of this lane was recorded.

        `horizon`: rows due from then on were left there; None if these are all.
        """
        self.retry_queue.horizon = horizon
        for row in rows:
            known = row.sequence in self.retry_queue or row.sequence in self._rows
            if not known and row.sequence > self._abandoned_to:
                self._restore_retry(row)
        for row in self._retries_in_rows_alone():
            if not self.retry_queue.is_left_to_store(row.due):
                self._restore_retry(row)

    def _retries_in_rows_alone(self) -> list[Row]:
        """Deliveries that failed since the last record and are due beyond the horizon: they are not in memory, and not
        in the store yet."""
        changed = (row for row in self._rows.values() if row is not None and row.state is State.AWAITING_RETRY)
        return [row for row in changed if row.sequence not in self.retry_queue]

    def retry_by_hand(self, sequence: int, document_id: str, row: Row | None, attempts: int, now: int) -> bool:
        """One attempt more, now, because a person asked for it. `row` is the delivery's row, if it has one, as of the
        last record; `attempts` as for `settle`. Returns whether it is taken care of: not while an attempt is in flight,
        after which it is to be asked again.

        A delivery that waits for an attempt has an extra one, and keeps its schedule; a failed or settled one begins a
        new run. One that is not taken in yet, or is blocked, is sent in its turn.
        """
        row = self._row_now(sequence, row)
        delivery = self.open.get(sequence) or self.retry_queue.get(sequence)
        if delivery is not None:
            if delivery.state is State.IN_FLIGHT:
                return False
            self._retry_now(delivery, attempts, now)
        elif row is not None and row.state is State.AWAITING_RETRY:
            self._retry_now(self._restore_retry(row), attempts, now)
        elif sequence <= self.head and (row is None or row.state is not State.BLOCKED):
            self._begin_run(sequence, document_id, row, BY_HAND_ATTEMPTS)
        return True

    def _retry_now(self, delivery: Delivery, attempts: int, now: int) -> None:
        if delivery.is_by_hand:
            return
        self.open.pop(delivery.sequence, None)
        delivery.advance(DeliveryInput.RETRY_NOW)
        delivery.resume_at = delivery.due or now
        delivery.due = AT_ONCE
        delivery.max_attempts = delivery.max_attempts or attempts
        self._schedule(delivery)
        if delivery.state is State.RETRY_READY:
            self._send_order.ask_for(self._documents[delivery.document_id], delivery.sequence)

    @property
    def has_room_for_replays(self) -> bool:
        """Whether a replay may bring more. What it brings goes before the new events of its document (C17), so nothing
        more comes while one of those waits for that."""
        few = self.retry_queue.horizon is None and len(self.retry_queue) < self._bounds.replays_below
        return few and not any(document.waits_for_replay for document in self._documents.values())

    def replay(self, sequence: int, document_id: str, row: Row | None, max_attempts: int, number: int) -> bool:
        """The replay of that number: a failed or settled delivery begins a new run; one that is unread, in flight or
        waits is left as it is. `row` as for `retry_by_hand`. Returns whether a run began."""
        row = self._row_now(sequence, row)
        waits = sequence in self.open or (row is not None and row.state is not State.FAILED)
        if sequence > self.head or waits:
            return False
        self._begin_run(sequence, document_id, row, max_attempts, number)
        return True

    @property
    def has_room_for_early_retries(self) -> bool:
        """Whether a replay of what waits may bring more: not while what it brought before is not sent."""
        return self.ready < self._bounds.replays_below

    def retry_early(self, sequence: int, row: Row | None, now: int, number: int) -> bool:
        """The replay of that number, of what waits: make the next attempt of a delivery that awaits its retry now, not
        at its time. `row` as for `retry_by_hand`. Returns whether that changed anything."""
        row = self._row_now(sequence, row)
        delivery = self.retry_queue.get(sequence)
        if delivery is None and row is not None and row.state is State.AWAITING_RETRY:
            delivery = self._restore_retry(row)
        if delivery is None or delivery.state is not State.AWAITING_RETRY or delivery.due <= now:
            return False
        delivery.advance(DeliveryInput.RETRY_NOW)
        delivery.due = AT_ONCE
        self._note_end(delivery.replay, _SKIPPED)
        delivery.replay = number
        self._schedule(delivery)
        return True

    def _begin_run(
        self, sequence: int, document_id: str, row: Row | None, max_attempts: int, replay: int | None = None
    ) -> None:
        """Send a failed or (without a row) settled delivery once more, at once."""
        state, run = (State.SETTLED, 1) if row is None else (row.state, row.run + 1)
        delivery = Delivery(
            sequence, document_id, state, max_attempts=max_attempts, run=run, due=AT_ONCE, replay=replay
        )
        delivery.advance(DeliveryInput.NEW_RUN)
        self._schedule(delivery)

    def _schedule(self, delivery: Delivery) -> None:
        self._changed = True
        self._rows[delivery.sequence] = row_of(delivery)
        self.retry_queue.put(delivery)

    def _row_now(self, sequence: int, recorded: Row | None) -> Row | None:
        """The delivery's row with what changed since it was recorded. One that was abandoned since is given up here, so
        that it ends once, whatever follows."""
        if sequence in self._rows:
            return self._rows[sequence]
        if recorded is not None and sequence <= self._abandoned_to and recorded.state is not State.FAILED:
            self._note_end(recorded.replay, _FAILED)
            self._rows[sequence] = recorded = recorded.after(DeliveryInput.GIVE_UP)
        return recorded

    # --- Recording and restoring --------------------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        return self._changed

    def changes(self) -> Changes:
        """Everything since the last call."""
        changes = Changes(
            self.head, tuple(sorted(self.open)), tuple(self.gaps), self._rows, self._abandoned_to, self._ended
        )
        self._rows, self._ended = {}, {}
        self._abandoned_to = 0
        self._changed = False
        return changes

    def restore(self, open_: Iterable[tuple[int, str]], rows: Iterable[Row], horizon: int | None) -> None:
        """Take up where the store says the lane was. `open_` are pairs of sequence and document, `rows` those that are
        blocked or (up to the horizon) await a retry."""
        self.retry_queue.horizon = horizon
        for sequence, document_id in sorted(open_):
            self._open(self._document(document_id), Delivery(sequence, document_id), DeliveryInput.TAKE)
        for row in sorted(rows):
            if row.state is State.BLOCKED:
                self._document(row.document_id).block(row.sequence)
                self.blocked += 1
            elif row.state is State.AWAITING_RETRY:
                self._restore_retry(row)
        self._relist()

    def _restore_retry(self, row: Row) -> Delivery:
        delivery = row.delivery()
        self.retry_queue.put(delivery)
        if self._holds_back(delivery):
            document = self._document(row.document_id)
            document.hold_back_behind(row.sequence)
            self._send_order.hold_back(document)
        return delivery

    def _document(self, document_id: str) -> DocumentQueue:
        document = self._documents.get(document_id)
        if document is None:
            document = self._documents[document_id] = DocumentQueue(document_id)
        return document

    # --- Giving up ----------------------------------------------------------------------------------------------------

    def is_behind(self, floor: int) -> bool:
        """Whether anything below `floor` is unsettled."""
        return (
            self.head + 1 < floor
            or any(sequence < floor for sequence in self.open)
            or any(sequence < floor for sequence in self.retry_queue)
            or any(document.blocked and document.blocked[0] < floor for document in self._documents.values())
        )

    def abandon(self, up_to: int) -> int:
        """Give up every delivery up to a sequence but those in flight, and move the head there. Returns how many
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
        lost += self._abandon_retries(up_to)
        self._relist()
        return lost

    def _abandon_retries(self, up_to: int) -> int:
        lost = 0
        for delivery in [d for d in self.retry_queue.values() if d.sequence <= up_to]:
            if delivery.state is State.AWAITING_RETRY:
                if (document := self._documents.get(delivery.document_id)) is not None:
                    document.release(delivery.sequence)
                lost += self._give_up(delivery)
            else:
                # It is in flight. Its row is written after `abandoned_to` was, so that a crash still repeats it.
                self._rows[delivery.sequence] = row_of(delivery)
        for row in self._retries_in_rows_alone():
            if row.sequence <= up_to:
                self._note_end(row.replay, _FAILED)
                self._rows[row.sequence] = row.after(DeliveryInput.GIVE_UP)
                lost += 1
        return lost

    def _give_up(self, delivery: Delivery) -> int:
        delivery.advance(DeliveryInput.GIVE_UP)
        self._send_order.forget(delivery.sequence)
        self._note_end(delivery.replay, _FAILED)
        self._keep_row_alone(delivery)
        return 1

    def _relist(self) -> None:
        self._send_order.clear()
        for document in list(self._documents.values()):
            document.listed = False
            self._advance(document)
