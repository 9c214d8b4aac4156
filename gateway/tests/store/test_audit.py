"""The contract of a store: the audit's chains, from their first entries to their ends, also after the retention."""

from typing import TYPE_CHECKING

import pytest

from signalpost.commands.keys import CreateKey
from signalpost.commands.tenants import CreateTenant
from signalpost.domain.access.api_key import Role
from signalpost.domain.audit import GATEWAY, EntryDraft, Object
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.audit import AuditFilter, VerifiedAudit

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
            assert await shop.store.audit.verify() == VerifiedAudit(10 - removed, None)
        assert removed == 5
        assert (await numbers(shop, 1), await numbers(shop, other)) == ([4, 5, 6], [3, 4])
        await shop.reopen()
        await shop.store.audit.add([draft(1, shop.now), draft(other, shop.now)])
        assert await shop.store.audit.verify() == VerifiedAudit(7, None)
        assert (await numbers(shop, 1), await numbers(shop, other)) == ([4, 5, 6, 7], [3, 4, 5])

    play(scenario)


def test_an_audit_of_which_the_retention_left_nothing_goes_on_where_it_was(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        _, began = await with_entries(shop)
        before = await shop.store.audit.mark(1)
        assert before is not None
        assert await shop.store.audit.prune(began + 3600 * SECOND, 100) == 10
        assert await shop.store.audit.verify() == VerifiedAudit(0, None)
        assert await shop.store.audit.mark(1) == before
        [entry] = await shop.store.audit.add([draft(1, shop.now)])
        assert (entry.number, entry.position) == (7, 11)
        assert before.hash.hex().encode() in entry.content
        assert await shop.store.audit.verify() == VerifiedAudit(1, None)

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


# --- The end, kept elsewhere ------------------------------------------------------------------------------------------

ALL_GONE = ("DELETE FROM audit", "DELETE FROM audit_end")


def test_an_audit_that_is_emptied_lacks_an_end_that_was_kept_elsewhere(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        audit = shop.store.audit
        at_first = await audit.sealed_end()
        await with_entries(shop)
        later = await audit.sealed_end()
        await audit.add([draft(1, shop.now)])
        for sealed in (at_first, later, await audit.sealed_end()):
            assert await audit.has(sealed)
        for statement in ALL_GONE:
            shop.meddle(statement)
        assert (await audit.verify()).fault is None, "the database alone shows nothing"
        assert not await audit.has(later)
        for number in range(20):
            await audit.add([draft(1, shop.now + number)])
        assert not await audit.has(later), "nor does it have it again once it is as long as it was"

    play(scenario)


def test_an_end_that_was_kept_elsewhere_holds_after_the_retention(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        audit, ends = shop.store.audit, []
        _, began = await with_entries(shop)
        for number in range(3):
            ends.append(await audit.sealed_end())
            await audit.add([draft(1, began + (20 + number) * SECOND)])
        for _ in range(13):
            for sealed in ends:
                assert await audit.has(sealed)
            await audit.prune(began + 3600 * SECOND, 1)
        shop.meddle("UPDATE audit_end SET first = 2, last = 3 WHERE tenant_id = 0")
        assert not await audit.has(ends[0])

    play(scenario)


def test_an_end_that_the_gateway_did_not_seal_is_none(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await with_entries(shop)
        audit = shop.store.audit
        position, proof, mac = (await audit.sealed_end()).split(":")
        changed = f"{'0' if mac[0] != '0' else '1'}{mac[1:]}"
        for text in ("", "nonsense", f"1:{proof}:{mac}", f"{position}:{proof}:{changed}", f"{position}:{proof}"):
            assert not await audit.has(text)

    play(scenario)


# --- Who may come in --------------------------------------------------------------------------------------------------


def test_a_key_without_an_entry_is_found(play: "Play") -> None:
    """An attacker who empties the audit, or puts a key of their own into the database, leaves one that it does not tell
    of."""

    async def scenario(shop: "Shop") -> None:
        first, second = (
            CreateKey(tenant_id=1, tenant="default", key_id=f"00000000-0000-7000-8000-00000000000{n}", name="k",
                      role=Role.APP, key=f"sp_{n}")
            for n in (1, 2)
        )  # fmt: skip
        _, began = await with_entries(shop)
        shop.now = began + 3600 * SECOND
        await shop.publish(first)
        shop.now += 2 * 86_400 * SECOND
        await shop.publish(second)
        assert (await shop.store.audit.verify()).fault is None
        assert await shop.store.audit.prune(shop.now, 100) == 11
        assert (await shop.store.audit.verify()).fault is None, "the entry of the first was removed in time"
        for statement in ALL_GONE:
            shop.meddle(statement)
        fault = (await shop.store.audit.verify()).fault
        assert fault is not None
        assert first.key_id in fault.reason

    play(scenario)
