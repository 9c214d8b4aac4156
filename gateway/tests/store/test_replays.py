"""The contract of a store: replays, how far they have come, and what there is for them to feed."""

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.replay import LeftOut, Replay, ReplayChoice, ReplayState, ReplayTally
from signalpost.domain.errors import Conflict
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.replays import Candidate, Fed, ReplayPart

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


def failed(make: "type[Tools]", sequence: int, state: State = State.FAILED) -> Row:
    return Row(sequence, make.document_id((sequence - 1) % 5), state, 0, 4, 4, 0, None)


def tried(sequence: int, status: int | None, failure: Failure | None, at: int = 1) -> AttemptRow:
    return AttemptRow(sequence, at, 1, 1, 0, True, status, failure, "", b"")


async def started(shop: "Shop", make: "type[Tools]", replay: int = 1, number: int = 1, **given: Any) -> Replay:
    published = await shop.publish(make.replay(replay, number, **given))
    [found] = published.changed(Replay)
    return found


async def fed(
    shop: "Shop", make: "type[Tools]", subscription: Subscription, version: int, replay: Replay, **given: Any
) -> Fed:
    """What a write that asks for more of a replay gets."""
    head = given.pop("head", 10)
    feed = ReplayPart(replay, min(replay.to_sequence, head), subscription.filters)
    flushed = (await shop.record(make.flush(subscription, version, head, feed=feed, **given)))[subscription.number]
    assert flushed.fed is not None
    return flushed.fed


# --- Replays ----------------------------------------------------------------------------------------------------------


def test_a_replay_is_kept_as_it_was_started(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        replay = await started(shop, make, what="all", from_sequence=2, to_sequence=8, count=7, count_is_capped=True)
        assert (replay.cursor, replay.what, replay.count, replay.count_is_capped) == (1, "all", 7, True)
        await shop.reopen()
        assert await shop.store.replays.get(subscription, replay.id) == replay
        assert (await shop.lane(subscription)).replays == (replay,)

    play(scenario)


def test_replays_are_listed_newest_first_page_by_page(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, other = await shop.subscribe(1), await shop.subscribe(2)
        made = [await started(shop, make, replay) for replay in range(1, 6)]
        foreign = await started(shop, make, 6, number=2)
        page = await shop.store.replays.page(subscription, None, 3)
        assert page == made[:1:-1]
        assert await shop.store.replays.page(subscription, page[-1].number, 3) == made[1::-1]
        assert await shop.store.replays.page(other, None, 3) == [foreign]
        assert await shop.store.replays.get(subscription, foreign.id) is None
        of_both = await shop.store.lists.page(Replay, 1, None, 4)
        assert of_both == [foreign, *made[:1:-1]]
        assert await shop.store.lists.page(Replay, 1, of_both[-1].number, 4) == made[1::-1]
        assert await shop.store.lists.page(Replay, 2, None, 4) == []

    play(scenario)


def test_those_of_a_tenant_that_run_are_listed_the_oldest_first(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.subscribe(1)
        await shop.subscribe(2)
        second, first, _ = [await started(shop, make, replay, number) for replay, number in ((1, 2), (2, 1), (3, 1))]
        await shop.do(make.cancel(3))
        assert await shop.store.replays.running(1) == [second, first]
        assert await shop.store.replays.running(2) == []

    play(scenario)


def test_a_skipped_backlog_cancels_the_replays_of_its_subscription_that_run(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(1)
        await shop.subscribe(2)
        await shop.fill(3)
        before, other = await started(shop, make, 1), await started(shop, make, 2, number=2)
        await shop.publish(make.change(status="paused"))
        skip = make.change(status="active", skipBacklog=True)
        published = await shop.publish(make.replay(3), skip, make.replay(4))
        assert [(each.id, each.state) for each in published.changed(Replay)] == [
            (make.replay_id(3), ReplayState.CANCELLED),
            (before.id, ReplayState.CANCELLED),
            (make.replay_id(4), ReplayState.RUNNING),
        ]
        kept = await shop.store.replays.page(subscription, None, 9)
        assert kept == sorted(published.changed(Replay), key=lambda each: -each.number)
        assert [each.id for each in await shop.store.replays.running(1)] == [other.id, make.replay_id(4)]
        assert all(each.finished_at is not None for each in kept if each.state is ReplayState.CANCELLED)

    play(scenario)


def test_only_so_many_run_over_several_batches(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.subscribe()
        for replay in range(10):
            await shop.do(make.replay(replay))
        with pytest.raises(Conflict):
            await shop.do(make.replay(10))
        await shop.do(make.cancel(4))
        await shop.do(make.replay(10))

    play(scenario)


def test_a_lane_writes_how_far_its_replays_have_come_and_a_stale_one_does_not(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        replay = await started(shop, make)
        further = replay.fed(5, 3, 9, shop.now)
        assert await shop.record(make.flush(subscription, 7, 9, rows=[failed(make, 1)], replays=(further,))) == {}
        assert await shop.store.replays.get(subscription, replay.id) == replay
        await shop.record(make.flush(subscription, 0, 9, replays=(further,)))
        assert await shop.store.replays.get(subscription, replay.id) == further
        finished = further.fed(9, 1, 9, shop.now + 5)
        await shop.record(make.flush(subscription, 1, 9, replays=(finished,)))
        assert await shop.store.replays.get(subscription, replay.id) == finished
        assert (await shop.lane(subscription)).replays == ()
        with pytest.raises(Conflict):
            await shop.do(make.cancel(1))

    play(scenario)


def test_what_deliveries_of_replays_ended_as_is_added_up_also_once_they_are_finished(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        replay, other = await started(shop, make), await started(shop, make, 2)
        finished = replay.fed(9, 9, 9, shop.now)
        ended = {replay.number: ReplayTally(delivered=4, failed=1), other.number: ReplayTally(skipped=3)}
        assert await shop.record(make.flush(subscription, 7, 9, ended=ended)) == {}  # a stale one counts nothing
        await shop.record(make.flush(subscription, 0, 9, replays=(finished,), ended=ended))
        await shop.record(make.flush(subscription, 1, 9, ended={replay.number: ReplayTally(delivered=2, skipped=1)}))
        found = await shop.store.replays.page(subscription, None, 2)
        assert [(each.delivered, each.failed, each.skipped, each.waiting) for each in found] == [
            (0, 0, 3, -3),
            (6, 1, 1, 1),
        ]

    play(scenario)


def test_what_is_given_up_in_the_store_alone_failed_again_for_its_replay(play: "Play", make: "type[Tools]") -> None:
    """A lane counts what it changes itself, of another lane nothing is given up, and what failed before stays so."""

    async def scenario(shop: "Shop") -> None:
        subscription, other = await shop.subscribe(1), await shop.subscribe(2)
        await shop.fill(9)
        replay = await started(shop, make)
        numbered = [
            failed(make, sequence, state)._replace(replay=replay.number)
            for sequence, state in enumerate(
                (State.AWAITING_RETRY, State.AWAITING_RETRY, State.FAILED, State.AWAITING_RETRY), 1
            )
        ]
        unnumbered = failed(make, 5, State.AWAITING_RETRY)
        later = failed(make, 9, State.AWAITING_RETRY)._replace(replay=replay.number)
        await shop.record(make.flush(subscription, 0, 9, rows=[*numbered, unnumbered, later]))
        await shop.record(make.flush(other, 0, 9, rows=[failed(make, 1, State.AWAITING_RETRY)]))
        changed: dict[int, Row | None] = {2: numbered[1]._replace(state=State.FAILED)}
        ended = {replay.number: ReplayTally(failed=1)}
        flush = make.flush(subscription, 1, 9, rows=changed, abandoned_to=8, ended=ended, refill=9)
        flushed = (await shop.record(flush))[subscription.number]
        assert flushed.awaiting_retry == (later,)  # with its replay
        found = await shop.store.replays.get(subscription, replay.id)
        assert found is not None
        assert (found.delivered, found.failed, found.skipped) == (0, 3, 0)

    play(scenario)


def test_a_cancelled_one_stays_cancelled_and_counts_what_was_queued_before(play: "Play", make: "type[Tools]") -> None:
    """The lane learns of the cancellation after it queued one more part."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        replay = await started(shop, make)
        [cancelled] = (await shop.publish(make.cancel(1))).changed(Replay)
        await shop.record(make.flush(subscription, 0, 9, replays=(replay.fed(9, 4, 9, shop.now + 99),)))
        found = await shop.store.replays.get(subscription, replay.id)
        assert found is not None
        assert (found.state, found.queued) == (ReplayState.CANCELLED, 4)
        assert found.finished_at == cancelled.finished_at

    play(scenario)


def test_a_cancellation_does_not_take_back_what_was_recorded(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        replay = await started(shop, make)
        await shop.record(make.flush(subscription, 0, 9, replays=(replay.fed(5, 3, 9, shop.now),)))
        await shop.do(make.cancel(1))
        found = await shop.store.replays.get(subscription, replay.id)
        assert found is not None
        assert (found.state, found.cursor, found.queued) == (ReplayState.CANCELLED, 5, 3)

    play(scenario)


def test_those_that_ended_go_with_the_retention_and_all_with_their_subscription(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, other = await shop.subscribe(1), await shop.subscribe(2)
        old, recent, running = [await started(shop, make, replay) for replay in (1, 2, 3)]
        gone = await started(shop, make, 4, number=2)
        await shop.do(make.cancel(1))
        shop.now += 100 * SECOND
        await shop.do(make.cancel(2))
        await shop.publish(make.unsubscribe(2))
        assert await shop.store.retention.prune_replays(2, shop.now + 1, 10) == 0, "another tenant"
        assert await shop.store.retention.prune_replays(1, shop.now - 50 * SECOND, 10) == 1
        while await shop.store.retention.prune_leftovers(shop.now, 10):
            pass
        left = await shop.store.replays.page(subscription, None, 10)
        assert [replay.id for replay in left] == [running.id, recent.id]
        assert await shop.store.replays.get(subscription, old.id) is None
        # The subscription of the highest number stays as a tombstone; its replays do not.
        assert await shop.store.replays.get(other, gone.id) is None

    play(scenario)


# --- What they feed ---------------------------------------------------------------------------------------------------


def test_what_failed_is_found_as_it_is_after_the_write(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(10)
        rows = [failed(make, s) for s in (1, 3, 5, 9)] + [
            failed(make, 2, State.AWAITING_RETRY),
            failed(make, 4, State.BLOCKED),
        ]
        await shop.record(make.flush(subscription, 0, 10, rows=rows))
        replay = await started(shop, make, from_sequence=2, to_sequence=9)
        found = await fed(shop, make, subscription, 1, replay, rows={5: None, 6: failed(make, 6)})
        expected = tuple(Candidate(s, make.document_id((s - 1) % 5), failed(make, s)) for s in (3, 6, 9))
        assert found == Fed(expected, 9)

    play(scenario)


def test_of_all_what_is_settled_is_found_too_and_nothing_that_is_on_its_way(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(12)
        rows = [failed(make, 3), failed(make, 4, State.AWAITING_RETRY), failed(make, 5, State.BLOCKED)]
        replay = await started(shop, make, what="all", from_sequence=1, to_sequence=12)
        found = await fed(shop, make, subscription, 0, replay, rows=rows, open=(7,), gaps=((8, 9),))
        assert [candidate.sequence for candidate in found.candidates] == [1, 2, 3, 6, 10]
        assert [candidate.row for candidate in found.candidates if candidate.row] == [failed(make, 3)]
        assert found.cursor == 10, "it went beyond the head"
        count = await shop.store.replays.count(subscription, 1, 12, ReplayChoice("all"))
        assert count == (5, False)

    play(scenario)


def test_of_what_was_never_sent_all_is_found_for_which_no_request_was_made(play: "Play", make: "type[Tools]") -> None:
    """Whatever types the subscription wanted then: the replay says which count."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(eventTypes=2)
        await shop.fill(12)
        attempts = [
            tried(1, 204, None),
            tried(2, None, Failure.SKIPPED),
            tried(3, None, Failure.REJECTED),
            tried(4, 422, Failure.REJECTED),
            tried(5, None, Failure.TIMEOUT),
            tried(6, None, Failure.CONNECTOR),
            tried(7, 204, None),
            tried(7, None, Failure.SKIPPED, at=9),
        ]
        rows = [failed(make, sequence) for sequence in (3, 4, 5, 6)] + [failed(make, 8, State.AWAITING_RETRY)]
        choice = ReplayChoice("unsent", types=7)
        await shop.publish(make.change(eventTypes=7))
        replay = await started(shop, make, what="unsent", types=7, from_sequence=1, to_sequence=12)
        given = {"rows": rows, "attempts": attempts, "open": (9,), "gaps": ((10, 10),), "head": 11}
        found = await fed(shop, make, subscription, 0, replay, **given)
        assert [candidate.sequence for candidate in found.candidates] == [2, 3, 6, 11]
        assert found.cursor == 11
        assert await shop.store.replays.count(subscription, 1, 11, choice) == (4, False)

    play(scenario)


def test_what_a_condition_asks_comes_with_its_events_and_no_more_at_a_time_than_is_soon_looked_at(
    play: "Play", make: "type[Tools]"
) -> None:
    large = "x" * 160_000

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.publish(*(make.create(number, title=large) for number in range(3)), make.create(3))
        await shop.record(make.flush(subscription, 0, 4, open=(2,)))
        part = await shop.store.replays.part(subscription, 1, 9, ReplayChoice("all"))
        assert ([each.sequence for each in part.candidates], [*part.events], part.cursor) == ([1], [1], 1)
        part = await shop.store.replays.part(subscription, 2, 9, ReplayChoice("all"))
        assert ([each.sequence for each in part.candidates], part.cursor) == ([3, 4], 4)
        assert [*part.events.values()] == await shop.store.log.events(1, [3, 4])
        assert (await shop.store.replays.part(subscription, 5, 9, ReplayChoice("all"))).candidates == ()

    play(scenario)


@pytest.mark.parametrize(("what", "waiting"), [("failed", 5), ("waiting", 4), ("all", 5)])
def test_what_is_left_out_is_counted_by_its_reason(play: "Play", make: "type[Tools]", what: Any, waiting: int) -> None:
    """Above the head everything that is wanted waits."""

    async def scenario(shop: "Shop") -> None:
        await shop.fill(2)
        subscription = await shop.subscribe(eventTypes=1)
        await shop.publish(*(make.create(number) for number in range(20, 26)))  # 3 to 8
        await shop.do(make.patch(20, "9"))  # not wanted
        await shop.publish(make.create(26), make.create(27))  # 10 and 11
        rows = [failed(make, 4, State.AWAITING_RETRY), failed(make, 5, State.BLOCKED), failed(make, 6)]
        await shop.record(make.flush(subscription, 0, 9, rows=rows, open=(7,)))
        left_out = shop.store.replays.left_out
        assert await left_out(subscription, 1, 11, 9, ReplayChoice(what)) == LeftOut(
            removed=0, unwanted=3, waiting=waiting
        )
        assert await left_out(subscription, 8, 8, 9, ReplayChoice(what)) == LeftOut(removed=0, unwanted=0, waiting=0)
        assert await left_out(subscription, 5, 4, 9, ReplayChoice(what)) == LeftOut(removed=0, unwanted=0, waiting=0)
        await shop.store.retention.prune_log(1, 5, 100)
        assert (await left_out(subscription, 5, 11, 9, ReplayChoice(what))).removed == 2
        assert (await left_out(subscription, 6, 11, 9, ReplayChoice(what))).removed == 0

    play(scenario)


@pytest.mark.parametrize(
    ("choice", "sequences"),
    [
        (ReplayChoice("failed", types=1), [1, 3, 5, 9]),
        (ReplayChoice("failed", types=2), [12]),
        (ReplayChoice("failed", types=4), []),
        (ReplayChoice("failed", document_id="2"), [3]),
        (ReplayChoice("failed", types=2, document_id="1"), [12]),
        (ReplayChoice("waiting", document_id="1"), [2]),
        (ReplayChoice("all", types=2), [11, 12, 13]),
        (ReplayChoice("all", document_id="1"), [11, 12]),
        (ReplayChoice("all", types=1, document_id="9"), [10]),
        (ReplayChoice("all", document_id="0"), [1]),
    ],
    ids=str,
)
def test_a_replay_may_be_about_some_types_or_one_document(
    play: "Play", make: "type[Tools]", choice: Any, sequences: list[int]
) -> None:
    """1 to 10 create the documents 0 to 9; 11 and 12 change document 1, and 13 changes document 2. 8 is open."""
    if choice.document_id is not None:
        choice = replace(choice, document_id=make.document_id(int(choice.document_id)))

    async def scenario(shop: "Shop") -> None:
        await shop.subscribe()
        await shop.publish(*(make.create(number) for number in range(10)))
        await shop.do(make.patch(1, "a"))
        await shop.do(make.patch(1, "b"))
        await shop.do(make.patch(2, "c"))
        subscription = await shop.subscription()
        rows = [Row(n, make.document_id(n - 1), State.FAILED, 0, 4, 4, 0, None) for n in (1, 3, 5, 9)]
        rows.append(Row(12, make.document_id(1), State.FAILED, 0, 4, 4, 0, None))
        rows.append(Row(2, make.document_id(1), State.AWAITING_RETRY, 0, 4, 4, 0, None))
        replay = await started(
            shop, make, what=choice.what, types=choice.types, document_id=choice.document_id, to_sequence=13
        )
        assert replay.choice == choice
        found = await fed(shop, make, subscription, 0, replay, head=13, rows=rows, open=(8,))
        assert [candidate.sequence for candidate in found.candidates] == sequences
        by_sequence = {row.sequence: row for row in rows}
        assert [candidate.row for candidate in found.candidates] == [by_sequence.get(each) for each in sequences]
        assert found.cursor == 13
        assert await shop.store.replays.count(subscription, 1, 13, choice) == (len(sequences), False)

    play(scenario)


def test_what_is_left_out_is_of_the_chosen_types_or_document(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(2)  # from before the subscription
        subscription = await shop.subscribe(eventTypes=1)
        await shop.publish(*(make.create(number) for number in range(20, 23)))  # 3 to 5
        await shop.do(make.patch(20, "9"))  # 6, not wanted
        await shop.publish(make.create(26))  # 7, beyond the head
        rows = [
            Row(3, make.document_id(20), State.AWAITING_RETRY, 0, 1, 4, 0, None),
            Row(4, make.document_id(21), State.BLOCKED, 0, 0, 4, 0, None),
        ]
        await shop.record(make.flush(subscription, 0, 6, rows=rows, open=(5,)))

        async def left_out(choice: ReplayChoice) -> tuple[int, int]:
            found = await shop.store.replays.left_out(subscription, 1, 7, 6, choice)
            return found.unwanted, found.waiting

        assert await left_out(ReplayChoice("failed")) == (3, 4)
        assert await left_out(ReplayChoice("failed", types=2)) == (1, 0)
        assert await left_out(ReplayChoice("failed", types=1)) == (2, 4)
        assert await left_out(ReplayChoice("failed", document_id=make.document_id(20))) == (1, 1)
        assert await left_out(ReplayChoice("waiting", document_id=make.document_id(20))) == (1, 0)
        assert await left_out(ReplayChoice("failed", document_id=make.document_id(22))) == (0, 1)
        assert await left_out(ReplayChoice("failed", document_id=make.document_id(26))) == (0, 1)

    play(scenario)


@pytest.mark.parametrize("choice", [ReplayChoice("failed", types=2), ReplayChoice("all", types=2)], ids=str)
def test_what_is_rare_is_found_beyond_many_that_are_not_chosen(
    play: "Play", make: "type[Tools]", choice: ReplayChoice
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.publish(*(make.create(number) for number in range(600)))
        await shop.do(make.patch(599, "changed"))
        rows = [Row(n, make.document_id(n - 1), State.FAILED, 0, 4, 4, 0, None) for n in range(1, 601)]
        rows.append(Row(601, make.document_id(599), State.FAILED, 0, 4, 4, 0, None))
        replay = await started(shop, make, what=choice.what, types=2, to_sequence=601)
        seen: list[int] = []
        for version in range(6):
            found = await fed(shop, make, subscription, version, replay, head=601, rows=rows)
            seen += [candidate.sequence for candidate in found.candidates]
            replay = replay.fed(found.cursor, len(found.candidates), 601, shop.now)
            if replay.state is ReplayState.FINISHED:
                break
        assert seen == [601]
        assert replay.state is ReplayState.FINISHED
        assert await shop.store.replays.count(subscription, 1, 601, choice) == (1, False)

    play(scenario)


def test_what_failed_in_a_gap_is_found_by_its_row(play: "Play", make: "type[Tools]") -> None:
    """A retry by hand of what was skipped makes it a delivery."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(10)
        replay = await started(shop, make, what="all", from_sequence=1, to_sequence=10)
        found = await fed(shop, make, subscription, 0, replay, rows=[failed(make, 4)], gaps=((1, 3), (4, 9)))
        assert [candidate.sequence for candidate in found.candidates] == [4, 10]
        assert await shop.store.replays.count(subscription, 1, 10, ReplayChoice("all")) == (2, False)

    play(scenario)


def test_types_count_as_they_were_when_the_event_was_made(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.subscribe(eventTypes=1)
        await shop.fill(2)
        await shop.do(make.patch(0, "3"))
        await shop.do(make.change(eventTypes=2))
        await shop.do(make.patch(1, "4"))
        await shop.do(make.create(7))
        await shop.do(make.change(eventTypes=7))
        await shop.do(make.patch(1, "6"))
        await shop.do(make.create(8))
        subscription = await shop.subscription()
        replay = await started(shop, make, what="all", from_sequence=1, to_sequence=7)
        found = await fed(shop, make, subscription, 0, replay, head=7)
        assert [candidate.sequence for candidate in found.candidates] == [1, 2, 4, 6, 7]
        assert await shop.store.replays.count(subscription, 1, 7, ReplayChoice("all")) == (5, False)

    play(scenario)


@pytest.mark.parametrize("what", ["failed", "all"])
def test_parts_follow_one_another_without_loss_or_repetition(play: "Play", make: "type[Tools]", what: str) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.publish(*(make.create(number) for number in range(700)))
        rows = [failed(make, sequence) for sequence in range(1, 701, 1 if what == "failed" else 3)]
        replay = await started(shop, make, what=what, from_sequence=1, to_sequence=699)
        seen: list[int] = []
        for version in range(10):
            found = await fed(shop, make, subscription, version, replay, head=700, rows=rows)
            assert len(found.candidates) <= 256
            seen += [candidate.sequence for candidate in found.candidates]
            replay = replay.fed(found.cursor, len(found.candidates), 699, shop.now)
            if replay.state is ReplayState.FINISHED:
                break
        assert seen == list(range(1, 700))
        assert await shop.store.replays.count(subscription, 1, 699, replay.choice) == (699, False)

    play(scenario)


def test_a_range_beyond_the_head_or_none_at_all_has_nothing(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        await shop.record(make.flush(subscription, 0, 5))
        for first, last in ((6, 9), (4, 3), (9, 2)):
            assert await shop.store.replays.count(subscription, first, last, ReplayChoice("all")) == (0, False)
        assert await shop.store.replays.count(subscription, 4, 9, ReplayChoice("all")) == (2, False)
        replay = await started(shop, make, what="all", from_sequence=8, to_sequence=9)
        assert await fed(shop, make, subscription, 1, replay, head=5) == Fed((), 7)

    play(scenario)


def test_many_lanes_that_replay_all_have_what_they_ask_for_in_one_write(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscriptions = [await shop.subscribe(number) for number in range(1, 6)]
        await shop.fill(9)
        replays = [await started(shop, make, n, number=n, what="all", to_sequence=9) for n in range(1, 6)]
        flushes = [
            make.flush(s, 0, 9, feed=ReplayPart(replay, 9, s.filters))
            for s, replay in zip(subscriptions, replays, strict=True)
        ]
        recorded = await shop.record(*flushes)
        for subscription in subscriptions:
            found = recorded[subscription.number].fed
            assert found is not None
            assert [candidate.sequence for candidate in found.candidates] == list(range(1, 10))

    play(scenario)
