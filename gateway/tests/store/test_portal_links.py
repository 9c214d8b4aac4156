"""The contract of a store: portal links are changed by commands, opened once, and go when they have ended."""

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.tests.store.test_members import TENANT, invite, member_id, refusal

from signalpost.commands.portal_links import CreatePortalLink, OpenPortalLink, RevokePortalLink
from signalpost.commands.tenants import CreateTenant, DeleteTenant
from signalpost.domain.access.portal_link import OPEN_WITHIN, Capability, PortalLink, Theme
from signalpost.domain.access.sign_in import Ground
from signalpost.domain.errors import Gone, NotFound
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.audit import AuditFilter

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop

HOUR = 3600


def link_id(number: int) -> str:
    return f"00000000-0000-4000-b000-{number:012d}"


def digest(number: int) -> bytes:
    return f"link {number}".encode()


def make(number: int, tenant_id: int = TENANT, seconds: int = HOUR, **terms: Any) -> CreatePortalLink:
    given: dict[str, Any] = {
        "subscriptions": (member_id(1), member_id(2)),
        "can": (Capability.TEST,),
        "embed": ("https://app.example.com",),
        "theme": Theme(name="Acme", radius=3),
        **terms,
    }
    return CreatePortalLink(
        tenant_id=tenant_id,
        link_id=link_id(number),
        url="https://gateway.example.com/portal/enter/secret",
        hash=digest(number),
        maker=Ground("key", "operator", b"proof"),
        created_by="operator",
        expires_in=seconds,
        name=f"Customer {number}",
        **given,
    )


def opens(number: int, tenant_id: int = TENANT) -> OpenPortalLink:
    return OpenPortalLink(tenant_id=tenant_id, link_id=link_id(number))


def revoke(number: int, tenant_id: int = TENANT) -> RevokePortalLink:
    return RevokePortalLink(tenant_id=tenant_id, link_id=link_id(number))


async def found(shop: "Shop", number: int) -> PortalLink:
    link = await shop.store.access.portal_link(link_id(number))
    assert link is not None
    return link


def test_a_link_is_found_by_id_and_token_with_all_its_terms_and_listed_by_tenant(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
        await shop.publish(make(1), make(2, subscriptions="all"), make(3, tenant_id=other))
        await shop.reopen()
        first, access = await found(shop, 1), shop.store.access
        assert await access.portal_link_with(digest(1)) == first
        assert await access.portal_link_with(digest(9)) is None
        assert (first.can, first.theme.radius) == ((Capability.VIEW, Capability.TEST), 3)
        assert first.ends_at == first.created_at + HOUR * SECOND
        assert [first.reaches(member_id(each)) for each in (1, 2, 3)] == [True, True, False]
        assert (await found(shop, 2)).reaches(member_id(3))
        assert [each.id for each in await shop.store.lists.page(PortalLink, TENANT, None, 9)] == [
            link_id(2),
            link_id(1),
        ]
        assert [each.id for each in await shop.store.lists.page(PortalLink, TENANT, first.number + 1, 9)] == [
            link_id(1)
        ]

    play(scenario)


def test_of_those_who_open_a_link_on_several_nodes_one_gets_in(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make(1))
        there = await shop.another()
        opened = await asyncio.gather(shop.publish(opens(1)), there.publish(opens(1)))
        results = [result for published in opened for result in published.results]
        assert sum(isinstance(result, Gone) for result in results) == 1
        assert isinstance(await refusal(shop, opens(1)), Gone)
        assert (await found(shop, 1)).is_in_use(shop.now)

    play(scenario)


def test_a_link_is_opened_in_time_and_not_after_it_was_revoked(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make(1), make(2), make(3, seconds=60), make(4))
        await shop.do(revoke(2))
        await shop.do(opens(4))
        assert isinstance(await refusal(shop, opens(2)), Gone)
        shop.now += 60 * SECOND
        assert isinstance(await refusal(shop, opens(3)), Gone)
        shop.now += OPEN_WITHIN - 60 * SECOND
        assert isinstance(await refusal(shop, opens(1)), Gone)
        assert (await found(shop, 4)).is_in_use(shop.now)
        shop.now += HOUR * SECOND
        assert not (await found(shop, 4)).is_in_use(shop.now)

    play(scenario)


def test_a_link_is_revoked_once_and_for_its_own_tenant_alone(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
        await shop.publish(make(1), opens(1))
        assert isinstance(await refusal(shop, revoke(1, other)), NotFound)
        await shop.do(revoke(1))
        assert not (await found(shop, 1)).is_in_use(shop.now)
        for again in (revoke(1), revoke(9)):
            assert isinstance(await refusal(shop, again), NotFound)

    play(scenario)


def test_links_that_have_ended_make_room_and_no_number_is_given_twice(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make(1), invite(1), make(2))
        numbers = {(await found(shop, 1)).number, (await found(shop, 2)).number}
        shop.now += HOUR * SECOND
        await shop.publish(make(3))
        assert [each.id for each in await shop.store.lists.page(PortalLink, TENANT, None, 9)] == [link_id(3)]
        await shop.publish(invite(2))
        member = await shop.store.access.member(member_id(2))
        assert member is not None
        assert len({*numbers, member.number, (await found(shop, 3)).number}) == 4

    play(scenario)


def test_links_end_with_their_tenant(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
        await shop.publish(make(1, tenant_id=other), make(2))
        erasure_id = "00000000-0000-4000-e000-000000000001"
        await shop.do(DeleteTenant(tenant_id=TENANT, name="other", erasure_id=erasure_id))
        assert await shop.store.access.portal_link(link_id(1)) is None
        assert (await found(shop, 2)).name == "Customer 2"

    play(scenario)


def test_the_audit_tells_of_links_without_their_tokens(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make(1), opens(1))
        await shop.do(revoke(1))
        page = await shop.store.audit.page(TENANT, AuditFilter(object=link_id(1)), 0, 9)
        told = b"\n".join(entry.content for entry in page.entries)
        for said in (b"portal-link.create", b"portal-link.open", b"portal-link.revoke", b"Customer 1", b'"test"'):
            assert said in told
        assert b"link 1" not in told
        assert b"enter/secret" not in told

    play(scenario)
