"""Several coroutines whose questions are asked together.

What every database does in the same way is written as coroutines that ask queries. On PostgreSQL each question is a
trip to the server, whatever is asked: twenty coroutines that each ask nine times take nine trips together, and one
hundred and eighty one after the other. On SQLite a coroutine never waits, and each simply runs to its end.
"""

from collections.abc import Coroutine, Generator, Iterable, Sequence
from itertools import chain, islice
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Questions = Sequence[Any]
Answers = Sequence[Any]
"""One answer for each question, in the same order."""


@coroutine
def together(askings: Iterable[Coroutine[Any, Any, T]]) -> Generator[Questions, Answers, list[T]]:
    """The results of these coroutines, in the same order. The first error ends all of them."""
    waiting: dict[int, Coroutine[Any, Any, T]] = dict(enumerate(askings))
    found: dict[int, T] = {}
    answers: dict[int, Answers | None] = dict.fromkeys(waiting)
    try:
        while asked := _ask_on(waiting, answers, found):
            answered = iter((yield [*chain.from_iterable(asked.values())]))
            answers = {place: [*islice(answered, len(questions))] for place, questions in asked.items()}
    finally:
        for asking in waiting.values():
            asking.close()
    return [found[place] for place in sorted(found)]


def _ask_on(
    waiting: dict[int, Coroutine[Any, Any, T]], answers: dict[int, Answers | None], found: dict[int, T]
) -> dict[int, Questions]:
    """Give each that waits its answers. Returns what each asks next; what one returned is in `found` then."""
    asked: dict[int, Questions] = {}
    for place, answer in answers.items():
        try:
            asked[place] = waiting[place].send(answer)
        except StopIteration as ended:
            found[place] = ended.value
            del waiting[place]
    return asked
