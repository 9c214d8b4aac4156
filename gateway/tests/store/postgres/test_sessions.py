"""What happens to what is asked of a database that is not there."""

import asyncio
import inspect
import socket

import pytest

from signalpost.domain.errors import Unavailable
from signalpost.store.postgres.asking import ask_one, steps_of
from signalpost.store.postgres.sessions import EVERY_TENANT, ReadSessions, Writers
from signalpost.store.postgres.source import DatabaseSource


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
