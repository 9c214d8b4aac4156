"""What a batch of commands writes on PostgreSQL: a statement for each table that changes, whatever the number of rows.

The order is that of all transactions: tenants (which are locked already), lanes, and then everything else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import astuple

from signalpost.commands.batch import Batch, Rows, StoredAnswer
from signalpost.commands.command import AnswerKey, DocumentKey
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.access.tenant_limits import NO_USE
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.subscription import Subscription
from signalpost.store.batching import new_lane
from signalpost.store.nouns.data_keys import removing
from signalpost.store.packing.documents import pack_number, title_key
from signalpost.store.postgres import tables
from signalpost.store.postgres.columns import numbers, texts, uuids
from signalpost.store.postgres.tables import THIS_TRANSACTION, codec_with
from signalpost.store.statements import Statement
from signalpost.store.tables import TABLES
from signalpost.store.tables.answers import pack_answer
from signalpost.store.tables.documents import pack_document
from signalpost.store.tables.erasures import pack_erasures
from signalpost.store.tables.log import pack_events, pack_steps
from signalpost.store.tables.tenants import UPDATING_TENANT, pack_tenants
from signalpost.store.tables.versions import UPDATING_VERSION, pack_versions
from signalpost.store.vault import Vault

_MOVE_TENANTS: Final = (
    "WITH moved AS (UPDATE tenant t SET last_sequence = k.sequence, last_at = k.at,"
    " config_version = k.config, documents = k.documents, subscriptions = k.subscriptions, file_bytes = k.file_bytes,"
    f" changed_by = CASE WHEN t.config_version = k.config THEN t.changed_by ELSE {THIS_TRANSACTION} END"
    " FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)"
    " AS k (id, before, sequence, at, config, documents, subscriptions, file_bytes)"
    " WHERE t.id = k.id AND t.last_sequence = k.before RETURNING 1)"
    " SELECT 1 / (count(*) = $9)::int FROM moved"
)
"""Fails by a division by zero if a tenant's log is not as it was when its lock was taken: no index sees to it that a
sequence is given once."""


def writes(batch: Batch, before: Rows, vault: Vault, owner: int | None) -> list[Statement]:
    """The statements that write what a batch has changed. `owner` is the node to which the lanes of new subscriptions
    belong."""
    changed = [batch.tenants.changed[tenant_id] for tenant_id in batch.changed_tenants]
    codec = codec_with(vault)
    return [
        *_tenants(changed),
        *_move_tenants(batch, before),
        *_lanes(batch.changed(Subscription), owner),
        *_documents(batch.documents.changed, before.documents),
        *tables.STEP.insert(pack_steps(batch.steps, str)),
        *tables.VERSION.insert(pack_versions(batch.versions.changed, str), UPDATING_VERSION),
        *_delete_versions(batch.tombstones),
        *tables.EVENT.insert(pack_events(batch.events, batch.origins, str)),
        *_answers(batch.answers.changed, before.answers, vault),
        *_retries(batch),
        *(
            statement
            for kind, table in TABLES.items()
            for statement in tables.writing(table, batch.changed(kind), codec)
        ),
        *tables.ERASURE.insert(pack_erasures(batch.erasures, str)),
    ]


def _tenants(changed: Sequence[Tenant]) -> list[Statement]:
    """A deleted tenant's API keys end with it, and so do its data keys: nothing sealed for it can be opened."""
    written = tables.TENANT.insert(pack_tenants(changed), UPDATING_TENANT)
    for tenant in changed:
        if tenant.deleted_at is not None:
            written += end_access(tenant.id, tenant.deleted_at)
    return written


def end_access(tenant_id: int, at: int) -> list[Statement]:
    """End in one go what a deleted tenant's lanes, connections and API keys could still do. Their rows say nothing more
    from then on; those that must stay, because others refer to them, stay empty. Without its data keys, whatever was
    sealed for it can be opened no more."""
    return [
        Statement("DELETE FROM lane WHERE tenant_id = $1", (tenant_id,)),
        removing(tenant_id),
        *tables.ending(tenant_id, at),
    ]


def _move_tenants(batch: Batch, before: Rows) -> list[Statement]:
    """Move on the ends of logs, how much tenants use, and the versions of what their lanes must know."""
    moved = sorted({*batch.tenants.changed, *batch.uses.changed})
    if not moved:
        return []
    rows = []
    for tenant_id in moved:
        tenant, former = batch.tenants.get(tenant_id), before.tenants.get(tenant_id)
        use = batch.uses.get(tenant_id) or before.uses.get(tenant_id) or NO_USE
        assert tenant is not None
        rows.append(
            (
                tenant_id,
                0 if former is None else former.last_sequence,
                tenant.last_sequence,
                tenant.last_at,
                tenant.config_version,
                use.documents,
                use.subscriptions,
                use.file_bytes,
            )
        )
    return [Statement(_MOVE_TENANTS, (*map(numbers, zip(*rows, strict=True)), len(rows)))]


def _tenants_of_subscriptions(batch: Batch) -> dict[int, int]:
    return {each.number: each.tenant_id for each in batch.rows_of(Subscription)}


def _lanes(changed: Sequence[Subscription], owner: int | None) -> list[Statement]:
    """The node that owns the lane of a deleted subscription finds it gone and drops what it knew; other rows go
    later."""
    gone = [each.number for each in changed if each.deleted_at is not None]
    lanes = [(each.tenant_id, *new_lane(each, owner)) for each in changed if each.deleted_at is None]
    return [
        *([Statement("DELETE FROM lane WHERE subscription_number = ANY($1)", (numbers(gone),))] if gone else []),
        *tables.LANE.insert(lanes, "ON CONFLICT DO NOTHING"),
    ]


def _documents(
    changed: Mapping[DocumentKey, DocumentRow], before: Mapping[DocumentKey, DocumentRow]
) -> list[Statement]:
    """No other transaction adds a document of a tenant while its lock is held. If what lists filter by stays as it was,
    as in most changes, PostgreSQL writes no index."""
    known = [pack_document(key, row, str, title_key) for key, row in changed.items() if key in before]
    new = [pack_document(key, row, str, title_key) for key, row in changed.items() if key not in before]
    return [*tables.DOCUMENT.update(known, "tenant_id", "external_id"), *tables.DOCUMENT.insert(new)]


def _delete_versions(tombstones: Iterable[tuple[int, DocumentRow]]) -> list[Statement]:
    """Mark the versions of documents that were deleted, so that their files are removed later, and count these no
    more."""
    gone = [
        (tenant_id, row.external_id, pack_number(row.last_number), row.deleted_at)
        for tenant_id, row in tombstones
        if row.last_number is not None
    ]
    if not gone:
        return []
    tenant_ids, document_ids, highest, times = zip(*gone, strict=True)
    keys = (numbers(tenant_ids), uuids(document_ids), numbers(highest), numbers(times))
    of_keys = (
        "unnest($1, $2, $3, $4) AS k (tenant_id, document_id, number, at) JOIN version v"
        " ON v.tenant_id = k.tenant_id AND v.document_id = k.document_id AND v.number <= k.number"
    )
    # A draft that was published has its file twice. One that was made in the very batch is marked already.
    counted = (
        f"SELECT DISTINCT v.tenant_id, v.document_id, v.number, v.size FROM {of_keys}"
        " WHERE v.published_as IS NULL AND (v.deleted_at IS NULL OR v.deleted_at = k.at)"
    )
    return [
        Statement(
            "UPDATE tenant t SET file_bytes = t.file_bytes - c.size"
            f" FROM (SELECT tenant_id, sum(size) AS size FROM ({counted}) used GROUP BY tenant_id) c"
            " WHERE t.id = c.tenant_id",
            keys,
        ),
        Statement(
            "UPDATE version v SET deleted_at = k.at FROM unnest($1, $2, $3, $4)"
            " AS k (tenant_id, document_id, number, at) WHERE v.tenant_id = k.tenant_id"
            " AND v.document_id = k.document_id AND v.number <= k.number AND v.deleted_at IS NULL",
            keys,
        ),
    ]


def _answers(
    changed: Mapping[AnswerKey, StoredAnswer], before: Mapping[AnswerKey, StoredAnswer], vault: Vault
) -> list[Statement]:
    """An answer that has expired goes once there is another one under its key."""
    written = tables.ANSWER.insert(pack_answer(key, stored, vault) for key, stored in changed.items())
    replaced = [(*key, before[key].expires_at) for key in changed if key in before]
    if replaced:
        tenant_ids, api_key_ids, keys, times = zip(*replaced, strict=True)
        written.append(
            Statement(
                "DELETE FROM idempotency i USING unnest($1, $2, $3, $4) AS k (tenant_id, api_key_id, key, expires_at)"
                " WHERE i.tenant_id = k.tenant_id AND i.api_key_id = k.api_key_id AND i.key = k.key"
                " AND i.expires_at = k.expires_at",
                (numbers(tenant_ids), numbers(api_key_ids), texts(keys), numbers(times)),
            )
        )
    return written


def _retries(batch: Batch) -> list[Statement]:
    tenants = _tenants_of_subscriptions(batch) if batch.retries else {}
    return tables.RETRY.insert((tenants[retry.subscription_number], *astuple(retry)) for retry in batch.retries)


def times(batch: Batch) -> dict[str, list[Any]]:
    """Which moments a batch needs partitions for, by table."""
    return {
        "event": [event.at for event in batch.events],
        "idempotency": [stored.expires_at for stored in batch.answers.changed.values()],
    }
