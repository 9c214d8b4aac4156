"""Two real sessions, stepped statement by statement through every order in which theirs can follow one another: a claim
beside the removal of the node that claims, a look beside the revocation of a key, an erasure beside an import or a
record of the same document, the retention beside a record, the deletion of a tenant beside a change in it, and an
import beside a change of its tenant."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.tests.store.postgres.gates import Gate, Walk, gate_of, orders, watching
from msgspec.structs import replace

from signalpost.commands.command import CompletedCommand, OrderedLines
from signalpost.commands.documents import Effect, ImportLine
from signalpost.commands.erasures import EraseDocument
from signalpost.commands.keys import CreateKey, RevokeKey
from signalpost.commands.tenants import CreateTenant, DeleteTenant
from signalpost.domain.access.api_key import Role
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.erasure import Erasure, is_erased
from signalpost.domain.errors import NotFound
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.fleet import NodeRole
from signalpost.store.nouns.lanes import LaneWanted

if TYPE_CHECKING:
    import psycopg
    from gateway.tests.store.conftest import Play, Shop, Tools

TENANT = 1
CANARY = "canary of what was erased"
Work = Callable[[], Awaitable[Any]]


class Pair:
    """Two nodes, each with a gate before the statements that matter."""

    def __init__(self, shop: "Shop", other: "Shop", walk: Walk, gates: tuple[Gate, Gate]) -> None:
        self.shop, self.other = shop, other
        self._walk = walk
        self._gates = gates

    @property
    def committed_first(self) -> bool:
        """Whether the first node sent its last commit before the other did."""
        first, second = (gate.sent_at["COMMIT"] for gate in self._gates)
        return first < second

    async def go(self, order: tuple[bool, ...], first: Work, second: Work) -> tuple[Any, Any]:
        """What both return, once their statements have come in this order, as far as no lock prevents that."""

        async def run(work: Work) -> Any:
            return await work()

        tasks = asyncio.create_task(run(first)), asyncio.create_task(run(second))
        await self._walk.go(order, tasks)
        return tasks[0].result(), tasks[1].result()


def stepped(play: "Play", gated: tuple[str, ...], scenario: Callable[[Pair], Awaitable[None]]) -> None:
    """Play a scenario on two nodes that wait before each statement that has one of `gated` in it."""

    async def whole(shop: "Shop") -> None:
        other = await shop.another()
        await shop.fill(1)
        await other.fill(1)  # each has done once what is done for a first batch only
        gates = await gate_of(shop, *gated), await gate_of(other, *gated)
        async with watching(shop) as watcher:
            await scenario(Pair(shop, other, Walk(watcher, gates), gates))

    play(whole)


# --- Claims -----------------------------------------------------------------------------------------------------------


def test_nobody_is_removed_while_it_claims_and_who_was_removed_claims_nothing(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(pair: Pair) -> None:
        subscription = await pair.shop.subscribe()
        wanted = [LaneWanted(subscription, 10)]
        for order in orders(3, 2):
            claimer = await pair.shop.store.fleet.join(NodeRole.ALL, "1")
            await pair.other.store.fleet.join(NodeRole.ALL, "1")
            [seen] = [node for node in (await beat(pair.other)).nodes if node.id == claimer]

            claim = partial(pair.shop.store.fleet.claim, wanted)
            claimed, _ = await pair.go(order, claim, partial(pair.other.store.fleet.remove_dead, [seen]))
            assert bool(claimed) == pair.committed_first, order
            assert not await pair.shop.store.fleet.claim(wanted)
            assert await pair.other.store.fleet.claim(wanted), "it is there to be taken over"
            await pair.other.store.fleet.release([subscription.number])
            await pair.other.store.fleet.leave()

    stepped(play, ("FROM node WHERE id", "UPDATE lane", "DELETE FROM node", "COMMIT"), scenario)


async def beat(shop: "Shop") -> Any:
    found = await shop.store.fleet.beat()
    assert found is not None
    return found


# --- Looks ------------------------------------------------------------------------------------------------------------


def test_a_key_that_is_revoked_beside_a_look_is_shown_by_it_or_by_the_next_one(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(pair: Pair) -> None:
        await pair.shop.store.fleet.join(NodeRole.ALL, "1")
        position = (await pair.shop.store.fleet.changes(None)).position
        for number, order in enumerate(orders(4, 2)):
            key_id, secret = f"00000000-0000-4000-a000-{number:012d}", f"sp_{number:043d}"
            await pair.other.do(
                CreateKey(tenant_id=TENANT, key_id=key_id, tenant="default", name="k", role=Role.OPERATOR, key=secret)
            )
            during, _ = await pair.go(
                order,
                partial(pair.shop.store.fleet.changes, position),
                partial(pair.other.do, RevokeKey(tenant_id=TENANT, key_id=key_id)),
            )
            after = await pair.shop.store.fleet.changes(during.position)
            shown = [key for key in (*during.keys, *after.keys) if key.id == key_id]
            assert any(key.revoked_at is not None for key in shown), order
            position = after.position

    stepped(play, ("pg_current_snapshot()", "pg_visible_in_snapshot", "INTO api_key", "COMMIT"), scenario)


# --- Erasures ---------------------------------------------------------------------------------------------------------

OF_ERASURES = (
    "UPDATE document",
    "UPDATE event",
    "UPDATE attempt",
    "INSERT INTO attempt",
    "INSERT INTO event",
    "COMMIT",
)


async def begun_erasure(shop: "Shop", make: "type[Tools]", number: int) -> Erasure:
    """The erasure of a document, of which nothing is erased yet."""
    await shop.publish(make.put(number, 1, title=CANARY), make.delete(number))
    identity = f"00000000-0000-7000-c000-{number:012d}"
    document_id = make.document_id(number)
    await shop.do(EraseDocument(tenant_id=TENANT, tenant="default", document_id=document_id, erasure_id=identity))
    [begun] = [each for each in await shop.store.erasures.pending() if each.id == identity]
    return begun


async def carried_out(shop: "Shop", erasure: Erasure) -> None:
    while await shop.store.erasures.erase_part(erasure, 100):
        pass


def test_an_import_beside_an_erasure_keeps_what_it_brings_and_nothing_else_stays(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(pair: Pair) -> None:
        for number, order in enumerate(orders(4, 3), 10):
            erasure = await begun_erasure(pair.shop, make, number)
            await pair.go(
                order,
                partial(pair.shop.store.erasures.erase_part, erasure, 100),
                partial(pair.other.do, make.put(number, 2, title=f"new {number}")),
            )
            await carried_out(pair.shop, erasure)
            row = await pair.shop.store.documents.get(TENANT, make.document_id(number))
            assert row is not None
            assert json.loads(row.body)["title"] == f"new {number}", order
        log = (await pair.shop.store.log.after(TENANT, 0, 10_000)).events
        assert [event.sequence for event in log] == list(range(1, len(log) + 1))
        of_erased = [event for event in log if event.document_id == make.document_id(10)]
        assert [is_erased(event) for event in of_erased] == [True, True, False]
        assert CANARY not in repr(pair.shop.rows)

    stepped(play, OF_ERASURES, scenario)


def test_an_attempt_that_is_recorded_beside_an_erasure_is_emptied_too(play: "Play", make: "type[Tools]") -> None:
    async def scenario(pair: Pair) -> None:
        subscription = await pair.shop.subscribe()
        await pair.other.store.fleet.join(NodeRole.ALL, "1")
        [lane] = (await pair.other.store.fleet.claim([LaneWanted(subscription, 10)])).values()
        version = lane.version
        for number, order in enumerate(orders(4, 2), 10):
            erasure = await begun_erasure(pair.shop, make, number)
            at = pair.shop.now + number
            attempt = AttemptRow(
                erasure.to_sequence - 1, at, 1, 1, 1, True, 500, "status", CANARY, CANARY.encode(), CANARY.encode()
            )
            flush = make.flush(subscription, version, erasure.to_sequence, attempts=[attempt])
            _, recorded = await pair.go(
                order,
                partial(pair.shop.store.erasures.erase_part, erasure, 100),
                partial(pair.other.record, flush),
            )
            assert subscription.number in recorded
            version += 1
            await carried_out(pair.shop, erasure)
            [kept] = [row for row in pair.shop.rows["attempt"] if row["started_at"] == at]
            assert (kept["answer"], kept["exchange"]) == (b"", b""), order
            assert CANARY not in repr(kept)

    stepped(play, OF_ERASURES, scenario)


# --- Retention --------------------------------------------------------------------------------------------------------


def test_the_counts_of_a_lane_are_right_whatever_the_retention_does_meanwhile(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(pair: Pair) -> None:
        subscription = await pair.shop.subscribe()
        await pair.other.store.fleet.join(NodeRole.ALL, "1")
        [lane] = (await pair.other.store.fleet.claim([LaneWanted(subscription, 10)])).values()
        version, floor = lane.version, 3
        for order in orders(3, 3):
            await pair.shop.fill(3)
            end = floor + 2
            failed = {sequence: row_of(make, sequence) for sequence in (floor, floor + 1)}
            await pair.other.record(make.flush(subscription, version, end, rows={floor: failed[floor]}))
            done = {floor: None, floor + 1: failed[floor + 1]}
            await pair.go(
                order,
                partial(pair.shop.store.retention.prune_log, TENANT, end, 100),
                partial(pair.other.record, make.flush(subscription, version + 1, end, rows=done)),
            )
            version += 2
            floor = end + 1
            kept = [row for row in pair.shop.rows["delivery"] if row["state"] == State.FAILED]
            [counted] = pair.shop.rows["lane"]
            assert counted["failed"] == len(kept), order

    stepped(play, ("UPDATE tenant", "FROM lane", "UPDATE lane", "DELETE FROM delivery", "COMMIT"), scenario)


def row_of(make: "type[Tools]", sequence: int) -> Row:
    return Row(sequence, make.document_id(0), State.FAILED, 0, 4, 4, 1, None)


# --- Tenants ----------------------------------------------------------------------------------------------------------


def test_a_change_beside_the_deletion_of_its_tenant_is_erased_or_refused(play: "Play", make: "type[Tools]") -> None:
    async def scenario(pair: Pair) -> None:
        for number, order in enumerate(orders(3, 3), 10):
            name, identity = f"acme-{number}", f"00000000-0000-7000-c000-{number:012d}"
            await pair.shop.do(CreateTenant(tenant_id=TENANT, name=name))
            [acme] = [each for each in await pair.shop.store.access.tenants() if each.name == name]

            ended: list[str] = []

            async def delete(name: str = name, identity: str = identity, ended: list[str] = ended) -> None:
                await pair.shop.do(DeleteTenant(tenant_id=TENANT, name=name, erasure_id=identity))
                ended.append("deleted")

            async def create(tenant: int = acme.id, ended: list[str] = ended) -> bool:
                with suppress(NotFound):
                    await pair.other.do(make.create(0, title=CANARY, tenant=tenant))
                    ended.append("created")
                    return True
                return False

            _, is_made = await pair.go(order, delete, create)
            assert ended == (["created", "deleted"] if is_made else ["deleted"]), order
            [erasure] = [each for each in await pair.shop.store.erasures.pending() if each.id == identity]
            await carried_out(pair.shop, erasure)
            assert CANARY not in repr(pair.shop.rows), order

    stepped(play, ("FOR NO KEY UPDATE", "INSERT INTO event", "UPDATE tenant", "COMMIT"), scenario)


# --- Imports ----------------------------------------------------------------------------------------------------------


def test_lines_of_an_import_are_taken_in_order_if_their_batch_is_halved_beside_a_change_of_their_tenant(
    play: "Play", make: "type[Tools]"
) -> None:
    """Another transaction has locked the tenant, and ends between any two parts of the batch."""

    async def scenario(shop: "Shop") -> None:
        elsewhere = await shop.add_tenant()
        await shop.publish(make.create(1), make.create(1, tenant=elsewhere))
        gates = await gate_of(shop, "FOR NO KEY UPDATE"), Gate()
        async with watching(shop) as watcher, watching(shop) as holder:
            for number, order in enumerate(orders(5, 1), 10):
                lines = OrderedLines()
                first, second = (line(make, number, version, lines) for version in (1, 2))
                guilty = replace(make.put(0, 2**70), tenant_id=elsewhere)
                await holder.execute("BEGIN")
                await holder.execute("SELECT FROM tenant WHERE id = %s FOR NO KEY UPDATE", (TENANT,))
                publishing = shop.publish(first, guilty, second, make.create(number, tenant=elsewhere))
                tasks = asyncio.create_task(publishing), asyncio.create_task(unlocked(holder, gates[1]))
                await Walk(watcher, gates).go(order, tasks)
                earlier, defect, later, other = tasks[0].result().results
                assert not isinstance(defect, CompletedCommand)
                assert isinstance(other, CompletedCommand)
                assert [effect_of(each) for each in (earlier, later)] == [Effect.CREATED, Effect.UPDATED], order

    play(scenario)


def line(make: "type[Tools]", number: int, version: int, lines: OrderedLines) -> ImportLine:
    put = make.put(number, version, title=f"{version}")
    return ImportLine(
        tenant_id=TENANT, document_id=put.document_id, snapshot=put.snapshot, source_version=version, lines=lines
    )


def effect_of(outcome: object) -> Effect:
    assert isinstance(outcome, CompletedCommand)
    return outcome.result.effect  # type: ignore[no-any-return]


async def unlocked(holder: "psycopg.AsyncConnection[tuple[int]]", gate: Gate) -> None:
    await gate.pass_through()
    await holder.execute("COMMIT")
