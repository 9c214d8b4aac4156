"""Holders take turns at what only so many may have at a time, and no turn is lost with a holder that waited for it."""

import asyncio

from signalpost.sharing.fair_queue import FairQueue
from signalpost.sharing.shared_turns import SharedTurns
from signalpost.sharing.shares import alone


def test_holders_take_turns_and_one_that_is_gone_leaves_its_turn_to_the_next_of_its_holder() -> None:
    async def scenario() -> None:
        queue: FairQueue[int] = FairQueue()
        turns = {name: queue.add(int(name[0])) for name in ("1a", "1b", "1c", "2a", "3a")}
        for gone in ("1a", "3a"):
            turns[gone].cancel()
        given: list[str] = []
        while queue.give():
            given += [
                name for name, turn in turns.items() if turn.done() and not turn.cancelled() and name not in given
            ]
        assert given == ["1b", "2a", "1c"]
        assert not queue

    asyncio.run(scenario())


def test_a_turn_that_was_given_to_somebody_who_left_at_that_moment_goes_on() -> None:
    async def scenario() -> None:
        turns, caller = SharedTurns(1), alone(1)
        await turns.begin(caller)
        first, second = (asyncio.create_task(turns.begin(alone(holder))) for holder in (2, 3))
        await asyncio.sleep(0)
        turns.end(caller)
        first.cancel()
        await second
        assert first.cancelled()
        turns.end(alone(3))
        await turns.begin(caller)

    asyncio.run(scenario())
