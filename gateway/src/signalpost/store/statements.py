"""Statements that both databases answer alike. Such a statement stands once, beside what asks it.

They are written as PostgreSQL takes them: parameters are `$1`, `$2`, …, one that is an id is `$1::uuid`, and a list of
numbers is compared as `= ANY($1::bigint[])`. Locks and whatever else the databases do differently stay in their own
folders.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

Row = tuple[Any, ...]
EVERY_TENANT = None
"""In the place of a tenant's id, for what is not one tenant's alone."""
_NO_BOUND = 2**62


def bound(below: int | None) -> int:
    """Below which number a page of a list begins, newest first: for the first page, above every number of a row."""
    return _NO_BOUND if below is None else below


class Statement(NamedTuple):
    """A statement, with parameters for its `$1`, `$2`, …"""

    sql: str
    parameters: Sequence[Any] = ()


class RowReader(Protocol):
    """What reads rows, each time as of one moment."""

    def unpack_id(self, packed: Any, /) -> str:
        """An id as the database keeps it, as text."""
        ...

    async def rows(self, tenant_id: int | None, sql: str, *parameters: Any) -> list[Row]:
        """The rows of one statement, which sees those of this tenant, or of every one. Raises Unavailable if the
        database cannot be read now."""
        ...

    async def all(self, tenant_id: int | None, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows of each of these statements, all as of one moment. Raises Unavailable."""
        ...


class RowWriter(Protocol):
    """What writes, apart from batches of commands and records of lanes."""

    async def all(self, tenant_id: int | None, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows of each of these statements, once they are committed together. Raises Unavailable."""
        ...
