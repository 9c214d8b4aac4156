"""Signature requests that are due expire by one node of a fleet, whichever finds them first."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

from gateway.tests.world.virtual_time import BEGINNING, VirtualLoop, VirtualTime

from signalpost.commands.workflow import ExpireSignatureRequest
from signalpost.domain.errors import Unavailable
from signalpost.domain.timestamps import SECOND
from signalpost.engine.maintenance.expiry import Expiries
from signalpost.store.nouns.documents import Expiry
from signalpost.store.nouns.fleet import SHARED

COMMIT = 0.2
"""Seconds that a commit takes."""
REQUESTS = 600


class Database:
    """What two nodes share."""

    def __init__(self) -> None:
        self.owner: int | None = None
        self.waiting: dict[str, Expiry] = {}
        self.commands: Counter[str] = Counter()
        """How often the request of each document was to expire."""
        self.fails_at: int | None = None
        """The node that can commit nothing."""

    def ask(self, document_id: str, seconds: float) -> None:
        """Have a document wait for a signature until so many seconds after the beginning."""
        at = BEGINNING + round(seconds * SECOND)
        self.waiting[document_id] = Expiry(at, len(self.waiting), 1, document_id)

    def expiries_of(self, node: int, time: VirtualTime) -> Expiries:
        async def expiring(after: Expiry | None, limit: int) -> list[Expiry]:
            await asyncio.sleep(0.01)
            return [each for each in sorted(self.waiting.values()) if after is None or each > after][:limit]

        async def take_job(_name: str, _seconds: float) -> bool:
            await asyncio.sleep(0.01)
            self.owner = node if self.owner is None else self.owner
            return self.owner == node

        async def give_up_job(_name: str) -> None:
            await asyncio.sleep(0.01)
            self.owner = None if self.owner == node else self.owner

        async def enqueue(command: ExpireSignatureRequest) -> asyncio.Future[Any]:
            async def commit() -> None:
                if node == self.fails_at:
                    raise Unavailable("The database does not answer.")
                self.commands[command.document_id] += 1
                await asyncio.sleep(COMMIT)
                self.waiting.pop(command.document_id, None)

            return asyncio.get_running_loop().create_task(commit())

        store: Any = SimpleNamespace(
            documents=SimpleNamespace(expiring=expiring),
            fleet=SimpleNamespace(terms=SHARED, take_job=take_job, give_up_job=give_up_job),
        )
        now = lambda: BEGINNING + round(time.now * SECOND)  # noqa: E731
        clock: Any = SimpleNamespace(wall=now, steady=now)
        return Expiries(store, clock, enqueue)


Nodes: TypeAlias = list[Expiries]


def run(database: Database, time: VirtualTime, scenario: Callable[[Nodes], Awaitable[None]]) -> None:
    """Live through a scenario in which two nodes are at work."""

    async def lived() -> None:
        nodes = [database.expiries_of(number, time) for number in (1, 2)]
        running = [asyncio.create_task(node.run()) for node in nodes]
        await scenario(nodes)
        for task in running:
            task.cancel()

    loop = VirtualLoop(time)
    loop.run_until_complete(lived())
    loop.close()


def test_each_signature_request_is_made_to_expire_by_one_node_alone() -> None:
    database, time = Database(), VirtualTime(0.0)

    async def scenario(nodes: Nodes) -> None:
        await asyncio.sleep(1)
        database.ask("near", 10)
        nodes[1].note(BEGINNING + 10 * SECOND)  # it committed that; the other looks every half a minute
        await asyncio.sleep(10)
        assert not database.waiting
        for number in range(REQUESTS):
            database.ask(f"far {number}", 100)  # both know of these by then
        await asyncio.sleep(100)
        assert not database.waiting

    run(database, time, scenario)
    assert len(database.commands) == REQUESTS + 1
    assert max(database.commands.values()) == 1


def test_a_node_that_could_not_expire_a_request_leaves_it_to_others() -> None:
    database, time = Database(), VirtualTime(0.0)
    database.ask("near", 10)
    database.fails_at = 1

    async def scenario(nodes: Nodes) -> None:
        await asyncio.sleep(20)
        assert not database.waiting

    run(database, time, scenario)
