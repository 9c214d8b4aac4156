"""The contract of a store: members are changed by commands, and found by id, address and invitation."""

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.tests.store.conftest import act, create
from msgspec.structs import replace

from signalpost.commands.keys import CreateKey
from signalpost.commands.members import (
    AcceptInvitation,
    ChangeMember,
    ChangePassword,
    InviteMember,
    RemoveMember,
    ResetMember,
)
from signalpost.commands.tenants import CreateTenant, DeleteTenant
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.member import INVITATION_LIFETIME, Member
from signalpost.domain.errors import Conflict, Gone, NotFound
from signalpost.store.nouns.audit import AuditFilter

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop

TENANT = 1


def member_id(number: int) -> str:
    return f"00000000-0000-4000-d000-{number:012d}"


def invitation(number: int) -> bytes:
    return f"invitation {number}".encode()


def invite(number: int, email: str | None = None, tenant_id: int = TENANT) -> InviteMember:
    return InviteMember(
        tenant_id=tenant_id,
        tenant="t",
        member_id=member_id(number),
        name=f"Member {number}",
        email=email or f"{number}@example.com",
        role=Role.VIEWER,
        url="https://gateway.example.com/console/join/secret",
        invitation=invitation(number),
    )


def accept(number: int, password: str = "hash") -> AcceptInvitation:
    return AcceptInvitation(
        tenant_id=TENANT, member_id=member_id(number), invitation=invitation(number), password=password
    )


def the(number: int) -> dict[str, Any]:
    return {"tenant_id": TENANT, "member_id": member_id(number)}


async def found(shop: "Shop", number: int) -> Member:
    member = await shop.store.access.member(member_id(number))
    assert member is not None
    return member


async def refusal(shop: "Shop", command: Any) -> Any:
    [result] = (await shop.publish(command)).results
    return result


def test_a_member_is_found_by_id_address_and_invitation_and_listed_by_tenant(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
        await shop.publish(invite(1), invite(2), invite(3, tenant_id=other))
        await shop.reopen()
        access = shop.store.access
        first = await found(shop, 1)
        assert (first.name, first.role, first.is_active) == ("Member 1", Role.VIEWER, False)
        assert first.invited_until == first.created_at + INVITATION_LIFETIME
        assert await access.member_with("1@example.com") == first
        assert await access.member_invited(invitation(1)) == first
        assert await access.member_with("nobody@example.com") is None
        assert [each.id for each in await shop.store.lists.page(Member, None, None, 2)] == [member_id(3), member_id(2)]
        assert [each.id for each in await shop.store.lists.page(Member, TENANT, None, 9)] == [
            member_id(2),
            member_id(1),
        ]
        assert [each.id for each in await shop.store.lists.page(Member, None, first.number + 1, 9)] == [member_id(1)]

    play(scenario)


def test_no_two_members_have_one_address_whichever_tenants_and_nodes_they_come_through(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
        there = await shop.another()
        invited = [shop.publish(invite(1, "a@b.c")), there.publish(invite(2, "a@b.c", other))]
        results = [result for published in await asyncio.gather(*invited) for result in published.results]
        assert sum(isinstance(result, Conflict) for result in results) == 1
        [kept] = await shop.store.lists.page(Member, None, None, 9)
        assert (await shop.publish(RemoveMember(tenant_id=TENANT, member_id=kept.id))).results
        await shop.do(invite(3, "a@b.c"))

    play(scenario)


def test_members_and_keys_have_their_numbers_from_one_sequence(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        key = CreateKey(tenant_id=TENANT, tenant="t", key_id=member_id(9), name="k", role=Role.APP, key="sp_1")
        await shop.publish(invite(1), key, invite(2), replace(key, key_id=member_id(8), key="sp_2"))
        await shop.publish(invite(3))
        numbers = [each.number for each in await shop.store.access.keys()]
        numbers += [each.number for each in await shop.store.lists.page(Member, None, None, 9)]
        assert len({*numbers}) == 5

    play(scenario)


def test_an_invitation_sets_a_password_once_and_in_time(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(invite(1), invite(2))
        await shop.do(accept(1))
        joined = await found(shop, 1)
        assert (joined.is_active, joined.password, joined.generation) == (True, "hash", 2)
        assert isinstance(await refusal(shop, accept(1, "another")), Gone)
        assert await shop.store.access.member_invited(invitation(1)) is None
        shop.now += INVITATION_LIFETIME
        assert isinstance(await refusal(shop, accept(2)), Gone)
        assert (await found(shop, 1)).password == "hash"

    play(scenario)


def test_what_a_member_could_do_before_ends_with_another_role_password_or_reset_but_not_with_another_name(
    play: "Play",
) -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(invite(1), accept(1))
        generations = []
        for command in (
            ChangeMember(tenant="t", name="Ada", **the(1)),
            ChangeMember(tenant="t", role=Role.VIEWER, **the(1)),
            ChangeMember(tenant="t", role=Role.OPERATOR, **the(1)),
            ChangePassword(generation=3, password="next", **the(1)),
            ResetMember(url="u", invitation=invitation(7), **the(1)),
        ):
            await shop.do(command)
            generations.append((await found(shop, 1)).generation)
        assert generations == [2, 2, 3, 4, 5]
        assert not (await found(shop, 1)).is_active
        stale = ChangePassword(generation=4, password="late", **the(1))
        assert isinstance(await refusal(shop, stale), Conflict)

    play(scenario)


def test_whoever_is_removed_keeps_a_name_alone_and_is_not_there_for_further_changes(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(invite(1), accept(1))
        await shop.do(RemoveMember(**the(1)))
        gone = await found(shop, 1)
        assert (gone.name, gone.email, gone.password, gone.is_active) == ("Member 1", "", None, False)
        assert await shop.store.lists.page(Member, None, None, 9) == []
        for command in (RemoveMember(**the(1)), ChangeMember(tenant="t", **the(1)), RemoveMember(**the(5))):
            assert isinstance(await refusal(shop, command), NotFound)

    play(scenario)


def test_histories_and_the_log_name_the_member_who_asked_for_a_change(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(invite(1))
        caller = (await found(shop, 1)).number
        await shop.publish(replace(create(1), caller=caller), act(1, "pause", caller=caller))
        names = {each.caller for each in await shop.history(1)}
        assert names == {"Member 1"}
        assert await shop.store.log.callers(TENANT, [1, 2]) == {1: "Member 1", 2: "Member 1"}

    play(scenario)


def test_a_call_for_one_tenant_finds_no_member_of_another(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
        await shop.publish(invite(1))
        for_other = RemoveMember(tenant_id=other, member_id=member_id(1), within=other)
        assert isinstance(await refusal(shop, for_other), NotFound)
        assert not isinstance(await refusal(shop, replace(for_other, within=None)), Exception)

    play(scenario)


def test_members_end_with_their_tenant_and_nothing_is_left_of_them(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
        await shop.publish(invite(1, tenant_id=other), invite(2))
        erasure_id = "00000000-0000-4000-e000-000000000001"
        await shop.do(DeleteTenant(tenant_id=TENANT, name="other", erasure_id=erasure_id))
        gone = await found(shop, 1)
        assert (gone.name, gone.email, gone.invitation, gone.is_active) == ("", "", None, False)
        assert gone.removed_at is not None
        assert [each.id for each in await shop.store.lists.page(Member, None, None, 9)] == [member_id(2)]

    play(scenario)


def test_the_audit_tells_of_members_without_their_secrets(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(invite(1), accept(1, "hash of a password"))
        page = await shop.store.audit.page(TENANT, AuditFilter(object=member_id(1)), 0, 9)
        told = b"\n".join(entry.content for entry in page.entries)
        assert [b"member.invite" in told, b"member.join" in told, b"1@example.com" in told] == [True] * 3
        assert b"hash of" not in told
        assert b"join/secret" not in told

    play(scenario)
