"""The small queries about a tenant's log that lists are made of.

Lists have their logic once, as coroutines that ask queries like these; each database answers them in its own way. What
one list asks is answered as of one moment.
"""

from typing import Final, NamedTuple, Protocol

ENDS: Final = "SELECT floor, last_sequence, last_at FROM tenant WHERE id = $1"
MADE_AT: Final = "SELECT at FROM event WHERE tenant_id = $1 AND sequence = $2"


class LogEnds(NamedTuple):
    """Where a tenant's log begins and ends."""

    floor: int
    """The lowest sequence that is still kept."""
    last: int
    """The last sequence; one below the floor where nothing is kept."""
    last_at: int
    """When the last event of the log was created (µs), whether or not it is still kept."""


class LogQueries(Protocol):
    """What is asked of a log."""

    async def ends(self, tenant_id: int) -> LogEnds:
        """Where a tenant's log begins and ends."""
        ...

    async def sequence_at(self, tenant_id: int, at: int) -> int:
        """The lowest kept sequence whose event was created at `at` (µs) or later; one above the last if there is none.

        It is found by a binary search, since `createdAt` rises with the sequence.
        """
        ...
