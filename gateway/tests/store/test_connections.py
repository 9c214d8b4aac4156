"""The contract of a store: connections, what vendors granted, and what deliveries made."""

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from signalpost.commands.connections import (
    BreakConnection,
    ConnectionChanged,
    CreateConnection,
    DeleteConnection,
    DisconnectConnection,
    HoldConnection,
    KeepGrant,
    PatchConnection,
    RepairConnection,
)
from signalpost.commands.subscriptions import CreateConnectorSubscription, DisableSubscription
from signalpost.domain.connection import Connection, Granted
from signalpost.domain.errors import Conflict, Invalid, NotFound, PreconditionFailed
from signalpost.domain.subscription import Delay, Subscription
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

TENANT = 1
SECRET = "xoxb-a-canary"
GRANTED = Granted(refresh_token="canary-of-a-grant", access_token="a", expires_at=7, account={"tenant": "x"})


def connection_id(number: int) -> str:
    return f"00000000-0000-4000-b000-{number:012d}"


def named(number: int = 1) -> dict[str, Any]:
    return {"tenant_id": TENANT, "connection_id": connection_id(number)}


def connect(
    number: int = 1, *, tenant: int = TENANT, needs_consent: bool = False, kind: str = "slack"
) -> CreateConnection:
    return CreateConnection(
        tenant_id=tenant,
        connection_id=connection_id(number),
        kind=kind,
        name="Ours",
        config={"token": SECRET, "deep": {"n": [1, 2.5, None]}},
        needs_consent=needs_consent,
    )


def patch(found: Connection, **given: Any) -> PatchConnection:
    return PatchConnection(
        **({**named(), "url": "https://slack.com", "needs_consent": False, "of_version": found.version} | given)
    )


def follow(number: int = 1, of: int = 1, **given: Any) -> CreateConnectorSubscription:
    wanted: dict[str, Any] = {
        "tenant_id": TENANT,
        "subscription_id": f"00000000-0000-4000-9000-{number:012d}",
        "kind": "slack",
        "connection_id": connection_id(of),
        "url": "https://slack.com",
        "name": "Tell us",
        "config": {"channel": "#legal", "text": "{{ document.title }}"},
        "event_types": ("documentUpdated",),
        "retry_delays": (10, 60, 300),
    }
    return CreateConnectorSubscription(**(wanted | given))


def cut_off(found: Connection, **given: Any) -> dict[str, Any]:
    """What a disconnection says of a connection that a person let in."""
    return {"left": found.config, "needs_consent": True, "of_version": found.version} | given


async def only(shop: "Shop") -> Connection:
    [found] = await shop.store.lists.every(Connection)
    return found


def test_a_connection_is_read_as_it_was_made(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        [made] = (await shop.publish(connect())).changed(Connection)
        await shop.reopen()
        assert await only(shop) == made
        assert (made.number, made.version, made.state, made.granted) == (1, 1, "ready", None)
        assert made.config == {"token": SECRET, "deep": {"n": [1, 2.5, None]}}

    play(scenario)


def test_connections_are_listed_by_tenant_newest_first(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.publish(*(connect(n) for n in range(1, 6)), connect(6, tenant=other))
        await shop.do(DeleteConnection(**named(3)))
        first = await shop.store.lists.page(Connection, TENANT, None, 2)
        rest = await shop.store.lists.page(Connection, TENANT, first[-1].number, 10)
        assert [each.number for each in (*first, *rest)] == [5, 4, 2, 1]
        assert [each.number for each in await shop.store.lists.page(Connection, other, None, 10)] == [6]
        assert {each.number for each in await shop.store.lists.every(Connection)} == {1, 2, 4, 5, 6}

    play(scenario)


def test_secrets_are_sealed_and_gone_once_a_connection_is_deleted(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(), KeepGrant(**named(), granted=GRANTED, of_grant_version=0))
        assert (await only(shop)).granted == GRANTED
        [gone] = (await shop.publish(DeleteConnection(**named()))).changed(Connection)
        assert (gone.config, gone.granted) == ({}, None)
        await shop.reopen()
        for file in shop.folder.iterdir():
            kept = file.read_bytes()
            assert SECRET.encode() not in kept
            assert GRANTED.refresh_token.encode() not in kept

    play(scenario)


def test_only_who_read_the_last_grant_keeps_the_next_one(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.do(connect(needs_consent=True))
        first = KeepGrant(**named(), granted=GRANTED, of_grant_version=0)
        second = replace(first, granted=replace(GRANTED, refresh_token="the loser's"))
        won, lost = (await shop.publish(first, second)).results
        assert not isinstance(won, Exception)
        assert isinstance(lost, Conflict)
        kept = await only(shop)
        assert (kept.granted, kept.grant_version, kept.state) == (GRANTED, 1, "ready")

    play(scenario)


def test_a_new_token_moves_no_etag(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(), KeepGrant(**named(), granted=GRANTED, of_grant_version=0))
        before = await only(shop)
        await shop.do(KeepGrant(**named(), granted=replace(GRANTED, access_token="b"), of_grant_version=1))
        after = await only(shop)
        assert (after.etag, after.updated_at) == (before.etag, before.updated_at)
        assert after.grant_version == before.grant_version + 1

    play(scenario)


def test_a_connection_is_changed_by_who_knows_its_state(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(), follow())
        seen = await only(shop)
        shop.now += SECOND
        published = await shop.publish(
            patch(seen, name="Theirs", config={"token": "new"}, url="https://other.example"),
            patch(seen, name="Nobody's"),
        )
        assert isinstance(published.results[1], PreconditionFailed)
        changed = await only(shop)
        assert (changed.name, changed.config, changed.version) == ("Theirs", {"token": "new"}, 2)
        assert changed.updated_at > seen.updated_at
        moved = await shop.subscription()
        assert (moved.url, moved.version) == ("https://other.example", 2)
        await shop.do(patch(changed, name="Theirs", url="https://other.example"))
        assert await only(shop) == changed

    play(scenario)


def test_a_connection_in_use_is_not_deleted(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(1), connect(2))
        together = await shop.publish(follow(1, of=1), DeleteConnection(**named(1)), DeleteConnection(**named(2)))
        refused = together.results[1]
        assert isinstance(refused, Conflict)
        assert refused.members["subscriptions"] == [make.subscription_id(1)]
        assert isinstance((await shop.publish(DeleteConnection(**named(1)))).results[0], Conflict)
        await shop.publish(make.unsubscribe(1), DeleteConnection(**named(1)))
        assert await shop.store.lists.every(Connection) == []

    play(scenario)


def test_what_is_not_there_cannot_be_used(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(1), connect(2), DeleteConnection(**named(2)))
        for refused in (follow(of=2), follow(of=3), follow(kind="teams")):
            [result] = (await shop.publish(refused)).results
            assert isinstance(result, Invalid)
            assert [error.pointer for error in result.errors] == ["/connection"]
        for command in (DeleteConnection(**named(2)), RepairConnection(**named(3))):
            assert isinstance((await shop.publish(command)).results[0], NotFound)
        assert await shop.store.lists.every(Subscription) == []

    play(scenario)


def test_a_subscription_of_a_connection_is_read_as_it_was_made(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        wanted = {"field": "document.status", "changedTo": "executed"}
        delay = Delay(seconds=259_200, condition={"field": "document.status", "is": "awaitingApproval"})
        [made] = (await shop.publish(connect(), follow(when=wanted, after=delay))).changed(Subscription)
        await shop.reopen()
        assert await shop.subscription() == made
        assert (made.kind, made.connection_id, made.when, made.after) == ("slack", connection_id(1), wanted, delay)
        assert (made.secret, made.headers, made.url) == ("", {}, "https://slack.com")

    play(scenario)


def test_a_connection_that_breaks_disables_its_subscriptions_and_a_resume_mends_them(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(1), connect(2), follow(1), follow(2, status="paused"), follow(3, of=2))
        broken = BreakConnection(**named(), reason="The token was revoked.", of_grant_version=0)
        published = await shop.publish(broken)
        [each] = published.changed(Subscription)
        assert (each.id, each.status) == (make.subscription_id(1), "disabled")
        assert each.disabled_because == "The token was revoked."
        await shop.reopen()
        assert await shop.subscription(1) == each
        found = next(one for one in await shop.store.lists.every(Connection) if one.number == 1)
        assert (found.state, found.reason) == ("broken", "The token was revoked.")
        await shop.publish(RepairConnection(**named()), make.change(1, status="active"))
        resumed = await shop.subscription(1)
        assert (resumed.status, resumed.disabled_at, resumed.disabled_because) == ("active", None, None)

    play(scenario)


def test_a_grant_that_was_kept_meanwhile_wins_over_the_news_that_the_last_one_died(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(), follow())
        broken = BreakConnection(**named(), reason="It died.", of_grant_version=0)
        [_, lost] = (await shop.publish(KeepGrant(**named(), granted=GRANTED, of_grant_version=0), broken)).results
        assert isinstance(lost, Conflict)
        assert (await shop.subscription()).status == "active"

    play(scenario)


def test_a_call_under_way_does_not_mend_a_connection_that_was_disconnected_meanwhile(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.do(connect())
        seen = await only(shop)
        await shop.do(
            DisconnectConnection(**named(), left={"token": None}, needs_consent=False, of_version=seen.version)
        )
        cut = await only(shop)
        assert cut.is_disconnected
        await shop.do(RepairConnection(**named()))
        assert await only(shop) == cut

    play(scenario)


def test_a_disconnected_connection_waits_for_a_person(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.do(connect(needs_consent=True))
        await shop.do(KeepGrant(**named(), granted=GRANTED, of_grant_version=0))
        result = await shop.do(DisconnectConnection(**named(), **cut_off(await only(shop))))
        assert isinstance(result.result, ConnectionChanged)  # type: ignore[union-attr]
        cut = await only(shop)
        assert (cut.granted, cut.state, cut.grant_version) == (None, "needs_consent", 2)
        [again] = (await shop.publish(DisconnectConnection(**named(), **cut_off(cut)))).results
        assert isinstance(again, Conflict)

    play(scenario)


def test_a_connection_without_its_secrets_waits_for_others(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(), follow())
        left = {"token": None, "deep": {"n": [1, 2.5, None]}}
        cut_of = cut_off(await only(shop), left=left, needs_consent=False)
        await shop.do(DisconnectConnection(**named(), **cut_of))
        cut = await only(shop)
        assert (cut.config, cut.state, cut.is_disconnected) == (left, "broken", True)
        assert (await shop.subscription()).status == "active", "it waits"
        [stale] = (await shop.publish(DisconnectConnection(**named(), **cut_of))).results
        assert isinstance(stale, PreconditionFailed)
        [again] = (await shop.publish(DisconnectConnection(**named(), **{**cut_of, "of_version": cut.version}))).results
        assert isinstance(again, Conflict)
        await shop.do(patch(cut, config={"token": "another"}))
        assert (await only(shop)).state == "ready"

    play(scenario)


def test_a_subscription_is_disabled_with_its_reason(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(), follow())
        subscription = make.subscription_id(1)
        because = "Ten in a row were refused with invalid_blocks."
        await shop.do(DisableSubscription(tenant_id=TENANT, subscription_id=subscription, because=because))
        assert (await shop.subscription()).disabled_because == because

    play(scenario)


# --- What deliveries made ---------------------------------------------------------------------------------------------


async def made_of(shop: "Shop", subscription: Subscription, *numbers: int) -> dict[int, dict[str, str]]:
    ids = {f"00000000-0000-4000-8000-{number:012d}": number for number in numbers}
    found = await shop.store.connections.made(subscription.number, list(ids))
    return {ids[document_id]: made for document_id, made in found.items()}


def test_what_a_delivery_made_is_kept_with_its_lane(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        first, second = await shop.subscribe(1), await shop.subscribe(2)
        await shop.fill(9)
        made = {make.document_id(0): {"ts": "1.5"}, make.document_id(1): {"ts": "2"}}
        await shop.record(make.flush(first, 0, 5, made=made), make.flush(second, 0, 5))
        await shop.reopen()
        assert await made_of(shop, first, 0, 1, 2) == {0: {"ts": "1.5"}, 1: {"ts": "2"}}
        assert await made_of(shop, second, 0) == {}
        await shop.record(make.flush(first, 1, 5, made={make.document_id(0): {}, make.document_id(1): {"ts": "3"}}))
        assert await made_of(shop, first, 0, 1) == {1: {"ts": "3"}}

    play(scenario)


def test_an_owner_that_was_replaced_makes_nothing(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(3)
        await shop.record(make.flush(subscription, 0, 1))
        assert await shop.record(make.flush(subscription, 0, 2, made={make.document_id(0): {"ts": "1"}})) == {}
        assert await made_of(shop, subscription, 0) == {}

    play(scenario)


def test_what_was_made_goes_with_its_subscription(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        first, second = await shop.subscribe(1), await shop.subscribe(2)
        await shop.fill(3)
        made = {make.document_id(number): {"ts": "1"} for number in range(30)}
        await shop.record(make.flush(first, 0, 1, made=made), make.flush(second, 0, 1, made=made))
        await shop.do(make.unsubscribe(1))
        while await shop.store.retention.prune_leftovers(shop.now, 7):
            pass
        assert await made_of(shop, first, *range(30)) == {}
        assert len(await made_of(shop, second, *range(30))) == 30

    play(scenario)


@pytest.mark.parametrize("comes_back", [False, True])
def test_what_was_made_goes_with_the_deletion_of_its_document(
    play: "Play", make: "type[Tools]", comes_back: bool
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.publish(make.create(0), make.create(1), make.delete(0))
        if comes_back:
            await shop.do(make.put(0, 2))
        made = {make.document_id(number): {"ts": "1"} for number in (0, 1)}
        await shop.record(make.flush(subscription, 0, 3, made=made))
        await shop.store.retention.prune_log(TENANT, 3, 100)
        assert set(await made_of(shop, subscription, 0, 1)) == {0, 1}
        await shop.store.retention.prune_log(TENANT, 4, 100)
        assert set(await made_of(shop, subscription, 0, 1)) == ({0, 1} if comes_back else {1})

    play(scenario)


def test_deleted_connections_leave_no_row_and_give_no_number_again(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(connect(1), connect(2), DeleteConnection(**named(1)), DeleteConnection(**named(2)))
        # A database that finds the next number above the highest keeps that row.
        assert await shop.store.retention.prune_leftovers(shop.now, 7) in (1, 2)
        assert await shop.store.retention.prune_leftovers(shop.now, 7) == 0
        [third] = (await shop.publish(connect(3))).changed(Connection)
        assert third.number == 3

    play(scenario)


def test_how_long_a_vendor_wants_to_be_left_alone_is_kept_beside_everything_else(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        [made] = (await shop.publish(connect())).changed(Connection)
        before = (await shop.store.fleet.marks())[TENANT].config_version
        published = await shop.publish(HoldConnection(**named(), until=shop.now + 60 * SECOND))
        assert published.changed(Connection) == (replace(made, held_until=shop.now + 60 * SECOND),)
        assert published.audited == (), "it happens all the time, and nobody did it"
        assert await shop.store.lists.every(Connection) == [*published.changed(Connection)]
        assert (await shop.store.fleet.marks())[TENANT].config_version > before, "other nodes learn of it"
        assert (await shop.publish(HoldConnection(**named(), until=shop.now + SECOND))).changed(Connection) == ()
        await shop.do(patch(made, config={"token": "another"}))
        [mended] = await shop.store.lists.every(Connection)
        assert mended.held_until is None

    play(scenario)
