"""The contract of a store: what is published is durable, numbered, and read back as it was written."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from signalpost.commands.command import Command, CompletedCommand, IdempotencyKey, RepeatedCommand
from signalpost.domain.errors import CallerError, Conflict, Invalid, NotFound
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

DAY = 24 * 3600 * SECOND


async def log_of(shop: "Shop", tenant: int = 1) -> list[Event]:
    return (await shop.store.log.after(tenant, 0, 100_000)).events


def test_an_event_is_kept_byte_for_byte(play: "Play", make: "type[Tools]") -> None:
    """C1, C2, C13"""

    async def scenario(shop: "Shop") -> None:
        published = await shop.publish(make.create(1, title="ü \x01 😀"), make.patch(1, "B"), make.delete(1))
        assert await log_of(shop) == list(published.events)
        await shop.reopen()
        assert await log_of(shop) == list(published.events)
        assert [json.loads(event.body)["id"] for event in published.events] == [event.id for event in published.events]

    play(scenario)


def test_a_document_is_read_back_as_its_last_change_left_it(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        identity = make.document_id(1)
        assert await shop.store.documents.get(1, identity) is None
        await shop.publish(make.put(1, 5), make.patch(1, "B"))
        row = await shop.store.documents.get(1, identity)
        assert row is not None
        assert (row.version, row.source_version, row.deleted_at) == (2, 5, None)
        assert json.loads(row.body)["title"] == "B"
        await shop.publish(make.delete(1))
        await shop.reopen()
        gone = await shop.store.documents.get(1, identity)
        assert gone is not None
        assert (gone.version, gone.source_version, gone.body) == (3, 5, b"")
        assert gone.deleted_at is not None
        assert await shop.store.documents.get(2, identity) is None

    play(scenario)


def test_a_deletion_of_what_was_never_there_is_kept_with_its_version(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        published = await shop.publish(make.delete(1, 5), make.delete(2, 5), make.delete(2, 6), make.delete(2, 3))
        assert not published.events
        await shop.reopen()
        for number, version in ((1, 5), (2, 6)):
            gone = await shop.store.documents.get(1, make.document_id(number))
            assert gone is not None
            assert (gone.source_version, gone.body, gone.facets) == (version, b"", None)
            assert gone.deleted_at is not None
        assert await shop.documents() == []
        with pytest.raises(Conflict):
            await shop.do(make.put(2, 6))
        await shop.publish(make.put(2, 7))
        await shop.reopen()
        [back] = await shop.documents()
        assert (back.external_id, back.source_version) == (make.document_id(2), 7)

    play(scenario)


def test_a_version_that_a_later_deletion_brings_is_kept(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.put(1, 5), make.delete(1))
        gone = await shop.store.documents.get(1, make.document_id(1))
        assert gone is not None
        await shop.publish(make.delete(1, 9))
        await shop.reopen()
        assert await shop.store.documents.get(1, make.document_id(1)) == replace(gone, source_version=9)

    play(scenario)


def test_a_batch_reads_its_own_writes_and_the_ones_before_it(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1))
        published = await shop.publish(
            make.patch(1, "B", if_match=frozenset({'"1"'})),
            make.patch(1, "C", if_match=frozenset({'"1"'})),
            make.create(2),
            make.patch(2, "D", if_match=frozenset({'"1"'})),
        )
        kinds = [type(result).__name__ for result in published.results]
        assert kinds == ["CompletedCommand", "PreconditionFailed", "CompletedCommand", "CompletedCommand"]
        assert [event.sequence for event in published.events] == [2, 3, 4]

    play(scenario)


def test_a_refused_command_changes_nothing_and_harms_no_other(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        published = await shop.publish(make.create(1), make.patch(9, "B"), make.create(2))
        assert isinstance(published.results[1], NotFound)
        assert [event.sequence for event in await log_of(shop)] == [1, 2]

    play(scenario)


def test_of_a_batch_that_the_database_refuses_the_guilty_alone_fails(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        guilty = make.put(7, 2**70)
        commands = [make.create(n) for n in range(7)]
        published = await shop.publish(*commands[:3], guilty, *commands[3:], make.subscribe())
        good = [result for result in published.results if isinstance(result, CompletedCommand)]
        assert len(published.results) == 9
        assert len(good) == 8
        assert not isinstance(published.results[3], CompletedCommand | CallerError)
        assert [event.sequence for event in published.events] == list(range(1, 8))
        assert await log_of(shop) == list(published.events)
        assert [s.starts_after for s in published.changed(Subscription)] == [7]
        assert await shop.store.documents.get(1, make.document_id(7)) is None
        await shop.do(make.create(7))

    play(scenario)


def test_what_the_engine_has_to_know_comes_with_the_batch(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        published = await shop.publish(make.subscribe(), make.create(0), make.retry(1), make.retry(1))
        assert [s.number for s in published.changed(Subscription)] == [1]
        assert [r.sequence for r in published.retries] == [1, 1]
        await shop.reopen()
        live = await shop.store.lists.every(Subscription)
        assert live == [*published.changed(Subscription)]
        [_, default] = await shop.store.access.tenants()
        assert (default.id, default.name, default.last_sequence) == (1, "default", 1)
        assert (await shop.lane(live[0])).retries == published.retries

    play(scenario)


def test_times_strictly_increase_also_when_the_clock_steps_back_and_over_a_restart(
    play: "Play", make: "type[Tools]"
) -> None:
    """C5"""

    async def scenario(shop: "Shop") -> None:
        for step in (0, -5 * SECOND, 3, -(10**12), 10**12, 0):
            shop.now += step
            await shop.publish(make.create(1), make.create(2))
            await shop.reopen()
        events = await log_of(shop)
        assert [event.sequence for event in events] == list(range(1, 13))
        assert [event.at for event in events] == sorted({event.at for event in events})

    play(scenario)


def test_publishing_from_many_tasks_leaves_no_gap(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        batches: list[list[Command[Any]]] = [
            [make.create(n), make.patch(n, "B"), make.delete(n + 1000)] for n in range(60)
        ]
        published = await asyncio.gather(*(shop.publish(*batch) for batch in batches))
        events = sorted((event for one in published for event in one.events), key=lambda event: event.sequence)
        assert [event.sequence for event in events] == list(range(1, 121))
        assert await log_of(shop) == events

    play(scenario)


# --- Idempotency ------------------------------------------------------------------------------------------------------


def test_a_repeat_answers_the_same_over_a_restart(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        key = IdempotencyKey(1, "k\u20ac", b"hash")
        first = await shop.do(make.create(1, key=key))
        await shop.reopen()
        shop.now += DAY - 1
        again = await shop.do(make.create(2, key=key))
        assert isinstance(first, CompletedCommand)
        assert first.answer is not None
        assert again == RepeatedCommand(first.answer)
        assert len(await log_of(shop)) == 1

    play(scenario)


def test_another_request_under_a_key_is_refused_and_another_api_key_is_not(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.do(make.create(1, key=IdempotencyKey(1, "k", b"one")))
        published = await shop.publish(
            make.create(2, key=IdempotencyKey(1, "k", b"two")), make.create(2, key=IdempotencyKey(2, "k", b"two"))
        )
        refused, done = published.results
        assert isinstance(refused, Invalid)
        assert isinstance(done, CompletedCommand)

    play(scenario)


HOUR = DAY // 24


def test_a_repeat_shows_a_secret_for_an_hour_pruned_or_not(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        async def repeat() -> bytes:
            again = await shop.do(make.subscribe(1, secret="a secret of mine", key=IdempotencyKey(1, "k", b"one")))
            assert isinstance(again, RepeatedCommand)
            return again.answer

        first = await shop.do(make.subscribe(1, secret="a secret of mine", key=IdempotencyKey(1, "k", b"one")))
        assert isinstance(first, CompletedCommand)
        await shop.reopen()
        shop.now += HOUR - 1
        assert await shop.store.retention.prune_leftovers(shop.now, 100) == 0
        assert await repeat() == first.answer
        shop.now += 1
        later = await repeat()
        assert first.answer == later + b"a secret of mine"
        assert await shop.store.retention.prune_leftovers(shop.now, 100) == 1
        assert await shop.store.retention.prune_leftovers(shop.now, 100) == 0
        assert await repeat() == later

    play(scenario)


def test_a_key_is_free_again_after_24_hours_pruned_or_not(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.do(make.create(1, key=IdempotencyKey(1, "k", b"one")))
        await shop.do(make.create(1, key=IdempotencyKey(1, "l", b"one")))
        shop.now += DAY
        await shop.do(make.create(2, key=IdempotencyKey(1, "k", b"two")))
        # A database may remove what expires on one day together.
        assert await shop.store.retention.prune_leftovers(shop.now, 100) in (0, 1)
        await shop.do(make.create(2, key=IdempotencyKey(1, "l", b"two")))
        assert len(await log_of(shop)) == 4
        shop.now += DAY
        again = await shop.do(make.create(3, key=IdempotencyKey(1, "l", b"two")))
        assert isinstance(again, CompletedCommand), "the same request is carried out again, too"
        assert isinstance(await shop.do(make.create(4, key=IdempotencyKey(1, "l", b"two"))), RepeatedCommand)
        assert len(await log_of(shop)) == 5

    play(scenario)


# --- Subscriptions ----------------------------------------------------------------------------------------------------


def test_a_subscription_is_read_back_as_it_was_written(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), make.create(2))
        made = await shop.publish(
            make.subscribe(
                headers={"x": "1"}, ordering="strict", rateLimit=5, retryDelays=(1, 2), name="ü", eventTypes=3
            ),
            make.create(3),
            make.change(eventTypes=4, status="paused"),
        )
        await shop.reopen()
        found = await shop.subscription()
        assert (found,) == made.changed(Subscription)
        assert found.filters == ((0, 3), (3, 4))
        assert found.starts_after == 2

    play(scenario)


def test_subscriptions_are_listed_newest_first_without_the_deleted_ones(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(*(make.subscribe(n) for n in range(1, 8)))
        await shop.publish(make.unsubscribe(3))
        numbers: list[int] = []
        below = None
        while page := await shop.store.lists.page(Subscription, 1, below, 2):
            numbers += [subscription.number for subscription in page]
            below = page[-1].number
        assert numbers == [7, 6, 5, 4, 2, 1]
        assert await shop.store.lists.page(Subscription, 2, None, 10) == []
        assert {s.number for s in await shop.store.lists.every(Subscription)} == set(numbers)

    play(scenario)


def test_a_subscriptions_lane_begins_where_it_starts(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(3)
        subscription = await shop.subscribe()
        lane = await shop.lane(subscription)
        assert (lane.version, lane.head, lane.open, lane.gaps, lane.rows, lane.horizon) == (0, 3, (), (), (), None)

    play(scenario)


def test_a_number_is_never_given_to_another_subscription(play: "Play", make: "type[Tools]") -> None:
    """Attempts and cursors are kept under it."""

    async def scenario(shop: "Shop") -> None:
        await shop.subscribe(1)
        await shop.subscribe(2)
        await shop.publish(make.unsubscribe(2))
        while await shop.store.retention.prune_leftovers(shop.now, 100):
            pass
        assert (await shop.subscribe(3)).number == 3

    play(scenario)
