"""What is taken away, in batches small enough to stall nobody."""

import apsw

from signalpost.store.sqlite.database import rows

ATTEMPTS_EACH = 20
"""Where events have more attempts than that, fewer events go at once."""


def prune_log(connection: apsw.Connection, tenant_id: int, floor: int, limit: int) -> int:
    """Remove the oldest events below `floor`, at most `limit` of them, with their attempts and exception rows."""
    oldest, last = rows(connection, "SELECT floor, last_sequence FROM tenant WHERE id = ?", (tenant_id,))[0]
    end = min(floor, oldest + limit, last + 1)
    if end <= oldest:
        return 0
    crowded = rows(
        connection,
        "SELECT sequence FROM attempt WHERE tenant_id = ? AND sequence < ? ORDER BY sequence LIMIT 1 OFFSET ?",
        (tenant_id, end, limit * ATTEMPTS_EACH),
    )
    if crowded:
        end = max(oldest + 1, crowded[0][0])
    connection.execute("UPDATE tenant SET floor = ? WHERE id = ?", (end, tenant_id))
    connection.execute("DELETE FROM event WHERE tenant_id = ? AND sequence < ?", (tenant_id, end))
    connection.execute("DELETE FROM attempt WHERE tenant_id = ? AND sequence < ?", (tenant_id, end))
    connection.execute(
        "DELETE FROM delivery INDEXED BY delivery_tenant_state"
        " WHERE tenant_id = ? AND state IN (1, 2, 3) AND sequence < ?",
        (tenant_id, end),
    )
    return int(end - oldest)


def prune_leftovers(connection: apsw.Connection, now: int, kept_since: int, limit: int) -> int:
    """Remove expired idempotency answers, replays that ended before `kept_since`, and the rows of deleted
    subscriptions, at most `limit` of each."""
    removed = 0
    expired = rows(
        connection,
        "SELECT tenant_id, api_key_id, key FROM idempotency WHERE expires_at <= ? LIMIT ?",
        (now, limit),
    )
    connection.executemany("DELETE FROM idempotency WHERE tenant_id = ? AND api_key_id = ? AND key = ?", expired)
    removed += len(expired)
    ended = rows(connection, "SELECT number FROM replay WHERE finished_at < ? LIMIT ?", (kept_since, limit))
    connection.executemany("DELETE FROM replay WHERE number = ?", ended)
    removed += len(ended)
    for (number,) in rows(connection, "SELECT number FROM subscription WHERE deleted_at IS NOT NULL"):
        left = rows(connection, "SELECT sequence FROM delivery WHERE subscription_number = ? LIMIT ?", (number, limit))
        connection.executemany(
            "DELETE FROM delivery WHERE subscription_number = ? AND sequence = ?",
            [(number, s) for (s,) in left],
        )
        removed += len(left)
        if not left:
            connection.execute("DELETE FROM retry WHERE subscription_number = ?", (number,))
            connection.execute("DELETE FROM replay WHERE subscription_number = ?", (number,))
            # The highest stays, so that its number is never given to another one.
            highest = "SELECT max(number) FROM subscription"
            connection.execute(f"DELETE FROM subscription WHERE number = ? AND number < ({highest})", (number,))  # noqa: S608
            removed += connection.changes()
        if removed >= limit:
            break
    return removed
