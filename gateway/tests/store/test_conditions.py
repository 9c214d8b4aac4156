"""The contract of a store: rows of conditions open, change and close with the notices that tell of them."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from gateway.tests.store.test_members import TENANT, refusal

from signalpost.commands.command import CompletedCommand
from signalpost.commands.documents import DocumentCommand
from signalpost.commands.notices import FollowCondition, MuteNotice, OpenCondition, WriteNotice
from signalpost.commands.tenants import CreateTenant, DeleteTenant
from signalpost.domain.access.tenant import OPERATIONS, OPERATIONS_TENANT
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.event import EventType
from signalpost.domain.operations.conditions import ConditionRow, Fact, Telling, What, document_of, id_of
from signalpost.domain.operations.kinds import Severity
from signalpost.domain.timestamps import DAY, HOUR, MINUTE
from signalpost.store.nouns.audit import AuditFilter

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

FAILING = "subscriptionFailing"


def fact(subject: str = "a", *, tenant_id: int = TENANT, kind: str = FAILING, since: int = 1) -> Fact:
    return Fact(kind=kind, tenant_id=tenant_id, subject=subject, name=f"Mine {subject}", since=since, detail="Why.")


def opening(*facts: Fact, tenant: str | None = None) -> list[OpenCondition]:
    """Commands that open conditions; those of tenants are of `default`, unless another one is named."""
    names = {OPERATIONS_TENANT: OPERATIONS, TENANT: "default"}
    return [
        OpenCondition(tenant_id=OPERATIONS_TENANT, tenant=tenant or names[each.tenant_id], fact=each) for each in facts
    ]


def following(of: Fact, now: Fact | None) -> FollowCondition:
    return FollowCondition(tenant_id=OPERATIONS_TENANT, condition_id=id_of(of.key), fact=now)


def telling(what: What, at: int, *facts: Fact) -> WriteNotice:
    return WriteNotice(
        tenant_id=OPERATIONS_TENANT,
        telling=Telling(what, facts[0].kind, tuple(id_of(each.key) for each in facts)),
        looked_at=at,
        tenants={TENANT: "default"},
        public_url="https://gateway.example.com",
    )


def mute(of: Fact, hours: int) -> MuteNotice:
    return MuteNotice(tenant_id=OPERATIONS_TENANT, condition_id=id_of(of.key), hours=hours)


async def kept(shop: "Shop") -> Sequence[ConditionRow]:
    return await shop.store.lists.every(ConditionRow)


async def told(shop: "Shop") -> list[dict[str, object]]:
    """The notices in the log, oldest first."""
    part = await shop.store.log.after(OPERATIONS_TENANT, 0, 100)
    return [msgspec.json.decode(event.body)["data"]["notice"] for event in part.events]


async def written(shop: "Shop", *commands: WriteNotice | FollowCondition) -> list[bool]:
    """Whether each of these commands wrote a notice."""
    results = (await shop.publish(*commands)).results
    return [isinstance(each, CompletedCommand) and getattr(each.result, "notice", None) is not None for each in results]


def test_every_database_has_the_tenant_of_notices_which_keeps_them_for_90_days(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        [operations] = [each for each in await shop.store.access.tenants() if each.name == OPERATIONS]
        assert (operations.id, operations.retention_days) == (OPERATIONS_TENANT, 90)
        await shop.do(CreateTenant(tenant_id=TENANT, name="next"))
        assert [each.id for each in await shop.store.access.tenants() if each.name == "next"] == [2]

    play(scenario)


def test_a_condition_opens_once_is_told_and_closes_with_its_row(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a, b = fact("a"), fact("b", since=2)
        await shop.publish(*opening(a, b, a))
        await shop.publish(*opening(a))
        await shop.reopen()
        assert [(each.subject, each.since, each.told_at, each.detail) for each in await kept(shop)] == [
            ("a", 1, None, "Why."),
            ("b", 2, None, "Why."),
        ]
        await shop.do(telling(What.OPENED, shop.now, a, b))
        assert {each.told_at for each in await kept(shop)} == {shop.now}

        await shop.publish(following(a, None))
        shop.now += 9 * MINUTE
        await shop.publish(following(a, None))  # by another look, which changes nothing
        shop.now += MINUTE
        await shop.do(telling(What.CLOSED, shop.now, a))
        assert [each.subject for each in await kept(shop)] == ["b"]
        opened, closed = await told(shop)
        assert (opened["what"], opened["count"], opened["action"]) == ("opened", 2, "trigger")
        assert (closed["what"], closed["count"], closed["action"]) == ("closed", 1, "trigger")

    play(scenario)


def test_what_two_nodes_tell_at_the_same_time_is_told_once(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a = fact()
        await shop.publish(*opening(a))
        again = await shop.another()
        assert await written(shop, telling(What.OPENED, shop.now, a)) == [True]
        assert await written(again, telling(What.OPENED, shop.now, a)) == [False]
        shop.now += DAY
        assert await written(shop, *(telling(What.STILL, shop.now - 1, a) for _ in range(2))) == [True, False]
        assert [each["what"] for each in await told(shop)] == ["opened", "still"]

    play(scenario)


def test_what_came_back_since_the_look_that_found_it_over_is_not_resolved_with_the_others(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a, b = fact("a"), fact("b")
        await shop.publish(*opening(a, b))
        await shop.publish(telling(What.OPENED, shop.now, a, b), following(a, None), following(b, None))
        shop.now += HOUR
        assert await written(shop, following(b, b), telling(What.CLOSED, shop.now, a, b)) == [False, True]
        assert [each.subject for each in await kept(shop)] == ["b"]
        assert [(each["what"], each["count"], each["action"]) for each in await told(shop)] == [
            ("opened", 2, "trigger"),
            ("closed", 1, "trigger"),
        ]

    play(scenario)


def test_of_a_kind_of_which_another_node_told_more_meanwhile_not_all_is_resolved(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a, b = fact("a"), fact("b")
        await shop.publish(*opening(a))
        await shop.publish(telling(What.OPENED, shop.now, a), following(a, None))
        shop.now += HOUR
        late = telling(What.CLOSED, shop.now, a)  # by a node that stood still since it looked
        other = await shop.another()
        await other.publish(*opening(b))
        await other.publish(telling(What.OPENED, shop.now, b))
        assert await written(shop, late) == [True]
        await shop.publish(following(b, None))
        shop.now += HOUR
        await shop.publish(*opening(fact("c")))  # no one knows of it yet
        assert await written(other, telling(What.CLOSED, shop.now, b)) == [True]
        assert [(each["what"], each["action"]) for each in await told(shop)] == [
            ("opened", "trigger"),
            ("opened", "trigger"),
            ("closed", "trigger"),
            ("closed", "resolve"),
        ]

    play(scenario)


def test_of_two_nodes_that_both_tell_that_something_is_over_one_does(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a, b = fact("a"), fact("b")
        await shop.publish(*opening(a, b))
        await shop.publish(telling(What.OPENED, shop.now, a, b), following(a, None), following(b, None))
        shop.now += HOUR
        other, told_by = await shop.another(), telling(What.CLOSED, shop.now, a, b)
        found = await asyncio.gather(written(shop, told_by, told_by), written(other, told_by))
        assert sorted(each for part in found for each in part) == [False, False, True]
        assert [(each["what"], each["count"]) for each in await told(shop)] == [("opened", 2), ("closed", 2)]

    play(scenario)


def test_what_came_back_before_its_end_was_written_does_not_close(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a = fact()
        await shop.publish(*opening(a))
        await shop.publish(telling(What.OPENED, shop.now, a), following(a, None))
        shop.now += HOUR
        await shop.publish(following(a, a), telling(What.CLOSED, shop.now, a))
        [row] = await kept(shop)
        assert (row.absent_since, len(await told(shop))) == (None, 1)

    play(scenario)


def test_what_nobody_was_told_of_closes_without_a_word(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a = fact()
        await shop.publish(*opening(a))
        await shop.publish(following(a, None))
        shop.now += HOUR
        await shop.publish(telling(What.CLOSED, shop.now, a))
        assert (await kept(shop), await told(shop)) == ([], [])

    play(scenario)


def test_what_has_become_worse_is_to_be_told_again(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a = fact(kind="retentionNear")
        worse = msgspec.structs.replace(a, severity=Severity.CRITICAL)
        await shop.publish(*opening(a))
        await shop.publish(telling(What.OPENED, shop.now, a))
        await shop.publish(following(a, worse))
        [row] = await kept(shop)
        assert (row.severity, row.told_at) == (Severity.CRITICAL, 0)
        await shop.publish(telling(What.STILL, shop.now, a))
        assert [each["severity"] for each in await told(shop)] == ["warning", "critical"]

    play(scenario)


def test_notices_of_a_kind_are_events_of_one_document_in_the_log_of_operations(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a = fact()
        await shop.publish(*opening(a))
        await shop.publish(telling(What.OPENED, shop.now, a))
        [event] = (await shop.store.log.after(OPERATIONS_TENANT, 0, 9)).events
        assert (event.type, event.document_id) == (EventType.NOTICE, document_of(FAILING))
        body = msgspec.json.decode(event.body)
        assert list(body) == ["id", "type", "createdAt", "data"]
        assert (body["type"], list(body["data"])) == ("notice", ["notice"])
        assert await shop.store.log.by_id(OPERATIONS_TENANT, event.id) == event
        assert not (await shop.store.log.after(TENANT, 0, 9)).events

    play(scenario)


def test_a_mute_is_in_the_audit_of_the_tenant_that_it_is_about_and_looks_are_not(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        a = fact()
        await shop.publish(*opening(a))
        await shop.do(mute(a, 8))
        [row] = await kept(shop)
        assert row.muted_until == shop.now + 8 * HOUR
        page = await shop.store.audit.page(TENANT, AuditFilter(object=id_of(a.key)), 0, 9)
        [entry] = page.entries
        assert b"notice.mute" in entry.content
        assert b"mutedUntil" in entry.content
        await shop.do(mute(a, 0))
        assert [each.muted_until for each in await kept(shop)] == [None]
        assert isinstance(await refusal(shop, mute(fact("b"), 8)), NotFound)

    play(scenario)


def test_conditions_of_a_deleted_tenant_stay_without_it_until_they_are_told_to_be_over(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
        of_other = fact("a", tenant_id=other)
        await shop.publish(*opening(of_other, tenant="other"), *opening(fact("b")))
        await shop.do(telling(What.OPENED, shop.now, of_other))
        erasure_id = "00000000-0000-4000-e000-000000000001"
        await shop.do(DeleteTenant(tenant_id=TENANT, name="other", erasure_id=erasure_id))
        assert [(each.subject, each.tenant_id) for each in await kept(shop)] == [
            ("a", OPERATIONS_TENANT),
            ("b", TENANT),
        ]
        await shop.do(following(of_other, None))
        shop.now += HOUR
        await shop.do(telling(What.CLOSED, shop.now, of_other))
        assert [each.subject for each in await kept(shop)] == ["b"]
        assert [(each["what"], each["tenant"]) for each in await told(shop)] == [("opened", None), ("closed", None)]

    play(scenario)


def test_no_condition_opens_about_a_tenant_that_was_deleted_meanwhile(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        [other] = [each.id for each in await shop.store.access.tenants() if each.name == "other"]
        erasure_id = "00000000-0000-4000-e000-000000000001"
        await shop.do(DeleteTenant(tenant_id=TENANT, name="other", erasure_id=erasure_id))
        [late] = opening(fact("a", tenant_id=other), tenant="other")
        assert isinstance(await refusal(shop, late), NotFound)
        assert await kept(shop) == []

    play(scenario)


def test_a_tenant_lists_its_own_conditions_alone(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(*opening(fact("a"), fact("gateway", tenant_id=OPERATIONS_TENANT, kind="backupOld")))
        assert [each.subject for each in await shop.store.lists.page(ConditionRow, TENANT, None, 9)] == ["a"]
        assert len(await shop.store.lists.page(ConditionRow, None, None, 9)) == 2

    play(scenario)


def test_every_condition_is_read_as_it_is_kept_however_many_reads_that_takes(play: "Play") -> None:
    count = 1_003  # a whole read, and one that goes on after it

    async def scenario(shop: "Shop") -> None:
        await shop.publish(*opening(*(fact(str(number)) for number in range(count))))
        lists = shop.store.lists
        packed = await lists.every_packed(ConditionRow)
        assert [*lists.unpacked(ConditionRow, packed)] == await lists.every(ConditionRow)
        assert len(packed) == count

    play(scenario)


def test_operations_takes_no_documents_and_is_never_deleted(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        document = msgspec.structs.replace(make.create(1), tenant_id=OPERATIONS_TENANT)
        assert isinstance(document, DocumentCommand)
        assert isinstance(await refusal(shop, document), Conflict)
        erasure_id = "00000000-0000-4000-e000-000000000001"
        delete = DeleteTenant(tenant_id=TENANT, name=OPERATIONS, erasure_id=erasure_id)
        assert isinstance(await refusal(shop, delete), Conflict)

    play(scenario)
