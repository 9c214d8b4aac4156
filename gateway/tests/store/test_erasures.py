"""The contract of a store: what an erasure removes, and what it leaves."""

from typing import TYPE_CHECKING

from signalpost.commands.erasures import EraseDocument
from signalpost.commands.tenants import CreateTenant, DeleteTenant
from signalpost.domain.erasure import Erasure, is_erased
from signalpost.store.deliveries import AttemptRow

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
        assert [entry.step.status for entry in await shop.history(1)] == ["other"] * 8
        assert [each.answer for each in await shop.attempts(subscription, 1)] == [b""]
        assert [each.answer for each in await shop.attempts(subscription, 2)] == [b"a secret"]
        assert (await shop.store.access.use(1)).documents == 1

    play(scenario)


def test_of_a_deleted_tenant_nothing_is_left_and_of_another_one_everything(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(4)
        kept = (await shop.store.log.after(1, 0, 100)).events
        [made] = (await shop.publish(CreateTenant(tenant_id=1, name="other"))).tenants
        await shop.publish(*(make.create(n, tenant=made.id) for n in range(7)), make.subscribe(2, tenant=made.id))
        await shop.do(DeleteTenant(tenant_id=1, name="other", erasure_id=ERASURE))
        await carry_out(shop)
        assert (await shop.store.log.after(made.id, 0, 100)).events == []
        assert await shop.store.documents.get(made.id, make.document_id(1)) is None
        assert await shop.store.subscriptions.page(made.id, None, 10) == []
        assert [tenant.id for tenant in await shop.store.access.tenants()] == [1]
        assert (await shop.store.log.after(1, 0, 100)).events == kept
        assert len(await shop.documents()) == 4

    play(scenario)
