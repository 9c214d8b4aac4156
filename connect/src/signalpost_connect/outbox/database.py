"""What the reader of an outbox asks of a database, whichever it is."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

BATCH_BYTES: Final = 8 * 1024 * 1024
"""How large the snapshots of a batch may be together; a larger one comes alone."""


class Row(NamedTuple):
    """A row of the outbox."""

    id: int
    document: str
    version: int
    snapshot: str | None
    """JSON; None if the document was deleted."""
    traceparent: str | None
    seconds: float
    """For how long it has waited."""


class Database(Protocol):
    """The rows of one tenant. Every method but `close` raises SourceAway; what comes next is then `close`."""

    async def connect(self) -> bool:
        """Connect, and take the lock. Returns whether this reader has it now."""
        ...

    async def oldest(self, most: int, but: Collection[int]) -> Sequence[Row]:
        """At most so many rows, and together no more than `BATCH_BYTES`, without those with an id in `but`."""
        ...

    async def settle(self, done: Sequence[int], problems: Mapping[int, str]) -> None:
        """In one transaction, delete the rows that are done, and move those with a problem to the dead."""

    async def count_dead(self) -> int:
        """How many rows are dead."""
        ...

    async def close(self) -> None:
        """End the connection, and with it the lock. Never raises."""
