"""The queries about a log that lists are made of.

The retention moves a tenant's floor at once and removes events a day at a time, so events below the floor may still be
there. Nothing here finds them.
"""

from typing import Final

from signalpost.domain.timestamps import DAY
from signalpost.store.postgres.asking import ask_one
from signalpost.store.walks.log_queries import ENDS, LogEnds

SEQUENCE_AT: Final = """
WITH RECURSIVE
tenant_ends AS (SELECT floor, last_sequence FROM tenant WHERE id = $1),
day AS (
    SELECT
        (SELECT min(sequence) FROM event WHERE tenant_id = $1 AND at >= $3 AND at < $4) AS first,
        (SELECT max(sequence) FROM event WHERE tenant_id = $1 AND at >= $3 AND at < $4) AS last
),
search (low, high) AS (
    SELECT first, last + 1 FROM day WHERE first IS NOT NULL
    UNION ALL
    SELECT
        CASE WHEN is_before THEN middle + 1 ELSE low END,
        CASE WHEN is_before THEN high ELSE middle END
    FROM search
    CROSS JOIN LATERAL (SELECT (low + high) / 2 AS middle OFFSET 0) halves
    CROSS JOIN LATERAL (
        SELECT coalesce((
            SELECT e.at < $2 FROM event e
            WHERE e.tenant_id = $1 AND e.sequence = middle AND e.at >= $3 AND e.at < $4
        ), true) AS is_before
    ) looked_at
    WHERE low < high
)
SELECT greatest(floor, coalesce(
    (SELECT low FROM search WHERE low = high),
    (SELECT sequence FROM event WHERE tenant_id = $1 AND at >= $4 ORDER BY sequence LIMIT 1),
    last_sequence + 1
)) FROM tenant_ends
"""
"""A binary search through the day of a moment: then it looks at one partition only. Where that day has no event, it is
the first one after it.

`OFFSET 0` keeps the sum out of the condition on events. A sum can fail, so row-level security has its own conditions
checked first, and the index would not be used for it.
"""

_AT: Final = "(SELECT at FROM event WHERE tenant_id = $1 AND sequence = (SELECT {}(s) FROM unnest($2) s))"
AMONG: Final = f"e.at >= coalesce({_AT.format('min')}, 0) AND e.at <= coalesce({_AT.format('max')}, {2**62})"
"""Limits events `e`, with some of the sequences `$2`, to when the first and the last of these were created: then only
the partitions between are looked at for each."""


class PostgresLogQueries:
    """Asked within the steps of a transaction."""

    async def ends(self, tenant_id: int) -> LogEnds:
        [found] = await ask_one(ENDS, tenant_id)
        return LogEnds(*found)

    async def sequence_at(self, tenant_id: int, at: int) -> int:
        day = at // DAY * DAY
        [(sequence,)] = await ask_one(SEQUENCE_AT, tenant_id, at, day, day + DAY)
        return int(sequence)
