"""What is removed once it is old enough, in batches small enough that other writes need not wait for long."""

from typing import Any

import apsw

from signalpost.commands.batch import IDEMPOTENCY_KEPT, SECRETS_KEPT
from signalpost.store.nouns import retention
from signalpost.store.nouns.retention import (
    ANNOUNCE,
    ATTEMPTS_EACH,
    DELETED_SUBSCRIPTIONS,
    ENDS,
    MOVE_FLOOR,
    REMOVE_REPLAYS,
    REMOVE_RETRIES,
)
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.sqlite import row_counts
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.nouns import connections, history
from signalpost.store.sqlite.readers import Readers, at_once, reading
from signalpost.store.sqlite.statements import ask
from signalpost.store.sqlite.states import ANY, WAITING
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.statements import Row


class SqliteRetention:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    @writing
    def announce_floor(self, connection: apsw.Connection, tenant_id: int, floor: int) -> None:
        ask(connection, ANNOUNCE, tenant_id, floor)

    @reading
    def is_awaited(self, connection: apsw.Connection, tenant_id: int, floor: int) -> bool:
        return _is_awaited(connection, tenant_id, floor)

    @writing
    def prune_log(self, connection: apsw.Connection, tenant_id: int, floor: int, limit: int) -> int:
        return prune_log(connection, tenant_id, floor, limit)

    @writing
    def prune_replays(self, connection: apsw.Connection, tenant_id: int, kept_since: int, limit: int) -> int:
        return prune_replays(connection, tenant_id, kept_since, limit)

    async def prepare(self, now: int, days: int) -> bool:
        return True

    @writing
    def prune_leftovers(self, connection: apsw.Connection, now: int, limit: int) -> int:
        return prune_leftovers(connection, now, limit)


def prune_log(connection: apsw.Connection, tenant_id: int, floor: int, limit: int) -> int:
    """Remove the oldest events below `floor`, at most `limit` of them, with their attempts and exception rows.
    A document's steps, and what was made for it, go with the event of its deletion."""
    oldest, last = ask(connection, ENDS, tenant_id)[0]
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
    history.prune(connection, tenant_id, end)
    connections.forget_made(connection, tenant_id, end)
    ask(connection, MOVE_FLOOR, tenant_id, end)
    connection.execute("DELETE FROM event WHERE tenant_id = ? AND sequence < ?", (tenant_id, end))
    connection.execute("DELETE FROM attempt WHERE tenant_id = ? AND sequence < ?", (tenant_id, end))
    row_counts.forget_below(connection, tenant_id, end)
    connection.execute(
        "DELETE FROM delivery INDEXED BY delivery_tenant_state"  # noqa: S608
        f" WHERE tenant_id = ? AND state IN {ANY} AND sequence < ?",
        (tenant_id, end),
    )
    return int(end - oldest)


def _is_awaited(connection: apsw.Connection, tenant_id: int, floor: int) -> bool:
    last = rows(connection, "SELECT last_sequence FROM tenant WHERE id = ?", (tenant_id,))[0][0]
    end = min(floor, last + 1)
    lanes = rows(
        connection,
        "SELECT l.head, l.open FROM subscription s JOIN lane l ON l.subscription_number = s.number"
        " WHERE s.tenant_id = ?",
        (tenant_id,),
    )
    return any(head < end - 1 or any(s < end for s in unpack_sequences(packed)[:1]) for head, packed in lanes) or bool(
        rows(
            connection,
            "SELECT 1 FROM delivery INDEXED BY delivery_tenant_state"  # noqa: S608
            f" WHERE tenant_id = ? AND state IN {WAITING} AND sequence < ? LIMIT 1",
            (tenant_id, end),
        )
    )


def give_up_below(connection: apsw.Connection, tenant_id: int, floor: int) -> dict[str, int]:
    """See `retention.give_up_below`."""

    async def asked(sql: str, *parameters: Any) -> list[Row]:
        return ask(connection, sql, *parameters)

    return at_once(retention.give_up_below(asked, unpack_uuid, tenant_id, floor))


def prune_replays(connection: apsw.Connection, tenant_id: int, kept_since: int, limit: int) -> int:
    """Remove replays of a tenant that ended before `kept_since`, at most `limit` of them."""
    connection.execute(
        "DELETE FROM replay WHERE number IN"
        " (SELECT number FROM replay WHERE tenant_id = ? AND finished_at < ? LIMIT ?)",
        (tenant_id, kept_since, limit),
    )
    return connection.changes()


def prune_leftovers(connection: apsw.Connection, now: int, limit: int) -> int:
    """Remove expired idempotency answers, secrets in those that are older than an hour and the rows of deleted
    subscriptions, at most `limit` of each."""
    removed = _forget_secrets(connection, now, limit)
    expired = rows(
        connection,
        "SELECT tenant_id, api_key_id, key FROM idempotency WHERE expires_at <= ? LIMIT ?",
        (now, limit),
    )
    connection.executemany("DELETE FROM idempotency WHERE tenant_id = ? AND api_key_id = ? AND key = ?", expired)
    removed += len(expired)
    for (number,) in rows(connection, DELETED_SUBSCRIPTIONS):
        removed += remove_of_subscription(connection, number, limit)
        if removed >= limit:
            break
    return removed + _remove_connections(connection, limit)


def remove_of_subscription(connection: apsw.Connection, number: int, limit: int) -> int:
    """Remove at most `limit` rows of each kind that a deleted subscription left, and last of all its own."""
    left = rows(connection, "SELECT sequence FROM delivery WHERE subscription_number = ? LIMIT ?", (number, limit))
    connection.executemany(
        "DELETE FROM delivery WHERE subscription_number = ? AND sequence = ?",
        [(number, s) for (s,) in left],
    )
    made = _remove_made(connection, number, limit)
    if left or made:
        return len(left) + made
    ask(connection, REMOVE_RETRIES, number)
    ask(connection, REMOVE_REPLAYS, number)
    # The highest stays, so that its number is never given to another one.
    highest = "SELECT max(number) FROM subscription"
    connection.execute(f"DELETE FROM subscription WHERE number = ? AND number < ({highest})", (number,))  # noqa: S608
    return connection.changes()


def _forget_secrets(connection: apsw.Connection, now: int, limit: int) -> int:
    """Put answers without secrets in the place of those that have shown theirs long enough."""
    shown = rows(
        connection,
        "SELECT tenant_id, api_key_id, key FROM idempotency INDEXED BY idempotency_secrets"
        " WHERE without_secrets IS NOT NULL AND expires_at <= ? LIMIT ?",
        (now + IDEMPOTENCY_KEPT - SECRETS_KEPT, limit),
    )
    connection.executemany(
        "UPDATE idempotency SET answer = without_secrets, without_secrets = NULL"
        " WHERE tenant_id = ? AND api_key_id = ? AND key = ?",
        shown,
    )
    return len(shown)


def _remove_made(connection: apsw.Connection, subscription_number: int, limit: int) -> int:
    """What deliveries of a deleted subscription made."""
    left = rows(
        connection, "SELECT document_id FROM made WHERE subscription_number = ? LIMIT ?", (subscription_number, limit)
    )
    connection.executemany(
        "DELETE FROM made WHERE subscription_number = ? AND document_id = ?",
        [(subscription_number, document_id) for (document_id,) in left],
    )
    return len(left)


def _remove_connections(connection: apsw.Connection, limit: int) -> int:
    """Deleted connections. The highest stays, so that its number is never given to another one."""
    connection.execute(
        "DELETE FROM connection WHERE number IN (SELECT number FROM connection WHERE deleted_at IS NOT NULL"
        " AND number < (SELECT max(number) FROM connection) LIMIT ?)",
        (limit,),
    )
    return connection.changes()
