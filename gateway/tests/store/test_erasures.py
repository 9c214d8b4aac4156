"""The contract of a store: what an erasure removes, and what it leaves."""

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from signalpost.commands.erasures import EraseDocument
from signalpost.commands.tenants import CreateTenant, DeleteTenant
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.erasure import Erasure, is_erased
from signalpost.domain.event import EVERY_TYPE
from signalpost.domain.stats import COUNTS, WHOLE_TENANT, RollupKey
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import AttemptRow

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

ERASURE = "00000000-0000-7000-b000-000000000001"


async def carry_out(shop: "Shop") -> Erasure:
    """Every part of the erasure that was asked for, to its end."""
    [asked] = await shop.store.erasures.pending()
    while await shop.store.erasures.erase_part(asked, 3):
        pass
    await shop.store.erasures.finish(asked, shop.now)
    assert await shop.store.erasures.pending() == []
    done = await shop.store.erasures.get(asked.id)
    assert done is not None
    assert done.finished_at == shop.now
    assert await shop.store.erasures.page(None, 10) == [done]
    return done


def test_an_erased_document_leaves_shells_in_the_log_and_nothing_of_another_one_goes(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.publish(make.create(1), make.create(2), *(make.patch(1, f"t{n}") for n in range(5)))
        await shop.publish(make.act(1, "pause"), make.delete(1))
        attempts = [AttemptRow(s, s, 1, 1, 0, True, 500, "status", "says a secret", b"a secret") for s in (1, 2)]
        await shop.record(make.flush(subscription, 0, 9, attempts=attempts))
        before = (await shop.store.log.after(1, 0, 100)).events
        erase = EraseDocument(tenant_id=1, tenant="default", document_id=make.document_id(1), erasure_id=ERASURE)
        await shop.do(erase)
        done = await carry_out(shop)
        assert done.removed > 0
        for event, left in zip(before, (await shop.store.log.after(1, 0, 100)).events, strict=True):
            if event.document_id == make.document_id(1):
                assert is_erased(left)
                assert (left.id, left.type, left.at, left.before) == (event.id, event.type, event.at, b"")
            else:
                assert left == event
        for with_content in (True, False):
            past = await shop.store.log.past(1, 100, EVERY_TYPE, 100, with_content=with_content)
            assert [event.sequence for event in past.events] == [2]
        assert [entry.step.status for entry in await shop.history(1)] == ["other"] * 8
        assert [each.answer for each in await shop.attempts(subscription, 1)] == [b""]
        assert [each.answer for each in await shop.attempts(subscription, 2)] == [b"a secret"]
        assert (await shop.store.access.use(1)).documents == 1

    play(scenario)


def erase(make: "type[Tools]", number: int = 1) -> EraseDocument:
    return EraseDocument(tenant_id=1, tenant="default", document_id=make.document_id(number), erasure_id=ERASURE)


def test_row_for_row_only_what_is_left_of_the_document_goes(play: "Play", make: "type[Tools]") -> None:
    """Two tenants have documents of the same ids, and everything that a document can leave."""

    async def scenario(shop: "Shop") -> None:
        other = (await shop.publish(CreateTenant(tenant_id=1, name="other"))).tenants[0].id
        for tenant in (1, other):
            await furnish(shop, make, tenant)
        await shop.publish(make.delete(1))
        before = shop.rows
        [document] = {row["document_id"] for row in before["event"] if row["tenant_id"] == 1 and row["sequence"] == 1}
        its = {row["sequence"] for row in before["event"] if row["tenant_id"] == 1 and row["document_id"] == document}
        await shop.do(erase(make))
        asked = shop.rows
        await carry_out(shop)
        after = shop.rows

        def is_its(table: str, row: dict[str, Any]) -> bool:
            if table == "attempt":
                return bool(row["tenant_id"] == 1 and row["sequence"] in its)
            if row.get("tenant_id", 1) != 1:
                return False
            if table == "made":
                return bool(row["document_id"] == document and row["subscription_number"] == 1)
            return document in (row.get("document_id"), row.get("external_id"))

        changed = {table for table, rows in after.items() if rows != asked[table]}
        assert changed - {"erasure"} <= {"document", "event", "attempt", "step", "version", "made"}
        for table in changed - {"erasure"}:
            others = [row for row in asked[table] if not is_its(table, row)]
            assert others
            assert [row for row in after[table] if not is_its(table, row)] == others, table
        for table, emptied in {"event": ("before",), "attempt": ("detail", "answer", "exchange")}.items():
            rows = [row for row in after[table] if is_its(table, row)]
            assert len(rows) == len([row for row in asked[table] if is_its(table, row)]) > 0
            assert not [row for row in rows if any(row[name] for name in emptied)]
        for table in ("step", "made"):
            assert [row for row in asked[table] if is_its(table, row)]
            assert not [row for row in after[table] if is_its(table, row)]

    play(scenario)


async def furnish(shop: "Shop", make: "type[Tools]", tenant: int) -> None:
    """Give a tenant two documents, with everything that documents can leave."""
    await shop.publish(make.subscribe(tenant, tenant=tenant))
    subscription = next(each for each in await shop.store.lists.every(Subscription) if each.tenant_id == tenant)
    for number in (1, 2):
        await shop.publish(make.create(number, tenant=tenant))
        for command in (make.patch(number, "t2"), make.act(number, "pause"), make.act(number, "resume")):
            await shop.do(replace(command, tenant_id=tenant))
    last = (await shop.store.log.after(tenant, 0, 100)).last
    attempts = [
        AttemptRow(s, s, 1, 1, 0, True, 500, "status", "a reason", b"an answer", b"an exchange")
        for s in range(1, last + 1)
    ]
    made = {make.document_id(number): {"id": "of the vendor"} for number in (1, 2)}
    rows = [Row(s, make.document_id(1), State.FAILED, 0, 4, 4, 0, None) for s in (1, 2)]
    assert await shop.record(make.flush(subscription, 0, last, attempts=attempts, made=made, rows=rows))


@pytest.mark.parametrize(
    "said",
    [("a secret", b"", b""), ("", b"a secret", b""), ("", b"", b"a secret")],
    ids=["detail", "answer", "exchange"],
)
def test_an_attempt_that_is_recorded_after_its_event_was_emptied_is_emptied_as_well(
    play: "Play", make: "type[Tools]", said: tuple[str, bytes, bytes]
) -> None:
    """Another node may record what was under way there when it had not heard of the erasure yet. Whatever it was told
    may be all that has the document's words."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.publish(make.create(1), make.create(2), make.delete(1))
        await shop.do(erase(make))
        [asked] = await shop.store.erasures.pending()
        while await shop.store.erasures.erase_part(asked, 3):
            pass
        late = [AttemptRow(s, s, 1, 1, 0, True, 500, "status", *said) for s in (1, 2, 3)]
        made = {make.document_id(1): {"id": "a secret"}, make.document_id(2): {"id": "kept"}}
        await shop.record(make.flush(subscription, 0, 3, attempts=late, made=made))
        await carry_out(shop)
        for sequence, left in {1: ("", b"", b""), 2: said, 3: ("", b"", b"")}.items():
            [attempt] = await shop.attempts(subscription, sequence)
            assert (attempt.status, attempt.detail, attempt.answer, attempt.exchange) == (500, *left)
        kept = await shop.store.connections.made(subscription.number, [*made])
        assert kept == {make.document_id(2): {"id": "kept"}}

    play(scenario)


@pytest.mark.parametrize("together", [True, False], ids=["in the same commit", "a moment later"])
def test_a_document_that_is_imported_again_beside_its_erasure_stays(
    play: "Play", make: "type[Tools]", *, together: bool
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.publish(make.put(1, 1, "first"))
        await shop.publish(make.delete(1))
        shop.now += 1_000_000
        again = make.put(1, 2, "again")
        if together:
            await shop.publish(erase(make), again)
        else:
            await shop.do(erase(make))
            [asked] = await shop.store.erasures.pending()
            await shop.store.erasures.erase_part(asked, 1)
            await shop.publish(again)
        answer = AttemptRow(3, 3, 1, 1, 0, True, 200, None, "its own", b"its own")
        await shop.record(make.flush(subscription, 0, 3, attempts=[answer]))
        before = await shop.store.log.events(1, [3])
        await carry_out(shop)
        found = await shop.store.documents.get(1, make.document_id(1))
        assert found is not None
        assert b"again" in found.body
        events = (await shop.store.log.after(1, 0, 100)).events
        assert [is_erased(event) for event in events] == [True, True, False]
        assert await shop.store.log.events(1, [3]) == before
        assert [each.answer for each in await shop.attempts(subscription, 3)] == [b"its own"]
        assert len(await shop.history(1)) == 3

    play(scenario)


def test_of_a_deleted_tenant_nothing_is_left_and_of_another_one_everything(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(4)
        kept = (await shop.store.log.after(1, 0, 100)).events
        [made] = (await shop.publish(CreateTenant(tenant_id=1, name="other"))).tenants
        await shop.publish(*(make.create(n, tenant=made.id) for n in range(7)), make.subscribe(2, tenant=made.id))
        one = [1] * COUNTS
        await shop.store.stats.add({RollupKey("hour", 3_600, tenant, WHOLE_TENANT): one for tenant in (1, made.id)})
        await shop.do(DeleteTenant(tenant_id=1, name="other", erasure_id=ERASURE))
        await carry_out(shop)
        assert (await shop.store.log.after(made.id, 0, 100)).events == []
        assert await shop.store.documents.get(made.id, make.document_id(1)) is None
        assert await shop.store.lists.page(Subscription, made.id, None, 10) == []
        assert [tenant.id for tenant in await shop.store.access.tenants()] == [OPERATIONS_TENANT, 1]
        assert (await shop.store.log.after(1, 0, 100)).events == kept
        assert len(await shop.documents()) == 4
        assert await shop.store.stats.read(made.id, WHOLE_TENANT, "hour", [3_600]) == {}
        assert await shop.store.stats.read(1, WHOLE_TENANT, "hour", [3_600]) == {3_600: one}

    play(scenario)
