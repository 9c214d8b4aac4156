"""The contract of a store: several nodes on one database know what each of them owns, and learn of what others
commit."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from signalpost.commands.command import Command
from signalpost.commands.erasures import EraseDocument
from signalpost.commands.keys import CreateKey, RevokeKey
from signalpost.commands.tenants import ChangeTenant, CreateTenant, DeleteTenant
from signalpost.domain.access import api_key
from signalpost.domain.access.tenant import OPERATIONS_TENANT, Tenant
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.fleet import Changes, NodeProcess, NodeRole, NodeRow, TenantMark
from signalpost.store.nouns.lanes import LaneNow, LaneStanding, LaneWanted

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

    from signalpost.domain.subscription import Subscription
    from signalpost.store.nouns.fleet import Beat
    from signalpost.store.nouns.lanes import LaneRow

TENANT = 1
KEY = "00000000-0000-4000-a000-000000000001"
ERASURE = "00000000-0000-4000-b000-000000000001"


async def join(shop: "Shop", role: NodeRole = NodeRole.ALL) -> int:
    return await shop.store.fleet.join(role, "1.0")


async def two_nodes(shop: "Shop") -> "tuple[Shop, int, int]":
    """Another node, and the numbers of both."""
    other = await shop.another()
    return other, await join(shop), await join(other)


async def beat(shop: "Shop") -> "Beat":
    found = await shop.store.fleet.beat()
    assert found is not None
    return found


async def remove(shop: "Shop", number: int) -> None:
    """Remove a node that is dead."""
    await shop.store.fleet.remove_dead([node for node in (await beat(shop)).nodes if node.id == number])


async def claim(shop: "Shop", subscription: "Subscription") -> "LaneRow | None":
    claimed = await shop.store.fleet.claim([LaneWanted(subscription, 1000)])
    return claimed.get(subscription.number)


async def owner(shop: "Shop", subscription: "Subscription") -> int | None:
    return (await shop.store.fleet.owners([subscription.number]))[subscription.number]


async def version(shop: "Shop", tenant_id: int = TENANT) -> int:
    return (await shop.store.fleet.marks())[tenant_id].config_version


# --- Nodes ------------------------------------------------------------------------------------------------------------


def test_every_node_that_joins_has_a_number_of_its_own(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other, first, second = await two_nodes(shop)
        await other.store.fleet.leave()
        third = await join(other)
        assert len({first, second, third}) == 3
        assert (shop.store.fleet.node_id, other.store.fleet.node_id) == (first, third)

    play(scenario)


def test_operators_see_where_each_node_runs_what_it_owns_and_whether_it_is_ending(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.another()
        first = await shop.store.fleet.join(NodeRole.ALL, "1.0", NodeProcess("east", 41))
        second = await other.store.fleet.join(NodeRole.API, "1.1", NodeProcess("west", 42))
        await shop.store.fleet.beat(lanes=7)
        await other.store.fleet.drain()
        [one, two] = await other.store.fleet.nodes()
        assert (one.id, one.role, one.program, one.process, one.lanes, one.is_draining) == (
            first, NodeRole.ALL, "1.0", NodeProcess("east", 41), 7, False
        )  # fmt: skip
        assert (two.id, two.role, two.program, two.process, two.lanes, two.is_draining) == (
            second, NodeRole.API, "1.1", NodeProcess("west", 42), 0, True
        )  # fmt: skip
        assert all(node.joined_at <= node.beat_at for node in (one, two))
        assert all(0 <= node.silent_for < 60 * SECOND for node in (one, two))
        assert [node.is_draining for node in (await beat(shop)).nodes] == [False, True]

    play(scenario)


def test_a_beat_shows_the_birth_of_each_process(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.another()
        await shop.store.fleet.join(NodeRole.ALL, "1.0", NodeProcess("east", 41, "boot 41 1700"))
        await join(other)
        assert [node.birth for node in (await beat(other)).nodes] == ["boot 41 1700", ""]

    play(scenario)


def test_a_beat_counts_and_shows_every_node_that_is_there(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.another()
        first, second = await join(shop), await join(other, NodeRole.API)
        assert (await beat(shop)).nodes == (NodeRow(first, 1, NodeRole.ALL), NodeRow(second, 0, NodeRole.API))
        assert (await beat(other)).number == 1
        assert (await beat(shop)).nodes == (NodeRow(first, 2, NodeRole.ALL), NodeRow(second, 1, NodeRole.API))
        await other.store.fleet.leave()
        found = await beat(shop)
        assert (found.number, [node.id for node in found.nodes]) == (3, [first])

    play(scenario)


def test_the_history_of_a_database_stays_the_same_while_nothing_is_lost(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other, *_ = await two_nodes(shop)
        before = (await beat(shop)).history
        await other.do(make.create(1))
        assert (await beat(shop)).history == (await beat(other)).history == before
        assert await shop.store.fleet.history() == before

    play(scenario)


def test_where_a_number_was_given_again_a_node_leaves_the_row_of_another_alone(play: "Play") -> None:
    """A database that went back has forgotten which numbers it gave."""

    async def scenario(shop: "Shop") -> None:
        other, first, second = await two_nodes(shop)
        shop.meddle(f"UPDATE node SET joined_at = joined_at + 1 WHERE id = {second}")
        await other.store.fleet.drain()
        assert await other.store.fleet.beat() is None
        await other.store.fleet.leave()
        assert (await beat(shop)).nodes == (NodeRow(first, 1, NodeRole.ALL), NodeRow(second, 0, NodeRole.ALL))

    play(scenario)


def test_a_node_that_begins_anew_seals_with_no_data_key_that_the_database_has_lost(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await join(shop)
        await shop.subscribe(1)
        shop.meddle("DELETE FROM data_key WHERE purpose = 'sealing'")
        shop.meddle("DELETE FROM lane")
        shop.meddle("DELETE FROM subscription")
        await shop.store.fleet.leave()
        await join(shop)
        made = await shop.subscribe(2)
        assert (await (await shop.another()).subscription(2)) == made

    play(scenario)


def test_a_dead_node_is_removed_and_learns_of_that_with_its_next_beat(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other, first, second = await two_nodes(shop)
        await beat(other)
        await remove(shop, second)
        assert await other.store.fleet.beat() is None
        assert [node.id for node in (await beat(shop)).nodes] == [first]

    play(scenario)


def test_a_node_that_beat_again_since_it_was_seen_is_not_removed(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other, _, second = await two_nodes(shop)
        seen = [node for node in (await beat(shop)).nodes if node.id == second]
        await beat(other)
        await shop.store.fleet.remove_dead(seen)
        assert (await beat(other)).number == 2

    play(scenario)


# --- Lanes ------------------------------------------------------------------------------------------------------------


def test_a_lane_belongs_to_the_node_that_made_its_subscription_unless_that_owns_none(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        nobodys = await shop.subscribe(1)
        worker, api = await shop.another(), await shop.another()
        node = await join(worker, NodeRole.WORKER)
        await join(api, NodeRole.API)
        assert (await worker.publish(make.subscribe(2))).owner == node
        assert (await api.publish(make.subscribe(3))).owner is None
        numbers = [nobodys.number, (await shop.subscription(2)).number, (await shop.subscription(3)).number]
        owners = await shop.store.fleet.owners([*numbers, 7_777])
        assert owners == dict(zip(numbers, (None, node, None), strict=True))

    play(scenario)


def test_a_lane_that_nobody_owns_is_claimed_and_loaded_once(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(3)
        other, first, _ = await two_nodes(shop)
        claimed = await claim(shop, subscription)
        assert claimed is not None
        assert (claimed.version, claimed.head, claimed.owner) == (1, 0, first)
        assert claimed == await shop.lane(subscription)
        assert await claim(other, subscription) is None
        assert await owner(other, subscription) == first

    play(scenario)


def test_a_claim_may_be_repeated_by_the_node_whose_claim_it_was(play: "Play") -> None:
    """A node cannot know whether a claim took effect of which it had no answer."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await join(shop)
        first, second = await claim(shop, subscription), await claim(shop, subscription)
        assert first is not None
        assert second is not None
        assert (first.version, second.version) == (1, 2)

    play(scenario)


def test_a_lane_is_recorded_by_the_node_that_owns_it_alone(play: "Play", make: "type[Tools]") -> None:
    """After a failover that lost commits, a lane may reach the version again that a node remembers of it. That node has
    another number by then, or none."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        other, _, second = await two_nodes(shop)
        assert await claim(other, subscription)
        flush = make.flush(subscription, 1, 8)
        assert await shop.record(flush) == {}
        await shop.store.fleet.leave()
        assert await shop.record(flush) == {}
        lane = await shop.lane(subscription)
        assert (lane.version, lane.head, lane.owner) == (1, 0, second)
        assert await other.record(flush)

    play(scenario)


def test_a_lane_that_was_released_may_be_claimed_with_all_that_was_recorded(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        other, _, second = await two_nodes(shop)
        assert await claim(shop, subscription)
        waiting = Row(2, make.document_id(1), State.AWAITING_RETRY, shop.now + SECOND, 1, 4, 0, None)
        await shop.record(make.flush(subscription, 1, 8, open=(5,), rows=[waiting]))
        await other.store.fleet.release([subscription.number])
        assert await claim(other, subscription) is None, "only its owner lets go of a lane"
        await shop.store.fleet.release([subscription.number, 7_777])
        assert await owner(shop, subscription) is None
        claimed = await claim(other, subscription)
        assert claimed is not None
        assert (claimed.version, claimed.head, claimed.owner, claimed.rows) == (3, 8, second, (waiting,))
        assert [sequence for sequence, _ in claimed.open] == [5]

    play(scenario)


def test_what_a_former_owner_records_does_not_apply(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        other, first, second = await two_nodes(shop)
        assert await claim(shop, subscription)
        await remove(other, first)
        assert await claim(other, subscription)
        assert await shop.record(make.flush(subscription, 1, 9)) == {}
        assert set(await other.record(make.flush(subscription, 2, 4))) == {subscription.number}
        lane = await shop.lane(subscription)
        assert (lane.head, lane.owner) == (4, second)

    play(scenario)


def test_a_node_that_is_not_there_any_more_claims_nothing(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        other, first, _ = await two_nodes(shop)
        await remove(other, first)
        assert await claim(shop, subscription) is None
        assert await owner(other, subscription) is None
        await join(shop)
        assert await claim(shop, subscription)

    play(scenario)


def test_what_a_node_that_left_owned_may_be_claimed(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        other, *_ = await two_nodes(shop)
        assert await claim(shop, subscription)
        await shop.store.fleet.leave()
        assert await claim(other, subscription)

    play(scenario)


def test_the_lane_of_a_deleted_subscription_is_not_there(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await join(shop)
        await shop.do(make.unsubscribe())
        assert await claim(shop, subscription) is None
        assert await shop.store.fleet.owners([subscription.number]) == {}
        assert await shop.store.fleet.inbox([subscription.number]) == {}
        assert await shop.store.lanes.head(subscription) is None
        assert await shop.store.lanes.standings(TENANT, [subscription]) == {}

    play(scenario)


def test_an_inbox_has_retries_and_replays_that_are_not_done_and_the_lanes_version(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(3)
        other, *_ = await two_nodes(shop)
        await claim(shop, subscription)
        await other.do(make.retry(1))
        await other.do(make.retry(2))
        await other.do(make.replay(1))
        inbox = (await shop.store.fleet.inbox([subscription.number]))[subscription.number]
        assert inbox.version == 1
        assert [retry.sequence for retry in inbox.retries] == [1, 2]
        assert [replay.from_sequence for replay in inbox.replays] == [1]
        await shop.record(make.flush(subscription, 1, 3, retries_done=(inbox.retries[0].number,)))
        await other.do(make.cancel(1))
        inbox = (await shop.store.fleet.inbox([subscription.number]))[subscription.number]
        assert (inbox.version, [retry.sequence for retry in inbox.retries], inbox.replays) == (2, [2], ())

    play(scenario)


def test_a_standing_tells_of_a_lane_what_people_ask_wherever_its_owner_is(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(eventTypes=1)
        await shop.fill(10)
        other, *_ = await two_nodes(shop)

        async def standing() -> LaneStanding:
            return (await other.store.lanes.standings(TENANT, [subscription]))[subscription.number]

        assert await standing() == LaneStanding(has_node=True, left_at=0), "whoever owns it says more"
        await claim(shop, subscription)
        rows = [
            Row(1, make.document_id(0), State.AWAITING_RETRY, shop.now + 9, 1, 4, 0, None),
            Row(2, make.document_id(1), State.AWAITING_RETRY, shop.now + 5, 1, 4, 0, None),
            Row(3, make.document_id(2), State.FAILED, 0, 4, 4, 0, None),
        ]
        await shop.record(make.flush(subscription, 1, 4, open=(4,), rows=rows))
        now = LaneNow(unread=6, in_flight=1, oldest_due=shop.now + 5, trouble="It hurts.")
        await shop.store.lanes.write_down({subscription.number: now})
        await other.store.lanes.write_down({subscription.number: LaneNow(unread=99)})  # it is not the owner
        found = await standing()
        assert (found.has_node, found.open, tuple(found.counts), found.now) == (True, 1, (2, 0, 1), now)
        assert await other.store.lanes.head(subscription) == 4
        assert found.left_at is None, "its owner counts what it has not read"
        await shop.store.fleet.release([subscription.number])
        assert await standing() == replace(found, left_at=4), "while it moves to another node, it does as it did"

    play(scenario)


def test_a_standing_tells_where_the_owner_left_a_lane_once_that_is_gone(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(eventTypes=1)
        await shop.fill(10)
        other, lost, _ = await two_nodes(shop)

        async def left_at() -> int | None:
            return (await other.store.lanes.standings(TENANT, [subscription]))[subscription.number].left_at

        assert await left_at() == 0, "nobody has owned it yet"
        await claim(shop, subscription)
        await shop.record(make.flush(subscription, 1, 4))
        assert await left_at() is None
        await remove(other, lost)
        assert await left_at() == 4

    play(scenario)


def test_a_lane_without_an_owner_has_no_node_once_no_worker_is_left(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(eventTypes=1)
        other = await shop.another()
        await join(shop, NodeRole.WORKER)
        await join(other, NodeRole.API)

        async def has_node() -> bool:
            return (await other.store.lanes.standings(TENANT, [subscription]))[subscription.number].has_node

        assert await has_node()
        await claim(shop, subscription)
        await shop.store.fleet.drain()
        assert await has_node(), "it has yet to be handed over"
        await shop.store.fleet.release([subscription.number])
        assert not await has_node()

    play(scenario)


# --- What others commit -----------------------------------------------------------------------------------------------


def test_marks_tell_how_far_each_tenant_is(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other, *_ = await two_nodes(shop)
        empty = await shop.add_tenant()
        await shop.fill(4)
        marks = await other.store.fleet.marks()
        assert marks[empty] == TenantMark(0, 0, 0)
        assert marks[TENANT].last_sequence == 4
        assert (await beat(other)).marks == marks
        assert await other.store.fleet.marks() == marks, "nothing has changed"
        await shop.fill(1)
        assert (await other.store.fleet.marks())[TENANT].last_sequence == 5
        await shop.do(CreateTenant(tenant_id=TENANT, name="acme"))
        await shop.do(DeleteTenant(tenant_id=TENANT, name="acme", erasure_id=ERASURE))
        assert set(await other.store.fleet.marks()) == {OPERATIONS_TENANT, TENANT, empty}

    play(scenario)


def test_the_version_of_a_configuration_rises_with_all_that_nodes_keep_in_memory(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        assert await version(shop) == 0
        changes: list[Command[Any]] = [
            make.subscribe(),
            make.change(eventTypes=3),
            make.create(1),
            make.delete(1),
            make.retry(1),
            make.replay(1),
            make.cancel(1),
            EraseDocument(tenant_id=TENANT, erasure_id=ERASURE, document_id=make.document_id(1), tenant="default"),
            make.unsubscribe(),
        ]
        versions = []
        for change in changes:
            await shop.do(change)
            versions.append(await version(shop))
        assert versions == [1, 2, 2, 2, 3, 4, 5, 6, 7], "a document is nothing that nodes keep"

    play(scenario)


def test_a_batch_tells_the_marks_before_and_after_it(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other, *_ = await two_nodes(shop)
        published = await shop.publish(make.create(1), make.create(2))
        assert published.marks[TENANT] == (0, TenantMark(2, 0, 0))
        published = await other.publish(make.subscribe(1), make.subscribe(2), make.create(3))
        assert published.marks[TENANT] == (0, TenantMark(3, 1, 0))
        published = await shop.publish(make.change(eventTypes=3))
        assert published.marks[TENANT] == (1, TenantMark(3, 2, 0))

    play(scenario)


def test_a_page_tells_how_far_the_log_went_as_of_one_moment(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.subscribe()
        await shop.fill(10)
        await shop.store.retention.prune_log(TENANT, 4, 100)
        page = await shop.store.log.after(TENANT, 0, 3)
        assert [event.sequence for event in page.events] == [4, 5, 6]
        assert (page.floor, page.last, page.config_version) == (4, 10, 1)
        assert (await shop.store.log.after(TENANT, 10, 3)).events == []

    play(scenario)


def test_news_are_what_follows_in_the_logs_of_many_tenants(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other, *_ = await two_nodes(shop)
        second = await shop.add_tenant()
        await shop.fill(5)
        await shop.do(make.create(1, tenant=second))
        news = await other.store.fleet.news({TENANT: 1, second: 0}, limit=3)
        assert {number: [e.sequence for e in page.events] for number, page in news.items()} == {
            TENANT: [2, 3, 4],
            second: [1],
        }
        assert (news[TENANT].floor, news[TENANT].last, news[second].last) == (1, 5, 1)

    play(scenario)


def test_news_that_are_large_come_in_parts(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        tenants = [TENANT, *[await shop.add_tenant() for _ in range(6)]]
        for tenant in tenants:
            await shop.publish(*(make.create(n, tenant=tenant, title="x" * 500_000) for n in range(4)))
        seen, read = dict.fromkeys(tenants, 0), []
        while missing := {tenant: sequence for tenant, sequence in seen.items() if sequence < 4}:
            news = await shop.store.fleet.news(missing, limit=100)
            read.append(sum(len(page.events) for page in news.values()))
            for tenant, page in news.items():
                assert page.events, "each part has something"
                seen[tenant] = page.events[-1].sequence
        assert sum(read) == 4 * len(tenants)
        assert max(read) < 4 * len(tenants)

    play(scenario)


def test_a_configuration_has_all_of_a_tenant_that_nodes_keep_in_memory(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other, *_ = await two_nodes(shop)
        second = await shop.add_tenant()
        await shop.do(make.subscribe(1))
        await shop.do(make.subscribe(2))
        await shop.do(make.subscribe(3, tenant=second))
        await shop.do(make.unsubscribe(1))
        await shop.do(make.create(1))
        await shop.do(make.delete(1))
        erase = EraseDocument(tenant_id=TENANT, erasure_id=ERASURE, document_id=make.document_id(1), tenant="default")
        await shop.do(erase)
        config = await other.store.fleet.config(TENANT)
        assert config is not None
        assert config.version == config.tenant.config_version == await version(shop)
        assert [each.id for each in config.subscriptions] == [make.subscription_id(2)]
        assert config.subscriptions[0] == await shop.subscription(2), "with its secret, which another node sealed"
        assert [each.id for each in config.erasures] == [ERASURE]
        assert await other.store.fleet.config(7_777) is None

    play(scenario)


def test_the_configuration_of_a_deleted_tenant_says_that(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.do(CreateTenant(tenant_id=TENANT, name="acme"))
        [acme] = [tenant for tenant in await shop.store.access.tenants() if tenant.name == "acme"]
        await shop.do(DeleteTenant(tenant_id=TENANT, name="acme", erasure_id=ERASURE))
        config = await shop.store.fleet.config(acme.id)
        assert config is not None
        assert (config.tenant.deleted_at, config.subscriptions, config.connections) == (shop.now, (), ())

    play(scenario)


async def position(shop: "Shop") -> str:
    return (await shop.store.fleet.changes(None)).position


async def changed(shop: "Shop", since: str) -> "Changes":
    """What was changed since; nothing was changed since that."""
    found = await shop.store.fleet.changes(since)
    again = await shop.store.fleet.changes(found.position)
    assert again == Changes(again.position)
    return found


def test_a_look_shows_the_keys_that_were_made_or_revoked_since_the_one_before(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.another()
        before = await position(other)
        made = CreateKey(
            tenant_id=TENANT, key_id=KEY, tenant="default", name="app", role=api_key.Role.APP, key="sp_" + "k" * 40
        )
        await shop.do(made)
        after = await changed(other, before)
        [key] = after.keys
        assert (key.id, key.revoked_at) == (KEY, None)
        shop.now += 1
        await shop.do(RevokeKey(tenant_id=TENANT, key_id=KEY))
        [revoked] = (await changed(other, after.position)).keys
        assert (revoked.id, revoked.revoked_at) == (KEY, shop.now)

    play(scenario)


def test_a_look_shows_the_tenants_that_were_made_changed_and_deleted_since_the_one_before(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.another()
        before, acme = await position(other), Tenant(0, "")
        for command in (
            CreateTenant(tenant_id=TENANT, name="acme"),
            ChangeTenant(tenant_id=TENANT, name="acme", status="paused"),
            DeleteTenant(tenant_id=TENANT, name="acme", erasure_id=ERASURE),
        ):
            shop.now += 1
            await shop.do(command)
            found = await changed(other, before)
            before, acme = found.position, max(found.tenants, key=lambda tenant: tenant.id)
        assert (acme.paused_at, acme.deleted_at) == (shop.now - 1, shop.now)

    play(scenario)


def test_a_look_shows_a_tenant_of_which_a_subscription_changed_and_none_of_which_a_document_did(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.another()
        before = await position(other)
        await shop.publish(make.create(0))
        found = await other.store.fleet.changes(before)
        assert (found.tenants, found.keys) == ((), ())
        await shop.subscribe()
        [tenant] = [each for each in (await changed(other, found.position)).tenants if each.id != OPERATIONS_TENANT]
        assert (tenant.id, tenant.config_version) == (TENANT, await version(other))

    play(scenario)


# --- Jobs and the retention -------------------------------------------------------------------------------------------


def test_one_node_at_a_time_has_a_job(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other, *_ = await two_nodes(shop)
        assert await shop.store.fleet.take_job("retention", 30.0)
        assert not await other.store.fleet.take_job("retention", 30.0)
        assert await other.store.fleet.take_job("expiries", 30.0)
        assert await shop.store.fleet.take_job("retention", 30.0), "it goes on with it"
        await other.store.fleet.give_up_job("retention")
        assert not await other.store.fleet.take_job("retention", 30.0), "only who has it gives it up"
        await shop.store.fleet.give_up_job("retention")
        assert await other.store.fleet.take_job("retention", 30.0)

    play(scenario)


def test_the_job_of_a_node_that_is_not_there_any_more_is_taken(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other, first, _ = await two_nodes(shop)
        assert await shop.store.fleet.take_job("retention", 30.0)
        await remove(other, first)
        assert await other.store.fleet.take_job("retention", 30.0)
        assert not await shop.store.fleet.take_job("expiries", 30.0), "one that was removed takes nothing"

    play(scenario)


def test_a_node_that_is_ending_keeps_its_jobs_and_lanes_until_it_has_left(play: "Play") -> None:
    """A node may be in the middle of them: two would use one refresh token, or send one event."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        other, first, _ = await two_nodes(shop)
        assert await claim(shop, subscription)
        assert await shop.store.fleet.take_job("token", 30.0)
        await shop.store.fleet.drain()
        assert not await other.store.fleet.take_job("token", 30.0)
        assert await claim(other, subscription) is None
        assert await owner(other, subscription) == first
        assert await shop.store.fleet.take_job("token", 30.0), "it goes on with it"
        await shop.store.fleet.leave()
        assert await other.store.fleet.take_job("token", 30.0)
        assert await claim(other, subscription)

    play(scenario)


def test_owners_of_lanes_learn_which_floor_comes_next_and_the_retention_what_is_awaited(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(9)
        other, *_ = await two_nodes(shop)
        await claim(other, subscription)
        retention = shop.store.retention
        await retention.announce_floor(TENANT, 6)
        await retention.announce_floor(TENANT, 5)
        assert (await beat(other)).marks[TENANT].next_floor == 6
        assert await retention.is_awaited(TENANT, 6)
        await other.record(make.flush(subscription, 1, 9, open=(5,)))
        assert await retention.is_awaited(TENANT, 6)
        assert not await retention.is_awaited(TENANT, 5)
        row = Row(5, make.document_id(0), State.AWAITING_RETRY, shop.now, 1, 4, 0, None)
        await other.record(make.flush(subscription, 2, 9, rows=[row]))
        assert await retention.is_awaited(TENANT, 6)
        await other.record(make.flush(subscription, 3, 9, abandoned_to=5, gaps=((5, 5),)))
        assert not await retention.is_awaited(TENANT, 6)
        assert not await retention.is_awaited(TENANT, 100), "what is not there yet is not awaited"

    play(scenario)
