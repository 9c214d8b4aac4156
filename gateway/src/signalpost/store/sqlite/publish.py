"""One batch of commands as one part of a transaction: read what they need, decide, write what they change set-wise."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import apsw

from signalpost.commands.batch import Batch, Rows, StoredAnswer
from signalpost.commands.command import (
    AnswerKey,
    Command,
    NumberedRow,
    RequestedRetry,
)
from signalpost.domain.access.api_key import ApiKey
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.access.tenant_limits import TenantUse
from signalpost.domain.audit import Notary
from signalpost.domain.subscription import Subscription
from signalpost.store import batching
from signalpost.store.batching import BatchWanted, new_lane, wanted
from signalpost.store.sqlite import tables
from signalpost.store.sqlite.codec import pack_uuid
from signalpost.store.sqlite.connect import rows, rows_of_many, write_many
from signalpost.store.sqlite.nouns import audit, documents, erasures, versions
from signalpost.store.store import PublishedBatch
from signalpost.store.tables import TABLES, numbered_with
from signalpost.store.tables.answers import ANSWER, pack_answer, unpack_answer
from signalpost.store.tables.erasures import ERASURE, pack_erasures
from signalpost.store.tables.lanes import LANE, RETRY
from signalpost.store.tables.log import EVENT, STEP, pack_events, pack_steps
from signalpost.store.tables.table import Codec, Table, updating
from signalpost.store.tables.tenants import (
    TENANT,
    TENANT_COLUMNS,
    UPDATING_TENANT,
    USE_COLUMNS,
    pack_tenants,
    unpack_tenant,
    unpack_use,
)
from signalpost.store.tables.versions import UPDATING_VERSION, VERSION, pack_versions
from signalpost.store.vault import Vault

_TENANT = tables.inserting(TENANT, UPDATING_TENANT)
_STEP = tables.inserting(STEP)
_VERSION = tables.inserting(VERSION, UPDATING_VERSION)
_EVENT = tables.inserting(EVENT)
_ANSWER = tables.inserting(
    ANSWER,
    updating("tenant_id, api_key_id, key", "request_hash", "answer", "expires_at", "without_secrets"),
)
_ERASURE = tables.inserting(ERASURE)
_RETRY = tables.inserting(RETRY)
_LANE = tables.inserting(LANE, "ON CONFLICT DO NOTHING")


def publish(
    connection: apsw.Connection,
    commands: Sequence[Command[Any]],
    vault: Vault,
    notary: Notary,
    begin: Callable[[Rows], Batch],
    owner: int | None,
) -> PublishedBatch:
    """`owner` is the node to which the lanes of new subscriptions belong."""
    before = _read(connection, commands, vault)
    batch = begin(before)
    results = (*map(partial(batching.run, batch), commands),)
    _write(connection, batch, before, vault, owner)
    return batching.published(batch, results, audit.append(connection, batch.audited, notary), owner)


# --- Reading ----------------------------------------------------------------------------------------------------------


def _read(connection: apsw.Connection, commands: Sequence[Command[Any]], vault: Vault) -> Rows:
    tenants, uses = _tenants(connection, {command.tenant_id for command in commands})
    # What a deleted tenant has cannot be opened any more, and whatever is asked for it is refused.
    asked = wanted([command for command in commands if tenants[command.tenant_id].deleted_at is None])
    if not (asked.names or asked.versions or asked.rows or asked.answers or asked.numbers):  # as for most batches
        return Rows(tenants=tenants, documents=documents.read(connection, asked.documents), uses=uses)
    return Rows(
        tenants=tenants | _tenants_named(connection, asked.names),
        documents=documents.read(connection, asked.documents),
        versions=versions.read(connection, asked.versions),
        rows=_rows(connection, asked, tables.codec_with(vault)),
        answers=_stored_answers(connection, asked.answers, vault),
        numbers=_numbers(connection, asked.numbers),
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


def _write_tenants(connection: apsw.Connection, changed: Sequence[Tenant]) -> None:
    """A deleted tenant's API keys end with it, and so do its data keys: nothing sealed for it can be opened."""
    write_many(connection, _TENANT, pack_tenants(changed))
    for tenant in changed:
        if tenant.deleted_at is not None:
            erasures.end_access(connection, tenant.id, tenant.deleted_at)


def _stored_answers(
    connection: apsw.Connection, keys: Iterable[AnswerKey], vault: Vault
) -> dict[AnswerKey, StoredAnswer]:
    statement = f"SELECT {ANSWER.listed} FROM idempotency WHERE tenant_id = ? AND api_key_id = ? AND key = ?"  # noqa: S608
    return dict(unpack_answer(columns, vault) for key in keys for columns in rows(connection, statement, key))


def _rows(
    connection: apsw.Connection, asked: BatchWanted, codec: Codec
) -> dict[type[NumberedRow], dict[str, NumberedRow]]:
    found: dict[type[NumberedRow], dict[str, NumberedRow]] = {}
    for (kind, by), values in asked.rows.items():
        rows_found = tables.find(connection, TABLES[kind], by, values, asked.tenants, codec)
        found.setdefault(kind, {}).update((row.id, row) for row in rows_found)
    return found


def _numbers(connection: apsw.Connection, kinds: Iterable[type[Any]]) -> dict[type[Any], Iterable[int]]:
    """The numbers of new rows. Kinds that share a sequence draw from the same one."""
    places = {kind: _NUMBERED_IN.get(kind) or _numbered_in(TABLES[kind]) for kind in kinds}
    following = {
        first: count(max(_above_highest(connection, *each) for each in (first, *others)))
        for first, *others in places.values()
    }
    return {kind: following[first] for kind, (first, *_) in places.items()}


_NUMBERED_IN: Mapping[type[Any], Sequence[tuple[str, str]]] = {
    RequestedRetry: [("retry", "number")],
    Tenant: [
        ("tenant", "id"),
        ("audit_end", "tenant_id"),
    ],  # after a restore the audit may tell of tenants that are gone
}
"""The tables and columns that have the numbers of rows without a description."""


def _numbered_in(table: Table[Any]) -> Sequence[tuple[str, str]]:
    return [(name, "number") for name in numbered_with(table.numbered_with)]


def _above_highest(connection: apsw.Connection, table: str, column: str) -> int:
    return int(rows(connection, f"SELECT coalesce(max({column}), 0) + 1 FROM {table}")[0][0])  # noqa: S608


# --- Writing ----------------------------------------------------------------------------------------------------------


def _write(connection: apsw.Connection, batch: Batch, before: Rows, vault: Vault, owner: int | None) -> None:
    if batch.changed_tenants:
        _write_tenants(connection, [batch.tenants.changed[tenant_id] for tenant_id in batch.changed_tenants])
    documents.write(connection, before.documents, batch.documents.changed)
    _write_with_documents(connection, batch)
    _write_log(connection, batch)
    if batch.answers.changed:
        write_many(connection, _ANSWER, [pack_answer(*each, vault) for each in batch.answers.changed.items()])
    if changed := batch.changed_rows():
        _write_rows(connection, changed, vault, owner)
    if batch.retries:
        _write_retries(connection, batch.retries)
    if ApiKey in changed or any(tenant.deleted_at is not None for tenant in batch.tenants.changed.values()):
        connection.execute("UPDATE fleet SET keys_version = keys_version + 1")
    if batch.erasures:
        write_many(connection, _ERASURE, pack_erasures(batch.erasures, pack_uuid))


def _write_with_documents(connection: apsw.Connection, batch: Batch) -> None:
    """Write what some changes of documents bring besides their rows and their events."""
    if batch.steps:
        write_many(connection, _STEP, pack_steps(batch.steps, pack_uuid))
    if batch.versions.changed:
        write_many(connection, _VERSION, pack_versions(batch.versions.changed, pack_uuid))
    if batch.uses.changed:
        _write_uses(connection, batch.uses.changed)
    if batch.tombstones:
        versions.delete(connection, batch.tombstones)


def _write_rows(
    connection: apsw.Connection, changed: Mapping[type[NumberedRow], Sequence[Any]], vault: Vault, owner: int | None
) -> None:
    """Write rows of every kind in `TABLES`, in the order of those, and the lanes of subscriptions first."""
    _write_lanes(connection, changed.get(Subscription, ()), owner)
    codec = tables.codec_with(vault)
    for kind, table in TABLES.items():
        if kind in changed:
            tables.write(connection, table, changed[kind], codec)


def _write_uses(connection: apsw.Connection, changed: Mapping[int, TenantUse]) -> None:
    write_many(
        connection,
        "UPDATE tenant SET documents = ?, subscriptions = ?, file_bytes = ? WHERE id = ?",
        [(use.documents, use.subscriptions, use.file_bytes, tenant_id) for tenant_id, use in changed.items()],
    )


def _write_log(connection: apsw.Connection, batch: Batch) -> None:
    write_many(connection, _EVENT, pack_events(batch.events, batch.origins, pack_uuid))
    write_many(
        connection,
        "UPDATE tenant SET last_sequence = ?, last_at = ?, config_version = ? WHERE id = ?",
        [(t.last_sequence, t.last_at, t.config_version, t.id) for t in batch.tenants.changed.values()],
    )


def _write_retries(connection: apsw.Connection, retries: Iterable[RequestedRetry]) -> None:
    write_many(
        connection,
        _RETRY,
        [(r.number, r.subscription_number, r.sequence, pack_uuid(r.document_id), r.of_version) for r in retries],
    )


def _write_lanes(connection: apsw.Connection, changed: Iterable[Subscription], owner: int | None) -> None:
    for subscription in changed:
        if subscription.deleted_at is not None:
            # The owner of the lane finds it gone and drops what it knew; the rows are removed later, in small batches.
            connection.execute("DELETE FROM lane WHERE subscription_number = ?", (subscription.number,))
        else:
            connection.execute(_LANE, new_lane(subscription, owner))
