"""The contract of a store: lanes are recorded by their owner alone, and loaded as they were recorded."""

from random import Random
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row, RowCounts
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.lanes import EndpointHealth, LaneWanted

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

TENANT = 1
DUE = 1_700_000_000 * SECOND


def attempt(sequence: int, started_at: int, **other: object) -> AttemptRow:
    base = AttemptRow(sequence, started_at, 1500, 1, 0, True, 503, Failure.STATUS, "503", b"\x00answer")
    return replace(base, **other)


@pytest.fixture
def row(make: "type[Tools]") -> "RowOf":
    return RowOf(make)


class RowOf:
    def __init__(self, make: "type[Tools]") -> None:
        self._make = make

    def __call__(self, sequence: int, state: State = State.AWAITING_RETRY, due: int = DUE, failed_attempts: int = 1,
                 run: int = 0, resume_at: int | None = None) -> Row:  # fmt: skip
        return Row(sequence, self._make.document_id(sequence % 5), state, due, failed_attempts, 4, run, resume_at)


def test_a_lane_is_loaded_as_it_was_recorded(play: "Play", make: "type[Tools]", row: RowOf) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(300)
        health = EndpointHealth(Breaker(3, DUE, DUE + 1, 10), "status: 503", 7)
        rows = [
            row(2),
            row(4, State.BLOCKED),
            row(5, State.FAILED),
            row(6, failed_attempts=3, run=2, resume_at=DUE + 9),
        ]
        recorded = await shop.record(
            make.flush(subscription, 0, 290, open=(1, 130, 290), rows=rows, gaps=((7, 9), (20, 20)), health=health)
        )
        assert set(recorded) == {subscription.number}
        await shop.reopen()
        lane = await shop.lane(subscription)
        assert (lane.version, lane.head, lane.gaps, lane.health, lane.horizon) == (
            1,
            290,
            ((7, 9), (20, 20)),
            health,
            None,
        )
        assert lane.open == tuple((s, make.document_id((s - 1) % 5)) for s in (1, 130, 290))
        assert set(lane.rows) == {rows[0], rows[1], rows[3]}

    play(scenario)


def test_lanes_are_loaded_together_each_with_what_is_its_own(play: "Play", make: "type[Tools]", row: RowOf) -> None:
    async def scenario(shop: "Shop") -> None:
        first, second, third = [await shop.subscribe(number) for number in (1, 2, 3)]
        await shop.fill(9)
        await shop.record(
            make.flush(first, 0, 9, open=(3,), rows=[row(1), row(2)]),
            make.flush(second, 0, 8, rows=[row(1, State.BLOCKED), row(4)]),
        )
        retries = (await shop.publish(make.retry(5, 1), make.retry(6, 3), make.retry(7, 3))).retries
        replays = (await shop.publish(make.replay(1, 1), make.replay(2, 3), make.replay(3, 3))).changed(Replay)
        await shop.publish(make.unsubscribe(3))
        lanes = await shop.store.lanes.load([LaneWanted(each, 1000) for each in (first, second, third)])
        assert set(lanes) == {first.number, second.number}
        one, other = lanes[first.number], lanes[second.number]
        assert (one.head, one.open, set(one.rows)) == (9, ((3, make.document_id(2)),), {row(1), row(2)})
        assert (other.head, other.open, set(other.rows)) == (8, (), {row(1, State.BLOCKED), row(4)})
        assert (one.retries, one.replays) == (retries[:1], replays[:1])
        assert (other.retries, other.replays) == ((), ())

    play(scenario)


def test_since_when_the_oldest_event_of_lanes_waits_is_known(play: "Play", make: "type[Tools]", row: RowOf) -> None:
    async def scenario(shop: "Shop") -> None:
        began = shop.now
        lanes = [await shop.subscribe(number) for number in range(1, 7)]
        await shop.fill(9)
        retrying, blocked, opened, behind, settled = lanes[:5]
        await shop.record(
            make.flush(retrying, 0, 9, open=(5,), rows=[row(2, State.FAILED), row(3), row(4, State.BLOCKED)]),
            make.flush(blocked, 0, 9, open=(6, 7), rows=[row(4, State.BLOCKED), row(5)]),
            make.flush(opened, 0, 9, open=(6, 7), rows=[row(1, State.FAILED), row(8)]),
            make.flush(behind, 0, 6, rows=[row(1, State.FAILED)]),
            make.flush(settled, 0, 9),
        )
        await shop.publish(make.unsubscribe(6))
        found = await shop.store.lanes.waits_since(TENANT, lanes)
        assert {number: (at - began) // SECOND for number, at in found.items()} == {
            retrying.number: 3,
            blocked.number: 4,
            opened.number: 6,
            behind.number: 7,
        }
        assert await shop.store.lanes.waits_since(TENANT, []) == {}

    play(scenario)


def test_an_event_that_a_lane_has_not_taken_in_waits_if_its_type_was_wanted_when_it_was_made(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        began = shop.now
        for number, each in enumerate(("documentCreated", "documentUpdated", "documentDeleted"), 1):
            await shop.subscribe(number, eventTypes=[each])
        await shop.fill(2)
        await shop.do(make.change(1, eventTypes=["documentDeleted"]))
        for title in ("first", "second"):
            shop.now += SECOND
            await shop.do(make.patch(1, title))
        changed, updates, deletions = [await shop.subscription(number) for number in (1, 2, 3)]

        async def waits() -> dict[int, int]:
            found = await shop.store.lanes.waits_since(TENANT, [changed, updates, deletions])
            return {number: (at - began) // SECOND for number, at in found.items()}

        assert await waits() == {changed.number: 1, updates.number: 3}
        await shop.record(make.flush(changed, 0, 2))
        assert await waits() == {updates.number: 3}
        shop.max_scanned = 2
        await shop.reopen()
        assert await waits() == {updates.number: 3, deletions.number: 3}, "as far as two events of the log tell"

    play(scenario)


def test_a_row_is_replaced_and_removed(play: "Play", make: "type[Tools]", row: RowOf) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        await shop.record(make.flush(subscription, 0, 9, rows=[row(1), row(2), row(3)]))
        changed = row(2, failed_attempts=2, due=DUE + 5, resume_at=DUE + 6)
        await shop.record(make.flush(subscription, 1, 9, rows={1: None, 2: changed, 8: None}))
        assert set((await shop.lane(subscription)).rows) == {changed, row(3)}

    play(scenario)


def test_only_the_owner_that_knows_the_version_writes(play: "Play", make: "type[Tools]", row: RowOf) -> None:
    async def scenario(shop: "Shop") -> None:
        first, second = await shop.subscribe(1), await shop.subscribe(2)
        await shop.fill(9)
        await shop.record(make.flush(first, 0, 5, open=(5,)))
        for version in (0, 2, 99):
            stale = make.flush(
                first, version, 9, open=(), rows=[row(1)], attempts=[attempt(1, DUE)], abandoned_to=9, gaps=((1, 9),)
            )
            recorded = await shop.record(stale, make.flush(second, version, 9))
            assert first.number not in recorded
            assert (second.number in recorded) == (version == 0)
        lane = await shop.lane(first)
        assert (lane.version, lane.head, len(lane.open), lane.rows, lane.gaps) == (1, 5, 1, (), ())
        assert await shop.attempts(first, 1) == []
        assert (await shop.lane(second)).version == 1

    play(scenario)


def test_the_lane_of_a_deleted_subscription_cannot_be_written(play: "Play", make: "type[Tools]", row: RowOf) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(3)
        await shop.record(make.flush(subscription, 0, 3, rows=[row(1)]))
        await shop.publish(make.unsubscribe())
        assert await shop.record(make.flush(subscription, 1, 3, rows=[row(2)])) == {}
        assert await shop.store.lanes.load([LaneWanted(subscription, 10)]) == {}

    play(scenario)


def test_abandoning_fails_what_waits_and_spares_what_is_written_with_it(
    play: "Play", make: "type[Tools]", row: RowOf
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        rows = [row(1), row(2, State.BLOCKED), row(3), row(8), row(9, State.BLOCKED)]
        await shop.record(make.flush(subscription, 0, 9, rows=rows))
        await shop.record(make.flush(subscription, 1, 9, rows=[row(3, failed_attempts=2)], abandoned_to=5))
        assert set((await shop.lane(subscription)).rows) == {
            row(3, failed_attempts=2),
            row(8),
            row(9, State.BLOCKED),
        }
        assert [view.entry.sequence for view in await shop.listed(subscription, status="failed")] == [2, 1]

    play(scenario)


def test_a_shorter_delay_moves_what_waits_untried_and_nothing_else(
    play: "Play", make: "type[Tools]", row: RowOf
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, other = await shop.subscribe(1), await shop.subscribe(2)
        await shop.fill(9)
        untried = [row(number, due=DUE + number, failed_attempts=0) for number in (1, 2, 3)]
        by_hand = row(4, due=0, failed_attempts=0, resume_at=DUE)
        rest = [row(5), row(6, failed_attempts=0, run=1), row(7, State.BLOCKED, failed_attempts=0)]
        await shop.record(make.flush(subscription, 0, 9, rows=[*untried, by_hand, *rest], delay=60))
        await shop.record(make.flush(other, 0, 9, rows=untried, delay=60))
        written = row(3, due=DUE - 7, failed_attempts=0)
        flush = make.flush(subscription, 1, 9, rows=[written], delay=40, hurried_by=20, refill=1)
        flushed = (await shop.record(flush))[subscription.number]
        assert (flushed.awaiting_retry, flushed.horizon) == ((by_hand._replace(resume_at=DUE - 20),), 1)
        lane = await shop.lane(subscription)
        assert lane.delay == 40
        assert set(lane.rows) == {
            row(1, due=DUE - 19, failed_attempts=0),
            row(2, due=DUE - 18, failed_attempts=0),
            written,
            by_hand._replace(resume_at=DUE - 20),
            *rest,
        }
        assert set((await shop.lane(other)).rows) == {*untried}

    play(scenario)


def test_attempts_are_kept_and_read_in_their_order(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, other = await shop.subscribe(1), await shop.subscribe(2)
        await shop.fill(3)
        attempts = [
            attempt(1, DUE + 20, number=2, counted=False, status=None, failure=Failure.INTERRUPTED, answer=b""),
            attempt(1, DUE),
            attempt(1, DUE + 30, number=1, run=1, failure=None, status=204, detail=""),
            attempt(2, DUE),
        ]
        await shop.record(make.flush(subscription, 0, 3, attempts=attempts[:1]), make.flush(other, 0, 3))
        await shop.record(make.flush(subscription, 1, 3, attempts=attempts[1:]))
        await shop.reopen()
        assert await shop.attempts(subscription, 1) == [attempts[1], attempts[0], attempts[2]]
        assert await shop.attempts(subscription, 2) == [attempts[3]]
        assert await shop.attempts(other, 1) == []

    play(scenario)


def test_of_attempts_of_a_delivery_that_began_at_once_one_is_kept(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        await shop.record(make.flush(subscription, 0, 3, attempts=[attempt(1, DUE)]))
        twins = [attempt(1, DUE, number=2), attempt(2, DUE), attempt(2, DUE, number=2)]

        assert subscription.number in await shop.record(make.flush(subscription, 1, 4, attempts=twins))

        assert [len(await shop.attempts(subscription, sequence)) for sequence in (1, 2)] == [1, 1]
        assert (await shop.lane(subscription)).head == 4

    play(scenario)


def test_asked_for_retries_are_gone_once_they_are_done(play: "Play", make: "type[Tools]") -> None:
    """The lane acted upon two of the three that were asked for, so it has one left."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(1)
        published = await shop.publish(make.retry(1), make.retry(1), make.retry(1))
        numbers = [retry.number for retry in published.retries]
        await shop.record(make.flush(subscription, 0, 1, retries_done=tuple(numbers[:2])))
        assert [retry.number for retry in (await shop.lane(subscription)).retries] == numbers[2:]

    play(scenario)


def test_what_was_asked_for_before_a_backlog_was_skipped_is_told_from_what_was_asked_for_since(
    play: "Play", make: "type[Tools]"
) -> None:
    """A lane keeps which skip it carried out last. A page shows no retry that a skip ended, though it is there yet."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(2)
        await shop.record(make.flush(subscription, 0, 2))
        await shop.publish(make.retry(1), make.change(status="paused"))
        await shop.publish(make.change(status="active", skipBacklog=True), make.retry(2))
        await shop.reopen()
        skipped = await shop.subscription()
        lane = await shop.lane(skipped)
        assert [skipped.has_skipped_since(retry.of_version) for retry in lane.retries] == [True, False]
        inbox = (await shop.store.fleet.inbox([skipped.number]))[skipped.number]
        assert inbox.retries == lane.retries
        assert [(each.entry.sequence, each.retry_asked) for each in await shop.listed(skipped)] == [
            (2, True),
            (1, False),
        ]
        assert skipped.has_skipped_since(lane.skip_version)
        await shop.record(make.flush(skipped, 1, 2, abandoned_to=2, skip_version=skipped.skip_version))
        assert not skipped.has_skipped_since((await shop.lane(skipped)).skip_version)

    play(scenario)


def test_a_lane_looks_up_rows_as_they_are_after_its_write(play: "Play", make: "type[Tools]", row: RowOf) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        await shop.record(make.flush(subscription, 0, 9, rows=[row(1), row(2, State.FAILED), row(3)]))
        write = make.flush(
            subscription, 1, 9, rows={1: None, 3: row(3, failed_attempts=3), 4: row(4)}, look_up=(1, 2, 3, 4, 5)
        )
        flushed = (await shop.record(write))[subscription.number]
        assert flushed.looked_up == {2: row(2, State.FAILED), 3: row(3, failed_attempts=3), 4: row(4)}
        assert (flushed.awaiting_retry, flushed.horizon) == ((), None)

    play(scenario)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 12, 13, 100])
@pytest.mark.parametrize("load", [True, False], ids=["load", "refill"])
def test_rows_that_await_a_retry_come_in_the_order_of_their_times_and_the_horizon_tells_of_the_rest(
    play: "Play", make: "type[Tools]", row: RowOf, limit: int, load: bool
) -> None:
    """Rows of one moment come together; a row that is left is never due before the horizon."""
    dues = [5, 5, 5, 6, 7, 7, 7, 7, 1, 9, 9, 2]

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(20)
        rows = [row(sequence, due=DUE + due) for sequence, due in enumerate(dues, 1)]
        others = [row(13, State.BLOCKED), row(14, State.FAILED)]
        flushed = (await shop.record(make.flush(subscription, 0, 20, rows=[*rows, *others], refill=limit)))[1]
        lane = await shop.lane(subscription, limit)
        assert others[0] in lane.rows
        waiting = (
            [found for found in lane.rows if found.state is State.AWAITING_RETRY]
            if load
            else list(flushed.awaiting_retry)
        )
        horizon = lane.horizon if load else flushed.horizon
        assert len(set(waiting)) == len(waiting) > 0
        left = set(rows) - set(waiting)
        if horizon is None:
            assert not left
        else:
            assert all(found.due < horizon for found in waiting)
            assert all(found.due >= horizon for found in left)

    play(scenario)


def test_retries_that_are_due_late_are_counted_below_a_sequence(play: "Play", make: "type[Tools]", row: RowOf) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, other = await shop.subscribe(), await shop.subscribe(2)
        await shop.fill(10)
        rows = [*(row(n, due=DUE + n) for n in range(1, 8)), row(8, State.FAILED, due=DUE + 8)]
        await shop.record(make.flush(subscription, 0, 10, rows=rows))
        await shop.record(make.flush(other, 0, 10, rows=[row(1, due=DUE + 9)]))
        count = shop.store.lanes.count_awaiting_retry
        assert await count(subscription, below=100, due_from=0) == 7
        assert await count(subscription, below=6, due_from=0) == 5
        assert await count(subscription, below=6, due_from=DUE + 4) == 2
        assert await count(subscription, below=1, due_from=0) == 0

    play(scenario)


def test_thousands_of_rows_that_await_a_retry_are_brought_in_by_refills_without_loss_or_repetition(
    play: "Play", make: "type[Tools]", row: RowOf
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(1)
        rows = [row(sequence, due=DUE + sequence * 7 % 50) for sequence in range(1, 1001)]
        await shop.record(make.flush(subscription, 0, 1, rows=rows))
        seen: list[int] = []
        gone: dict[int, Row | None] = {}
        for version in range(1, 200):
            flushed = (await shop.record(make.flush(subscription, version, 1, rows=gone, refill=64)))[1]
            seen += [found.sequence for found in flushed.awaiting_retry]
            gone = {found.sequence: None for found in flushed.awaiting_retry}
            if flushed.horizon is None:
                break
        assert sorted(seen) == list(range(1, 1001))
        assert [rows[s - 1].due for s in seen] == sorted(found.due for found in rows)

    play(scenario)


def test_lanes_of_many_subscriptions_are_recorded_together(play: "Play", make: "type[Tools]", row: RowOf) -> None:
    async def scenario(shop: "Shop") -> None:
        subscriptions = [await shop.subscribe(n) for n in range(1, 31)]
        await shop.fill(5)
        recorded = await shop.record(
            *(make.flush(s, s.number % 2, 5, rows=[row(s.number % 5 + 1)]) for s in subscriptions)
        )
        assert set(recorded) == {s.number for s in subscriptions if s.number % 2 == 0}
        for subscription in subscriptions:
            lane = await shop.lane(subscription)
            assert len(lane.rows) == lane.version == (subscription.number + 1) % 2

    play(scenario)


# --- How many rows there are ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_lane_knows_how_many_rows_it_has_whatever_is_written_and_removed(
    play: "Play", make: "type[Tools]", row: RowOf, seed: int
) -> None:
    """Rows that come, go and change; a backlog that is given up; what the retention removes; a write that is fenced."""
    random = Random(seed)

    async def scenario(shop: "Shop") -> None:
        lanes = [await shop.subscribe(1), await shop.subscribe(2)]
        await shop.fill(60)
        versions, floor = [0, 0], 1
        known: list[dict[int, State]] = [{}, {}]
        choices = [State.AWAITING_RETRY, State.AWAITING_RETRY, State.BLOCKED, State.FAILED, None]
        for _ in range(40):
            lane = random.randrange(2)
            states = known[lane]
            written = {sequence: random.choice(choices) for sequence in random.sample(range(floor, 61), 8)}
            abandoned_to = random.choice([0, 0, 0, random.randint(floor, 60)])
            rows = {s: None if state is None else row(s, state) for s, state in written.items()}
            given = make.flush(lanes[lane], versions[lane], 60, rows=rows, abandoned_to=abandoned_to)
            if random.random() < 0.1:
                fenced = make.flush(lanes[lane], versions[lane] + 7, 60, rows=rows, abandoned_to=60)
                assert await shop.record(fenced) == {}
            recorded = await shop.record(given)
            versions[lane] += 1
            states |= {s: State.FAILED for s, state in states.items() if s <= abandoned_to}
            states |= {s: state for s, state in written.items() if state is not None}
            for sequence in [s for s, state in written.items() if state is None]:
                states.pop(sequence, None)
            assert recorded[lanes[lane].number].counts == counts_of(states)
            if random.random() < 0.1:
                floor = random.randint(floor, 50)
                while await shop.store.retention.prune_log(1, floor, 7):
                    pass
                known = [{s: state for s, state in each.items() if s >= floor} for each in known]
            for subscription, each in zip(lanes, known, strict=True):
                assert (await shop.lane(subscription)).counts == counts_of(each)

    play(scenario)


def counts_of(states: dict[int, State]) -> RowCounts:
    found = list(states.values())
    return RowCounts(*(found.count(state) for state in (State.AWAITING_RETRY, State.BLOCKED, State.FAILED)))
