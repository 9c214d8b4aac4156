"""A large answer is made and sent in slices, and others have their turn after each."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest

from signalpost.api.http.pages import BYTES_IN_A_ROW, ENTRIES_IN_A_ROW, PAGE_BYTES, fitting, gathered, page
from signalpost.api.http.response import SLICE_BYTES, Response, next_round, send_response
from signalpost.runtime.asgi import Message
from signalpost.runtime.loop_turns import MIN_REST, RESTS, LoopTurns


@pytest.mark.parametrize("size", [0, 1, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1, 3 * SLICE_BYTES, 200_000])
def test_every_byte_is_sent_once_in_slices_and_others_run_between_them(size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    sent: list[Message] = []
    turns: list[int] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def count_turns() -> None:
        while True:
            turns.append(len(sent))
            await asyncio.sleep(0)

    async def scenario() -> None:
        beside = asyncio.ensure_future(count_turns())
        await asyncio.sleep(0)
        await send_response(Response(200, body), "id", send)
        beside.cancel()

    asyncio.run(scenario())
    head, *slices = sent
    assert (b"content-length", b"%d" % size) in head["headers"]
    assert b"".join(each["body"] for each in slices) == body
    assert [each.get("more_body", False) for each in slices] == [True] * (len(slices) - 1) + [False]
    assert max(len(each["body"]) for each in slices) <= SLICE_BYTES
    assert len(slices) == max(1, -(-size // SLICE_BYTES))
    assert set(range(2, len(sent))) <= set(turns), "after each slice but the last"


def test_a_page_is_made_entry_by_entry_and_others_run_meanwhile() -> None:
    made = 0
    turns: set[int] = set()

    def entries() -> Iterator[bytes]:
        nonlocal made
        for number in range(100):
            made += 1
            yield b'"%0*d"' % (BYTES_IN_A_ROW, number)

    async def count_turns() -> None:
        while True:
            turns.add(made)
            await asyncio.sleep(0)

    async def scenario() -> list[bytes]:
        beside = asyncio.ensure_future(count_turns())
        found = await gathered(fitting(entries()), next_round)
        beside.cancel()
        return found

    found = asyncio.run(scenario())
    assert len(found) == PAGE_BYTES // BYTES_IN_A_ROW == 64, "up to the one with which they come to a page"
    assert made == len(found)
    assert turns >= set(range(1, 64))


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_a_page_has_its_entries_and_what_stands_beside_them(count: int) -> None:
    made = page([b'"%d"' % number for number in range(count)], {"next": None, "last": 7})
    assert msgspec.json.decode(made) == {"data": list(map(str, range(count))), "next": None, "last": 7}


def test_many_small_entries_are_made_in_slices_too() -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1

    assert len(asyncio.run(gathered([b"1"] * 250, turn))) == 250
    assert turns == 250 // ENTRIES_IN_A_ROW


def test_what_is_long_has_one_slice_in_each_round_in_turns_between_tenants() -> None:
    async def scenario() -> tuple[list[int], int]:
        turns, order, most = LoopTurns(), list[int](), 0

        async def work(tenant: int, slices: int) -> None:
            for _ in range(slices):
                await turns.turn(tenant)
                order.append(tenant)

        async def watch() -> None:
            nonlocal most
            before = 0
            while True:
                most, before = max(most, len(order) - before), len(order)
                await asyncio.sleep(0)

        beside = asyncio.create_task(watch())
        await asyncio.gather(*(work(1, 10) for _ in range(50)), work(2, 10))
        beside.cancel()
        return order, most

    order, most = asyncio.run(scenario())
    assert most == 1
    assert order.count(1) == 500
    seconds = [place for place, tenant in enumerate(order) if tenant == 2]
    assert max(later - earlier for earlier, later in pairwise(seconds)) <= 3, "a tenant waits for one slice of another"


@pytest.mark.parametrize("slices", [[0.004], [0.0003] * 20, [0.0001, 0.005, 0.0] * 4])
def test_what_is_long_rests_after_its_slices_twice_as_long_as_they_took(slices: list[float]) -> None:
    spent = 0.0

    async def scenario() -> float:
        nonlocal spent
        loop, turns = asyncio.get_running_loop(), LoopTurns(lambda: spent)
        begun = loop.time()
        for each in slices:
            await turns.turn(1)
            spent += each
        await turns.turn(2)
        return loop.time() - begun

    # The timers of a loop end up to a millisecond early, and a rest that is shorter than that is kept for later.
    assert asyncio.run(scenario()) >= RESTS * spent - 2 * MIN_REST


def test_a_turn_that_nobody_waits_for_any_more_goes_to_the_next() -> None:
    async def scenario() -> None:
        turns = LoopTurns()
        gone = [asyncio.create_task(turns.turn(1)) for _ in range(3)]
        kept = asyncio.create_task(turns.turn(1))
        await asyncio.sleep(0)
        for each in gone:
            each.cancel()
        await kept
        await turns.turn(2)

    asyncio.run(scenario())
