"""The contract of a store: documents listed under every filter, to the last page, whatever happens meanwhile."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.examples import more
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalpost.domain.documents.document import DocumentRow, Facets, decode
from signalpost.domain.event import EVERY_TYPE
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.documents import DocumentFilter, DocumentPosition

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

OWNERS = ("a@x", "b@x", "c@x")
TYPES = ("NDA", "Lease")
STATUSES = ("created", "paused", "executed")


async def furnish(shop: "Shop", make: "type[Tools]", seed: int, count: int) -> list[DocumentRow]:
    """Documents that came, changed, went and came back at odd times; those that are left, the last created first."""
    random = Random(seed)
    order: dict[int, None] = {}
    for n in range(count):
        shop.now += random.choice([0, 1, SECOND])
        number = random.randrange(1, max(2, count // 3))
        if random.random() < 0.2:
            await shop.publish(make.delete(number))
            continue
        order.setdefault(number)
        given = {
            "type": random.choice(TYPES), "status": random.choice(STATUSES), "ownerEmail": random.choice(OWNERS),
            "referenceId": random.choice([None, "R1", "R2"]),
        }  # fmt: skip
        await shop.publish(make.put(number, n, str(n), **given))
    found = [await shop.store.documents.get(1, make.document_id(number)) for number in reversed(order)]
    return [row for row in found if row is not None and row.deleted_at is None]


def test_a_page_ends_near_4_mib_whatever_its_limit(play: "Play", make: "type[Tools]") -> None:
    facts = {f"fact {number}": "x" * 4_000 for number in range(60)}

    async def scenario(shop: "Shop") -> None:
        for number in range(50):
            await shop.publish(make.put(number, 1, "large", additionalFacts=facts))
        for wanted in (DocumentFilter(), DocumentFilter(updated_after=0)):
            found: list[str] = []
            below: DocumentPosition | None = None
            while True:
                page = await shop.store.documents.page(1, wanted, below, 250)
                assert sum(len(row.body) for row in page.data) < 5 * 1024 * 1024
                found += [row.external_id for row in page.data]
                below = page.next
                if below is None:
                    break
            assert found == [make.document_id(number) for number in reversed(range(50))]

    play(scenario)


def matches(row: DocumentRow, asked: dict[str, Any]) -> bool:
    document = decode(row.body)
    return all(
        row.updated_at > value if name == "updated_after" else getattr(document, name) == value
        for name, value in asked.items()
    )


def expected(rows: list[DocumentRow], asked: dict[str, Any]) -> list[DocumentRow]:
    found = [row for row in rows if matches(row, asked)]
    if "updated_after" in asked and not asked.keys() & {"reference_id", "owner_email"}:
        found.sort(key=lambda row: -row.updated_at)
    return found


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from([*STATUSES, "cancelled"]),
        "type": st.sampled_from([*TYPES, "Other"]),
        "reference_id": st.sampled_from(["R1", "R2", "R3"]),
        "owner_email": st.sampled_from([*OWNERS, "nobody@x"]),
    },
)


@pytest.mark.parametrize("what", ["documents", "events", "events back", "history"])
def test_a_tenant_that_asks_for_many_pages_at_once_leaves_every_other_turn_to_others(
    play: "Play", make: "type[Tools]", what: str
) -> None:
    def page(shop: "Shop", tenant: int) -> Coroutine[Any, Any, object]:
        store = shop.store
        if what == "documents":
            return store.documents.page(tenant, DocumentFilter(), None, 250)
        if what == "history":
            return store.history.page(tenant, make.document_id(1), None, 250)
        if what == "events":
            return store.log.feed(tenant, 0, EVERY_TYPE, None, 250)
        return store.log.back(tenant, 2**62, EVERY_TYPE, None, 250)

    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        for tenant in (1, other):
            await shop.do(make.create(1, tenant=tenant))
        order: list[int] = []

        async def ask(tenant: int) -> None:
            await page(shop, tenant)
            order.append(tenant)

        await asyncio.gather(*map(ask, [1] * 8), ask(other))
        assert order.index(other) <= 2, "the first had its turn at once, and the second was asked for before"

    play(scenario)


@pytest.mark.slow
@settings(max_examples=more(5), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 2**16), filters=st.lists(FILTERS, min_size=5, max_size=10), data=st.data())
def test_all_pages_together_are_what_a_look_at_every_document_finds(
    fresh_play: "Callable[[], Play]",
    make: "type[Tools]",
    seed: int,
    filters: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    async def scenario(shop: "Shop") -> None:
        shop.max_scanned = data.draw(st.sampled_from([1, 3, 10, 10_000]))
        await shop.reopen()
        rows = await furnish(shop, make, seed, 60)
        times = sorted({row.updated_at for row in rows} | {0})
        for asked in filters:
            for after in (None, data.draw(st.sampled_from(times)), times[-1]):
                wanted = asked if after is None else {**asked, "updated_after": after}
                limit = data.draw(st.sampled_from([1, 7, 250]))
                assert await shop.documents(limit, **wanted) == expected(rows, wanted)

    fresh_play()(scenario)


@pytest.mark.parametrize("max_scanned", [1, 5, 10_000])
def test_what_changed_before_the_edge_of_the_log_follows_in_the_order_of_creation(
    play: "Play", make: "type[Tools]", max_scanned: int
) -> None:
    async def scenario(shop: "Shop") -> None:
        shop.max_scanned = max_scanned
        await shop.reopen()
        rows = await furnish(shop, make, 3, 60)
        times = [0, *sorted(row.updated_at + shift for row in rows for shift in (-1, 0))]
        for floor in (2, 10, 31, 100):
            while await shop.store.retention.prune_log(1, floor, 1000):
                pass
            kept = {event.at for event in (await shop.store.log.after(1, 0, 1000)).events}
            for after in times[floor % 4 :: 4]:
                found = await shop.documents(2, updated_after=after)
                changed = expected(rows, {"updated_after": after})
                in_log = [row for row in changed if row.updated_at in kept]
                assert found[: len(in_log)] == in_log
                assert found[len(in_log) :] == [row for row in rows if row in changed and row.updated_at not in kept]

    play(scenario)


def test_a_row_carries_what_lists_filter_by(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1))
        await shop.publish(make.edit(1, referenceId="R", ownerEmail="n@x", type="Lease"))
        [row] = await shop.documents()
        assert row.facets == Facets("Lease", "created", "R", "n@x")
        assert row == await shop.store.documents.get(1, make.document_id(1))
        assert await shop.documents(type="NDA") == await shop.documents(owner_email="o@x") == []
        await shop.publish(make.put(1, None, "t"))
        assert await shop.documents(reference_id="R") == []
        [row] = await shop.documents(owner_email="o@x", type="NDA", status="created")
        await shop.publish(make.put(1, 5, "t"))
        assert [(row.version, row.source_version) for row in await shop.documents(type="NDA")] == [(row.version, 5)]

    play(scenario)


def test_a_deleted_document_is_in_no_list_until_it_comes_back_to_its_place(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(*(make.put(n, 1) for n in (1, 2, 3)))
        await shop.publish(make.delete(2))
        lists: list[dict[str, Any]] = [
            {}, {"status": "created"}, {"type": "NDA"}, {"owner_email": "o@x"}, {"updated_after": 0}
        ]  # fmt: skip
        for asked in lists:
            assert [row.external_id for row in await shop.documents(**asked)] == [make.document_id(n) for n in (3, 1)]
        await shop.publish(make.put(2, 2))
        for asked in lists:
            order = (2, 3, 1) if "updated_after" in asked else (3, 2, 1)
            assert [row.external_id for row in await shop.documents(**asked)] == [make.document_id(n) for n in order]

    play(scenario)


def test_another_tenants_documents_are_in_no_list(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.put(1, 1, referenceId="R"))
        lists: list[dict[str, Any]] = [
            {}, {"reference_id": "R"}, {"owner_email": "o@x"}, {"status": "created"}, {"type": "NDA"}
        ]  # fmt: skip
        for asked in lists:
            assert await shop.documents(**asked)
            assert (await shop.store.documents.page(1, DocumentFilter(**asked), None, 5)).data
            assert await shop.documents(tenant=await shop.add_tenant(), **asked) == []
        assert await shop.documents(tenant=await shop.add_tenant(), updated_after=0) == []

    play(scenario)


def test_paging_by_creation_is_disturbed_by_no_change(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(*(make.put(n, 1) for n in range(20)))
        seen: list[str] = []
        below: DocumentPosition | None = None
        for n in range(100):
            page = await shop.store.documents.page(1, DocumentFilter(), below, 3)
            seen += [row.external_id for row in page.data]
            await shop.publish(make.patch(n % 20, f"{n}"), make.create(100 + n), make.patch(19 - n % 20, f"{n}."))
            if page.next is None:
                break
            below = page.next
        assert seen == [make.document_id(n) for n in reversed(range(20))]

    play(scenario)


@pytest.mark.parametrize("asked", [{}, {"owner_email": "o@x"}], ids=["by the log", "by creation"])
@pytest.mark.parametrize("floor", [1, 15])
def test_who_polls_for_what_changed_after_the_newest_it_saw_misses_no_change(
    play: "Play", make: "type[Tools]", asked: dict[str, Any], floor: int
) -> None:
    """Although documents change, and the log's edge moves, while it pages."""

    async def scenario(shop: "Shop") -> None:
        random = Random(1)
        shop.max_scanned = 20
        await shop.reopen()
        await shop.publish(*(make.put(n, 1) for n in range(20)))
        known: dict[str, int] = {}
        after = 0
        for round_ in range(8):
            below: DocumentPosition | None = None
            newest = after
            while True:
                page = await shop.store.documents.page(1, DocumentFilter(updated_after=after, **asked), below, 3)
                for row in page.data:
                    known[row.external_id] = row.version
                    newest = max(newest, row.updated_at)
                below = page.next
                if below is None:
                    break
                if round_ < 6:
                    await shop.publish(*(make.patch(random.randrange(20), str(random.random())) for _ in range(2)))
                    await shop.store.retention.prune_log(1, await shop.store.log.floor(1) + floor - 1, 1000)
            after = newest
        current = {row.external_id: row.version for row in await shop.documents()}
        assert known == current

    play(scenario)
