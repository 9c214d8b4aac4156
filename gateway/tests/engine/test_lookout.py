"""How recent what a node remembers of tenants and API keys is."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from gateway.tests.patience import PATIENCE

from signalpost.domain.errors import Stopping, Unavailable
from signalpost.engine.fleet.lookout import TRUSTED_FOR, Lookout
from signalpost.store.nouns.fleet import ALONE, SHARED, Changes, Terms


class Database:
    """What is looked at: each look ends when it is let go on."""

    def __init__(self, terms: Terms = SHARED) -> None:
        self.terms = terms
        self.now = 0
        self.looks: list[str] = []
        """From which position each look went on."""
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.is_down = False

    async def changes(self, since: str) -> Changes:
        self.looks.append(since)
        await self.goes_on.wait()
        if self.is_down:
            raise Unavailable("The database does not answer.")
        return Changes(f"{int(since) + 1}")


def with_lookout(
    scenario: Callable[[Lookout, Database, list[Changes]], Awaitable[None]],
    terms: Terms = SHARED,
    take_up: Callable[[Changes], None] | None = None,
) -> None:
    async def run() -> None:
        database, shown = Database(terms), list[Changes]()
        lookout = Lookout(database, lambda: database.now, take_up or shown.append)  # type: ignore[arg-type]
        running = asyncio.create_task(lookout.run())
        async with asyncio.timeout(PATIENCE):
            await scenario(lookout, database, shown)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(run())


NEVER = SHARED._replace(look_every=3600.0)
"""A node that looks only when a call needs it."""


def test_what_a_look_has_shown_counts_for_a_tenth_of_a_second_from_when_it_was_sent() -> None:
    async def scenario(lookout: Lookout, database: Database, _shown: list[Changes]) -> None:
        database.goes_on.clear()
        lookout.begin("5")
        looking = asyncio.create_task(lookout.look())
        while not database.looks:
            await asyncio.sleep(0)
        database.now = TRUSTED_FOR
        database.goes_on.set()
        await looking
        assert lookout.is_recent
        database.now += TRUSTED_FOR + 1
        assert not lookout.is_recent

    with_lookout(scenario, NEVER)


def test_all_who_ask_while_a_look_is_under_way_share_the_next_one() -> None:
    async def scenario(lookout: Lookout, database: Database, shown: list[Changes]) -> None:
        lookout.begin("5")
        database.goes_on.clear()
        first = asyncio.create_task(lookout.look())
        while not database.looks:
            await asyncio.sleep(0)
        later = [asyncio.create_task(lookout.look()) for _ in range(100)]
        await asyncio.sleep(0)
        database.goes_on.set()
        await asyncio.gather(first, *later)
        assert database.looks == ["5", "6"]
        assert shown == [Changes("6"), Changes("7")]

    with_lookout(scenario, NEVER)


def test_a_refusal_waits_for_the_look_that_is_due_and_causes_none() -> None:
    async def scenario(lookout: Lookout, database: Database, _shown: list[Changes]) -> None:
        lookout.begin("5")
        await lookout.look()
        waiting = [asyncio.create_task(lookout.next_look()) for _ in range(100)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert database.looks == ["5"]
        await lookout.look()  # one that somebody else needs
        assert all(task.done() for task in waiting)
        assert database.looks == ["5", "6"]

    with_lookout(scenario, NEVER)


def test_a_look_comes_by_itself() -> None:
    async def scenario(lookout: Lookout, database: Database, _shown: list[Changes]) -> None:
        lookout.begin("5")
        for _ in range(3):
            await lookout.next_look()
        assert database.looks == ["5", "6", "7"]

    with_lookout(scenario)


def test_nobody_is_let_in_while_looks_fail_and_the_node_says_so() -> None:
    async def scenario(lookout: Lookout, database: Database, _shown: list[Changes]) -> None:
        lookout.begin("5")
        await lookout.look()
        database.is_down = True
        with pytest.raises(Unavailable):
            await lookout.look()
        database.now += 2_000_000
        assert lookout.trouble
        with pytest.raises(Unavailable):
            await lookout.be_recent()
        database.is_down = False
        await lookout.be_recent()
        assert lookout.is_recent
        assert lookout.trouble is None

    with_lookout(scenario, NEVER)


def test_a_look_that_fails_confirms_nothing() -> None:
    async def scenario(lookout: Lookout, database: Database, _shown: list[Changes]) -> None:
        lookout.begin("5")
        await lookout.look()
        database.is_down = True
        database.now = TRUSTED_FOR
        with pytest.raises(Unavailable):
            await lookout.look()
        was_recent = lookout.is_recent
        database.now += 1
        assert (was_recent, lookout.is_recent) == (True, False)

    with_lookout(scenario, NEVER)


def test_what_could_not_be_taken_up_is_looked_for_again_and_nobody_is_let_in_until_it_is() -> None:
    fails = True

    def take_up(_changes: Changes) -> None:
        if fails:
            raise RuntimeError("a defect")

    async def scenario(lookout: Lookout, database: Database, _shown: list[Changes]) -> None:
        nonlocal fails
        lookout.begin("5")
        with pytest.raises(Unavailable):
            await lookout.look()
        assert not lookout.is_recent
        fails = False
        await lookout.look()
        assert database.looks == ["5", "5"]
        assert lookout.is_recent

    with_lookout(scenario, NEVER, take_up)


def test_whoever_waits_while_everything_is_loaded_again_gets_what_is_true_then() -> None:
    """What a look shows that began before does not count."""

    async def scenario(lookout: Lookout, database: Database, shown: list[Changes]) -> None:
        lookout.begin("5")
        await lookout.look()
        database.goes_on.clear()
        looking = asyncio.create_task(lookout.look())
        while len(database.looks) == 1:
            await asyncio.sleep(0)
        lookout.forget()
        database.goes_on.set()
        later = asyncio.create_task(lookout.look())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not lookout.is_recent
        lookout.begin("10")
        await asyncio.gather(looking, later)
        assert [changes.position for changes in shown] == ["6", "11", "12"]
        assert lookout.is_recent

    with_lookout(scenario, NEVER)


def test_a_gateway_that_has_its_database_for_itself_never_looks() -> None:
    async def scenario(lookout: Lookout, database: Database, _shown: list[Changes]) -> None:
        lookout.begin("5")
        for wait in (lookout.look, lookout.next_look, lookout.be_recent):
            await wait()
        assert lookout.is_recent
        assert database.looks == []

    with_lookout(scenario, ALONE)


def test_whoever_waits_for_a_look_when_the_node_stops_is_told_so() -> None:
    async def scenario() -> None:
        database = Database(NEVER)
        lookout = Lookout(database, lambda: 0, lambda _changes: None)  # type: ignore[arg-type]
        running = asyncio.create_task(lookout.run())
        waiting = asyncio.create_task(lookout.next_look())
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(Stopping):
            await waiting
        with pytest.raises(Stopping):
            await lookout.look()

    asyncio.run(scenario())
