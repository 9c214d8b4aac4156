"""However many clients send or leave at the same moment, a round of the event loop begins only a few requests."""

import asyncio
from collections.abc import Callable

from gateway.tests.api.test_front_streams import Wire, echo
from gateway.tests.listener.applications import NOTHING, waiting_for

from signalpost.listener.application import Answer, ArrivingBody, Head
from signalpost.listener.connection_limits import ConnectionLimits
from signalpost.listener.http_connection import BODY_HELD_BYTES, ClientConnection
from signalpost.listener.serving import Serving
from signalpost.sharing.short_rounds import STEPS_IN_A_ROUND, ShortRounds

REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
CLIENTS = 10 * STEPS_IN_A_ROUND


def connections(serving: Serving) -> list[tuple[ClientConnection, Wire]]:
    made = [(ClientConnection(serving), Wire()) for _ in range(CLIENTS)]
    for connection, wire in made:
        connection.connection_made(wire)
    return made


async def most_in_a_round(count: Callable[[], int], until: int) -> int:
    """Returns the most by which the count grew from one round to the next, until it was that high."""
    most, before = 0, count()
    while before < until:
        await asyncio.sleep(0)
        most, before = max(most, count() - before), count()
    return most


def test_steps_are_taken_in_their_order_and_a_few_in_each_round() -> None:
    async def scenario() -> None:
        rounds, taken = ShortRounds(), list[int]()
        for number in range(CLIENTS):
            rounds.run(lambda number=number: taken.append(number))  # type: ignore[misc]
        assert len(taken) == STEPS_IN_A_ROUND
        assert await most_in_a_round(lambda: len(taken), CLIENTS) <= STEPS_IN_A_ROUND
        assert taken == list(range(CLIENTS))
        await asyncio.sleep(0)
        rounds.run(lambda: taken.append(-1))
        assert taken[-1] == -1, "where nobody waits a step is taken at once"

    asyncio.run(scenario())


def test_requests_that_come_together_begin_a_few_in_each_round_and_all_are_answered() -> None:
    async def scenario() -> None:
        serving = Serving(echo, ConnectionLimits(CLIENTS), frozenset())
        made = connections(serving)
        for connection, _ in made:
            connection.data_received(REQUEST)
        assert sum(bool(wire.written) for _, wire in made) == STEPS_IN_A_ROUND
        answered = await most_in_a_round(lambda: sum(bool(wire.written) for _, wire in made), CLIENTS)
        assert answered <= STEPS_IN_A_ROUND
        assert all(wire.written.startswith(b"HTTP/1.1 200 ") for _, wire in made)

    asyncio.run(scenario())


def test_of_requests_that_a_client_sends_in_one_piece_each_round_answers_one() -> None:
    async def scenario() -> None:
        wire, connection = Wire(), ClientConnection(Serving(echo, ConnectionLimits(1), frozenset()))
        connection.connection_made(wire)
        connection.data_received(REQUEST * 1_000)  # as a recursion they would be too deep
        assert wire.written.count(b"HTTP/1.1 200 ") == 1
        assert await most_in_a_round(lambda: wire.written.count(b"HTTP/1.1 200 "), 1_000) == 1

    asyncio.run(scenario())


def test_what_a_client_sent_in_one_piece_is_answered_though_it_sends_no_more() -> None:
    async def scenario() -> None:
        wire, connection = Wire(), ClientConnection(Serving(echo, ConnectionLimits(1), frozenset()))
        connection.connection_made(wire)
        connection.data_received(REQUEST * 3)
        assert connection.eof_received()
        while not wire.closing:
            await asyncio.sleep(0)
        assert wire.written.count(b"HTTP/1.1 200 ") == 3

    asyncio.run(scenario())


def test_who_sends_no_more_while_its_request_waits_is_answered_and_then_closed() -> None:
    async def scenario() -> None:
        serving = Serving(echo, ConnectionLimits(CLIENTS), frozenset())
        made = connections(serving)
        for connection, wire in made:
            connection.data_received(REQUEST)
            if not connection.eof_received():
                assert wire.written, "only who was answered at once is done"
                wire.close()
        while not all(wire.closing for _, wire in made):
            await asyncio.sleep(0)
        assert all(wire.written.startswith(b"HTTP/1.1 200 ") for _, wire in made)

    asyncio.run(scenario())


def test_half_a_head_that_waits_when_its_client_ends_or_the_server_stops_is_no_request() -> None:
    async def scenario() -> None:
        serving = Serving(echo, ConnectionLimits(CLIENTS), frozenset())
        made = connections(serving)
        for number, (connection, _) in enumerate(made):
            connection.data_received(REQUEST[:9])
            if number % 2:
                connection.shutdown()
            else:
                connection.eof_received()
        while not all(wire.closing for _, wire in made):
            await asyncio.sleep(0.05)  # what is left of a head is waited for, for seconds
        assert not any(wire.written for _, wire in made)

    asyncio.run(scenario())


def test_a_request_that_waits_when_the_server_stops_is_answered() -> None:
    async def scenario() -> None:
        serving = Serving(echo, ConnectionLimits(CLIENTS), frozenset())
        made = connections(serving)
        for connection, _ in made:
            connection.data_received(REQUEST)
            connection.shutdown()
        while not all(wire.ended or wire.closing for _, wire in made):
            await asyncio.sleep(0)
        assert all(wire.written.startswith(b"HTTP/1.1 200 ") for _, wire in made)

    asyncio.run(scenario())


def test_who_waits_for_its_turn_is_not_read_from_beyond_what_is_held_of_a_body() -> None:
    async def scenario() -> None:
        serving = Serving(echo, ConnectionLimits(CLIENTS), frozenset())
        made = connections(serving)
        head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % (2 * BODY_HELD_BYTES)
        for connection, _ in made:
            connection.data_received(head + bytes(BODY_HELD_BYTES))
        assert not any(wire.reading for _, wire in made[STEPS_IN_A_ROUND:])
        connection, wire = made[-1]
        while not wire.reading:
            await asyncio.sleep(0)
        connection.data_received(bytes(BODY_HELD_BYTES))
        while not wire.written:
            await asyncio.sleep(0)
        assert wire.written.startswith(b"HTTP/1.1 200 ")

    asyncio.run(scenario())


def test_clients_that_leave_together_are_told_of_to_a_few_requests_in_each_round_and_nothing_more_is_written() -> None:
    left = 0

    async def scenario() -> None:
        async def wait(_: Head, body: ArrivingBody) -> Answer:
            nonlocal left
            await body.gone()
            left += 1
            return NOTHING

        serving = Serving(waiting_for(wait), ConnectionLimits(CLIENTS), frozenset())
        made = connections(serving)
        for connection, _ in made:
            connection.data_received(REQUEST)
        while len(serving.in_progress) < CLIENTS:
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        for connection, _ in made:
            connection.connection_lost(None)
        assert await most_in_a_round(lambda: left, CLIENTS) <= STEPS_IN_A_ROUND
        assert not any(wire.written for _, wire in made)

    asyncio.run(scenario())
