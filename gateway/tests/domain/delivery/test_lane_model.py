"""A lane against a naive model of it: whatever is taken in, sent, answered, recorded, given up or lost in a crash.

`World` plays the lane's owner and its store: it records in two steps, as the engine does, so that things happen while
a write is under way, and a crash may hit between them. Its model keeps a plain record of every delivery and knows
nothing of heaps, queues or horizons.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import pytest
from gateway.tests.examples import more
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from signalpost.domain.delivery.delivery import AT_ONCE, TRANSITIONS, Delivery, DeliveryInput, State, decide
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.lane import Lane
from signalpost.domain.delivery.lane_bounds import Bounds
from signalpost.domain.delivery.lane_record import LaneChanges
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.delivery.replay import ReplayTally
from signalpost.domain.timestamps import SECOND

BOUNDS = Bounds(max_open=6, max_open_per_document=2, max_exceptions=8, retries_kept=2, replays_below=3)
LOADED = 3
"""How many rows that await a retry a load or a refill brings."""
REPLAY = 7
DELAYS = (2, 1, 3)
VERDICTS = {
    "delivered": Outcome(),
    "failed": Outcome(failure=Failure.STATUS),
    "failed too": Outcome(failure=Failure.TIMEOUT),
    "cut": Outcome(failure=Failure.INTERRUPTED),
}
WAITING = (State.OPEN, State.RETRY_READY, State.IN_FLIGHT, State.AWAITING_RETRY, State.BLOCKED)


@dataclass(frozen=True)
class KnownDelivery:
    """What the model knows of one delivery."""

    state: State
    document: str
    failed_attempts: int = 0
    max_attempts: int = 0
    run: int = 0
    due: int = 0
    resume_at: int | None = None

    @property
    def is_retry(self) -> bool:
        return self.max_attempts > 0

    @property
    def is_by_hand(self) -> bool:
        return self.resume_at is not None or (self.run > 0 and self.max_attempts == 1)


class Store:
    """What is recorded: a lane row and its exception rows."""

    def __init__(self) -> None:
        self.head = 0
        self.open: tuple[int, ...] = ()
        self.gaps: tuple[tuple[int, int], ...] = ()
        self.rows: dict[int, Row] = {}
        self.queued = 0
        """How many deliveries the replay queued."""
        self.ended = ReplayTally()

    def record(self, changes: LaneChanges, queued: int) -> None:
        self.queued = queued
        self.ended += changes.ended.get(REPLAY, ReplayTally())
        self.head, self.open, self.gaps = changes.head, changes.open, changes.gaps
        for sequence, row in list(self.rows.items()):
            if sequence <= changes.abandoned_to and row.state in (State.AWAITING_RETRY, State.BLOCKED):
                self.rows[sequence] = row._replace(state=State.FAILED)
                if row.replay is not None and sequence not in changes.rows:
                    self.ended += ReplayTally(failed=1)
        for sequence, changed in changes.rows.items():
            if changed is None:
                self.rows.pop(sequence, None)
            else:
                self.rows[sequence] = changed

    def check_ends(self) -> None:
        """What a replay queued ended once, or waits."""
        waiting = [row for row in self.rows.values() if row.replay is not None and row.state is not State.FAILED]
        assert self.queued == sum(self.ended) + len(waiting)

    def awaiting_retry(self, limit: int) -> tuple[list[Row], int | None]:
        """The rows that are due first, and from when on there are more."""
        rows = sorted((row for row in self.rows.values() if row.state is State.AWAITING_RETRY), key=lambda row: row.due)
        if len(rows) < limit:
            return rows, None
        last = rows[limit - 1].due
        kept = [row for row in rows if row.due < last]
        return (kept, last) if kept else ([row for row in rows if row.due == last], last + 1)


class World:
    def __init__(self, *, strict: bool) -> None:
        self.lane = Lane(0, strict=strict, bounds=BOUNDS)
        self.store = Store()
        self.now = 1000 * SECOND
        self.log: dict[int, str | None] = {}
        """The document of each event that exists; None for one that is not wanted."""
        self.known: dict[int, KnownDelivery] = {}
        """Deliveries at or below the head."""
        self.flying: dict[int, Delivery] = {}
        self.delivered: set[int] = set()
        """At least once, ever."""
        self.asked: list[int] = []
        """Retries by hand that are to be looked up."""
        self.held: list[int] = []
        """Retries by hand that wait for the end of an attempt."""
        self.replay_from = 0
        """The next sequence of a replay of all; 0 if none runs."""
        self.queued = 0
        """How many deliveries the replay queued."""
        self.write: tuple[LaneChanges, bool, list[int], range, dict[int, KnownDelivery], int, int] | None = None

    # --- What may happen ----------------------------------------------------------------------------------------------

    def read(self, document: str | None) -> None:
        lane = self.lane
        if not lane.has_room:
            return
        sequence = lane.head + 1
        document = self.log.setdefault(sequence, document)
        if document is None:
            lane.skip(sequence)
            return
        behind = self.of(document, *WAITING)
        held = any(known.run == 0 for known in self.of(document, State.AWAITING_RETRY).values())
        lane.take(sequence, document)
        opened = sequence in lane.open
        assert opened or behind, "blocked behind nothing"
        assert not (opened and lane.strict and held), "opened behind one that waits for its retry, in strict order"
        assert not (opened and self.of(document, State.BLOCKED)), "opened before one that is blocked"
        ready = len(self.of(document, State.OPEN, State.RETRY_READY, State.IN_FLIGHT))
        assert not (opened and ready >= BOUNDS.max_open_per_document)
        self.known[sequence] = KnownDelivery(State.OPEN if opened else State.BLOCKED, document)

    def send(self) -> None:
        lane = self.lane
        sendable = self.sendable()
        assert lane.sendable == bool(sendable)
        by_hand = self.next_by_hand()
        delivery = lane.next_delivery()
        if delivery is None:
            assert not sendable
            return
        sequence = delivery.sequence
        assert sequence in (by_hand or sendable)
        known = self.known[sequence]
        assert (delivery.document_id, delivery.failed_attempts, delivery.run) == (
            known.document,
            known.failed_attempts,
            known.run,
        )
        self.known[sequence] = replace(known, state=State.IN_FLIGHT)
        self.flying[sequence] = delivery

    def settle(self, sequence: int, outcome: Outcome, jitter: float = 0.0) -> None:
        delivery = self.flying.pop(sequence)
        known = self.known[sequence]
        verdict = decide(delivery, outcome, DELAYS, self.now, jitter, None)
        self.lane.settle(delivery, verdict, len(DELAYS) + 1)
        if verdict.input is DeliveryInput.DELIVERED:
            self.delivered.add(sequence)
            del self.known[sequence]
        elif verdict.input in (DeliveryInput.INTERRUPTED, DeliveryInput.RETRY_INTERRUPTED):
            assert (verdict.input is DeliveryInput.RETRY_INTERRUPTED) == known.is_retry
            self.known[sequence] = replace(known, state=TRANSITIONS[State.IN_FLIGHT][verdict.input])
        else:
            self.known[sequence] = replace(
                known,
                state=TRANSITIONS[State.IN_FLIGHT][verdict.input],
                failed_attempts=known.failed_attempts + verdict.counted,
                max_attempts=known.max_attempts or len(DELAYS) + 1,
                due=verdict.due,
                resume_at=None,
            )
        if verdict.input is not DeliveryInput.DELIVERED:
            self.asked += [held for held in self.held if held == sequence]
        self.held = [held for held in self.held if held != sequence]
        self.note_promotions()

    def pass_time(self, microseconds: int) -> None:
        self.now += microseconds
        due_before = self.lane.retry_queue.next_due
        known_to_lane = set(self.lane.retry_queue)
        in_memory = [sequence for sequence in self.with_state(State.AWAITING_RETRY) if sequence in known_to_lane]
        expected = [sequence for sequence in in_memory if self.known[sequence].due <= self.now]
        if expected:
            assert due_before is not None
            assert due_before <= self.now
        self.lane.make_due_ready(self.now)
        for sequence in expected:
            self.known[sequence] = replace(self.known[sequence], state=State.RETRY_READY)

    def abandon(self, up_to: int) -> None:
        for sequence in range(1, up_to + 1):
            self.log.setdefault(sequence, "a")
        lost = max(0, up_to - self.lane.head)
        in_memory = 0
        for sequence, known in self.known.items():
            if sequence <= up_to and known.state in (
                State.OPEN,
                State.RETRY_READY,
                State.AWAITING_RETRY,
                State.BLOCKED,
            ):
                changed = self.lane._unrecorded.rows.get(sequence)
                alone = changed is not None and changed.state is State.AWAITING_RETRY
                in_memory += known.state is not State.AWAITING_RETRY or sequence in self.lane.retry_queue or alone
                self.known[sequence] = replace(known, state=State.FAILED)
        assert self.lane.abandon(up_to) == lost + in_memory
        self.note_promotions()

    def retry(self, sequence: int) -> None:
        """A person asks for one attempt more."""
        if self.log.get(sequence) is not None:
            self.asked.append(sequence)

    def begin_write(self) -> None:
        if self.write is None:
            wants_refill = self.lane.retry_queue.wants_refill
            feed = range(self.replay_from, min(self.replay_from + 2, self.lane.head + 1)) if self.feeds() else range(0)
            known = dict(self.known)
            self.write = (self.lane.changes(), wants_refill, self.asked, feed, known, self.lane.head, self.queued)
            self.asked = []
            assert not self.lane.changed

    def end_write(self) -> None:
        if self.write is None:
            return
        changes, wants_refill, asked, feed, snapshot, head, queued = self.write
        self.write = None
        self.store.record(changes, queued)
        self.store.check_ends()
        self.check_store(snapshot, head)
        rows = {sequence: self.store.rows.get(sequence) for sequence in asked}
        if wants_refill:
            self.lane.refill(*self.store.awaiting_retry(LOADED))
        for sequence in asked:
            document, attempts = self.log[sequence] or "", len(DELAYS) + 1
            taken_care_of = self.lane.retry_by_hand(sequence, document, rows[sequence], attempts, self.now)
            assert taken_care_of == (sequence not in self.flying)
            if taken_care_of:
                self.note_retry(sequence)
            else:
                self.held.append(sequence)
        for sequence in feed:
            self.feed(sequence)
        if feed:
            self.replay_from = feed.stop if feed.stop <= head else 0

    def feeds(self) -> bool:
        """Whether a replay brings more with this write: not while there is much, or while new events wait for it."""
        waiting = [s for s in self.with_state(State.OPEN, State.BLOCKED) if self.known[s].run == 0]
        for document in {self.known[s].document for s in waiting}:
            ready = self.of(document, State.OPEN, State.RETRY_READY)
            if ready and ready[min(ready)].run > 0:
                assert not self.lane.has_room_for_replays, f"{document} waits"
        if self.lane.has_room_for_replays:
            assert len(self.lane.retry_queue) < BOUNDS.replays_below
            assert self.lane.retry_queue.horizon is None
        return self.replay_from > 0 and self.lane.has_room_for_replays

    def feed(self, sequence: int) -> None:
        """One more of the replay, if it is a delivery."""
        document = self.log[sequence]
        gone = any(first <= sequence <= last for first, last in self.store.gaps)
        row = self.store.rows.get(sequence)
        if document is None or (gone and row is None):
            return
        known = self.known.get(sequence)
        queued = self.lane.replay(sequence, document, row, 4, REPLAY)
        assert queued == (known is None or known.state is State.FAILED)
        if queued:
            self.queued += 1
            run = 1 if known is None else known.run + 1
            self.known[sequence] = KnownDelivery(State.AWAITING_RETRY, document, max_attempts=4, run=run, due=AT_ONCE)

    def crash(self, *, applied: bool, strict: bool) -> None:
        """The process ends; the write that was under way took place or not. Another takes up what is recorded."""
        if self.write is not None and applied:
            self.store.record(self.write[0], self.write[-1])
        self.write = None
        self.queued = self.store.queued
        self.asked = []
        self.held = []
        self.replay_from = 0
        self.flying = {}
        store = self.store
        self.known = {sequence: KnownDelivery(State.OPEN, self.log[sequence] or "") for sequence in store.open}
        for sequence, row in store.rows.items():
            self.known[sequence] = KnownDelivery(
                row.state, row.document_id, row.failed_attempts, row.max_attempts, row.run, row.due, row.resume_at
            )
        self.lane = Lane(store.head, strict=strict, bounds=BOUNDS)
        self.lane.gaps = list(store.gaps)
        waiting, horizon = store.awaiting_retry(10**6 if strict else LOADED)
        blocked = [row for row in store.rows.values() if row.state is State.BLOCKED]
        self.lane.restore(
            [(sequence, self.log[sequence] or "") for sequence in store.open], [*waiting, *blocked], horizon
        )
        self.note_promotions()

    # --- What the model says ------------------------------------------------------------------------------------------

    def with_state(self, *states: State) -> list[int]:
        return sorted(sequence for sequence, known in self.known.items() if known.state in states)

    def of(self, document: str, *states: State) -> dict[int, KnownDelivery]:
        return {s: known for s, known in self.known.items() if known.document == document and known.state in states}

    def sendable(self) -> set[int]:
        """The lowest ready sequence of each document that has nothing in flight. Where in strict order an earlier one
        waits, it is the lowest of its replays, which wait for nothing."""
        found = set()
        for document in {known.document for known in self.known.values()}:
            if self.of(document, State.IN_FLIGHT):
                continue
            waiting = [
                s for s, known in self.of(document, State.AWAITING_RETRY, State.BLOCKED).items() if known.run == 0
            ]
            ready = [
                sequence
                for sequence, known in self.of(document, State.OPEN, State.RETRY_READY).items()
                if not self.lane.strict or known.run > 0 or sequence < min(waiting, default=sequence + 1)
            ]
            found |= {min(ready)} if ready else set()
        return found

    def note_promotions(self) -> None:
        for sequence in self.with_state(State.BLOCKED):
            if sequence in self.lane.open:
                document = self.known[sequence].document
                assert sequence == min(self.of(document, State.BLOCKED)), "promoted before an earlier one"
                self.known[sequence] = KnownDelivery(State.OPEN, document)

    def note_retry(self, sequence: int) -> None:
        known = self.known.get(sequence)
        document = self.log[sequence]
        assert document is not None
        if sequence > self.lane.head:
            return
        if known is None or known.state is State.FAILED:
            run = 1 if known is None else known.run + 1
            self.known[sequence] = KnownDelivery(State.AWAITING_RETRY, document, max_attempts=1, run=run, due=AT_ONCE)
        elif known.state is not State.BLOCKED and not known.is_by_hand:
            due = known.due or self.now
            self.known[sequence] = replace(
                known,
                state=TRANSITIONS[known.state][DeliveryInput.RETRY_NOW],
                due=AT_ONCE,
                resume_at=due,
                max_attempts=known.max_attempts or len(DELAYS) + 1,
            )

    def next_by_hand(self) -> set[int]:
        """What may be sent now of the documents of which someone asked for something that is ready."""
        ready = (self.known[s] for s in self.with_state(State.OPEN, State.RETRY_READY))
        documents = {known.document for known in ready if known.is_by_hand}
        return {sequence for sequence in self.sendable() if self.known[sequence].document in documents}

    # --- What must hold -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        lane = self.lane
        assert lane.in_flight == len(self.with_state(State.IN_FLIGHT))
        assert lane.blocked == len(self.with_state(State.BLOCKED))
        first = {s for s, known in self.known.items() if not known.is_retry}
        assert set(lane.open) == first & set(self.with_state(State.OPEN, State.IN_FLIGHT))
        for sequence, delivery in (lane.open | lane.retry_queue).items():
            known = self.known[sequence]
            assert (delivery.state, delivery.document_id) == (known.state, known.document)
            assert (delivery.failed_attempts, delivery.run) == (known.failed_attempts, known.run)
        elsewhere = set(self.with_state(State.AWAITING_RETRY)) - set(lane.retry_queue)
        assert set(lane.retry_queue) <= set(self.with_state(State.AWAITING_RETRY, State.RETRY_READY, State.IN_FLIGHT))
        for sequence in elsewhere:
            assert lane.retry_queue.horizon is not None, f"{sequence} is forgotten"
            assert self.known[sequence].due >= lane.retry_queue.horizon, f"{sequence} is forgotten"
        assert not (elsewhere and lane.strict), "strict order must know all that waits"
        for known in self.known.values():
            if known.state is State.IN_FLIGHT:
                assert len(self.of(known.document, State.IN_FLIGHT)) == 1
            if known.state is State.BLOCKED:
                others = self.of(known.document, State.OPEN, State.RETRY_READY, State.IN_FLIGHT, State.AWAITING_RETRY)
                assert others, "blocked behind nothing"
        assert lane.sendable == bool(self.sendable())
        assert lane.sends_by_hand == bool(self.next_by_hand())
        in_memory_due = [self.known[s].due for s in self.with_state(State.AWAITING_RETRY) if s in lane.retry_queue]
        assert lane.retry_queue.next_due == min(in_memory_due, default=lane.retry_queue.horizon)
        waiting = [each.due or self.now for each in lane.retry_queue.values() if each.state is not State.IN_FLIGHT]
        assert lane.retry_queue.seen_oldest_due(self.now) == min(waiting, default=lane.retry_queue.horizon)
        assert lane.retry_queue.oldest_due(self.now) == min(waiting, default=lane.retry_queue.horizon)

    def check_store(self, known: dict[int, KnownDelivery], head: int) -> None:
        """What was recorded is what was true when the write began, and nothing is missing."""
        store = self.store
        assert store.head == head
        first = {s for s, k in known.items() if k.state in (State.OPEN, State.IN_FLIGHT) and not k.is_retry}
        assert set(store.open) == first
        assert list(store.open) == sorted(store.open)
        expected = {s: k for s, k in known.items() if s not in first}
        assert set(store.rows) == set(expected)
        for sequence, row in store.rows.items():
            k = expected[sequence]
            state = State.AWAITING_RETRY if k.state in (State.RETRY_READY, State.IN_FLIGHT) else k.state
            assert (row.sequence, row.document_id, row.state) == (sequence, k.document, state)
            assert (row.failed_attempts, row.run) == (k.failed_attempts, k.run)
            if state is State.AWAITING_RETRY:
                assert (row.due, row.max_attempts, row.resume_at) == (k.due, k.max_attempts, k.resume_at)
        gaps = {sequence for first_lost, last in store.gaps for sequence in range(first_lost, last + 1)}
        for sequence in range(1, store.head + 1):
            unsettled = sequence in first or sequence in expected
            assert unsettled or self.log[sequence] is None or sequence in self.delivered | gaps, f"{sequence} is lost"

    def finish(self) -> None:
        """When everything succeeds from here on, everything that was taken in is settled, or was given up."""
        for _ in range(500):
            self.begin_write()
            self.end_write()
            self.pass_time(SECOND)
            while self.sendable():
                self.send()
            for sequence in list(self.flying):
                self.settle(sequence, VERDICTS["delivered"])
            self.check()
            waits = self.with_state(*WAITING) or self.asked or self.held or self.replay_from
            if not waits and self.lane.retry_queue.horizon is None:
                break
        assert not self.with_state(*WAITING)
        assert not self.replay_from, "the replay never ended"
        self.begin_write()
        self.end_write()
        lane = self.lane
        assert (lane.open, lane.retry_queue, lane.blocked, lane.in_flight, lane.retry_queue.next_due) == (
            {},
            {},
            0,
            0,
            None,
        )
        assert self.store.open == ()
        assert {row.state for row in self.store.rows.values()} <= {State.FAILED}


# --- A state machine, and plain walks ---------------------------------------------------------------------------------

DOCUMENTS = st.sampled_from("aab")
WALKS = more(25)
"""The number of walks in each order."""


class LaneMachine(RuleBasedStateMachine):
    @initialize(strict=st.booleans())
    def begin(self, strict: bool) -> None:
        self.world = World(strict=strict)

    @rule(documents=st.lists(DOCUMENTS | st.none(), min_size=1, max_size=4))
    def read(self, documents: list[str | None]) -> None:
        for document in documents:
            self.world.read(document)

    @rule(count=st.integers(1, 3))
    def send(self, count: int) -> None:
        for _ in range(count):
            self.world.send()

    @precondition(lambda self: self.world.flying)
    @rule(data=st.data(), kind=st.sampled_from(sorted(VERDICTS)))
    def settle(self, data: st.DataObject, kind: str) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.world.flying)))
        self.world.settle(sequence, VERDICTS[kind])

    @rule(seconds=st.sampled_from([0.5, 1, 2, 4]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(int(seconds * SECOND))

    @precondition(lambda self: self.world.lane.head)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        self.world.retry(data.draw(st.integers(1, self.world.lane.head)))

    @precondition(lambda self: self.world.lane.head)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        self.world.replay_from = data.draw(st.integers(1, self.world.lane.head))

    @rule()
    def begin_write(self) -> None:
        self.world.begin_write()

    @rule()
    def end_write(self) -> None:
        self.world.end_write()

    @rule()
    def write(self) -> None:
        self.world.end_write()
        self.world.begin_write()
        self.world.end_write()

    @rule(further=st.integers(-3, 2))
    def abandon(self, further: int) -> None:
        self.world.abandon(max(0, self.world.lane.head + further))

    @rule(applied=st.booleans(), reordered=st.booleans())
    def crash(self, applied: bool, reordered: bool) -> None:
        self.world.crash(applied=applied, strict=self.world.lane.strict != reordered)

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.finish()


LaneMachine.TestCase.settings = settings(stateful_step_count=40)
TestLane = LaneMachine.TestCase
"""C16, C17: order, nothing lost, nothing twice, the right counts, what is recorded is what is."""


def walk(world: World, random: Random, steps: int) -> None:
    def settle() -> None:
        if world.flying:
            world.settle(random.choice(sorted(world.flying)), random.choice(outcomes), random.random())

    def retry() -> None:
        world.retry(random.randint(1, world.lane.head + 1))

    def replay() -> None:
        world.replay_from = random.randint(0, world.lane.head)

    def abandon() -> None:
        world.abandon(max(0, world.lane.head + random.randint(-4, 2)))

    def crash() -> None:
        world.crash(applied=random.random() < 0.5, strict=world.lane.strict != (random.random() < 0.3))

    outcomes = [VERDICTS["delivered"]] * 2 + [VERDICTS["failed"]] * random.choice([1, 6]) + [VERDICTS["cut"]]
    choices: list[list[str | None]] = [["a"], ["a", "b", None], [str(number) for number in range(30)]]
    documents = random.choice(choices)
    actions: list[tuple[Callable[[], None], int]] = [
        (lambda: world.read(random.choice(documents)), 8),
        (world.send, 8),
        (settle, 8),
        (lambda: world.pass_time(random.randint(0, 3 * SECOND)), 2),
        (retry, random.choice([1, 3])),
        (replay, random.choice([0, 0, 1])),
        (world.begin_write, 2),
        (world.end_write, 2),
        (abandon, random.choice([0, 0, 1])),
        (crash, random.choice([0, 1])),
    ]
    for action in random.choices([a for a, _ in actions], [weight for _, weight in actions], k=steps):
        action()
        world.check()


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True], ids=["loose", "strict"])
def test_random_walks_keep_every_law(strict: bool) -> None:
    """C16, C17. Every fourth walk is a long one."""
    for seed in range(WALKS):
        world = World(strict=strict)
        walk(world, Random(seed), 250 if seed % 4 else 400)
        world.finish()
