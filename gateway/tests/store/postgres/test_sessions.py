"""What reads and what writes: on which thread, and what happens where the database is not there."""

import asyncio
import inspect
import socket
import threading

import psycopg
import pytest
from gateway.tests.postgres import OWNER, emptied_database

from signalpost.domain.errors import Stopping, Unavailable
from signalpost.store.postgres.asking import ask_one, steps_of
from signalpost.store.postgres.sessions import ReadSessions, Writers
from signalpost.store.postgres.source import DatabaseSource
from signalpost.store.statements import EVERY_TENANT
from signalpost_bench.postgres_server import SUPERUSER


@pytest.mark.parametrize("sessions", [ReadSessions, Writers])
def test_steps_that_were_never_begun_are_closed(sessions: type[ReadSessions | Writers]) -> None:
    """Otherwise Python writes to standard error, some time later, that a coroutine was never awaited."""
    asking = ask_one("SELECT 1")

    async def scenario(port: int) -> None:
        asked = sessions(DatabaseSource(f"postgresql://127.0.0.1:{port}/none"), 1)
        with pytest.raises(Unavailable):
            await asked.run(EVERY_TENANT, steps_of(asking))
        await asked.close()

    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        asyncio.run(scenario(nobody_listens.getsockname()[1]))
    assert inspect.getcoroutinestate(asking) == inspect.CORO_CLOSED


def test_steps_that_read_run_on_another_thread_than_the_loop_that_delivers() -> None:
    ran_on: list[threading.Thread] = []

    async def asking() -> int:
        [(one,)] = await ask_one("SELECT 1")
        ran_on.append(threading.current_thread())
        return int(one)

    async def scenario() -> None:
        readers = ReadSessions(DatabaseSource(emptied_database()))
        assert await readers.run(EVERY_TENANT, steps_of(asking())) == 1
        assert await readers.run_in_turn(1, steps_of(asking())) == 1
        assert await readers.rows(EVERY_TENANT, "SELECT 2") == [(2,)]
        await readers.close()
        assert len(ran_on) == 2
        assert threading.current_thread() not in ran_on

    asyncio.run(scenario())


def test_everything_that_one_call_reads_is_as_of_one_moment() -> None:
    """A page of the log would else have events that are newer than the version of the configuration that it tells."""
    url = emptied_database()

    async def asking() -> list[int]:
        [(before,)] = await ask_one("SELECT config_version FROM tenant WHERE id = 1")
        with psycopg.connect(url.replace(f"{OWNER}@", f"{SUPERUSER}@")) as another:
            another.execute("UPDATE tenant SET config_version = config_version + 1")
        [(after,)] = await ask_one("SELECT config_version FROM tenant WHERE id = 1")
        return [before, after]

    async def scenario() -> None:
        readers = ReadSessions(DatabaseSource(url))
        for run in (readers.run, readers.run_in_turn):
            before, after = await run(1, steps_of(asking()))
            assert before == after
        await readers.close()

    asyncio.run(scenario())


def test_nothing_is_read_once_the_readers_are_closed_and_what_waits_for_its_turn_ends() -> None:
    async def scenario() -> None:
        readers = ReadSessions(DatabaseSource(emptied_database()), 1)
        in_turn = [
            asyncio.create_task(readers.run_in_turn(tenant_id, steps_of(ask_one("SELECT 1 FROM pg_sleep(0.05)"))))
            for tenant_id in range(1, 4)
        ]
        await asyncio.sleep(0.01)
        await readers.close()
        for ended in await asyncio.gather(*in_turn, return_exceptions=True):
            assert isinstance(ended, Stopping) or ended == [(1,)]
        with pytest.raises(Stopping):
            await readers.rows(EVERY_TENANT, "SELECT 1")
        asking = ask_one("SELECT 1")
        for run in (readers.run(1, steps_of(asking)), readers.run_in_turn(1, steps_of(ask_one("SELECT 1")))):
            with pytest.raises(Stopping):
                await run
        assert inspect.getcoroutinestate(asking) == inspect.CORO_CLOSED
        await readers.close()

    asyncio.run(scenario())
