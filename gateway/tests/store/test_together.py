"""Coroutines that ask for something are asked together."""

from collections.abc import Coroutine, Generator, Sequence
from types import coroutine
from typing import Any

import pytest

from signalpost.store.walks.together import together


@coroutine
def ask(*questions: str) -> Generator[Sequence[str], list[str], list[str]]:
    return (yield questions)


async def asks(*rounds: Sequence[str]) -> list[list[str]]:
    return [await ask(*questions) for questions in rounds]


def answered(asking: Coroutine[Any, Any, Any]) -> tuple[Any, list[Sequence[str]]]:
    """What the coroutine returns where each question is answered by itself in capitals, and what it asked at a time."""
    asked: list[Sequence[str]] = []
    answer: list[str] | None = None
    while True:
        try:
            questions = asking.send(answer)
        except StopIteration as ended:
            return ended.value, asked
        asked.append(tuple(questions))
        answer = [question.upper() for question in questions]


def test_each_gets_its_own_answers_and_the_questions_of_a_round_are_asked_at_once() -> None:
    returned, asked = answered(together([asks(["a"], ["b", "c"], ["d"]), asks(), asks([], ["e"])]))
    assert returned == [[["A"], ["B", "C"], ["D"]], [], [[], ["E"]]]
    assert asked == [("a",), ("b", "c", "e"), ("d",)]


def test_where_none_asks_anything_nothing_is_asked() -> None:
    assert answered(together([asks(), asks()])) == ([[], []], [])
    assert answered(together([])) == ([], [])


def test_where_one_fails_the_others_end_too() -> None:
    ended = []

    async def fails() -> None:
        await ask("a")
        raise ValueError("broken")

    async def goes_on() -> None:
        try:
            await ask("b")
            await ask("c")
        finally:
            ended.append("goes on")

    with pytest.raises(ValueError, match="broken"):
        answered(together([goes_on(), fails()]))
    assert ended == ["goes on"]
