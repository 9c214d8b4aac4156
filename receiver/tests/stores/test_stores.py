"""What every store does, in virtual time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver.tests.stores.conftest import KINDS, StoreOf

from signalpost_receiver import ConfigError, parse
from signalpost_receiver.stores import Busy, Claimed, Handled, Item, MemoryStore, Stale, Store
from signalpost_receiver.stores.base import item_of, position_of
from signalpost_receiver.stores.sql import SqlStore

NOW = 1_780_000_000.25
EVENT = Item("event", None, "")
FIRST, SECOND, THIRD = (Item(f"event {number}", "document", f"{number:018d}ab") for number in (1, 2, 3))
OTHER = Item("event of another", "another document", FIRST.position)


def claim(store: Store, item: Item, now: float = NOW, lease: float = 30) -> str:
    """The token of a claim that is granted."""
    claimed = store.claim(item, now=now, lease_until=now + lease)
    assert isinstance(claimed, Claimed), claimed
    return claimed.token


def handle(store: Store, item: Item, now: float = NOW, keep: float = 3600) -> None:
    assert store.commit(item, claim(store, item, now), now=now, forget_at=now + keep)


def hold(store: Store, item: Item, due_at: float = NOW) -> None:
    assert isinstance(store.hold(item, b'{"name":"Se\xc3\xb1or"}', "hints", now=NOW, due_at=due_at), Claimed)


def take(store: Store, now: float = NOW) -> str | None:
    """The event that is taken, and committed at once."""
    held = store.take(now=now, lease_until=now + 30)
    if held is None:
        return None
    assert store.commit(held.item, held.token, now=now, forget_at=now + 3600)
    return held.item.event_id


def refused(store: Store, item: Item, now: float = NOW) -> object:
    return store.claim(item, now=now, lease_until=now + 30)


def test_a_handled_event_is_a_duplicate_until_it_is_forgotten(open_store: StoreOf) -> None:
    handle(open_store(), EVENT, keep=3600)
    assert refused(open_store(), EVENT) == Handled()
    assert refused(open_store(), EVENT, NOW + 3599) == Handled()
    handle(open_store(), EVENT, NOW + 3600)
    assert refused(open_store(), EVENT, NOW + 3600) == Handled()


def test_an_event_in_progress_is_busy_until_its_lease_ends(open_store: StoreOf) -> None:
    claim(open_store(), EVENT)
    assert refused(open_store(), EVENT) == Busy(NOW + 30)
    assert refused(open_store(), EVENT, NOW + 29) == Busy(NOW + 30)
    claim(open_store(), EVENT, NOW + 30)


def test_a_released_event_can_be_claimed_at_once(store: Store) -> None:
    store.release(EVENT, claim(store, EVENT), again_at=NOW + 60)
    handle(store, EVENT)


def test_a_claim_that_was_replaced_changes_nothing_more(store: Store) -> None:
    late = claim(store, EVENT)
    current = claim(store, EVENT, NOW + 30)
    assert late != current
    assert store.commit(EVENT, late, now=NOW + 31, forget_at=NOW + 3600) is False
    store.release(EVENT, late, again_at=NOW)
    assert refused(store, EVENT, NOW + 31) == Busy(NOW + 60)
    assert store.commit(EVENT, current, now=NOW + 31, forget_at=NOW + 3600) is True
    assert store.commit(EVENT, current, now=NOW + 31, forget_at=NOW + 3600) is False
    store.release(EVENT, current, again_at=NOW)
    assert refused(store, EVENT, NOW + 31) == Handled()


def test_a_forgotten_event_is_handled_again(store: Store) -> None:
    handle(store, EVENT)
    store.forget(EVENT.event_id)
    store.forget("never heard of")
    handle(store, EVENT)


def test_odd_ids_are_ids(store: Store) -> None:
    for event_id in ("é ü", "a:b", "{x}", "%s", "?", "'; DROP TABLE signalpost_events; --", "x" * 256):
        handle(store, Item(event_id, event_id, "1"))
        assert refused(store, Item(event_id, event_id, "1")) == Handled()


def test_c5_an_event_before_its_documents_mark_is_stale(open_store: StoreOf) -> None:
    handle(open_store(), SECOND)
    assert refused(open_store(), FIRST) == Stale()
    assert refused(open_store(), SECOND) == Handled()
    handle(open_store(), OTHER)
    handle(open_store(), THIRD)
    assert refused(open_store(), SECOND) == Handled()
    assert refused(open_store(), replace(FIRST, event_id="as late")) == Stale()


def test_the_mark_outlives_what_was_handled_before_the_latest_event(store: Store) -> None:
    handle(store, FIRST, keep=100)
    handle(store, THIRD, NOW + 90, keep=100)
    assert refused(store, FIRST, NOW + 189) == Stale()


def test_the_mark_is_forgotten_with_the_last_of_its_events(store: Store) -> None:
    handle(store, SECOND, keep=100)
    assert refused(store, FIRST, NOW + 99) == Stale()
    handle(store, FIRST, NOW + 100)


def test_a_late_commit_that_nobody_came_before_counts(store: Store) -> None:
    token = claim(store, FIRST)
    claim(store, OTHER, NOW + 600)
    assert store.commit(FIRST, token, now=NOW + 601, forget_at=NOW + 3600)
    assert refused(store, FIRST, NOW + 602) == Handled()


def test_two_events_of_a_document_are_never_in_progress_together(store: Store) -> None:
    token = claim(store, FIRST)
    assert refused(store, SECOND) == Busy(NOW + 30)
    claim(store, OTHER)
    assert store.commit(FIRST, token, now=NOW, forget_at=NOW + 3600)
    handle(store, SECOND)


def test_a_released_event_frees_its_document(store: Store) -> None:
    store.release(FIRST, claim(store, FIRST), again_at=NOW + 60)
    handle(store, SECOND)
    assert refused(store, FIRST) == Stale()


def test_a_document_is_free_when_the_lease_ends_and_the_late_commit_still_counts(store: Store) -> None:
    late = claim(store, FIRST)
    current = claim(store, SECOND, NOW + 30)
    assert store.commit(FIRST, late, now=NOW + 31, forget_at=NOW + 3600)
    assert refused(store, THIRD, NOW + 31) == Busy(NOW + 60)
    assert store.commit(SECOND, current, now=NOW + 32, forget_at=NOW + 3600)
    assert refused(store, FIRST, NOW + 32) == Handled()
    handle(store, THIRD, NOW + 32)


def test_held_events_are_taken_in_order_once_one_of_them_is_due(open_store: StoreOf) -> None:
    hold(open_store(), THIRD, NOW + 5)
    hold(open_store(), FIRST, NOW + 15)
    hold(open_store(), SECOND, NOW + 10)
    assert take(open_store(), NOW + 4) is None
    taken = [take(open_store(), NOW + 5) for _ in range(3)]
    assert taken == [FIRST.event_id, SECOND.event_id, THIRD.event_id]
    assert take(open_store(), NOW + 100) is None


def test_what_is_held_comes_back_as_it_was_given(store: Store) -> None:
    hold(store, FIRST)
    held = store.take(now=NOW, lease_until=NOW + 30)
    assert held is not None
    assert (held.item, held.body, held.hints) == (FIRST, b'{"name":"Se\xc3\xb1or"}', "hints")
    assert store.take(now=NOW, lease_until=NOW + 30) is None


def test_a_held_or_handled_event_is_not_held_again(store: Store) -> None:
    hold(store, FIRST)
    assert store.hold(FIRST, b"{}", "", now=NOW, due_at=NOW) == Handled()
    assert store.hold(FIRST, b"{}", "", now=NOW + 9999, due_at=NOW) == Handled()
    assert take(store) == FIRST.event_id
    assert store.hold(FIRST, b"{}", "", now=NOW, due_at=NOW) == Handled()


def test_c5_what_arrives_after_its_successor_was_handled_is_stale(store: Store) -> None:
    hold(store, SECOND)
    assert take(store) == SECOND.event_id
    assert store.hold(FIRST, b"{}", "", now=NOW, due_at=NOW) == Stale()


def test_a_late_one_among_the_held_is_passed_over(store: Store) -> None:
    hold(store, FIRST, NOW + 50)
    handle(store, SECOND)
    hold(store, THIRD, NOW + 10)
    assert take(store, NOW + 10) == THIRD.event_id
    assert take(store, NOW + 60) is None


def test_a_released_held_event_stops_its_document_until_its_time(store: Store) -> None:
    hold(store, FIRST)
    hold(store, SECOND)
    hold(store, OTHER)
    taken = [store.take(now=NOW, lease_until=NOW + 30) for _ in range(2)]
    (first,) = (held for held in taken if held is not None and held.item == FIRST)
    assert OTHER in [held.item for held in taken if held is not None]
    store.release(first.item, first.token, again_at=NOW + 20)
    assert take(store, NOW + 19) is None
    assert take(store, NOW + 20) == FIRST.event_id
    assert take(store, NOW + 20) == SECOND.event_id


def test_a_held_event_whose_process_died_is_taken_again(open_store: StoreOf) -> None:
    hold(open_store(), FIRST)
    dead = open_store().take(now=NOW, lease_until=NOW + 30)
    assert dead is not None
    assert take(open_store(), NOW + 29) is None
    assert take(open_store(), NOW + 30) == FIRST.event_id
    assert open_store().commit(FIRST, dead.token, now=NOW + 31, forget_at=NOW + 3600) is False


def test_a_forgotten_held_event_is_not_taken(store: Store) -> None:
    hold(store, FIRST)
    store.forget(FIRST.event_id)
    assert take(store, NOW + 60) is None
    hold(store, FIRST)
    assert take(store) == FIRST.event_id


# The last kind is the asynchronous one, whose one event loop has no threads to race.
RACING = pytest.mark.parametrize("open_store", KINDS[:-1], indirect=True)


@RACING
@pytest.mark.parametrize("item", [EVENT, FIRST])
def test_of_many_that_claim_at_once_one_wins(open_store: StoreOf, item: Item) -> None:
    stores = [open_store() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        claims = list(threads.map(lambda store: refused(store, item), stores * 3))
    assert sorted(type(each).__name__ for each in claims) == ["Busy"] * 11 + ["Claimed"]


@RACING
def test_of_many_that_take_at_once_each_gets_another(open_store: StoreOf) -> None:
    items = [Item(f"event {number}", f"document {number}", "1") for number in range(8)]
    stores = [open_store() for _ in range(4)]
    for item in items:
        hold(stores[0], item)
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda store: store.take(now=NOW, lease_until=NOW + 30), stores * 2))
    assert sorted(held.item.event_id for held in taken if held) == [item.event_id for item in items]


TIMES = st.datetimes(timezones=st.just(UTC))


@given(one=st.tuples(TIMES, st.text(min_size=1)), other=st.tuples(TIMES, st.text(min_size=1)))
def test_c5_positions_compare_as_text_as_times_and_ids_do(
    one: tuple[datetime, str], other: tuple[datetime, str]
) -> None:
    def position(of: tuple[datetime, str]) -> str:
        return position_of(replace(EXAMPLE, created_at=of[0], id=of[1]))

    def key(of: tuple[datetime, str]) -> tuple[datetime, bytes]:
        return of[0], of[1].encode()

    assert (position(one) < position(other)) == (key(one) < key(other))


EXAMPLE = parse((Path(__file__).parents[1] / "examples" / "documentUpdated.json").read_bytes())


def test_an_event_without_a_document_is_in_nobodys_order() -> None:
    lone = replace(EXAMPLE, document=None)
    assert item_of(lone, ordered=True).document == lone.id
    assert item_of(lone, ordered=False) == Item(lone.id, None, "")
    assert item_of(EXAMPLE, ordered=True).document == "d24c0644-1d31-47fa-960e-b0cc8b4f136c"


def test_the_memory_forgets_the_oldest_that_was_handled_and_nothing_in_progress() -> None:
    store = MemoryStore(max_events=2)
    claim(store, Item("in progress", None, ""))
    for name in ("a", "b"):
        handle(store, Item(name, None, ""))
    assert refused(store, Item("in progress", None, "")) == Busy(NOW + 30)
    assert refused(store, Item("b", None, "")) == Handled()
    claim(store, Item("a", None, ""))


def test_a_driver_with_another_paramstyle_is_refused() -> None:
    with pytest.raises(ConfigError, match="paramstyle"):
        SqlStore(lambda: pytest.fail("not opened"), paramstyle="named")


@pytest.mark.parametrize(
    "open_store", ["sqlite", pytest.param("dbapi-postgresql", marks=pytest.mark.slow)], indirect=True
)
def test_old_rows_are_removed(open_store: StoreOf) -> None:
    store = open_store()
    assert isinstance(store, SqlStore)
    handle(store, FIRST, keep=10)
    handle(store, EVENT, NOW + timedelta(days=1).total_seconds())
    with store._transaction() as run:
        assert run("SELECT count(*) FROM signalpost_events").fetchone()[0] == 1
        assert run("SELECT count(*) FROM signalpost_documents").fetchone()[0] == 0
