"""Coroutines as the steps of a transaction.

What every database does in the same way is written as coroutines that ask queries. Here each query awaits `ask`, which
hands its statements to what takes the coroutine's steps: one trip for each.
"""

from collections.abc import Coroutine, Generator, Sequence
from types import coroutine
from typing import Any, TypeVar, cast

from signalpost.store.postgres.sessions import Steps
from signalpost.store.statements import Row, Statement

T = TypeVar("T")


@coroutine
def ask(*statements: Statement) -> Generator[Sequence[Statement], list[list[Row]], list[list[Row]]]:
    """The rows of each of these statements."""
    return (yield statements)


async def ask_one(sql: str, *parameters: Any) -> list[Row]:
    """The rows of a statement."""
    [found] = await ask(Statement(sql, parameters))
    return found


def steps_of(asking: Coroutine[Any, Any, T]) -> Steps[T]:
    """The steps of a coroutine that waits for nothing but what it asks."""
    return cast(Steps[T], asking.__await__())
