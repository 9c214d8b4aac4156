"""What a tenant's requests that change nothing may take of the event loop's time while others want it, too."""

import asyncio

from signalpost.domain.timestamps import SECOND
from signalpost.sharing.loop_shares import AT_ONCE, BESIDE, LISTENING, MOST, REFUSAL, RESTS, LoopShares
from signalpost.sharing.shares import Caller

MINE, OTHERS = 1, 2
MEASURED = 100
TOOK = MEASURED + int(LISTENING * SECOND)
"""How many µs each request takes, of which as many are measured."""


class _Clock:
    now = 5 * SECOND

    def steady(self) -> int:
        return self.now

    wall = steady


def _beside_others(clock: _Clock) -> LoopShares:
    shares = LoopShares(clock)
    for tenant in (MINE, OTHERS):
        shares.note_call(tenant)
    return shares


def _in_a_second(clock: _Clock, shares: LoopShares, clients: int) -> int:
    """How many requests of mine end in a second, by so many clients that ask again as soon as they are answered. A
    request of others comes every 10 ms."""
    begun, served = clock.now, 0
    ready = [clock.now] * clients
    while clock.now < begun + SECOND:
        client = ready.index(min(ready))
        clock.now = max(clock.now, ready[client])
        shares.note_call(MINE)
        wait = shares.begin(MINE)
        ready[client] = clock.now + wait + TOOK
        if not wait:
            clock.now += TOOK
        shares.end(MINE, MEASURED / SECOND)
        served += 1
        if served % 30 == 0:
            shares.note_call(OTHERS)
    return served


def test_a_tenant_that_asks_without_a_pause_gets_a_part_of_the_loop_however_many_its_clients_are() -> None:
    for clients in (1, 8, 64):
        clock = _Clock()
        served = _in_a_second(clock, _beside_others(clock), clients)
        assert served * TOOK <= SECOND / (1 + RESTS) + AT_ONCE + clients * TOOK
        assert served * TOOK >= 0.9 * SECOND / (1 + RESTS)


def test_a_tenant_that_nobody_calls_beside_waits_for_nothing() -> None:
    clock = _Clock()
    shares = LoopShares(clock)
    for _ in range(1_000):
        shares.note_call(MINE)
        assert shares.begin(MINE) == 0
        shares.end(MINE, 0.01)
    shares.note_call(OTHERS)
    assert shares.begin(MINE) == 0, "what was before others came does not count"
    shares.end(MINE, 0.01)
    assert shares.begin(MINE) > 0
    clock.now += BESIDE
    assert shares.begin(MINE) == 0, "the others are gone"


def test_one_tenant_waits_for_nothing_that_another_took() -> None:
    shares = _beside_others(_Clock())
    for _ in range(100):
        shares.begin(MINE)
        shares.end(MINE, 0.01)
    assert shares.begin(MINE) > SECOND
    assert shares.begin(OTHERS) == 0


def test_a_few_requests_that_come_together_do_not_wait() -> None:
    shares = _beside_others(_Clock())
    for _ in range(AT_ONCE // TOOK // (1 + RESTS)):
        assert shares.begin(MINE) == 0
        shares.end(MINE, MEASURED / SECOND)


def test_a_refusal_that_was_not_measured_takes_its_share_too_and_an_operator_has_one_of_their_own() -> None:
    async def scenario() -> None:
        shares = _beside_others(_Clock())
        tenant = Caller(MINE, (MINE, (MINE, "key", 7)))
        refused = 0
        while shares.begin(tenant.group) == 0:
            await shares.pay(tenant, REFUSAL)
            refused += 1
        assert refused <= AT_ONCE / ((LISTENING + REFUSAL) * SECOND * (1 + RESTS)) + 1
        assert shares.begin(Caller(MINE, ((MINE, "key", 0),)).group) == 0, "an operator in the same tenant"
        assert shares.begin(OTHERS) == 0

    asyncio.run(scenario())


def test_a_stream_that_went_on_for_hours_makes_nobody_wait_for_as_long() -> None:
    shares = _beside_others(_Clock())
    shares.begin(MINE)
    shares.end(MINE, 600.0)
    assert shares.begin(MINE) <= (1 + RESTS) * MOST
