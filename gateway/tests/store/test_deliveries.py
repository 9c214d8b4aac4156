"""The contract of a store: deliveries of a subscription, newest first, under every filter, to the last page."""

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import asdict, replace

from signalpost.domain.delivery.delivery import AT_ONCE, State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription, wanted
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.deliveries import COUNTED_AMONG, Arrivals, AttemptRow, Behind, DeliveryFilter, DeliveryViews
from signalpost.store.nouns.log import row_of

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

COUNT = 60
HEAD = 50
OPEN = (41, 45, 49)
GAPS = ((5, 7), (30, 31))
STATES = {
    **dict.fromkeys((10, 20, 42), State.AWAITING_RETRY),
    **dict.fromkeys((11, 6, 33), State.FAILED),
    **dict.fromkeys((43, 44), State.BLOCKED),
}


async def furnish(shop: "Shop", make: "type[Tools]") -> tuple[Subscription, dict[int, tuple[Event, str]]]:
    """A log of which a subscription asked for some from 3 on, in every state; and what is listed: event, status."""
    random = Random(5)
    await shop.fill(2)
    await shop.subscribe(eventTypes=3)
    for n in range(2, COUNT):
        shop.now += random.choice([0, 1, SECOND])
        number = n % 4
        await shop.publish(make.put(number, None, title=str(n)))
        if n == 25:
            await shop.publish(make.change(eventTypes=2))
        if n == 35:
            await shop.publish(make.change(eventTypes=7))
    subscription = await shop.subscription()
    events = (await shop.store.log.after(1, 0, 1000)).events
    by_sequence = {event.sequence: event for event in events}
    rows = [Row(s, by_sequence[s].document_id, state, 1000 + s, 2, 4, 0, None) for s, state in STATES.items()]
    await shop.record(make.flush(subscription, 0, HEAD, open=OPEN, rows=rows, gaps=GAPS))
    gaps = {s for first, last in GAPS for s in range(first, last + 1)}
    names = {State.AWAITING_RETRY: "retrying", State.FAILED: "failed", State.BLOCKED: "pending"}
    expected = {}
    for event in events:
        sequence = event.sequence
        if sequence <= 2 or not event.type & wanted(subscription.filters, sequence):
            continue
        if sequence in STATES:
            expected[sequence] = (event, names[STATES[sequence]])
        elif sequence > HEAD or sequence in OPEN:
            expected[sequence] = (event, "pending")
        elif sequence not in gaps:
            expected[sequence] = (event, "delivered")
    return subscription, expected


FILTERS: list[dict[str, Any]] = [
    {},
    *({"status": status} for status in ("pending", "delivered", "retrying", "failed")),
    *({"types": types} for types in (1, 2, 4)),
    {"document": 1},
    {"document": 99},
    {"document": 2, "status": "failed"},
    {"document": 2, "status": "delivered", "types": 2},
    {"from": 20},
    {"to": 20},
    {"from": 10, "to": 40},
    {"from": 10, "to": 40, "status": "retrying"},
    {"from": 10, "to": 40, "status": "failed", "document": 0},
    {"from": 40, "to": 10},
    {"from": 0},
    {"to": 10**6},
]


def test_every_filter_lists_exactly_what_it_names_to_the_end_whatever_the_size_of_the_pages(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, expected = await furnish(shop, make)
        at = {sequence: event.at for sequence, (event, _) in expected.items()}
        times = (
            {0: 0, 10**6: shop.now + 10**9}
            | {s: at.get(s, max(v for k, v in at.items() if k < s)) for s in (20, 40)}
            | {10: at[10]}
        )

        async def lists(asked: dict[str, Any]) -> None:
            created_from = times[asked["from"]] if "from" in asked else None
            created_to = times[asked["to"]] if "to" in asked else None
            identity = make.document_id(asked["document"]) if "document" in asked else None

            def matches(event: Event, status: str) -> bool:
                return (
                    asked.get("status") in (None, status)
                    and bool(event.type & asked.get("types", 7))
                    and identity in (None, event.document_id)
                    and (created_from is None or event.at >= created_from)
                    and (created_to is None or event.at < created_to)
                )

            wanted_now = [s for s, (event, status) in sorted(expected.items(), reverse=True) if matches(event, status)]
            for limit in (1, 7, 250):
                found = await shop.listed(
                    subscription,
                    limit,
                    status=asked.get("status"),
                    types=asked.get("types", 7),
                    document_id=identity,
                    created_from=created_from,
                    created_to=created_to,
                )
                assert [view.entry.sequence for view in found] == wanted_now, asked
                for view in found:
                    event, status = expected[view.entry.sequence]
                    assert view.status == status
                    assert view.entry == row_of(event)
                    assert view.due == (1000 + event.sequence if status == "retrying" else None)
                    assert view.attempts == (2 if event.sequence in STATES else 0)

        for asked in FILTERS:
            await lists(asked)

    play(scenario)


def test_a_short_page_with_a_next_one_says_how_far_back_it_looked(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, expected = await furnish(shop, make)
        shop.max_scanned = 5
        await shop.reopen()
        events = {event.sequence: event.at for event in (await shop.store.log.after(1, 0, 1000)).events}

        async def page(limit: int, **wanted: Any) -> DeliveryViews:
            return await shop.store.deliveries.page(1, [subscription], DeliveryFilter(**wanted), None, limit)

        short = await page(20, types=2, created_to=events[33])
        assert short.next is not None
        assert short.looked_back_to == events[short.next.sequence]
        assert len(short.data) < 20
        full = await page(1)
        assert (len(full.data), full.next is None, full.looked_back_to) == (1, False, None)
        assert (await page(1, created_to=1)).looked_back_to is None
        assert expected

    play(scenario)


def test_what_became_of_events_is_what_their_deliveries_say(play: "Play", make: "type[Tools]") -> None:
    """No subscription wanted one of them, for one nothing was sent, and one of the subscriptions is behind and gave
    some up."""

    async def scenario(shop: "Shop") -> None:
        subscription, expected = await furnish(shop, make)
        other = await shop.subscribe(2, eventTypes=7)
        await shop.publish(make.put(1, None, title="for both"))
        events = {event.sequence: event for event in (await shop.store.log.after(1, 0, 1000)).events}
        nothing_sent = AttemptRow(15, 1, 1, 1, 0, False, None, "skipped", "", b"")
        asked_again = replace(nothing_sent, sequence=10)
        await shop.record(make.flush(subscription, 1, HEAD, open=OPEN, gaps=GAPS, attempts=[nothing_sent, asked_again]))
        assert expected[15][1] == "delivered"
        both = [subscription, other]
        found = await shop.store.deliveries.arrivals(1, both, events.keys() | {10**6})
        assert found.keys() == events.keys()
        for sequence, event in events.items():
            views = (await shop.store.deliveries.of_event(both, row_of(event))).values()
            statuses = [view.status for view in views if view is not None]
            counts = Counter({"pending": "waiting", "retrying": "waiting"}.get(each, each) for each in statuses)
            assert asdict(found[sequence]) == {name: counts[name] for name in asdict(found[sequence])}, sequence
        assert (found[15].skipped, found[max(events)].waiting, found[2].delivered) == (1, 2, 0)
        assert await shop.store.deliveries.arrivals(1, both, [10**6]) == {}

    play(scenario)


def test_among_very_many_subscriptions_only_what_failed_is_counted(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, _ = await furnish(shop, make)
        many = [subscription] * (COUNTED_AMONG + 1)
        found = await shop.store.deliveries.arrivals(1, many, [10, 11, 12, 10**6])
        nobody, one = Arrivals(None, None, 0, None), Arrivals(None, None, 1, None)
        assert found == {10: nobody, 11: one, 12: nobody}

    play(scenario)


def test_what_became_of_events_at_shadows_is_not_counted(play: "Play", make: "type[Tools]") -> None:
    """Neither what failed there, nor what was skipped, however many subscriptions there are."""

    async def scenario(shop: "Shop") -> None:
        shadow, expected = await furnish(shop, make)
        original = await shop.subscribe(2, eventTypes=7, startsAfter=0)
        nothing_sent = AttemptRow(15, 1, 1, 1, 0, False, None, "skipped", "", b"")
        await shop.record(make.flush(shadow, 1, HEAD, open=OPEN, gaps=GAPS, attempts=[nothing_sent]))
        sequences = [*expected, *(sequence for sequence, state in STATES.items() if state == State.FAILED)]
        counted = await shop.store.deliveries.arrivals(1, [original], sequences, {shadow.number})
        assert {(each.waiting, each.failed, each.skipped) for each in counted.values()} <= {(1, 0, 0), (0, 0, 0)}
        many = [original] * (COUNTED_AMONG + 1)
        failed = await shop.store.deliveries.arrivals(1, many, sequences, {shadow.number})
        assert {each.failed for each in failed.values()} == {0}

    play(scenario)


def test_a_single_delivery_says_the_same_as_the_list(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, expected = await furnish(shop, make)
        listed = {view.entry.sequence: view for view in await shop.listed(subscription)}
        for event in (await shop.store.log.after(1, 0, 1000)).events:
            entry = row_of(event)
            found = await shop.store.deliveries.get(subscription, entry)
            assert (found and found[0]) == listed.get(event.sequence)
            assert (found is not None) == (event.sequence in expected)

    play(scenario)


def test_the_latest_failure_is_one_that_awaits_a_retry_or_else_one_that_was_given_up(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(6)
        both, given_up, well = [await shop.subscribe(number) for number in (1, 2, 3)]
        await shop.fill(6)
        events = {event.sequence: event for event in (await shop.store.log.after(1, 0, 1000)).events}

        def row(sequence: int, state: State) -> Row:
            return Row(sequence, events[sequence].document_id, state, 1000, 2, 4, 0, None)

        waits, failed = State.AWAITING_RETRY, State.FAILED
        await shop.record(
            make.flush(both, 0, 12, rows=[row(8, waits), row(9, waits), row(11, failed)]),
            make.flush(given_up, 0, 12, rows=[row(7, failed), row(10, failed)]),
            make.flush(well, 0, 12),
        )
        found = await shop.store.deliveries.latest_failures(1, [both, given_up, well])
        latest = {identity: view.entry.sequence for identity, view in found.items()}
        assert latest == {both.id: 9, given_up.id: 10}
        assert await shop.store.deliveries.latest_failures(1, []) == {}

    play(scenario)


def test_pages_go_on_over_long_stretches_without_a_match(play: "Play", make: "type[Tools]") -> None:
    """A page may be short or empty and still have a next."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(eventTypes=4)
        await shop.publish(make.create(1), make.delete(1))
        for start in range(0, 20_500, 500):
            await shop.publish(*(make.put(n % 50, None, str(start + n)) for n in range(500)))
        assert [view.entry.sequence for view in await shop.listed(subscription)] == [2]
        assert [view.entry.sequence for view in await shop.listed(subscription, document_id=make.document_id(1))] == [2]

    play(scenario)


def test_what_is_published_while_someone_pages_neither_repeats_nor_hides_anything(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(30)
        seen: list[int] = []
        below = None
        while True:
            page = await shop.store.deliveries.page(1, [subscription], DeliveryFilter(), below, 4)
            seen += [view.entry.sequence for view in page.data]
            await shop.fill(3)
            below = page.next
            if below is None:
                break
        assert seen == list(range(30, 0, -1))

    play(scenario)


def test_what_became_of_an_event_agrees_with_the_delivery_and_says_what_it_waits_for(
    play: "Play", make: "type[Tools]"
) -> None:
    """Some events have no delivery: made before the subscription, of another type, or left out. In loose order nothing
    waits behind a retry (C17)."""

    async def scenario(shop: "Shop") -> None:
        subscription, expected = await furnish(shop, make)
        events = {event.sequence: event for event in (await shop.store.log.after(1, 0, 1000)).events}
        for sequence, event in events.items():
            entry = row_of(event)
            found = (await shop.store.deliveries.of_event([subscription], entry))[subscription.id]
            delivery = await shop.store.deliveries.get(subscription, entry)
            assert found == (None if delivery is None else delivery[0])
            assert (found is None) == (sequence not in expected)
            if found is None:
                continue
            waits = found.status == "pending"
            assert found.ahead == (max(0, sequence - HEAD - 1) if waits else 0)
            unsettled = [
                earlier
                for earlier, (before, status) in expected.items()
                if earlier < sequence and before.document_id == event.document_id and status == "pending"
            ]
            behind = None if found.behind is None else found.behind.sequence
            assert behind == (max(unsettled, default=None) if waits else None)

    play(scenario)


@pytest.mark.parametrize("between", [0, 3, 4, 5, 30])
def test_what_holds_a_delivery_up_is_found_behind_others_that_are_settled(
    play: "Play", make: "type[Tools]", between: int
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(between + 2, documents=1)
        last = between + 2
        await shop.record(make.flush(subscription, 0, last, open=(1, last)))
        views = {view.entry.sequence: view.behind for view in await shop.listed(subscription)}
        assert views.pop(1) is None
        held_up_by = views.pop(last)
        assert held_up_by is not None
        assert held_up_by.sequence == 1
        assert set(views.values()) <= {None}

    play(scenario)


def test_how_many_newer_events_of_its_document_wait_behind_a_delivery_agrees_with_the_list(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, expected = await furnish(shop, make)
        unsettled = ("pending", "retrying")
        counts = set()
        for sequence, (event, status) in expected.items():
            found = await shop.store.deliveries.get(subscription, row_of(event))
            assert found is not None
            later = [
                other
                for other, (after, state) in expected.items()
                if other > sequence and after.document_id == event.document_id and state in unsettled
            ]
            assert found.behind == (Behind(len(later), is_capped=False) if status in unsettled else None)
            counts.add(len(later))
        assert len(counts) > 2

    play(scenario)


@pytest.mark.parametrize(("newer", "counted", "is_capped"), [(100, 100, False), (101, 100, True)])
def test_of_many_newer_events_of_a_document_the_newest_alone_are_looked_at(
    play: "Play", make: "type[Tools]", newer: int, counted: int, is_capped: bool
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(newer + 1, documents=1)
        [first] = (await shop.store.log.after(1, 0, 1)).events
        found = await shop.store.deliveries.get(subscription, row_of(first))
        assert found is not None
        assert found.behind == Behind(counted, is_capped)

    play(scenario)


def test_a_delivery_that_a_person_asked_for_has_no_time_to_wait_for(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(1)
        await shop.fill(1)
        row = Row(1, make.document_id(0), State.AWAITING_RETRY, AT_ONCE, 0, 1, 1, None)
        await shop.record(make.flush(subscription, 0, 1, rows=[row]))
        (found,) = await shop.listed(subscription)
        assert (found.status, found.due) == ("retrying", None)

    play(scenario)


def test_what_waits_for_a_delay_that_became_longer_shows_when_that_ends(play: "Play", make: "type[Tools]") -> None:
    """The row has the time of the shorter one, at which the delivery is put off again; a retry keeps its time."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(after={"seconds": 7_200})
        await shop.fill(2)
        first = (await shop.store.log.after(1, 0, 10)).events[0]
        due = first.at + 3_600 * SECOND
        waits = Row(1, make.document_id(0), State.AWAITING_RETRY, due, 0, 4, 0, None)
        failed = Row(2, make.document_id(1), State.AWAITING_RETRY, due, 1, 4, 0, None)
        await shop.record(make.flush(subscription, 0, 2, rows=[waits, failed]))
        shown = {view.entry.sequence: view.due for view in await shop.listed(subscription)}
        assert shown == {1: first.at + 7_200 * SECOND, 2: due}

    play(scenario)


# --- Where nothing was sent -------------------------------------------------------------------------------------------


def test_a_delivery_for_which_nothing_was_sent_is_skipped_and_not_delivered(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        first, second = await shop.subscribe(1), await shop.subscribe(2)
        await shop.fill(12)
        skips = [AttemptRow(s, s, 1, 1, 0, False, None, "skipped", "Not wanted.", b"") for s in (2, 3, 7, 11)]
        sent = [AttemptRow(7, 100, 1, 1, 1, True, 204, None, "", b"")]  # a replay, once it was wanted
        await shop.record(make.flush(first, 0, 12, attempts=[*skips, *sent]), make.flush(second, 0, 12))
        for limit in (1, 2, 250):
            skipped = await shop.listed(first, limit, status="skipped")
            assert [view.entry.sequence for view in skipped] == [11, 3, 2]
            assert {view.status for view in skipped} == {"skipped"}
            delivered = await shop.listed(first, limit, status="delivered")
            assert [view.entry.sequence for view in delivered] == [12, 10, 9, 8, 7, 6, 5, 4, 1]
            both = await shop.listed_of([first, second], limit, status="skipped")
            assert [(view.subscription_id, view.entry.sequence) for view in both] == [(first.id, s) for s in (11, 3, 2)]
            of_document = await shop.listed(first, limit, status="skipped", document_id=make.document_id(1))
            assert [view.entry.sequence for view in of_document] == [2]
            assert await shop.listed(second, limit, status="skipped") == []
        everything = await shop.listed(first)
        assert [view.entry.sequence for view in everything if view.status == "skipped"] == [11, 3, 2]

    play(scenario)


@pytest.mark.parametrize("now", [{"field": "document.title", "is": "other"}, None])
def test_what_is_settled_without_an_attempt_did_not_meet_the_condition_whatever_that_is_now(
    play: "Play", make: "type[Tools]", now: Any
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(1, when={"field": "document.title", "is": "t"})
        other = await shop.subscribe(2)
        await shop.fill(12)
        await shop.do(make.change(1, when=now))
        subscription = await shop.subscription(1)
        both = [subscription, other]
        attempts = [AttemptRow(s, s, 1, 1, 0, True, 204, None, "", b"") for s in (1, 4)]
        attempts += [AttemptRow(s, s, 1, 1, 0, False, None, "skipped", "By now.", b"") for s in (5,)]
        attempts += [AttemptRow(s, s, 1, 1, 0, True, 500, "status", "", b"") for s in (6, 9)]
        rows = [
            Row(6, make.document_id(0), State.FAILED, 0, 4, 4, 0, None),
            Row(7, make.document_id(1), State.BLOCKED, 0, 0, 0, 0, None),
        ]
        lane = make.flush(subscription, 0, 11, rows=rows, attempts=attempts, open=(9,), gaps=((10, 10),))
        await shop.record(lane, make.flush(other, 0, 12))
        expected = {
            "delivered": [4, 1],
            "skipped": [11, 8, 5, 3, 2],
            "failed": [6],
            "pending": [12, 9, 7],
        }
        for limit in (1, 2, 250):
            for status, sequences in expected.items():
                listed = await shop.listed(subscription, limit, status=status)
                assert [view.entry.sequence for view in listed] == sequences, status
                found = await shop.listed_of(both, limit, status=status)
                ours = [view.entry.sequence for view in found if view.subscription_id == subscription.id]
                assert ours == sequences, status
            of_document = await shop.listed(subscription, limit, status="skipped", document_id=make.document_id(1))
            assert [view.entry.sequence for view in of_document] == [2]
        assert {view.status for view in await shop.listed(other)} == {"delivered"}
        events = {event.sequence: event for event in (await shop.store.log.after(1, 0, 1000)).events}
        arrivals = await shop.store.deliveries.arrivals(1, both, events.keys())
        for sequence, event in events.items():
            gone = (await shop.store.deliveries.of_event(both, row_of(event))).values()
            counts = Counter("waiting" if view.status == "pending" else view.status for view in gone if view)
            shown = asdict(arrivals[sequence])
            assert shown == {name: counts[name] for name in shown}, sequence

    play(scenario)
