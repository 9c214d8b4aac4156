"""The contract of a store: sources are heard and removed by commands, watched over together, and gone with their
tenant."""

from typing import TYPE_CHECKING, Any

from gateway.tests.store.test_members import TENANT, refusal

from signalpost.commands.sources import RemoveSource, ReportSource
from signalpost.commands.tenants import CreateTenant, DeleteTenant
from signalpost.domain.errors import Forbidden, NotFound
from signalpost.domain.source import BEHIND_FROM, MOST_SOURCES, SILENT_AFTER, Source
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.audit import AuditFilter
from signalpost.store.nouns.sources import AllSources

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop


def source_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def report(number: int, tenant_id: int = TENANT, name: str | None = None, **said: int) -> ReportSource:
    """What the source `s1`, `s2`, … says."""
    return ReportSource(
        tenant_id=tenant_id,
        source_id=source_id(number),
        name=f"s{number}" if name is None else name,
        oldest_seconds=said.get("oldest_seconds", 0),
        dead=said.get("dead", 0),
    )


def remove(name: str, tenant_id: int = TENANT) -> RemoveSource:
    return RemoveSource(tenant_id=tenant_id, name=name)


async def make_tenant(shop: "Shop") -> int:
    await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
    [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
    return other


async def listed(shop: "Shop", tenant_id: int | None = TENANT) -> list[Source]:
    return await shop.store.lists.page(Source, tenant_id, None, MOST_SOURCES)


def test_what_a_source_said_last_is_kept_under_its_name_in_its_tenant(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await make_tenant(shop)
        await shop.publish(report(1, name="outbox"), report(2, other, name="outbox"))
        began = shop.now
        shop.now += 30 * SECOND
        await shop.do(report(3, name="outbox", oldest_seconds=7, dead=2))
        await shop.reopen()
        [source] = await listed(shop)
        assert (source.id, source.name, source.oldest_seconds, source.dead) == (source_id(1), "outbox", 7, 2)
        assert (source.added_at, source.heard_at) == (began, began + 30 * SECOND)
        assert [each.id for each in await listed(shop, other)] == [source_id(2)]

    play(scenario)


def test_a_removed_source_leaves_nothing_and_may_come_back_at_once(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await make_tenant(shop)
        await shop.do(report(1))
        assert isinstance(await refusal(shop, remove("s1", other)), NotFound)
        await shop.publish(remove("s1"), report(2, name="s1"))
        assert [each.id for each in await listed(shop)] == [source_id(2)]
        await shop.do(remove("s1"))
        assert isinstance(await refusal(shop, remove("s1")), NotFound)
        assert await shop.store.sources.all() == AllSources(0, 0, 0, None)

    play(scenario)


def test_a_tenant_has_so_many_sources_and_no_more(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await make_tenant(shop)
        await shop.publish(*(report(number) for number in range(MOST_SOURCES)))
        refused = await refusal(shop, report(MOST_SOURCES))
        assert isinstance(refused, Forbidden)
        assert refused.code == "source_limit"
        await shop.publish(report(1, oldest_seconds=1), report(MOST_SOURCES, other))
        await shop.do(remove("s1"))
        await shop.do(report(MOST_SOURCES + 1))
        assert len(await listed(shop)) == MOST_SOURCES

    play(scenario)


def test_those_in_trouble_are_found_in_all_tenants(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await make_tenant(shop)
        await shop.do(report(1))
        shop.now += SILENT_AFTER + SECOND
        await shop.publish(
            report(2),
            report(3, oldest_seconds=BEHIND_FROM - 1),
            report(4, other, oldest_seconds=BEHIND_FROM),
            report(5, other, dead=1),
        )
        assert [each.name for each in await shop.store.sources.in_trouble(shop.now)] == ["s1", "s4", "s5"]
        heard_at = shop.now - SILENT_AFTER - SECOND
        assert await shop.store.sources.all() == AllSources(5, BEHIND_FROM, 1, heard_at)

    play(scenario)


def test_sources_are_gone_with_their_tenant(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await make_tenant(shop)
        await shop.publish(report(1, other), report(2))
        erasure_id = "00000000-0000-4000-e000-000000000001"
        await shop.do(DeleteTenant(tenant_id=TENANT, name="other", erasure_id=erasure_id))
        assert [each.id for each in await listed(shop, None)] == [source_id(2)]

    play(scenario)


def test_the_audit_tells_who_added_and_removed_a_source_and_not_how_it_did(play: "Play") -> None:
    async def told(shop: "Shop") -> list[Any]:
        page = await shop.store.audit.page(TENANT, AuditFilter(object=source_id(1)), 0, 9)
        return [each.content for each in page.entries]

    async def scenario(shop: "Shop") -> None:
        await shop.do(report(1))
        for seconds in range(5):
            await shop.do(report(1, oldest_seconds=seconds, dead=seconds))
        assert len(await told(shop)) == 1
        await shop.do(remove("s1"))
        entries = await told(shop)
        assert len(entries) == 2
        said = b"\n".join(entries)
        assert b"source.add" in said
        assert b"source.remove" in said
        assert said.count(b'"s1"') == 2

    play(scenario)
