"""Passwords are kept as argon2id, and cost the same whether or not there is one."""

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from signalpost.api.guards.passwords import MAX_WAITING, Passwords
from signalpost.domain.errors import TooMany


class Turns:
    """An executor that does its work when it is told to, and counts it."""

    def __init__(self) -> None:
        self.done = 0
        self.waits = False

    def submit(self, work: Any, /, *arguments: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        if not self.waits:
            self.done += 1
            future.set_result(work(*arguments))
        return future


def passwords() -> tuple[Passwords, Turns]:
    turns, made = Turns(), iter(range(100))
    return Passwords(turns, lambda length: next(made).to_bytes(length, "big")), turns  # type: ignore[arg-type]


def test_a_password_is_known_by_its_hash_which_is_another_one_each_time() -> None:
    async def scenario() -> None:
        desk, _ = passwords()
        first, second = await desk.hash("four words make sense"), await desk.hash("four words make sense")
        assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert first != second
        assert await desk.check("four words make sense", first)
        assert not await desk.check("four words make nonsense", first)

    asyncio.run(scenario())


def test_the_same_letters_are_the_same_password_however_a_keyboard_composes_them() -> None:
    async def scenario() -> None:
        desk, _ = passwords()
        assert await desk.check("zwo\u0308lf Zeichen", await desk.hash("zw\u00f6lf Zeichen"))
        assert not await desk.check("\ud800", None)

    asyncio.run(scenario())


def test_where_there_is_no_password_none_is_right_and_the_work_is_the_same() -> None:
    async def scenario() -> None:
        desk, turns = passwords()
        hashed = await desk.hash("four words make sense")
        turns.done = 0
        assert not await desk.check("a wrong password", hashed)
        assert turns.done == 1
        for guess in ("a wrong password", "password", ""):
            assert not await desk.check(guess, None)
        assert turns.done == 4

    asyncio.run(scenario())


def test_beyond_some_that_wait_further_ones_are_refused() -> None:
    async def scenario() -> None:
        desk, turns = passwords()
        turns.waits = True
        waiting = [asyncio.ensure_future(desk.check("guess", None)) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await desk.check("guess", None)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        turns.waits = False
        assert not await desk.check("guess", None)

    asyncio.run(scenario())
