"""All orders in which the statements of two nodes' transactions can follow one another.

There is a gate before each statement that matters; a walk through one order opens them one by one. Where a statement
waits for a lock, the other node goes on. What has to hold is what clients are promised: a number is given once,
`If-Match` lets one of two changes through, and a repeat under an `Idempotency-Key` is answered as the first was.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import psycopg
from gateway.tests.postgres import OWNER
from gateway.tests.store.postgres.gates import Gate, Walk, orders

from signalpost.commands.command import Command, IdempotencyKey
from signalpost.store.nouns.fleet import NodeRole
from signalpost.store.nouns.lanes import LaneWanted
from signalpost.store.postgres.committers import CommitConnection
from signalpost.store.postgres.source import DatabaseSource
from signalpost.store.postgres.store import PostgresStore
from signalpost.store.statements import Row, Statement
from signalpost_bench.postgres_server import SUPERUSER

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

TENANT = 1
LOCK: Final = "FOR NO KEY UPDATE"
GATED: Final = (LOCK, "FROM document", "FROM delivery", "UPDATE tenant", "UPDATE lane", "INSERT INTO event", "COMMIT")
"""What a statement has in it before which there is a gate."""


class GatedConnection(CommitConnection):
    """Sends its statements one by one, through a gate."""

    def __init__(self, url: str, gate: Gate, *, reads_first: bool = False) -> None:
        super().__init__(DatabaseSource(url))
        self._gate = gate
        self._reads_first = reads_first

    async def trip(self, statements: Sequence[Statement]) -> list[list[Row]]:
        found: dict[int, list[Row]] = {}
        places = [*range(len(statements))]
        if self._reads_first:
            places.sort(key=lambda place: LOCK in statements[place].sql)
        for place in places:
            sql = statements[place].sql
            if any(part in sql for part in GATED):
                self._gate.process = (await self._connected()).info.backend_pid
                await self._gate.pass_through()
            [found[place]] = await super().trip([statements[place]])
        return [found[place] for place in range(len(statements))]


async def gate_of(shop: "Shop", *, reads_first: bool = False) -> Gate:
    """Put a gate before whatever a node commits."""
    store, gate = shop.store, Gate()
    assert isinstance(store, PostgresStore)
    for committers in (store._publishers, store._recorders):
        gated = GatedConnection(shop._implementation.url(shop.folder), gate, reads_first=reads_first)
        for former in committers._all:
            await former.close()
        committers._all = [gated]
        committers._idle = asyncio.LifoQueue()
        committers._idle.put_nowait(gated)
    return gate


async def broken_orders(shop: "Shop", make: "type[Tools]", steps: int, *, reads_first: bool = False) -> int:
    """How many orders of two batches that change one document break a promise."""
    other = await shop.another()
    gates = await gate_of(shop, reads_first=reads_first), await gate_of(other, reads_first=reads_first)
    for gate in gates:
        gate.is_free = True
    await shop.do(make.create(0))
    await other.do(make.create(1))  # each has done once what is done for a first batch only
    url = shop._implementation.url(shop.folder).replace(f"{OWNER}@", f"{SUPERUSER}@")
    broken = 0
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as watcher:
        walk = Walk(watcher, gates)
        for number, order in enumerate(orders(steps, steps), 1):
            version = frozenset({f'"{number}"'})
            key = IdempotencyKey(1, f"k{number}", b"hash")
            batches: list[list[Command[Any]]] = [
                [make.patch(0, f"{number} {node}", if_match=version), make.create(1000 + number, key=key)]
                for node in ("first", "second")
            ]
            tasks = tuple(asyncio.create_task(s.publish(*b)) for s, b in zip((shop, other), batches, strict=True))
            await walk.go(order, tasks)  # type: ignore[arg-type]
            results = [result for task in tasks for result in task.result().results]
            kinds = sorted(type(result).__name__ for result in results)
            broken += kinds != ["CompletedCommand", "CompletedCommand", "PreconditionFailed", "RepeatedCommand"]
    log = (await shop.store.log.after(TENANT, 0, 10_000)).events
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    return broken


def test_in_no_order_do_two_batches_break_a_promise(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        assert await broken_orders(shop, make, 4) == 0

    play(scenario)


def test_what_reads_before_it_has_the_lock_is_found(play: "Play", make: "type[Tools]") -> None:
    """A planted fault: these orders can tell."""

    async def scenario(shop: "Shop") -> None:
        assert await broken_orders(shop, make, 4, reads_first=True) > 0

    play(scenario)


def test_in_no_order_does_a_former_owner_record_what_the_next_one_does_not_know(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(30)
        first = await shop.store.fleet.join(NodeRole.ALL, "1")
        gates = await gate_of(shop), Gate()
        gates[1].is_free = True
        wanted = [LaneWanted(subscription, 10)]
        for delay in (0, 1, 2, 3):
            gates[0].is_free = True
            other = await shop.another()
            mine = (await shop.store.fleet.claim(wanted))[subscription.number]
            await other.store.fleet.join(NodeRole.ALL, "1")
            gates[0].is_free = False
            flush = make.flush(subscription, mine.version, mine.head + 1)
            recording = asyncio.create_task(shop.record(flush))
            for _ in range(delay):
                await gates[0].is_there.wait()
                gates[0].open()
            dead = [node for node in (await shop.store.fleet.beat()).nodes if node.id == first]  # type: ignore[union-attr]
            await other.store.fleet.remove_dead(dead)
            claiming = asyncio.create_task(other.store.fleet.claim(wanted))
            await asyncio.sleep(0.02)
            gates[0].is_free = True
            gates[0].open()
            recorded, claimed = await recording, (await claiming)[subscription.number]
            assert claimed.head == mine.head + (subscription.number in recorded)
            await other.store.fleet.release([subscription.number])
            first = await shop.store.fleet.join(NodeRole.ALL, "1")

    play(scenario)
