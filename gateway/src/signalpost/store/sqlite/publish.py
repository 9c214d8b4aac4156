"""One batch of commands as one part of a transaction: read what they need, decide, write what they change set-wise."""

from collections.abc import Callable, Iterable, Sequence

import apsw
import msgspec

from signalpost.commands.overlay import (
    Answer,
    AnswerKey,
    Batch,
    Command,
    Numbers,
    StoredAnswer,
    SubscriptionKey,
    Tenant,
    VersionKey,
)
from signalpost.domain.api_key import ApiKey
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.version import VersionRow
from signalpost.domain.errors import CallerError
from signalpost.domain.subscription import Subscription
from signalpost.runtime.logger import log
from signalpost.store.sqlite import codec, documents, history, replays, versions
from signalpost.store.sqlite.codec import pack_uuid
from signalpost.store.sqlite.database import rows, rows_of_many
from signalpost.store.store import Health, Published
from signalpost.store.vault import Vault

_EMPTY = msgspec.json.encode([])
_HEALTHY = msgspec.json.encode(Health())
_encode_answer = msgspec.msgpack.Encoder().encode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode


def publish(
    connection: apsw.Connection,
    commands: Sequence[Command],
    now: int,
    random_bits: Callable[[int], int],
    vault: Vault,
    links: Links,
) -> Published:
    tenants = _tenants(connection, commands)
    known = documents.read(connection, {(c.tenant_id, c.document_id) for c in commands if c.document_id is not None})
    subscriptions = _subscriptions(connection, commands, vault)
    batch = Batch(
        now=now,
        random_bits=random_bits,
        links=links,
        tenants=tenants,
        documents=known,
        versions=_versions(connection, commands),
        subscriptions=subscriptions,
        replays=_replays(connection, commands, subscriptions),
        keys=_api_keys(connection, commands),
        stored_answers=_stored_answers(connection, commands, vault),
        following=_numbers(connection, commands),
    )
    results = tuple(_run(batch, command) for command in commands)
    documents.write(connection, known, batch.documents)
    history.write(connection, batch.steps)
    versions.write(connection, batch.versions)
    versions.delete(connection, batch.tombstones)
    _write(connection, batch, tenants, vault)
    return Published(
        results,
        events=tuple(batch.events),
        subscriptions=tuple(batch.subscriptions.values()),
        retries=tuple(batch.retries),
        keys=tuple(batch.keys.values()),
        replays=tuple(batch.replays.values()),
        expiries=tuple(
            row.workflow.expires_at
            for row in batch.documents.values()
            if row.workflow is not None and row.workflow.expires_at is not None
        ),
    )


def _run(batch: Batch, command: Command) -> Answer | CallerError | Exception:
    try:
        return batch.run(command)
    except CallerError as refused:
        return refused
    except Exception as defect:
        log.exception("a command could not be decided", command=type(command).__name__)
        return defect


# --- Reading ----------------------------------------------------------------------------------------------------------


def _tenants(connection: apsw.Connection, commands: Sequence[Command]) -> dict[int, Tenant]:
    statement = "SELECT id, name, last_sequence, last_at FROM tenant WHERE id = ?"
    ids = {command.tenant_id for command in commands}
    found = rows_of_many(connection, statement, [(tenant_id,) for tenant_id in ids])
    return {columns[0]: Tenant(*columns) for columns in found}


def _versions(connection: apsw.Connection, commands: Sequence[Command]) -> dict[VersionKey, VersionRow]:
    named = {(c.tenant_id, c.document_id, c.version_number) for c in commands if c.document_id and c.version_number}
    return versions.read(connection, named)


def _subscriptions(
    connection: apsw.Connection, commands: Sequence[Command], vault: Vault
) -> dict[SubscriptionKey, Subscription]:
    keys = {(c.tenant_id, c.subscription_id) for c in commands if c.subscription_id is not None}
    statement = f"SELECT {codec.SUBSCRIPTION_COLUMNS} FROM subscription WHERE tenant_id = ? AND id = ?"  # noqa: S608
    found = {}
    for tenant_id, subscription_id in keys:
        for columns in rows(connection, statement, (tenant_id, pack_uuid(subscription_id))):
            found[tenant_id, subscription_id] = codec.unpack_subscription(columns, vault)
    return found


def _replays(
    connection: apsw.Connection, commands: Sequence[Command], subscriptions: dict[SubscriptionKey, Subscription]
) -> list[Replay]:
    named: dict[int, set[str]] = {}
    for command in commands:
        if command.replay_id is not None and command.subscription_id is not None:
            subscription = subscriptions.get((command.tenant_id, command.subscription_id))
            if subscription is not None:
                named.setdefault(subscription.number, set()).add(command.replay_id)
    return [replay for number, ids in named.items() for replay in replays.concerning(connection, number, ids)]


def _stored_answers(
    connection: apsw.Connection, commands: Sequence[Command], vault: Vault
) -> dict[AnswerKey, StoredAnswer]:
    keys = {(c.tenant_id, c.idempotency.api_key_id, c.idempotency.key) for c in commands if c.idempotency is not None}
    statement = (
        "SELECT request_hash, answer, expires_at FROM idempotency WHERE tenant_id = ? AND api_key_id = ? AND key = ?"
    )
    found = {}
    for key in keys:
        for request_hash, sealed, expires_at in rows(connection, statement, key):
            answer = _decode_answer(vault.open(sealed, _answer_row(key)))
            found[key] = StoredAnswer(request_hash, answer, expires_at)
    return found


def _api_keys(connection: apsw.Connection, commands: Sequence[Command]) -> dict[str, ApiKey]:
    ids = {c.key_id for c in commands if c.key_id is not None}
    statement = f"SELECT {codec.KEY_COLUMNS} FROM api_key WHERE id = ?"  # noqa: S608
    found = {}
    for key_id in ids:
        for columns in rows(connection, statement, (pack_uuid(key_id),)):
            found[key_id] = codec.unpack_key(columns)
    return found


def _numbers(connection: apsw.Connection, commands: Sequence[Command]) -> Numbers:
    if all(command.document_id is not None for command in commands):
        return Numbers()  # a change of a document takes none
    return Numbers(*(_next(connection, table) for table in ("subscription", "retry", "api_key", "replay")))


def _next(connection: apsw.Connection, table: str) -> int:
    return rows(connection, f"SELECT coalesce(max(number), 0) + 1 FROM {table}")[0][0]  # type: ignore[no-any-return]  # noqa: S608


# --- Writing ----------------------------------------------------------------------------------------------------------


def _write(connection: apsw.Connection, batch: Batch, before: dict[int, Tenant], vault: Vault) -> None:
    _write_log(connection, batch, before)
    _write_answers(connection, batch, vault)
    _write_subscriptions(connection, batch.subscriptions.values(), vault)
    _write_retries(connection, batch)
    connection.executemany(
        "INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (number) DO UPDATE SET revoked_at = excluded.revoked_at",
        [codec.pack_key(key) for key in batch.keys.values()],
    )
    replays.write(connection, batch.replays.values())


def _write_log(connection: apsw.Connection, batch: Batch, before: dict[int, Tenant]) -> None:
    connection.executemany(
        "INSERT INTO event (tenant_id, sequence, at, id, type, document_id, body, cause, caller)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (e.tenant_id, e.sequence, e.at, pack_uuid(e.id), e.type, pack_uuid(e.document_id), e.body, *origin)
            for e, origin in zip(batch.events, batch.origins, strict=True)
        ],
    )
    connection.executemany(
        "UPDATE tenant SET last_sequence = ?, last_at = ? WHERE id = ?",
        [(t.last_sequence, t.last_at, t.id) for t in batch.tenants.values() if t is not before[t.id]],
    )


def _write_answers(connection: apsw.Connection, batch: Batch, vault: Vault) -> None:
    connection.executemany(
        "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " request_hash = excluded.request_hash, answer = excluded.answer, expires_at = excluded.expires_at",
        [
            (*key, stored.request_hash, vault.seal(_encode_answer(stored.answer), _answer_row(key)), stored.expires_at)
            for key, stored in batch.answers.items()
        ],
    )


def _write_retries(connection: apsw.Connection, batch: Batch) -> None:
    connection.executemany(
        "INSERT INTO retry VALUES (?, ?, ?, ?, ?)",
        [
            (r.number, r.subscription_number, r.sequence, pack_uuid(r.document_id), r.max_attempts)
            for r in batch.retries
        ],
    )


def _write_subscriptions(connection: apsw.Connection, changed: Iterable[Subscription], vault: Vault) -> None:
    for subscription in changed:
        connection.execute(
            "INSERT INTO subscription VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET"
            " version = excluded.version, deleted_at = excluded.deleted_at, config = excluded.config,"
            " sealed = excluded.sealed",
            codec.pack_subscription(subscription, vault),
        )
        if subscription.deleted_at is not None:
            # Whoever owns the lane finds it gone and drops what it knew; the rows go later, in small batches.
            connection.execute("DELETE FROM lane WHERE subscription_number = ?", (subscription.number,))
        else:
            connection.execute(
                "INSERT INTO lane VALUES (?, 0, ?, x'', ?, ?) ON CONFLICT DO NOTHING",
                (subscription.number, subscription.starts_after, _EMPTY, _HEALTHY),
            )


def check_key(connection: apsw.Connection, vault: Vault) -> None:
    """Raises StartError where the vault cannot open the answers that are kept: they were sealed with another key."""
    for *key, sealed in rows(connection, "SELECT tenant_id, api_key_id, key, answer FROM idempotency LIMIT 1"):
        vault.open(sealed, _answer_row((key[0], key[1], key[2])))


def _answer_row(key: AnswerKey) -> str:
    return f"idempotency {key[0]} {key[1]} {key[2]}"
