"""Statements that are sent together on one connection."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from struct import pack
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import uvloop
from gateway.tests.captured_log import captured_log
from gateway.tests.patience import PATIENCE
from gateway.tests.postgres import emptied_database

from signalpost.store.postgres.columns import blobs, flags, numbers, texts, uuids
from signalpost.store.postgres.connect import DatabaseConnection, connect, trip, was_ended
from signalpost.store.postgres.sessions import limits
from signalpost.store.statements import Statement

ID = "00000000-0000-4000-8000-0000000000ff"
LARGE = b"x" * (1 << 20)


@asynccontextmanager
async def connected(*, prepares: bool = True) -> AsyncIterator[DatabaseConnection]:
    connection = await connect(emptied_database())
    connection.own_pipeline.prepares = prepares
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("prepares", [True, False])
def test_values_of_every_type_come_back_as_they_were_given(prepares: bool) -> None:
    values = (True, False, -(1 << 63), "é\n", b"\0\xff", None)
    columns = (numbers([1, None]), flags([True, False]), uuids([ID, None]), blobs([b"", None]), texts(["", None]))
    one = Statement("SELECT $1, $2, $3, $4, $5, $6::bigint", values)
    many = Statement("SELECT * FROM unnest($1, $2, $3, $4, $5)", columns)

    async def scenario() -> None:
        async with connected(prepares=prepares) as connection:
            for _ in range(2):
                assert await trip(connection, [one, many]) == [
                    [values],
                    [(1, True, ID, b"", ""), (None, False, None, None, None)],
                ]

    asyncio.run(scenario())


def test_each_statement_has_its_own_rows_and_one_without_rows_has_none() -> None:
    asked = [Statement("BEGIN"), Statement("SELECT 1"), Statement("SELECT WHERE false"), Statement("COMMIT")]

    async def scenario() -> None:
        async with connected() as connection:
            assert await trip(connection, asked) == [[], [(1,)], [], []]
            assert await trip(connection, []) == []

    asyncio.run(scenario())


def test_more_is_sent_and_answered_at_once_than_sockets_hold() -> None:
    async def scenario() -> None:
        async with connected() as connection:
            found = await trip(connection, [Statement("SELECT $1", (LARGE,)) for _ in range(20)])
            assert found == [[(LARGE,)]] * 20

    asyncio.run(scenario())


def test_the_first_error_is_raised_the_trip_is_undone_and_the_connection_is_closed() -> None:
    of_all = Statement("SELECT set_config('signalpost.tenants', '{-1}', true)")
    adding = [Statement("INSERT INTO tenant (name) VALUES ($1)", (name,)) for name in ("a", "b")]

    async def scenario() -> None:
        async with connected() as connection, connected() as other:
            with pytest.raises(psycopg.errors.DivisionByZero):
                await trip(connection, [of_all, adding[0], Statement("SELECT 1 / 0"), adding[1]])
            assert connection.closed
            _, found = await trip(other, [of_all, Statement("SELECT FROM tenant WHERE name IN ('a', 'b')")])
            assert found == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("value", "error"),
    [(1 << 63, psycopg.DataError), (-(1 << 63) - 1, psycopg.DataError), ("\ud800", ValueError), (1.5, TypeError)],
)
def test_a_connection_is_closed_where_a_value_cannot_be_sent(value: object, error: type[Exception]) -> None:
    async def scenario() -> None:
        async with connected() as connection:
            with pytest.raises(error):
                await trip(connection, [Statement("SELECT 1"), Statement("SELECT $1", (value,))])
            assert connection.closed

    asyncio.run(scenario())


def test_a_server_that_does_not_answer_in_time_is_a_lost_connection() -> None:
    async def scenario() -> None:
        async with connected() as connection:
            with pytest.raises(psycopg.OperationalError) as lost:
                await trip(connection, [Statement("SELECT pg_sleep(600)")], within=0.05)
            assert lost.value.sqlstate is None
            assert connection.closed

    asyncio.run(scenario())


def test_a_connection_that_the_server_ends_is_lost() -> None:
    async def scenario() -> None:
        async with connected() as connection, connected() as other:
            [[(process,)]] = await trip(connection, [Statement("SELECT pg_backend_pid()::bigint")])
            sleeping = asyncio.create_task(trip(connection, [Statement("SELECT pg_sleep(600)")]))
            await _until(other, process, "wait_event = 'PgSleep'", 1)
            await trip(other, [Statement("SELECT pg_terminate_backend($1::int)", (process,))])
            with pytest.raises(psycopg.errors.AdminShutdown):
                await sleeping
            assert connection.closed

    asyncio.run(scenario())


CRASHED = b"SWARNING\0C57P02\0Mterminating connection because of crash of another server process\0\0"
"""What each process of a server says of itself when another one has crashed; then it is gone."""


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def test_a_server_that_says_that_it_has_crashed_and_is_gone_is_a_lost_connection(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """What the server says last and the end of the connection come at the same moment: the event loop tells of both
    once."""

    async def scenario() -> None:
        url = emptied_database()
        with relayed(url) as relay:
            connection = await connect(url.replace("@", f"@127.0.0.1:{relay.port}").partition("?")[0])
            async with connected() as other:
                [[(process,)]] = await trip(connection, [Statement("SELECT pg_backend_pid()::bigint")])
                sleeping = asyncio.create_task(trip(connection, [Statement("SELECT pg_sleep(600)")]))
                await _until(other, process, "wait_event = 'PgSleep'", 1)
                relay.end_saying(b"N" + pack(">i", len(CRASHED) + 4) + CRASHED)
                async with asyncio.timeout(PATIENCE):
                    with pytest.raises(psycopg.OperationalError):
                        await sleeping
            assert connection.closed

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())


class Relay:
    """Passes on what one client and the server say, on threads: nothing here depends on the event loop."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._client: socket.socket
        self._from_client = threading.Thread(target=self._accept, daemon=True)
        self._from_client.start()

    def _accept(self) -> None:
        self._client, _ = self._listening.accept()
        threading.Thread(target=_pass_on, args=(self._server, self._client), daemon=True).start()
        _pass_on(self._client, self._server)

    def end_saying(self, last: bytes) -> None:
        """Say this to the client, and be gone as a process is that was killed: nothing follows in order."""
        self._client.shutdown(socket.SHUT_RD)
        self._from_client.join()  # it would keep the connection open
        self._client.sendall(last)
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
        self._client.close()

    def close(self) -> None:
        self._listening.close()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@contextmanager
def relayed(url: str) -> Iterator[Relay]:
    """A port of this machine behind which the server of a database is."""
    asked = parse_qs(urlsplit(url).query)
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}")
    with closing(Relay(server)) as relay:
        yield relay


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while said := source.recv(65536):
            target.sendall(said)


def test_the_server_goes_no_further_with_what_nobody_waits_for_any_more() -> None:
    async def scenario() -> None:
        async with connected() as connection, connected() as other:
            [[(process,)]] = await trip(connection, [Statement("SELECT pg_backend_pid()::bigint")])
            sleeping = asyncio.create_task(trip(connection, [Statement("SELECT pg_sleep(600)")]))
            await _until(other, process, "wait_event = 'PgSleep'", 1)
            sleeping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sleeping
            await _until(other, process, "true", 0)

    asyncio.run(scenario())


async def _until(connection: DatabaseConnection, process: int, condition: str, count: int) -> None:
    """Wait until so many of the server's processes have this number and meet the condition."""
    asked = Statement(f"SELECT FROM pg_stat_activity WHERE pid = $1 AND {condition}", (process,))
    async with asyncio.timeout(PATIENCE):
        while len((await trip(connection, [asked]))[0]) != count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("said", "within"), [("", "2s"), ("10s", "10s")])
def test_the_database_may_say_how_long_a_transaction_waits_for_its_gateway(said: str, within: str) -> None:
    saying = Statement("SELECT set_config('signalpost.idle_within', $1, true)", (said,))
    asking = Statement("SELECT current_setting('idle_in_transaction_session_timeout')")

    async def scenario() -> None:
        async with connected() as connection:
            *_, [(found,)] = await trip(connection, [saying, limits(None, "5s"), asking])
            assert found == within

    asyncio.run(scenario())


def test_a_transaction_that_the_server_ended_because_it_was_idle_is_logged() -> None:
    idle = Statement("SELECT set_config('idle_in_transaction_session_timeout', '1ms', true)")

    async def scenario() -> None:
        async with connected() as connection:
            await trip(connection, [Statement("BEGIN"), idle])
            async with asyncio.timeout(PATIENCE):
                while not was_ended(connection):
                    await asyncio.sleep(0.01)
            with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
                await trip(connection, [Statement("SELECT 1"), Statement("COMMIT")])

    with captured_log() as lines:
        asyncio.run(scenario())
    [line] = lines
    assert line["level"] == "warning"
    assert "stood still in the middle of it; look at whether this process was frozen" in line["message"]
    assert "idle-in-transaction timeout" in line["error"]
