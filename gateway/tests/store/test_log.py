"""The contract of a store: reading the log by sequence, id, time and feed, and pruning it."""

import asyncio
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import json
from msgspec.structs import replace

from signalpost.commands.command import Command
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.errors import NotFound
from signalpost.domain.event import EVERY_TYPE, Event, EventType, PastEvent, event_id
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.log import LatestOfTypes
from signalpost.store.store import PAGE_BYTES

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


async def fill_by_chance(shop: "Shop", make: "type[Tools]", count: int) -> list[Event]:
    """Events of all types, of few documents, at odd times."""
    random = Random(count)
    while True:
        number = random.randrange(6)
        shop.now += random.choice([0, 1, 17, SECOND])
        commands: list[Command[Any]] = [
            make.create(number),
            make.patch(number, str(random.random())),
            make.delete(number),
        ]
        await shop.publish(random.choice(commands))
        events = (await shop.store.log.after(1, 0, 10_000)).events
        if len(events) >= count:
            return events


async def fill_and_prune(shop: "Shop", make: "type[Tools]") -> list[Event]:
    """Forty events, of which the first three are no longer kept, in a store that looks through five at a time."""
    events = await fill_by_chance(shop, make, 40)
    shop.max_scanned = 5
    await shop.reopen()
    await shop.store.retention.prune_log(1, 4, 10)
    return events


def test_the_log_is_read_in_pages(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(25)
        seen: list[int] = []
        while page := (await shop.store.log.after(1, seen[-1] if seen else 0, 10)).events:
            seen += [event.sequence for event in page]
        assert seen == list(range(1, 26))
        assert (await shop.store.log.after(1, 25, 10)).events == []
        assert (await shop.store.log.after(2, 0, 10)).events == []

    play(scenario)


def test_the_latest_event_of_each_type_after_a_sequence_is_told(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        log = await fill_by_chance(shop, make, 30)
        version = (await shop.store.fleet.marks())[1].config_version
        for after in (0, 10, 25, log[-1].sequence):
            expected = {event.type: event.sequence for event in log if event.sequence > after}
            latest = await shop.store.log.latest(1, after)
            assert latest == LatestOfTypes(after, log[-1].sequence, version, expected)

    play(scenario)


def test_an_event_keeps_the_trace_that_it_was_asked_for_in_if_that_is_sampled(
    play: "Play", make: "type[Tools]"
) -> None:
    sampled, unsampled = bytes(range(24)) + b"\1", bytes(range(24)) + b"\0"

    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), make.create(2).traced(sampled), make.create(3).traced(unsampled))
        await shop.reopen()
        assert [row["trace"] for row in shop.rows["event"]] == [None, sampled, None]
        log = shop.store.log
        events = (await log.after(1, 0, 10)).events
        assert [event.trace for event in events] == [b"", sampled, b""]
        assert await log.events(1, (1, 2, 3)) == events
        assert await log.by_id(1, events[1].id) == events[1]
        assert await log.newest(1, make.document_id(2)) == events[1]
        assert (await log.feed(1, 0, sum(EventType), None, 10))[0] == events
        assert (await log.back(1, 9, sum(EventType), None, 10)).events == events[::-1]

    play(scenario)


def test_a_page_of_events_is_read_in_one_turn_with_what_else_there_is_to_read(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), make.create(2))
        log = shop.store.log

        async def page() -> tuple[list[Event], int]:
            return (await log.back(1, 9, sum(EventType), None, 10)).events, await log.floor(1)

        events = (await log.after(1, 0, 10)).events
        assert await shop.store.reading_in_turn(1, page) == (events[::-1], 1)

    play(scenario)


def test_a_page_of_large_events_has_few_of_them(play: "Play", make: "type[Tools]") -> None:
    facts = {f"fact {number}": "x" * 4_000 for number in range(220)}

    async def scenario(shop: "Shop") -> None:
        for number in range(12):
            command = make.create(number)
            await shop.do(replace(command, new=replace(command.new, additional_facts=facts)))
        pages: list[list[int]] = []
        while page := (await shop.store.log.after(1, sum(map(len, pages)), 256)).events:
            pages.append([event.sequence for event in page])
        assert [sequence for page in pages for sequence in page] == list(range(1, 13))
        assert max(map(len, pages)) <= 5

    play(scenario)


@pytest.mark.parametrize("of_one_document", [False, True])
def test_a_page_of_the_feed_ends_near_4_mib_whatever_its_limit(
    play: "Play", make: "type[Tools]", of_one_document: bool
) -> None:
    facts = {f"fact {number}": "x" * 4_000 for number in range(60)}

    async def scenario(shop: "Shop") -> None:
        for number in range(50):
            await shop.publish(make.put(1, number, f"large {number}", additionalFacts=facts))
        found: list[int] = []
        last = 0
        while last < 50:
            about = make.document_id(1) if of_one_document else None
            page, last = await shop.store.log.feed(1, last, sum(EventType), about, 250)
            assert sum(len(event.body) for event in page) < 5 * 1024 * 1024
            found += [event.sequence for event in page]
        assert found == list(range(1, 51))

    play(scenario)


def test_bodies_are_fetched_by_sequence(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(5)
        events = (await shop.store.log.after(1, 0, 10)).events
        assert await shop.store.log.events(1, (2, 4, 99)) == [events[1], events[3]]
        assert await shop.store.log.events(1, ()) == []

    play(scenario)


def test_events_are_read_up_to_4_mib_at_a_time(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        facts = {f"fact {number}": "x" * 4_000 for number in range(60)}
        await shop.publish(make.create(1), make.edit(1, additionalFacts=facts))
        await shop.publish(*(make.edit(1, title=f"title {number}") for number in range(38)))
        assert [event.sequence for event in await shop.store.log.events(1, range(1, 41))] == [*range(1, 20)]
        feed, last = await shop.store.log.feed(1, 0, 7, make.document_id(1), 250)
        assert ([event.sequence for event in feed], last) == ([*range(1, 20)], 19)

    play(scenario)


def test_an_event_is_found_by_its_id_and_no_other_is(play: "Play", make: "type[Tools]") -> None:
    """C2"""

    async def scenario(shop: "Shop") -> None:
        events = await fill_by_chance(shop, make, 60)
        for event in events:
            assert await shop.store.log.by_id(1, event.id) == event
            assert await shop.store.log.by_id(1, event_id(event.at, 1)) is None
            assert await shop.store.log.by_id(1, event_id(event.at + 500_000_000, 1)) is None
        for foreign in (
            "8cfa669c-41cc-412c-858d-0374e2c007fc",
            "00000000-0000-0000-0000-000000000000",
            "f" * 8 + "-ffff-ffff-ffff-" + "f" * 12,
        ):
            assert await shop.store.log.by_id(1, foreign) is None

    play(scenario)


def test_a_time_is_a_sequence(play: "Play", make: "type[Tools]") -> None:
    """C5: the lowest kept sequence created then or later; one above the last if there is none."""

    async def scenario(shop: "Shop") -> None:
        assert await shop.store.log.sequence_at(1, shop.now) == 1
        events = await fill_by_chance(shop, make, 50)
        for floor in (1, 20, 51):
            await shop.store.retention.prune_log(1, floor, 1000)
            kept = [event for event in events if event.sequence >= floor]
            for at in {0, shop.now + 10**9} | {event.at + shift for event in events for shift in (-1, 0, 1)}:
                expected = min((event.sequence for event in kept if event.at >= at), default=51)
                assert await shop.store.log.sequence_at(1, at) == expected

    play(scenario)


# --- The feed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 250])
def test_whoever_follows_the_feed_sees_each_matching_event_once_in_order(
    play: "Play", make: "type[Tools]", limit: int
) -> None:
    async def scenario(shop: "Shop") -> None:
        events = await fill_by_chance(shop, make, 40)
        for types, document in product((7, 1, 2, 4, 6), (None, 0, 3, 99)):
            identity = None if document is None else make.document_id(document)
            seen: list[Event] = []
            after = 0
            for _ in range(100):
                found, last = await shop.store.log.feed(1, after, types, identity, limit)
                assert len(found) <= limit
                seen += found
                if last == after:
                    break
                after = last
            assert after == 40
            assert seen == [event for event in events if event.type & types and identity in (None, event.document_id)]

    play(scenario)


@pytest.mark.parametrize("limit", [1, 3, 250])
def test_whoever_reads_back_sees_each_matching_event_once_newest_first(
    play: "Play", make: "type[Tools]", limit: int
) -> None:
    async def scenario(shop: "Shop") -> None:
        events = await fill_and_prune(shop, make)
        for types, document in product((7, 2), (None, 0, 99)):
            identity = None if document is None else make.document_id(document)
            seen: list[Event] = []
            before: int | None = 2**62
            while before is not None:
                page = await shop.store.log.back(1, before, types, identity, limit)
                assert len(page.events) <= limit
                assert page.last == min(before - 1, 40)
                seen += page.events
                before = page.next
            expected = [e for e in events[3:] if e.type & types and identity in (None, e.document_id)]
            assert seen == expected[::-1]
        assert (await shop.store.log.back(1, 1, 7, None, 10)).events == []

    play(scenario)


@pytest.mark.parametrize("limit", [1, 3, 250])
def test_a_walk_over_the_past_sees_each_event_of_a_type_that_was_not_erased(
    play: "Play", make: "type[Tools]", limit: int
) -> None:
    async def scenario(shop: "Shop") -> None:
        events = await fill_and_prune(shop, make)
        log = shop.store.log
        for types, with_content in product((7, 2), (True, False)):
            seen: list[PastEvent] = []
            before: int | None = 2**62
            while before is not None:
                page = await log.past(1, before, types, limit, with_content=with_content)
                assert len(page.events) <= limit
                seen += page.events
                before = page.next
            expected = [event for event in events[:2:-1] if event.type & types]
            assert [(each.sequence, each.type) for each in seen] == [(each.sequence, each.type) for each in expected]
            if with_content:
                told = [(each.at, log.external_id(each.document), each.body, each.before) for each in seen]
                assert told == [(each.at, each.document_id, each.body, each.before) for each in expected]

    play(scenario)


def test_a_page_of_a_walk_has_fewer_events_where_they_are_large(play: "Play", make: "type[Tools]") -> None:
    """Large ones lie between small ones, and one of them fills a quarter of a page."""
    facts = {f"fact {number}": "x" * 4_000 for number in range(220)}

    async def scenario(shop: "Shop") -> None:
        for number in range(40):
            command = make.create(number)
            is_large = number in range(10, 22)
            await shop.do(replace(command, new=replace(command.new, additional_facts=facts if is_large else {})))
        pages: list[list[PastEvent]] = []
        before: int | None = 2**62
        while before is not None:
            page = await shop.store.log.past(1, before, EVERY_TYPE, 100, with_content=True)
            pages.append(page.events)
            before = page.next
        assert [event.sequence for page in pages for event in page] == [*range(40, 0, -1)]
        assert max(sum(len(event.body) for event in page) for page in pages) <= PAGE_BYTES

    play(scenario)


def test_it_is_known_which_key_asked_for_an_event(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), replace(make.create(2), caller=0), replace(make.create(3), caller=77))
        assert await shop.store.log.callers(1, [1, 2, 3, 4]) == {2: "operator"}
        assert await shop.store.log.callers(2, [2]) == {}

    play(scenario)


def test_the_feed_never_tells_of_less_than_it_gave(play: "Play", make: "type[Tools]") -> None:
    """While others publish: who goes on from `last` must see nothing twice."""

    async def scenario(shop: "Shop") -> None:
        async def publish() -> None:
            for n in range(150):
                await shop.publish(make.put(1, None, str(n)))

        async def follow() -> None:
            seen: list[int] = []
            after = 0
            while len(seen) < 150:
                found, last = await shop.store.log.feed(1, after, 7, make.document_id(1), 250)
                seen += [event.sequence for event in found]
                assert not found or last >= found[-1].sequence
                after = last
            assert seen == list(range(1, 151))

        await asyncio.gather(publish(), *(follow() for _ in range(4)))

    play(scenario)


# --- Pruning ----------------------------------------------------------------------------------------------------------


def test_the_log_is_pruned_from_its_beginning_in_small_batches(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(25)
        assert await shop.store.log.floor(1) == 1
        removed = []
        while count := await shop.store.retention.prune_log(1, 18, 5):
            removed.append(count)
            floor = await shop.store.log.floor(1)
            assert floor == 1 + sum(removed)
            assert [e.sequence for e in (await shop.store.log.after(1, 0, 100)).events] == list(range(floor, 26))
        assert removed == [5, 5, 5, 2]
        assert await shop.store.retention.prune_log(1, 3, 5) == 0
        await shop.reopen()
        assert await shop.store.log.floor(1) == 18
        assert [e.sequence for e in (await shop.publish(make.create(1))).events] == [26]

    play(scenario)


def test_pruning_takes_attempts_and_rows_with_it_and_those_of_no_other_tenant(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(6)
        rows = [Row(s, make.document_id(1), State.FAILED, 0, 4, 4, 0, None) for s in (2, 5)]
        attempts = [AttemptRow(s, 1, 1, 1, 0, True, 200, None, "", b"") for s in (2, 5)]
        await shop.record(make.flush(subscription, 0, 6, rows=rows, attempts=attempts))
        await shop.store.retention.prune_log(1, 5, 100)
        assert [view.entry.sequence for view in await shop.listed(subscription)] == [6, 5]
        assert await shop.attempts(subscription, 2) == []
        assert len(await shop.attempts(subscription, 5)) == 1
        assert await shop.store.log.by_id(1, event_id(shop.now, 0)) is None

    play(scenario)


def test_pruning_never_goes_beyond_the_end_of_the_log(play: "Play", make: "type[Tools]") -> None:
    """What is published afterwards would be below the floor."""

    async def scenario(shop: "Shop") -> None:
        await shop.fill(3)
        while await shop.store.retention.prune_log(1, 1000, 100):
            pass
        assert await shop.store.log.floor(1) == 4
        [event] = (await shop.publish(make.create(1))).events
        assert (await shop.store.log.after(1, 0, 10)).events == [event]
        assert await shop.store.log.by_id(1, event.id) == event

    play(scenario)


def test_what_a_deleted_subscription_left_is_removed_in_batches(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        gone, kept = await shop.subscribe(1), await shop.subscribe(2)
        await shop.fill(1)
        rows = [Row(s, make.document_id(1), State.FAILED, 0, 4, 4, 0, None) for s in range(1, 26)]
        await shop.record(make.flush(gone, 0, 1, rows=rows), make.flush(kept, 0, 1, rows=rows[:1]))
        await shop.publish(make.retry(1, 1), make.retry(1, 2), make.unsubscribe(1))
        rounds = 0
        while await shop.store.retention.prune_leftovers(shop.now, 10):
            rounds += 1
            assert rounds < 10
        assert rounds >= 3
        assert [s.number for s in await shop.store.lists.every(Subscription)] == [kept.number]
        assert len((await shop.lane(kept)).retries) == 1
        assert len(await shop.listed(kept, status="failed")) == 1
        with pytest.raises(NotFound):
            await shop.do(make.unsubscribe(1))

    play(scenario)


def test_types_are_kept_as_bits(play: "Play", make: "type[Tools]") -> None:
    """C3"""

    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), make.patch(1, "B"), make.delete(1))
        assert [e.type for e in (await shop.store.log.after(1, 0, 9)).events] == [
            EventType.CREATED,
            EventType.UPDATED,
            EventType.DELETED,
        ]

    play(scenario)


# --- What an event changed --------------------------------------------------------------------------------------------


def test_an_event_keeps_what_its_document_was_before(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        published = await shop.publish(
            make.create(0, title="first"),
            make.edit(0, title="second", referenceId="R", additionalFacts={"cost centre": "42"}),
            make.edit(0, contractValue=12.5, additionalFacts={"cost centre": None}),
            make.act(0, "cancel", reason="r"),
            make.delete(0),
            make.put(0, 2),
            make.put(0, 3, title="third"),
        )
        expected = [
            {},
            {"title": "first", "referenceId": None, "additionalFacts": {}},
            {"contractValue": None, "additionalFacts": {"cost centre": "42"}},
            {"status": "created"},
            {"status": "cancelled"},
            {},
            {"title": "t"},
        ]
        assert [json.decode(event.before or b"{}") for event in published.events] == expected
        await shop.reopen()
        assert (await shop.store.log.after(1, 0, 10)).events == list(published.events)
        assert await shop.store.log.events(1, [5, 2]) == [published.events[4], published.events[1]]
        assert await shop.store.log.by_id(1, published.events[3].id) == published.events[3]

    play(scenario)


def test_what_a_document_was_is_in_no_body(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(0, title="former title"), make.patch(0, "second"))
        [_, updated] = (await shop.store.log.after(1, 0, 10)).events
        assert b"former title" in updated.before
        assert b"former title" not in updated.body

    play(scenario)
