"""A connection that is about to forget its credentials lets nothing be asked for, unless another node does not end."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from gateway.tests.world.virtual_time import VirtualLoop, VirtualTime

from signalpost.destinations.access import Consent
from signalpost.domain.connection import Granted
from signalpost.domain.errors import NotFound, Unavailable
from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.token_endpoints import Unanswered
from signalpost.engine.connectors.tokens import RESTS_WITHIN, Tokens
from signalpost.engine.lanes.carriers import NEVER

CONSENT = Consent(
    authorize_url="https://vendor.example/authorize",
    token_url="https://vendor.example/token",
    client_id="client",
    client_secret="secret",
    scopes=(),
)
GRANTED = Granted(refresh_token="refresh", access_token="token", expires_at=1 << 60)
GRANTED_LONG_AGO = Granted(refresh_token="refresh")


class TurnOfAnother:
    """Another node has the turn until it is `free`."""

    free = False
    ended = 0

    async def begin(self) -> bool:
        return self.free

    async def end(self) -> None:
        self.ended += 1


class TurnOfNobody(TurnOfAnother):
    """Another node has deleted the connection."""

    async def begin(self) -> bool:
        raise NotFound("connection_not_found", "gone")


class TurnAfterAnother(TurnOfAnother):
    """Another node has renewed the token, and this one learns of that while it takes the turn."""

    def __init__(self) -> None:
        self.learn: Callable[[], None] = lambda: None

    async def begin(self) -> bool:
        self.learn()
        return True


def tokens_with(turn: TurnOfAnother, time: VirtualTime, granted: Granted = GRANTED) -> Tokens:
    clock: Any = type("Now", (), {"wall": lambda _: time.now * SECOND, "steady": lambda _: time.now * SECOND})()
    unused: Any = None
    return Tokens(CONSENT, granted, unused, clock, Random(1), unused, lambda: None, unused, turn)


def test_a_rest_begins_once_another_node_has_ended_its_turn() -> None:
    turn, time = TurnOfAnother(), VirtualTime(0.0)
    tokens = tokens_with(turn, time)

    async def scenario() -> None:
        resting = asyncio.create_task(tokens.rest())
        await asyncio.sleep(5)
        assert not resting.done()
        turn.free = True
        await resting
        assert tokens.ready_at(0) > 0, "it rests"
        await tokens.go_on()
        assert tokens.ready_at(0) == 0
        assert turn.ended == 1

    loop = VirtualLoop(time)
    loop.run_until_complete(scenario())
    loop.close()


def test_where_another_node_does_not_end_its_turn_the_connection_goes_on_as_before() -> None:
    turn, time = TurnOfAnother(), VirtualTime(0.0)
    tokens = tokens_with(turn, time)

    async def scenario() -> None:
        with pytest.raises(Unavailable):
            await tokens.rest()
        assert time.now >= RESTS_WITHIN
        assert tokens.ready_at(0) == 0

    loop = VirtualLoop(time)
    loop.run_until_complete(scenario())
    loop.close()


def test_a_node_that_learns_of_a_renewed_token_while_it_takes_the_turn_asks_for_none() -> None:
    turn, time = TurnAfterAnother(), VirtualTime(0.0)
    tokens = tokens_with(turn, time, GRANTED_LONG_AGO)
    turn.learn = lambda: tokens.follow(GRANTED)

    async def scenario() -> None:
        await tokens.wait()
        assert tokens.authorization == "Bearer token"
        assert tokens.trouble is None, "there is nobody to ask"
        assert turn.ended == 1

    loop = VirtualLoop(time)
    loop.run_until_complete(scenario())
    loop.close()


def test_whoever_finds_the_connection_deleted_asks_for_nothing() -> None:
    turn, time = TurnOfNobody(), VirtualTime(0.0)
    tokens = tokens_with(turn, time, GRANTED_LONG_AGO)

    async def scenario() -> None:
        assert tokens.ready_at(0) == NEVER
        with pytest.raises(Unanswered):
            await tokens.wait()
        assert tokens.trouble == "gone"
        with pytest.raises(NotFound):
            await tokens.rest()
        assert time.now == 0

    loop = VirtualLoop(time)
    loop.run_until_complete(scenario())
    loop.close()
