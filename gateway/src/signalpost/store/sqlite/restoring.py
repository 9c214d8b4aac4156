"""Puts a backup in the place of a database: data goes back to the backup, access does not.

Documents, the log and how far each subscription had come are the backup's. Access that was withdrawn since the backup
stays withdrawn: no one is signed in, an API key works after the restore where it works in the database that is
replaced, tenants stay paused, limited or deleted and keep the retention that they have there, and subscriptions and
connections keep the secrets, addresses and tokens. What was deleted there comes back without effect: a subscription
paused, a connection broken, for an operator to decide.

The replaced database is authoritative for all of that, so if it is gone or cannot be read no one can tell which keys
were revoked since: all keys that the backup has are revoked. The audit goes on from where it was: a restore undoes
nothing of what was done. The draft that becomes the database is changed before it
has its name, so a restore that fails or is killed leaves everything as it was.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import apsw
import msgspec

from signalpost.domain.audit import EntryDraft
from signalpost.domain.subscription import refiltered
from signalpost.store.database import AccessTaken
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.copies import draft_of, give_to_owner_of
from signalpost.store.sqlite.nouns import audit, data_keys, erasures, log
from signalpost.store.tables import numbered_with
from signalpost.store.tables.correspondence import CORRESPONDENCE
from signalpost.store.tables.members import MEMBER
from signalpost.store.tables.subscriptions import SubscriptionConfig

_encode = msgspec.json.Encoder().encode
_decode_config = msgspec.json.Decoder(SubscriptionConfig).decode
_DELETED_SINCE = "It was deleted after the backup that was restored. Give it its secrets again, or delete it."


@contextmanager
def draft_with(backup: Path, path: Path) -> Iterator[Path]:
    """A copy of the backup, which becomes `path` at the end of the block. Raises OSError."""
    with draft_of(path) as draft:
        with backup.open("rb") as reading, draft.open("wb") as writing:
            give_to_owner_of(path, writing.fileno())
            shutil.copyfileobj(reading, writing)
        yield draft


def take_access(draft: Path, replaced: Path, now: int) -> AccessTaken:
    """Change the access in `draft` to what it is in the database `replaced`. Raises apsw.Error."""
    with closing(_open(draft)) as connection:
        _end_sign_ins(connection)
        try:
            return _take(connection, replaced, now)
        except apsw.Error:
            # It is not there, or no database of ours any more. Each statement is a transaction of its own.
            _shut_members_out(connection)
            return AccessTaken(is_known=False, keys_revoked=_revoke_others(connection, "SELECT x'' WHERE 0", now))


def take_audit(draft: Path, replaced: Path) -> bool:
    """Keep the audit of the database `replaced` where that goes on from the one in `draft`: a restore undoes nothing of
    what was done. Returns whether it was kept."""
    with closing(_open(draft)) as connection:
        try:
            _attach(connection, replaced)
            if _migrations(connection, "main") != _migrations(connection, "replaced"):
                return False
            goes_on = (
                "SELECT 1 FROM main.audit_end e JOIN replaced.audit a ON a.position = e.last AND a.proof = e.hash"
                " WHERE e.tenant_id = 0 UNION SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM main.audit_end)"
            )
            if not rows(connection, goes_on):
                return False
            with connection:
                for table in ("audit", "audit_end", "audit_draft"):
                    connection.execute(f"DELETE FROM main.{table}")  # noqa: S608
                    connection.execute(f"INSERT INTO main.{table} SELECT * FROM replaced.{table}")  # noqa: S608
        except apsw.Error:
            return False  # it is not there, or no database of ours any more
    return True


def note(draft: Path, told: EntryDraft) -> None:
    """Make the next start write the restore into the audit."""
    with closing(_open(draft)) as connection:
        audit.note(connection, told)


def _open(draft: Path) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(f"file:{quote(str(draft))}", flags=flags)
    # No second file beside the draft: a killed restore leaves nothing that would be taken for a part of a database.
    connection.pragma("journal_mode", "memory")
    return connection


def _attach(connection: apsw.Connection, replaced: Path) -> None:
    connection.execute("ATTACH ? AS replaced", (f"file:{quote(str(replaced))}?mode=ro",))


def _take(connection: apsw.Connection, replaced: Path, now: int) -> AccessTaken:
    _attach(connection, replaced)
    is_same_version = _migrations(connection, "main") == _migrations(connection, "replaced")
    with connection:
        revoked, made = _take_keys(connection, now)
        if is_same_version:
            _take_members(connection)
        else:
            _shut_members_out(connection)
        paused, deleted = _take_tenants(connection)
        if is_same_version:
            data_keys.take_from_replaced(connection)
            subscriptions = _take_subscriptions(connection)
            connections = _take_connections(connection)
            stopped = (*_pause_deleted_subscriptions(connection), *_break_deleted_connections(connection))
            _take_correspondence(connection)
        else:
            subscriptions, connections, stopped = 0, 0, ()
    return AccessTaken(
        keys_revoked=revoked,
        keys_made=made,
        tenants_paused=paused,
        tenants_deleted=deleted,
        secrets_taken=is_same_version,
        subscriptions=subscriptions,
        connections=connections,
        stopped=stopped,
    )


def _end_sign_ins(connection: apsw.Connection) -> None:
    """End all sessions, so that no one who has signed out since the backup is signed in again."""
    for table in ("session", "sign_in_link", "portal_link"):
        connection.execute(f"DELETE FROM main.{table}")  # noqa: S608


def _migrations(connection: apsw.Connection, schema: str) -> set[int]:
    return {number for (number,) in rows(connection, f"SELECT number FROM {schema}.migration")}  # noqa: S608


def _columns(connection: apsw.Connection, table: str) -> list[str]:
    """The columns that a table has in both databases, of which one may be an earlier version's, without its key."""
    found = rows(
        connection,
        "SELECT name FROM pragma_table_info(?1, 'main') INTERSECT SELECT name FROM pragma_table_info(?1, 'replaced')",
        (table,),
    )
    return [name for (name,) in found if name not in ("number", "id")]


_SAME_TENANT = "r.id = t.id AND r.created_at IS t.created_at"


def _take_tenants(connection: apsw.Connection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of those that are paused or deleted now and were not then."""
    since = "SELECT t.name FROM main.tenant t JOIN replaced.tenant r ON {} WHERE t.{} IS NULL AND r.{} IS NOT NULL"
    paused, deleted = (
        tuple(name for (name,) in rows(connection, since.format(_SAME_TENANT, column, column)))
        for column in ("paused_at", "deleted_at")
    )
    connection.execute(
        "UPDATE main.tenant AS t SET name = r.name, paused_at = r.paused_at, deleted_at = r.deleted_at,"  # noqa: S608
        " limits = r.limits, retention_days = r.retention_days"
        f" FROM replaced.tenant r WHERE {_SAME_TENANT}"
    )
    _end_what_deleted_tenants_have(connection)
    _ask_for_erasures_again(connection)
    return paused, deleted


def _end_what_deleted_tenants_have(connection: apsw.Connection) -> None:
    for tenant_id, at in rows(connection, "SELECT id, deleted_at FROM main.tenant WHERE deleted_at IS NOT NULL"):
        erasures.end_access(connection, tenant_id, at)


def _ask_for_erasures_again(connection: apsw.Connection) -> None:
    """What was erased since is in the backup, so it is erased again at the next start."""
    connection.execute(
        "INSERT INTO main.erasure (id, tenant_id, tenant, document_id, asked_at, to_sequence, removed)"  # noqa: S608
        " SELECT e.id, e.tenant_id, e.tenant, e.document_id, e.asked_at, e.to_sequence, 0 FROM replaced.erasure e"
        f" JOIN replaced.tenant r ON r.id = e.tenant_id JOIN main.tenant t ON {_SAME_TENANT}"
        " WHERE e.id NOT IN (SELECT id FROM main.erasure) ORDER BY e.number"
    )


def _take_keys(connection: apsw.Connection, now: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of keys that worked in the backup and do not now, and of those that are added, since they were made
    after it."""
    live = "SELECT id FROM replaced.api_key WHERE revoked_at IS NULL"
    revoked = _revoke_others(connection, live, now)
    listed = ", ".join(_columns(connection, "api_key"))
    connection.execute(
        f"UPDATE main.api_key SET ({listed}) = (SELECT {listed} FROM replaced.api_key r WHERE r.id = main.api_key.id)"  # noqa: S608
        " WHERE id IN (SELECT id FROM replaced.api_key)"
    )
    tenants = f"(SELECT t.id FROM main.tenant t JOIN replaced.tenant r ON {_SAME_TENANT})"  # noqa: S608
    made = rows(
        connection,
        f"INSERT INTO main.api_key (number, id, {listed})"  # noqa: S608
        " SELECT ? + row_number() OVER (ORDER BY number), id,"
        f" {listed} FROM replaced.api_key WHERE revoked_at IS NULL AND tenant_id IN {tenants}"
        " AND id NOT IN (SELECT id FROM main.api_key) RETURNING name",
        (_highest_number(connection),),
    )
    return revoked, tuple(name for (name,) in made)


def _revoke_others(connection: apsw.Connection, live: str, now: int) -> tuple[str, ...]:
    """Revoke the keys that are not among `live`, which selects ids; returns the names of those that worked."""
    revoked = f"UPDATE main.api_key SET revoked_at = ? WHERE revoked_at IS NULL AND id NOT IN ({live}) RETURNING name"  # noqa: S608
    return tuple(name for (name,) in rows(connection, revoked, (now,)))


def _take_members(connection: apsw.Connection) -> None:
    """Members are those of the replaced database, with the roles and passwords that they have there. A member whom only
    that one has gets a number that no member had in either."""
    connection.execute(
        "UPDATE main.member AS m SET (name, email, role, password, subject, generation, invitation, invited_until,"
        " removed_at) = (SELECT r.name, r.email, r.role, r.password, r.subject, r.generation, r.invitation,"
        " r.invited_until, r.removed_at FROM replaced.member r WHERE r.id = m.id)"
        " WHERE id IN (SELECT id FROM replaced.member)"
    )
    columns = MEMBER.listed.removeprefix("number, ")
    connection.execute(
        f"INSERT INTO main.member (number, {columns}) SELECT ? + row_number() OVER (ORDER BY number), {columns}"  # noqa: S608
        " FROM replaced.member WHERE removed_at IS NULL"
        f" AND tenant_id IN (SELECT t.id FROM main.tenant t JOIN replaced.tenant r ON {_SAME_TENANT})"
        " AND id NOT IN (SELECT id FROM main.member)",
        (_highest_number(connection),),
    )


def _highest_number(connection: apsw.Connection) -> int:
    """The highest number that an API key, a member or a portal link has in either database."""
    return max(
        int(rows(connection, f"SELECT coalesce(max(number), 0) FROM {schema}.{table}")[0][0])  # noqa: S608
        for schema in ("main", "replaced")
        for table in numbered_with("api_key")
    )


def _shut_members_out(connection: apsw.Connection) -> None:
    """Without the replaced database, or if it is of another version, no one can tell who was removed since: an
    operator invites each again."""
    connection.execute(
        "UPDATE main.member SET password = NULL, subject = NULL, invitation = NULL, invited_until = NULL,"
        " generation = generation + 1"
    )


def _take_subscriptions(connection: apsw.Connection) -> int:
    """Subscriptions that changed since are as they are now, but for what counts by sequences of the log. Returns how
    many changed."""
    changed = rows(
        connection,
        "SELECT s.number, s.tenant_id, s.config, r.version, r.connection_id, r.config, r.sealed"
        " FROM main.subscription s JOIN replaced.subscription r ON r.id = s.id AND r.version > s.version"
        " WHERE s.deleted_at IS NULL AND r.deleted_at IS NULL",
    )
    for number, tenant_id, then, version, connection_id, now, sealed in changed:
        config = _with_sequences_of(_decode_config(then), _decode_config(now), log.last_sequence(connection, tenant_id))
        connection.execute(
            "UPDATE main.subscription SET version = ?, connection_id = ?, config = ?, sealed = ? WHERE number = ?",
            (version, connection_id, _encode(config), sealed, number),
        )
    return len(changed)


def _with_sequences_of(then: SubscriptionConfig, now: SubscriptionConfig, last_sequence: int) -> SubscriptionConfig:
    return msgspec.structs.replace(
        now,
        starts_after=then.starts_after,
        filters=refiltered(then.filters, last_sequence, now.filters[-1][1]),
        skip_to=then.skip_to,
        skipped_at=then.skipped_at,
        skip_version=then.skip_version,
    )


def _take_connections(connection: apsw.Connection) -> int:
    columns = ", ".join(_columns(connection, "connection"))
    connection.execute(
        f"UPDATE main.connection AS c SET ({columns}) = (SELECT {columns} FROM replaced.connection r WHERE r.id = c.id)"  # noqa: S608
        " WHERE c.deleted_at IS NULL AND EXISTS (SELECT 1 FROM replaced.connection r WHERE r.id = c.id"
        " AND r.deleted_at IS NULL AND (r.version, r.grant_version) <> (c.version, c.grant_version))"
    )
    return connection.changes()


def _pause_deleted_subscriptions(connection: apsw.Connection) -> tuple[str, ...]:
    """Subscriptions that were deleted since must not be sent to before an operator has looked."""
    deleted = rows(
        connection,
        "SELECT s.number, s.id, s.config FROM main.subscription s LEFT JOIN replaced.subscription r ON r.id = s.id"
        " WHERE s.deleted_at IS NULL AND (r.id IS NULL OR r.deleted_at IS NOT NULL)",
    )
    for number, _, config in deleted:
        paused = msgspec.structs.replace(_decode_config(config), status="paused")
        connection.execute("UPDATE main.subscription SET config = ? WHERE number = ?", (_encode(paused), number))
    return tuple(f"subscription {unpack_uuid(identity)}" for _, identity, _ in deleted)


def _break_deleted_connections(connection: apsw.Connection) -> tuple[str, ...]:
    broken = rows(
        connection,
        "UPDATE main.connection AS c SET state = 'broken', reason = ?, granted = NULL"
        " WHERE c.deleted_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM replaced.connection r WHERE r.id = c.id AND r.deleted_at IS NULL) RETURNING id",
        (_DELETED_SINCE,),
    )
    return tuple(f"connection {unpack_uuid(identity)}" for (identity,) in broken)


def _take_correspondence(connection: apsw.Connection) -> None:
    """What people were told by mail they know, whichever state the data goes back to: nothing is told to them twice,
    and that it is over is not left out."""
    connection.execute("DELETE FROM main.correspondence")
    connection.execute(
        f"INSERT INTO main.correspondence ({CORRESPONDENCE.listed}) SELECT {CORRESPONDENCE.listed}"  # noqa: S608
        " FROM replaced.correspondence"
    )
