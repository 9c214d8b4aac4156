"""The contract of a store: the audit's chains, from their first entries to their ends, also after the retention."""

from typing import TYPE_CHECKING

import pytest

from signalpost.commands.tenants import CreateTenant
from signalpost.domain.audit import GATEWAY, EntryDraft, Object
from signalpost.domain.timestamps import SECOND
from signalpost.store.audit import AuditFilter, Verified

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop

EVERYTHING = AuditFilter()


def draft(tenant: int, at: int) -> EntryDraft:
    return EntryDraft(tenant_id=tenant, at=at, actor=GATEWAY, action="a.b", object=Object("x", f"of {tenant}"))


async def with_entries(shop: "Shop") -> tuple[int, int]:
    """Two tenants, of which one has six entries and the other four, a second apart. Returns the other, and when the
    first entry was made."""
    other = (await shop.publish(CreateTenant(tenant_id=1, name="other"))).tenants[0].id
    began = shop.now + SECOND
    for number, tenant in enumerate((1, other, 1, other, 1, 1, other, 1, other)):
        await shop.store.audit.add([draft(tenant, began + number * SECOND)])
    return other, began


async def numbers(shop: "Shop", tenant: int) -> list[int]:
    return [entry.number for entry in (await shop.store.audit.page(tenant, EVERYTHING, 0, 100)).entries]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_what_the_retention_leaves_holds_and_goes_on_where_it_was(play: "Play", limit: int) -> None:
    async def scenario(shop: "Shop") -> None:
        other, began = await with_entries(shop)
        removed = 0
        while gone := await shop.store.audit.prune(began + 4 * SECOND, limit):
            removed += gone
            assert await shop.store.audit.verify() == Verified(10 - removed, None)
        assert removed == 5
        assert (await numbers(shop, 1), await numbers(shop, other)) == ([4, 5, 6], [3, 4])
        await shop.reopen()
        await shop.store.audit.add([draft(1, shop.now), draft(other, shop.now)])
        assert await shop.store.audit.verify() == Verified(7, None)
        assert (await numbers(shop, 1), await numbers(shop, other)) == ([4, 5, 6, 7], [3, 4, 5])

    play(scenario)


def test_an_audit_of_which_the_retention_left_nothing_goes_on_where_it_was(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        _, began = await with_entries(shop)
        before = await shop.store.audit.mark(1)
        assert before is not None
        assert await shop.store.audit.prune(began + 3600 * SECOND, 100) == 10
        assert await shop.store.audit.verify() == Verified(0, None)
        assert await shop.store.audit.mark(1) == before
        [entry] = await shop.store.audit.add([draft(1, shop.now)])
        assert (entry.number, entry.position) == (7, 11)
        assert before.hash.hex().encode() in entry.content
        assert await shop.store.audit.verify() == Verified(1, None)

    play(scenario)


TAMPERED = {
    "the oldest that is left": "DELETE FROM audit WHERE position = (SELECT min(position) FROM audit)",
    "the newest": "DELETE FROM audit WHERE position = (SELECT max(position) FROM audit)",
    "all": "DELETE FROM audit",
    "where a chain begins": "UPDATE audit_end SET first = first - 1 WHERE tenant_id = 1",
    "where the whole begins": "UPDATE audit_end SET first = first + 1 WHERE tenant_id = 0",
    "where a chain ends": "UPDATE audit_end SET last = last + 1 WHERE tenant_id = 1",
    "an end": "DELETE FROM audit_end WHERE tenant_id = 1",
    "the end of the whole": "DELETE FROM audit_end WHERE tenant_id = 0",
}


@pytest.mark.parametrize("statement", TAMPERED.values(), ids=TAMPERED.keys())
def test_whatever_is_missing_at_either_end_of_what_the_retention_left_is_missed(play: "Play", statement: str) -> None:
    async def scenario(shop: "Shop") -> None:
        _, began = await with_entries(shop)
        await shop.store.audit.prune(began + 4 * SECOND, 100)
        assert (await shop.store.audit.verify()).fault is None
        shop.meddle(statement)
        assert (await shop.store.audit.verify()).fault is not None

    play(scenario)
