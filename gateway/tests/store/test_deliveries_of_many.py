"""The contract of a store: deliveries across subscriptions, newest first, against a model that derives each."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.examples import more
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription, wanted
from signalpost.store.nouns.deliveries import AttemptRow, DeliveryFilter, DeliveryPosition

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

NAMES = {State.AWAITING_RETRY: "retrying", State.FAILED: "failed", State.BLOCKED: "pending"}
Model = dict[tuple[int, int], tuple[Event, str]]
"""Every delivery by sequence and subscription: its event and its status."""


async def furnish(shop: "Shop", make: "type[Tools]", seed: int, count: int) -> tuple[list[Subscription], Model]:
    """A log, subscriptions that came at odd times with changing filters, and lanes in every state."""
    random = Random(seed)
    numbers: list[int] = []
    for n in range(count):
        shop.now += random.choice([0, 1, 1000])
        number = random.randrange(5)
        await shop.publish(make.delete(number) if random.random() < 0.3 else make.put(number, n, str(n)))
        if random.random() < 0.12 and len(numbers) < 5:
            numbers.append(len(numbers) + 1)
            await shop.publish(make.subscribe(numbers[-1], eventTypes=random.choice([1, 2, 3, 7, 7])))
        elif numbers and random.random() < 0.1:
            await shop.publish(make.change(random.choice(numbers), eventTypes=random.choice([1, 2, 4, 6, 7])))
    events = (await shop.store.log.after(1, 0, 1000)).events
    subscriptions = [await shop.subscription(number) for number in numbers]
    model: Model = {}
    for subscription in subscriptions:
        model.update(await record_by_chance(shop, make, subscription, events, random))
    return subscriptions, model


async def record_by_chance(
    shop: "Shop", make: "type[Tools]", subscription: Subscription, events: list[Event], random: Random
) -> Model:
    end = len(events)
    head = random.choice([subscription.starts_after, random.randint(subscription.starts_after, end), end, end])
    asked_for = [
        event
        for event in events
        if event.sequence > subscription.starts_after and event.type & wanted(subscription.filters, event.sequence)
    ]
    first = random.randint(1, end)
    gap = (first, first + random.choice([-1, 0, 5]))
    rows, opened, model = [], [], {}
    calm = random.random()
    for event in asked_for:
        key = (event.sequence, subscription.number)
        if event.sequence > head:
            model[key] = (event, "pending")
            continue
        kind = "settled" if random.random() < calm else random.choice([*NAMES, "open"])
        if isinstance(kind, State):
            rows.append(Row(event.sequence, event.document_id, kind, 10**6 + event.sequence, 2, 4, 0, None))
            model[key] = (event, NAMES[kind])
        elif kind == "open":
            opened.append(event.sequence)
            model[key] = (event, "pending")
        elif not gap[0] <= event.sequence <= gap[1]:
            model[key] = (event, "delivered")
    gaps = (gap,) if gap[0] <= gap[1] <= head else ()
    if not gaps:
        for event in asked_for:
            model.setdefault((event.sequence, subscription.number), (event, "delivered"))
    await shop.record(make.flush(subscription, 0, head, open=opened, rows=rows, gaps=gaps))
    return model


def expected(model: Model, asked: dict[str, Any], numbers: set[int]) -> list[tuple[int, int, str]]:
    def matches(event: Event, status: str) -> bool:
        return (
            asked.get("status") in (None, status)
            and bool(event.type & asked.get("types", 7))
            and asked.get("document_id") in (None, event.document_id)
            and event.at >= asked.get("created_from", 0)
            and event.at < asked.get("created_to", 10**18)
        )

    return [
        (*key, status)
        for key, (event, status) in sorted(model.items(), reverse=True)
        if key[1] in numbers and matches(event, status)
    ]


@pytest.mark.slow
@settings(max_examples=more(5), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 2**16), data=st.data())
def test_all_pages_together_are_every_delivery_that_matches(
    fresh_play: "Callable[[], Play]", make: "type[Tools]", seed: int, data: st.DataObject
) -> None:
    async def scenario(shop: "Shop") -> None:
        shop.max_scanned = data.draw(st.sampled_from([1, 2, 7, 30, 10_000]), label="max_scanned")
        await shop.reopen()
        subscriptions, model = await furnish(shop, make, seed, 45)
        floor = data.draw(st.sampled_from([1, 1, 20, 45]), label="floor")
        await shop.store.retention.prune_log(1, floor, 1000)
        model = {key: value for key, value in model.items() if key[0] >= floor}
        by_number = {subscription.number: subscription for subscription in subscriptions}
        names = {s.id: s.number for s in subscriptions}
        filters: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
            {},
            optional={
                "status": st.sampled_from(["pending", "delivered", "retrying", "failed"]),
                "types": st.sampled_from([1, 2, 4, 6]),
                "document_id": st.sampled_from([make.document_id(n) for n in (0, 1, 2, 99)]),
                "created_from": st.integers(shop.now - 20_000, shop.now + 1),
                "created_to": st.integers(shop.now - 20_000, shop.now + 1),
            },
        )
        some = st.sets(st.sampled_from(sorted(by_number))) if by_number else st.just(set())
        for asked in data.draw(st.lists(filters, min_size=5, max_size=8), label="filters"):
            numbers = data.draw(st.just(set(by_number)) | some, label="subscriptions")
            limit = data.draw(st.sampled_from([1, 3, 250]), label="limit")
            found = await shop.listed_of([by_number[number] for number in numbers], limit, **asked)
            told = [(view.entry.sequence, names[view.subscription_id], view.status) for view in found]
            assert told == expected(model, asked, numbers)
            for view in found:
                event = model[view.entry.sequence, names[view.subscription_id]][0]
                assert (view.entry.id, view.entry.at) == (event.id, event.at)
                assert view.due == (10**6 + event.sequence if view.status == "retrying" else None)

    fresh_play()(scenario)


@pytest.mark.parametrize("state", list(NAMES))
@pytest.mark.parametrize("max_scanned", [1, 2, 4, 9])
@pytest.mark.parametrize("document", [None, 0])
@pytest.mark.parametrize("unread", [True, False])
def test_an_event_with_more_exceptions_than_a_page_looks_at_is_listed_whole(
    play: "Play", make: "type[Tools]", state: State, max_scanned: int, document: int | None, unread: bool
) -> None:
    async def scenario(shop: "Shop") -> None:
        shop.max_scanned = max_scanned
        await shop.reopen()
        subscriptions = [await shop.subscribe(number) for number in range(1, 7)]
        await shop.fill(4, documents=1)
        rows = [Row(s, make.document_id(0), state, 0, 4, 4, 0, None) for s in (1, 2, 3, 4)]
        behind = subscriptions[3] if unread else None
        for subscription in subscriptions:
            if subscription is not behind:
                await shop.record(make.flush(subscription, 0, 4, rows=rows))
        numbers = [n for n in (6, 5, 4, 3, 2, 1) if not unread or n != 4 or state == State.BLOCKED]
        everything = [(s, make.subscription_id(n)) for s in (4, 3, 2, 1) for n in numbers]
        asked: dict[str, Any] = {} if document is None else {"document_id": make.document_id(document)}
        for limit in (1, 250):
            found = await shop.listed_of(subscriptions, limit, status=NAMES[state], **asked)
            assert [(view.entry.sequence, view.subscription_id) for view in found] == everything

    play(scenario)


def test_a_page_ends_and_the_next_begins_between_two_deliveries_of_one_event(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscriptions = [await shop.subscribe(number) for number in (1, 2, 3)]
        await shop.fill(2)
        first = await shop.store.deliveries.page(1, subscriptions, DeliveryFilter(), None, 2)
        assert first.next == DeliveryPosition(2, 2)
        second = await shop.store.deliveries.page(1, subscriptions, DeliveryFilter(), first.next, 2)
        told = [(view.entry.sequence, view.subscription_id) for view in (*first.data, *second.data)]
        assert told == [(s, make.subscription_id(n)) for s, n in ((2, 3), (2, 2), (2, 1), (1, 3))]

    play(scenario)


def test_what_is_published_and_recorded_while_someone_pages_moves_no_delivery(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        shop.max_scanned = 7
        await shop.reopen()
        subscriptions = [await shop.subscribe(number) for number in (1, 2, 3)]
        await shop.fill(20)
        seen: list[tuple[int, str]] = []
        below: DeliveryPosition | None = None
        for version in range(1000):
            page = await shop.store.deliveries.page(1, subscriptions, DeliveryFilter(), below, 4)
            seen += [(view.entry.sequence, view.subscription_id) for view in page.data]
            await shop.fill(2)
            await shop.record(make.flush(subscriptions[version % 3], version // 3, 1 + version % 20, open=(1,)))
            below = page.next
            if below is None:
                break
        assert seen == [(s, make.subscription_id(n)) for s in range(20, 0, -1) for n in (3, 2, 1)]

    play(scenario)


def test_deliveries_of_no_subscription_are_none(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(3)
        gone = await shop.subscribe()
        assert await shop.listed_of([]) == []
        await shop.fill(3)
        await shop.publish(make.unsubscribe())
        assert await shop.listed_of([gone]) == []

    play(scenario)


def test_each_tenants_exceptions_are_its_own(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscriptions = [await shop.subscribe(number) for number in (1, 2)]
        await shop.fill(3)
        other = await shop.add_tenant()
        rows = [Row(s, make.document_id(0), State.FAILED, 0, 4, 4, 0, None) for s in (1, 2)]
        for subscription in subscriptions:
            await shop.record(make.flush(subscription, 0, 3, rows=rows))
        assert len(await shop.listed_of(subscriptions, status="failed")) == 4
        assert await shop.listed_of(subscriptions, tenant=other, status="failed") == []
        await shop.store.retention.prune_log(other, 100, 1000)
        assert len(await shop.listed_of(subscriptions, status="failed")) == 4

    play(scenario)


def test_of_more_attempts_than_anyone_reads_the_newest_are_shown(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(1)
        tries = [AttemptRow(1, at, 1, 1, at, True, 500, "status", "", b"") for at in range(1, 1_101)]
        await shop.record(make.flush(subscription, 0, 1, attempts=tries))
        shown = await shop.attempts(subscription, 1)
        assert [attempt.started_at for attempt in shown] == list(range(101, 1_101))

    play(scenario)
