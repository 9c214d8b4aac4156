"""One batch of commands as one part of a transaction: read what they need, decide, write what they change set-wise."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import apsw
import msgspec

from signalpost.commands.batch import Batch, Rows, StoredAnswer
from signalpost.commands.command import (
    AnswerKey,
    Command,
    CommandOutcome,
    ConnectionKey,
    Numbers,
    Reads,
    ReplayKey,
    Retry,
    SubscriptionKey,
    Tenant,
)
from signalpost.domain.api_key import ApiKey
from signalpost.domain.audit import Notary
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.errors import CallerError
from signalpost.domain.subscription import Subscription
from signalpost.domain.tenant_limits import TenantUse
from signalpost.runtime.logger import log
from signalpost.store.lanes import EndpointHealth
from signalpost.store.packing import (
    CONNECTION_COLUMNS,
    KEY_COLUMNS,
    SUBSCRIPTION_COLUMNS,
    TENANT_COLUMNS,
    USE_COLUMNS,
    pack_key,
    pack_limits,
    pack_subscription,
    unpack_connection,
    unpack_key,
    unpack_subscription,
    unpack_tenant,
    unpack_use,
)
from signalpost.store.sqlite import audit, connections, documents, erasures, history, replays, versions
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_of_many
from signalpost.store.store import Published
from signalpost.store.vault import Place, Vault

_EMPTY = msgspec.json.encode([])
_HEALTHY = msgspec.json.encode(EndpointHealth())


def publish(
    connection: apsw.Connection,
    commands: Sequence[Command[Any]],
    vault: Vault,
    notary: Notary,
    begin: Callable[[Rows], Batch],
) -> Published:
    before = _read(connection, commands, vault)
    batch = begin(before)
    results = tuple(_run(batch, command) for command in commands)
    _write(connection, batch, before, vault)
    audited = audit.append(connection, batch.audited, notary)
    return Published(
        results,
        events=tuple(batch.events),
        tenants=tuple(batch.tenants.changed[tenant_id] for tenant_id in batch.changed_tenants),
        subscriptions=tuple(batch.subscriptions.changed.values()),
        connections=tuple(batch.connections.changed.values()),
        retries=tuple(batch.retries),
        keys=tuple(batch.keys.changed.values()),
        replays=tuple(batch.replays.changed.values()),
        erasures=tuple(batch.erasures),
        expiries=tuple(
            row.workflow.expires_at
            for row in batch.documents.changed.values()
            if row.workflow is not None and row.workflow.expires_at is not None
        ),
        audited=audited,
    )


def _run(batch: Batch, command: Command[Any]) -> CommandOutcome[Any] | Exception:
    try:
        return batch.run(command)
    except CallerError as refused:
        return refused
    except Exception as defect:
        log.exception("a command could not be decided", command=type(command).__name__)
        return defect


# --- Reading ----------------------------------------------------------------------------------------------------------


def _read(connection: apsw.Connection, commands: Sequence[Command[Any]], vault: Vault) -> Rows:
    tenants, uses = _tenants(connection, {command.tenant_id for command in commands})
    # What a deleted tenant has cannot be opened any more, and whatever is asked for it is refused.
    commands = [command for command in commands if tenants[command.tenant_id].deleted_at is None]
    reads = [command.reads for command in commands]
    subscriptions = _subscriptions(connection, {r.subscription for r in reads if r.subscription is not None}, vault)
    subscriptions |= _subscriptions_of(
        connection, {r.subscriptions_of for r in reads if r.subscriptions_of is not None}, vault
    )
    named = _tenants_named(connection, {r.tenant for r in reads if r.tenant is not None})
    return Rows(
        tenants=tenants | named,
        documents=documents.read(connection, {r.document for r in reads if r.document is not None}),
        versions=versions.read(connection, {r.version for r in reads if r.version is not None}),
        subscriptions=subscriptions,
        connections=connections.read(connection, {r.connection for r in reads if r.connection is not None}, vault),
        keys=_api_keys(connection, {r.key for r in reads if r.key is not None}),
        replays=_replays(connection, reads, subscriptions),
        answers=_stored_answers(connection, commands, vault),
        numbers=_numbers(connection, reads),
        uses=uses,
    )


def _tenants(connection: apsw.Connection, ids: Iterable[int]) -> tuple[dict[int, Tenant], dict[int, TenantUse]]:
    """Tenants, and how much each has of what can be limited."""
    statement = f"SELECT {USE_COLUMNS}, {TENANT_COLUMNS} FROM tenant WHERE id = ?"  # noqa: S608
    found = [(c[:3], unpack_tenant(c[3:])) for c in rows_of_many(connection, statement, [(of,) for of in ids])]
    return {tenant.id: tenant for _, tenant in found}, {tenant.id: unpack_use(use) for use, tenant in found}


def _tenants_named(connection: apsw.Connection, names: Iterable[str]) -> dict[int, Tenant]:
    statement = f"SELECT {TENANT_COLUMNS} FROM tenant WHERE name = ?"  # noqa: S608
    found = rows_of_many(connection, statement, [(name,) for name in names])
    return {columns[0]: unpack_tenant(columns) for columns in found}


def _write_tenants(connection: apsw.Connection, changed: Iterable[Tenant]) -> None:
    """A deleted tenant's API keys end with it, and so do its data keys: nothing sealed for it can be opened. Its row
    stays under a name that nobody can give."""
    for tenant in changed:
        name = tenant.name if tenant.deleted_at is None else f"#{tenant.id}"
        connection.execute(
            "INSERT INTO tenant (id, name, created_at, paused_at, deleted_at, limits, retention_days)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, paused_at = excluded.paused_at,"
            " deleted_at = excluded.deleted_at, limits = excluded.limits, retention_days = excluded.retention_days",
            (
                tenant.id,
                name,
                tenant.created_at,
                tenant.paused_at,
                tenant.deleted_at,
                pack_limits(tenant.limits),
                tenant.retention_days,
            ),
        )
        if tenant.deleted_at is not None:
            erasures.end_access(connection, tenant.id, tenant.deleted_at)


def _subscriptions(
    connection: apsw.Connection, keys: Iterable[SubscriptionKey], vault: Vault
) -> dict[SubscriptionKey, Subscription]:
    statement = f"SELECT {SUBSCRIPTION_COLUMNS} FROM subscription WHERE tenant_id = ? AND id = ?"  # noqa: S608
    found = {}
    for tenant_id, subscription_id in keys:
        for columns in rows(connection, statement, (tenant_id, pack_uuid(subscription_id))):
            found[tenant_id, subscription_id] = unpack_subscription(columns, vault, unpack_uuid)
    return found


def _subscriptions_of(
    connection: apsw.Connection, keys: Iterable[ConnectionKey], vault: Vault
) -> dict[SubscriptionKey, Subscription]:
    statement = (
        f"SELECT {SUBSCRIPTION_COLUMNS} FROM subscription INDEXED BY subscription_connection"  # noqa: S608
        " WHERE connection_id = ? AND deleted_at IS NULL AND tenant_id = ?"
    )
    found = [
        unpack_subscription(columns, vault, unpack_uuid)
        for tenant_id, connection_id in keys
        for columns in rows(connection, statement, (pack_uuid(connection_id), tenant_id))
    ]
    return {(subscription.tenant_id, subscription.id): subscription for subscription in found}


def _replays(
    connection: apsw.Connection, reads: Iterable[Reads], subscriptions: Mapping[SubscriptionKey, Subscription]
) -> dict[ReplayKey, Replay]:
    named: dict[int, set[str]] = {}
    for each in reads:
        subscription = None if each.subscription is None else subscriptions.get(each.subscription)
        if each.replay is not None and subscription is not None:
            named.setdefault(subscription.number, set()).add(each.replay)
    found = [replay for number, ids in named.items() for replay in replays.concerning(connection, number, ids)]
    return {(replay.subscription_number, replay.id): replay for replay in found}


def _stored_answers(
    connection: apsw.Connection, commands: Sequence[Command[Any]], vault: Vault
) -> dict[AnswerKey, StoredAnswer]:
    keys = {(c.tenant_id, c.idempotency.api_key_id, c.idempotency.key) for c in commands if c.idempotency is not None}
    statement = (
        "SELECT request_hash, answer, expires_at, without_secrets FROM idempotency"
        " WHERE tenant_id = ? AND api_key_id = ? AND key = ?"
    )
    found = {}
    for key in keys:
        for request_hash, sealed, expires_at, sealed_without in rows(connection, statement, key):
            place = _answer_place(key, expires_at)
            without_secrets = None if sealed_without is None else vault.open(sealed_without, place)
            found[key] = StoredAnswer(request_hash, vault.open(sealed, place), expires_at, without_secrets)
    return found


def _api_keys(connection: apsw.Connection, ids: Iterable[str]) -> dict[str, ApiKey]:
    statement = f"SELECT {KEY_COLUMNS} FROM api_key WHERE id = ?"  # noqa: S608
    found = {}
    for key_id in ids:
        for columns in rows(connection, statement, (pack_uuid(key_id),)):
            found[key_id] = unpack_key(columns, unpack_uuid)
    return found


def _numbers(connection: apsw.Connection, reads: Iterable[Reads]) -> Numbers:
    if all(each.document is not None for each in reads):
        return Numbers()  # a change of a document takes none
    tables = ("subscription", "connection", "retry", "api_key", "replay")
    numbers = Numbers(*(_next(connection, table) for table in tables))
    # After a restore the audit may tell of tenants that are no longer there.
    tenant = max(_next(connection, "tenant", "id"), _next(connection, "audit_end", "tenant_id"))
    return numbers._replace(tenant=tenant)


def _next(connection: apsw.Connection, table: str, column: str = "number") -> int:
    return rows(connection, f"SELECT coalesce(max({column}), 0) + 1 FROM {table}")[0][0]  # type: ignore[no-any-return]  # noqa: S608


# --- Writing ----------------------------------------------------------------------------------------------------------


def _write(connection: apsw.Connection, batch: Batch, before: Rows, vault: Vault) -> None:
    _write_tenants(connection, (batch.tenants.changed[tenant_id] for tenant_id in batch.changed_tenants))
    documents.write(connection, before.documents, batch.documents.changed)
    history.write(connection, batch.steps)
    versions.write(connection, batch.versions.changed)
    _write_uses(connection, batch.uses.changed)
    versions.delete(connection, batch.tombstones)
    _write_log(connection, batch)
    _write_answers(connection, batch.answers.changed, vault)
    _write_subscriptions(connection, batch.subscriptions.changed.values(), vault)
    connections.write(connection, batch.connections.changed.values(), vault)
    _write_retries(connection, batch.retries)
    connection.executemany(
        f"INSERT INTO api_key ({KEY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (number) DO UPDATE SET revoked_at = excluded.revoked_at",
        [pack_key(key, pack_uuid) for key in batch.keys.changed.values()],
    )
    replays.write(connection, batch.replays.changed.values())
    erasures.write(connection, batch.erasures)


def _write_uses(connection: apsw.Connection, changed: Mapping[int, TenantUse]) -> None:
    connection.executemany(
        "UPDATE tenant SET documents = ?, subscriptions = ?, file_bytes = ? WHERE id = ?",
        [(use.documents, use.subscriptions, use.file_bytes, tenant_id) for tenant_id, use in changed.items()],
    )


def _write_log(connection: apsw.Connection, batch: Batch) -> None:
    connection.executemany(
        "INSERT INTO event (tenant_id, sequence, at, id, type, document_id, body, before, cause, caller)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                e.tenant_id,
                e.sequence,
                e.at,
                pack_uuid(e.id),
                e.type,
                pack_uuid(e.document_id),
                e.body,
                e.before or None,
                *origin,
            )
            for e, origin in zip(batch.events, batch.origins, strict=True)
        ],
    )
    connection.executemany(
        "UPDATE tenant SET last_sequence = ?, last_at = ? WHERE id = ?",
        [(tenant.last_sequence, tenant.last_at, tenant.id) for tenant in batch.tenants.changed.values()],
    )


def _write_answers(connection: apsw.Connection, answers: Mapping[AnswerKey, StoredAnswer], vault: Vault) -> None:
    connection.executemany(
        "INSERT INTO idempotency (tenant_id, api_key_id, key, request_hash, answer, expires_at, without_secrets)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET request_hash = excluded.request_hash,"
        " answer = excluded.answer, expires_at = excluded.expires_at, without_secrets = excluded.without_secrets",
        [_pack_answer(key, stored, vault) for key, stored in answers.items()],
    )


def _pack_answer(key: AnswerKey, stored: StoredAnswer, vault: Vault) -> tuple[Any, ...]:
    place = _answer_place(key, stored.expires_at)
    without_secrets = None if stored.without_secrets is None else vault.seal(stored.without_secrets, place)
    return (*key, stored.request_hash, vault.seal(stored.answer, place), stored.expires_at, without_secrets)


def _write_retries(connection: apsw.Connection, retries: Iterable[Retry]) -> None:
    connection.executemany(
        "INSERT INTO retry (number, subscription_number, sequence, document_id, budget) VALUES (?, ?, ?, ?, 1)",
        [(r.number, r.subscription_number, r.sequence, pack_uuid(r.document_id)) for r in retries],
    )


def _write_subscriptions(connection: apsw.Connection, changed: Iterable[Subscription], vault: Vault) -> None:
    for subscription in changed:
        connection.execute(
            f"INSERT INTO subscription ({SUBSCRIPTION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
            " ON CONFLICT (number) DO UPDATE SET version = excluded.version, deleted_at = excluded.deleted_at,"
            " connection_id = excluded.connection_id, config = excluded.config,"
            " sealed = excluded.sealed",
            pack_subscription(subscription, vault, pack_uuid),
        )
        if subscription.deleted_at is not None:
            # Whoever owns the lane finds it gone and drops what it knew; the rows go later, in small batches.
            connection.execute("DELETE FROM lane WHERE subscription_number = ?", (subscription.number,))
        else:
            connection.execute(
                "INSERT INTO lane (subscription_number, version, head, open, gaps, health)"
                " VALUES (?, 0, ?, x'', ?, ?) ON CONFLICT DO NOTHING",
                (subscription.number, subscription.starts_after, _EMPTY, _HEALTHY),
            )


def check_key(connection: apsw.Connection, vault: Vault) -> None:
    """Open one value of each kind that is kept. Raises StartError where one was sealed with another key."""
    # What a deleted tenant left can be opened with no key.
    answers = (
        "SELECT tenant_id, api_key_id, key, expires_at, answer FROM idempotency"
        " WHERE tenant_id IN (SELECT id FROM tenant WHERE deleted_at IS NULL) LIMIT 1"
    )
    for tenant_id, api_key_id, key, expires_at, sealed in rows(connection, answers):
        vault.open(sealed, _answer_place((tenant_id, api_key_id, key), expires_at))
    live = "FROM {} WHERE deleted_at IS NULL LIMIT 1"
    for columns in rows(connection, f"SELECT {SUBSCRIPTION_COLUMNS} {live.format('subscription')}"):
        unpack_subscription(columns, vault, unpack_uuid)
    for columns in rows(connection, f"SELECT {CONNECTION_COLUMNS} {live.format('connection')}"):
        unpack_connection(columns, vault, unpack_uuid)


def _answer_place(key: AnswerKey, expires_at: int) -> Place:
    """Where an answer is kept, with its secrets and without: the latter takes its place. A later answer to the same key
    expires later."""
    return Place("idempotency", key[0], f"{key[0]} {key[1]} {key[2]}", expires_at)
