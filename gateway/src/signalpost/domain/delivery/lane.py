"""A lane: one subscription's way through its tenant's log. It decides what may be sent next. It does no I/O and holds
no bodies.

What is authoritative. The store's lane row (`head`, `open`) and exception rows (awaiting a retry, blocked, failed) are;
this object is what they will be once its changes are recorded. `changes` hands those over. A crash before that repeats
what they say, under the same numbers. Everything up to `head` that is not in `open` and has no row is settled.

Order (C17). At most one delivery of a document is in flight, and its lowest ready sequence goes first. If a document
has `max_open_per_document` open, or in strict order one that awaits its retry, later ones become *blocked* rows, which
are promoted as room comes. Between documents, what a person asked for goes first; then first attempts and retries take
turns (`SendOrder`).

Bounds. With `max_open` open the lane takes in nothing more. Deliveries that await a retry are in memory up to a horizon
of due times; later ones are only in the store until `refill` brings them (`RetryQueue`). All blocked ones are in
memory, and in strict order all that await a retry. With `max_exceptions` of both, the lane takes in nothing more, and
falls behind.
"""

from collections.abc import Iterable

from signalpost.domain.delivery.delivery import AT_ONCE, BY_HAND_ATTEMPTS, Delivery, DeliveryInput, State, Verdict
from signalpost.domain.delivery.document_queue import DocumentQueue
from signalpost.domain.delivery.exception_row import Row, row_of
from signalpost.domain.delivery.lane_bounds import BOUNDS, Bounds
from signalpost.domain.delivery.lane_record import DELIVERED, FAILED, SKIPPED, LaneChanges, UnrecordedChanges, add_gap
from signalpost.domain.delivery.retry_queue import RetryQueue
from signalpost.domain.delivery.send_order import SendOrder

# Every delivery uses these. As names of this module they are found ten times as fast as members of their classes.
TAKE, SEND = DeliveryInput.TAKE, DeliveryInput.SEND
OPEN, RETRY_READY, SETTLED = State.OPEN, State.RETRY_READY, State.SETTLED


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
        self._documents: dict[str, DocumentQueue] = {}
        self._send_order = SendOrder()
        self._unrecorded = UnrecordedChanges()
        self.changed = False
        """Whether there is something to record."""
        self._untried_left = False
        """Whether deliveries that no attempt was made of may be in the store alone."""

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to send and nothing to record, except perhaps how far it has come."""
        return not (self.open or self.retry_queue or self._documents or self._unrecorded.rows) and (
            self.retry_queue.horizon is None and not self._unrecorded.abandoned_to
        )

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

    def may_overtake(self, now: int) -> bool:
        """Whether what is taken in might go before an earlier event of its document that should have been sent by now,
        and that only the store has: the delay of the subscription was removed or shortened."""
        horizon = self.retry_queue.horizon
        return self._untried_left and horizon is not None and horizon <= now

    def skip(self, sequence: int) -> None:
        """Pass over the events up to a sequence. The subscription wants none of them, so all are settled
        (`DeliveryInput.SKIP`), and a settled delivery leaves no trace but the head."""
        self.head = sequence
        self.changed = True

    def take(self, sequence: int, document_id: str) -> None:
        """Take in the next event that the subscription wants."""
        self.head = sequence
        self.changed = True
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
        self._unrecorded.rows[delivery.sequence] = row_of(delivery)

    # --- Sending ------------------------------------------------------------------------------------------------------

    @property
    def sendable(self) -> bool:
        """Whether `next_delivery` would return a delivery."""
        return self._send_order.listed > 0

    @property
    def sends_by_hand(self) -> bool:
        """Whether `next_delivery` gives one that a person wants sent now, or one of its document that goes before
        it."""
        return self._send_order.has_by_hand

    def is_in_flight(self, sequence: int, document_id: str) -> bool:
        """Whether a delivery is being sent right now. Other threads may ask, too."""
        document = self._documents.get(document_id)
        in_flight = None if document is None else document.in_flight
        return in_flight is not None and in_flight.sequence == sequence

    @property
    def ready(self) -> int:
        """About how many deliveries could be sent now: one of each document."""
        return self._send_order.listed

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
        """Apply the result of an attempt. `attempts` is the maximum of a delivery that fails for the first time."""
        document = self._documents[delivery.document_id]
        document.in_flight = None
        self.in_flight -= 1
        self.changed = True
        state = delivery.advance(verdict.input)
        if state is OPEN or state is RETRY_READY:
            self.retry_queue.note_flight()
            self._make_ready(document, delivery)
        elif state is SETTLED:
            if self.open.pop(delivery.sequence, None) is None:
                self.retry_queue.remove(delivery.sequence)
                self._unrecorded.remove(delivery, SKIPPED if verdict.input is DeliveryInput.SKIP else DELIVERED)
        else:
            delivery.failed_attempts += verdict.counted
            delivery.max_attempts = delivery.max_attempts or attempts
            if state is State.FAILED:
                self._unrecorded.note_end(delivery.replay, FAILED)
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
        self._unrecorded.rows[delivery.sequence] = row_of(delivery)

    def _advance(self, document: DocumentQueue) -> None:
        """Make the document's next deliveries ready, and forget a document that has none."""
        while document.blocked and document.has_room(self._bounds.max_open_per_document):
            sequence = document.blocked.popleft()
            self.blocked -= 1
            self._unrecorded.rows[sequence] = None
            self._open(document, Delivery(sequence, document.id, State.BLOCKED), DeliveryInput.PROMOTE)
        if document.ready:
            self._send_order.add(document)
        elif document.is_done:
            self._documents.pop(document.id, None)

    def _holds_back(self, delivery: Delivery) -> bool:
        """Whether others of its document wait for its retry. A replay holds nothing back."""
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
        """Take up rows of the store that await a retry, read after every earlier change of this lane was recorded. Rows
        that are due from `horizon` on were left in the store; None if these are all."""
        hurried_by = self._unrecorded.hurried_by  # since the rows were read
        self.retry_queue.horizon = None if horizon is None else horizon - hurried_by
        self._untried_left = self._untried_left and horizon is not None
        for row in (each.hurried(hurried_by) for each in rows):
            known = row.sequence in self.retry_queue or row.sequence in self._unrecorded.rows
            is_left = known or self.retry_queue.is_left_to_store(row.due)
            if not is_left and row.sequence > self._unrecorded.abandoned_to:
                self._restore_retry(row)
        for row in self._unrecorded.retries_here_alone(self.retry_queue):
            if not self.retry_queue.is_left_to_store(row.due):
                self._restore_retry(row)

    def hurry(self, by: int) -> None:
        """The delay of the subscription is so many µs shorter: what waits for it is due earlier."""
        self.changed = True
        self._unrecorded.hurry(by)
        self.retry_queue.hurry(by)
        self._untried_left = True

    def retry_by_hand(self, sequence: int, document_id: str, row: Row | None, attempts: int, now: int) -> bool:
        """Make one more attempt now, because a person asked for it. `row` is the delivery's row as of the last record,
        if it has one; `attempts` as for `settle`. Returns False while an attempt is in flight: call this again then.

        A delivery that waits for an attempt gets an extra one, and keeps its schedule. A failed or settled one begins a
        new run. One that is blocked or not taken in yet is sent when its turn comes.
        """
        row = self._unrecorded.row_now(sequence, row)
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
        delivery.retry_now(attempts, now)
        self._schedule(delivery)
        if delivery.state is State.RETRY_READY:
            self._send_order.ask_for(self._documents[delivery.document_id], delivery.sequence)

    @property
    def has_room_for_replays(self) -> bool:
        """Whether a replay may bring more deliveries. They go before the new events of their document (C17), so a
        replay brings no more while such an event waits for them."""
        few = self.retry_queue.horizon is None and len(self.retry_queue) < self._bounds.replays_below
        return few and not any(document.waits_for_replay for document in self._documents.values())

    def replay(self, sequence: int, document_id: str, row: Row | None, max_attempts: int, number: int) -> bool:
        """Replay a delivery for the replay with this number: a failed or settled one begins a new run; one that is not
        taken in, waits or is in flight stays as it is. `row` as for `retry_by_hand`. Returns whether a run began."""
        row = self._unrecorded.row_now(sequence, row)
        waits = sequence in self.open or (row is not None and row.state is not State.FAILED)
        if sequence > self.head or waits:
            return False
        self._begin_run(sequence, document_id, row, max_attempts, number)
        return True

    @property
    def has_room_for_early_retries(self) -> bool:
        """Whether a replay of waiting deliveries may bring more: not before most of the earlier ones are sent."""
        return self.ready < self._bounds.replays_below

    def retry_early(self, sequence: int, row: Row | None, now: int, number: int) -> bool:
        """For the replay with this number: make the next attempt of a delivery that awaits its retry now, before it is
        due. `row` as for `retry_by_hand`. Returns whether that changed anything."""
        row = self._unrecorded.row_now(sequence, row)
        delivery = self.retry_queue.get(sequence)
        if delivery is None and row is not None and row.state is State.AWAITING_RETRY:
            delivery = self._restore_retry(row)
        if delivery is None or delivery.state is not State.AWAITING_RETRY or delivery.due <= now:
            return False
        delivery.advance(DeliveryInput.RETRY_NOW)
        delivery.due = AT_ONCE
        self._unrecorded.note_end(delivery.replay, SKIPPED)
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
        self.changed = True
        self._unrecorded.rows[delivery.sequence] = row_of(delivery)
        self.retry_queue.put(delivery)

    # --- Recording and restoring --------------------------------------------------------------------------------------

    def changes(self) -> LaneChanges:
        """Everything since the last call."""
        self.changed = False
        return self._unrecorded.take(self.head, tuple(sorted(self.open)), tuple(self.gaps))

    def restore(self, open_: Iterable[tuple[int, str]], rows: Iterable[Row], horizon: int | None) -> None:
        """Go on where the lane was according to the store. `open_` has pairs of sequence and document, `rows` those
        that are blocked or (up to the horizon) await a retry."""
        self.retry_queue.horizon = horizon
        self._untried_left = any(row.waits_untried for row in rows)
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
        """Give up every delivery up to a sequence except those in flight, and move the head there. Returns how many
        that were, including those not yet taken in, which become a `gap`. Those that only the store has are given up
        with the next record, and are not counted."""
        lost = max(0, up_to - self.head)
        if lost:
            add_gap(self.gaps, self.head, up_to)
            self.head = up_to
        self._unrecorded.abandon(up_to)
        self.changed = True
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
                # It is in flight. Its row is written after `abandoned_to` is applied, so that a crash still repeats it.
                self._unrecorded.rows[delivery.sequence] = row_of(delivery)
        for row in self._unrecorded.retries_here_alone(self.retry_queue):
            if row.sequence <= up_to:
                self._unrecorded.give_up(row)
                lost += 1
        return lost

    def _give_up(self, delivery: Delivery) -> int:
        delivery.advance(DeliveryInput.GIVE_UP)
        self._send_order.forget(delivery.sequence)
        self._unrecorded.note_end(delivery.replay, FAILED)
        self._keep_row_alone(delivery)
        return 1

    def _relist(self) -> None:
        self._send_order.clear()
        for document in list(self._documents.values()):
            document.listed = False
            self._advance(document)
