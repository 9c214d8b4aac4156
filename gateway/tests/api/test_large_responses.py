"""A large answer is made and sent in slices, and others have their turn after each."""

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from signalpost.api.http.pages import BYTES_IN_A_ROW, ENTRIES_IN_A_ROW, PAGE_BYTES, fitting, gathered, page
from signalpost.api.http.response import Response, answer_to
from signalpost.listener.application import SLICE_BYTES, next_round, send_body


@pytest.mark.parametrize("size", [0, 1, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1, 3 * SLICE_BYTES, 200_000])
def test_every_byte_is_sent_once_in_slices_and_others_run_between_them(size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    sent: list[tuple[bytes, bool]] = []
    turns: list[int] = []

    async def send(part: bytes, *, is_last: bool) -> None:
        sent.append((part, is_last))

    answer = answer_to(Response(200, body), "id")

    async def count_turns() -> None:
        while True:
            turns.append(len(sent))
            await asyncio.sleep(0)

    async def scenario() -> None:
        beside = asyncio.ensure_future(count_turns())
        await asyncio.sleep(0)
        await send_body(answer, send)
        beside.cancel()

    asyncio.run(scenario())
    assert ("content-length", str(size)) in answer.headers
    slices = [part for part, _ in sent]
    assert b"".join(slices) == body
    assert [is_last for _, is_last in sent] == [False] * (len(slices) - 1) + [True]
    assert max(map(len, slices)) <= SLICE_BYTES
    assert len(slices) == max(1, -(-size // SLICE_BYTES))
    assert set(range(1, len(sent))) <= set(turns), "after each slice but the last"


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
