"""What a batch of commands reads on PostgreSQL: the tenants' locks and, in statements after these, the rows.

A statement that locks and reads at once would return rows as they were before it waited for the lock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from signalpost.commands.batch import Rows
from signalpost.commands.command import NumberedKind, ReplayKey, SubscriptionKey, VersionKey
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.documents.document import DocumentRow, Facets
from signalpost.domain.documents.version import StoredFile, VersionRow
from signalpost.domain.subscription import Subscription
from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import TenantUse
from signalpost.store.batching import ANSWER_COLUMNS, BatchWanted, unpack_answer
from signalpost.store.packing.access import (
    KEY_COLUMNS,
    MEMBER_COLUMNS,
    TENANT_COLUMNS,
    USE_COLUMNS,
    unpack_key,
    unpack_member,
    unpack_tenant,
    unpack_use,
)
from signalpost.store.packing.connections import CONNECTION_COLUMNS, unpack_connection
from signalpost.store.packing.documents import pack_number, unpack_number, unpack_workflow
from signalpost.store.packing.portal_links import PORTAL_LINK_COLUMNS, unpack_portal_link
from signalpost.store.packing.replays import unpack_replay
from signalpost.store.packing.subscriptions import SUBSCRIPTION_COLUMNS, unpack_subscription
from signalpost.store.postgres.columns import numbers, texts, uuids
from signalpost.store.postgres.connect import Row, Statement
from signalpost.store.postgres.tables import DOCUMENT, REPLAY, VERSION
from signalpost.store.vault import Vault

NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_SEQUENCES: Final[dict[NumberedKind, str]] = {
    "subscription": "subscription_number_seq",
    "connection": "connection_number_seq",
    "retry": "retry_number_seq",
    "key": "api_key_number_seq",
    "replay": "replay_number_seq",
    "tenant": "tenant_id_seq",
}
"""Where numbers come from. Each is given once, also where its batch is not committed."""
_WITH_SEALED: Final = frozenset({"subscriptions", "connections", "answers"})
"""Members of `Rows` with values that only a data key opens."""


class Locked(NamedTuple):
    """Tenants whose locks a transaction holds."""

    tenants: Mapping[int, Tenant]
    uses: Mapping[int, TenantUse]
    now: int
    """The database's time, once the locks were there."""


def lock(asked: BatchWanted, *, waiting: bool) -> Statement:
    """Lock the tenants that a batch is about, in the order of their numbers. Those that somebody else has locked are
    left out, unless it is `waiting` for them."""
    skip = "" if waiting else " SKIP LOCKED"
    named = " OR name = ANY($2)" if asked.names else ""
    return Statement(
        f"SELECT {NOW}, {USE_COLUMNS}, {TENANT_COLUMNS} FROM"
        f" (SELECT * FROM tenant WHERE id = ANY($1){named} ORDER BY id FOR NO KEY UPDATE{skip}) t",
        (numbers(asked.tenants), *([texts(asked.names)] if asked.names else [])),
    )


def unpack_locked(found: Iterable[Row]) -> Locked:
    """What `lock` has returned."""
    now, tenants, uses = 0, {}, {}
    for at, *columns in found:
        tenant = unpack_tenant(columns[3:])
        now, tenants[tenant.id], uses[tenant.id] = at, tenant, unpack_use(columns[:3])
    return Locked(tenants, uses, now)


def existing_names(asked: BatchWanted) -> Statement:
    """The tenants named by a batch that exist. One that could not be locked may not exist at all."""
    return Statement("SELECT name FROM tenant WHERE name = ANY($1)", (texts(asked.names),))


class Read(NamedTuple):
    """A query for rows of one kind, and how they are unpacked."""

    statement: Statement
    unpack: Callable[[Iterable[Row]], dict[Any, Any]]


def reads(asked: BatchWanted, vault: Vault) -> dict[str, Read]:
    """The queries of a batch, by the members of `Rows`; none for rows of which none is wanted."""
    found: dict[str, Read] = {}
    if asked.documents:
        found["documents"] = Read(_of_keys("document", DOCUMENT.columns, "external_id", asked.documents), _documents)
    if asked.versions:
        found["versions"] = Read(_versions(asked.versions), _unpack_versions)
    if asked.subscriptions or asked.subscriptions_of:
        found["subscriptions"] = Read(_subscriptions(asked), lambda rows: _unpack_subscriptions(rows, vault))
    if asked.connections:
        found["connections"] = Read(
            _of_keys("connection", CONNECTION_COLUMNS, "id", asked.connections),
            lambda rows: {(each.tenant_id, each.id): each for each in (unpack_connection(c, vault, str) for c in rows)},
        )
    if asked.keys:
        found["keys"] = Read(
            Statement(f"SELECT {KEY_COLUMNS} FROM api_key WHERE id = ANY($1)", (uuids(asked.keys),)),
            lambda rows: {key.id: key for key in (unpack_key(columns, str) for columns in rows)},
        )
    if asked.members or asked.emails:
        either = "id = ANY($1) OR (email = ANY($2) AND removed_at IS NULL)"
        found["members"] = Read(
            Statement(
                f"SELECT {MEMBER_COLUMNS} FROM member WHERE {either}", (uuids(asked.members), texts(asked.emails))
            ),
            lambda rows: {member.id: member for member in (unpack_member(columns, str) for columns in rows)},
        )
    if asked.portal_links:
        found["portal_links"] = Read(
            Statement(
                f"SELECT {PORTAL_LINK_COLUMNS} FROM portal_link WHERE id = ANY($1)", (uuids(asked.portal_links),)
            ),
            lambda rows: {link.id: link for link in (unpack_portal_link(columns, str) for columns in rows)},
        )
    if asked.replays:
        found["replays"] = Read(_replays(asked.replays), _unpack_replays)
    if asked.answers:
        found["answers"] = Read(_answers(asked), lambda rows: dict(unpack_answer(c, vault) for c in rows))
    for kind, count in asked.numbers.items():
        take = Statement(f"SELECT nextval('{_SEQUENCES[kind]}') FROM generate_series(1, $1)", (count,))
        found[kind] = Read(take, dict)
    return found


def sealed(asked: Mapping[str, Read], found: Iterable[list[Row]]) -> Iterator[bytes]:
    """The values that may be sealed among these rows."""
    for member, rows in zip(asked, found, strict=True):
        if member in _WITH_SEALED:
            yield from (value for row in rows for value in row if isinstance(value, bytes))


def rows_of(asked: Mapping[str, Read], found: Iterable[list[Row]], locked: Locked) -> Rows:
    """The rows of a batch. Those of tenants that are not locked, or were deleted, are left out: the former may change,
    and nothing of the latter can be opened."""
    live = {tenant.id for tenant in locked.tenants.values() if tenant.deleted_at is None}
    members: dict[str, Any] = {}
    taken: dict[NumberedKind, list[int]] = {}
    for (member, read), rows in zip(asked.items(), found, strict=True):
        if member in ("keys", "members"):
            members[member] = read.unpack(rows)  # of any tenant: nothing of them is sealed
        elif member in _SEQUENCES:
            taken[member] = [number for (number,) in rows]
        else:
            members[member] = read.unpack(row for row in rows if _tenant_of(member, row) in live)
    return Rows(tenants=locked.tenants, uses=locked.uses, numbers=taken, **members)


_TENANT_AT: Final = {"subscriptions": 2, "connections": 2, "portal_links": 2, "replays": 2}


def _tenant_of(member: str, row: Row) -> int:
    return int(row[_TENANT_AT.get(member, 0)])


# --- Queries ----------------------------------------------------------------------------------------------------------

# Keys are joined by LATERAL, so that each is looked up in its index, whatever the planner believes a table to hold.


def _of_keys(table: str, columns: str, identity: str, keys: Iterable[tuple[int, str]]) -> Statement:
    tenant_ids, ids = zip(*keys, strict=True)
    return Statement(
        f"SELECT r.* FROM unnest($1, $2) AS k (tenant_id, id) CROSS JOIN LATERAL"
        f" (SELECT {columns} FROM {table} t WHERE t.tenant_id = k.tenant_id AND t.{identity} = k.id OFFSET 0) r",
        (numbers(tenant_ids), uuids(ids)),
    )


def _versions(keys: Iterable[VersionKey]) -> Statement:
    tenant_ids, document_ids, found = zip(*keys, strict=True)
    return Statement(
        f"SELECT r.* FROM unnest($1, $2, $3) AS k (tenant_id, document_id, number) CROSS JOIN LATERAL"
        f" (SELECT {VERSION.columns} FROM version v WHERE v.tenant_id = k.tenant_id"
        " AND v.document_id = k.document_id AND v.number = k.number OFFSET 0) r",
        (numbers(tenant_ids), uuids(document_ids), numbers(map(pack_number, found))),
    )


def _subscriptions(asked: BatchWanted) -> Statement:
    keys, connections = sorted(asked.subscriptions), sorted(asked.subscriptions_of)
    return Statement(
        f"SELECT {SUBSCRIPTION_COLUMNS} FROM subscription WHERE id = ANY($1) UNION"
        f" SELECT {SUBSCRIPTION_COLUMNS} FROM subscription WHERE connection_id = ANY($2) AND deleted_at IS NULL",
        (uuids(each for _, each in keys), uuids(each for _, each in connections)),
    )


def _replays(keys: Mapping[SubscriptionKey, frozenset[str]]) -> Statement:
    columns = ", ".join(f"r.{column}" for column in REPLAY.columns.split(", "))
    return Statement(
        f"SELECT {columns} FROM subscription s JOIN replay r ON r.subscription_number = s.number"
        " WHERE s.id = ANY($1) AND (r.state = 'running' OR r.id = ANY($2))",
        (uuids(each for _, each in keys), uuids(each for ids in keys.values() for each in ids)),
    )


def _answers(asked: BatchWanted) -> Statement:
    tenant_ids, api_key_ids, keys = zip(*asked.answers, strict=True)
    return Statement(
        f"SELECT r.* FROM unnest($1, $2, $3) AS k (tenant_id, api_key_id, key) CROSS JOIN LATERAL"
        f" (SELECT {ANSWER_COLUMNS} FROM idempotency i WHERE i.tenant_id = k.tenant_id"
        " AND i.api_key_id = k.api_key_id AND i.key = k.key ORDER BY i.expires_at DESC LIMIT 1) r",
        (numbers(tenant_ids), numbers(api_key_ids), texts(keys)),
    )


# --- Rows -------------------------------------------------------------------------------------------------------------


def _documents(rows: Iterable[Row]) -> dict[tuple[int, str], DocumentRow]:
    return {(row[0], row[1]): unpack_document(row) for row in rows}


def unpack_document(columns: Row) -> DocumentRow:
    """From the columns of `DOCUMENT`."""
    _, external_id, version, updated_at, *facets, body, source_version, deleted_at, last_number, workflow, _ = columns
    return DocumentRow(
        external_id,
        version,
        updated_at,
        None if facets[0] is None else Facets(*facets),
        body,
        source_version,
        deleted_at,
        None if workflow is None else unpack_workflow(workflow),
        unpack_number(last_number),
    )


def _unpack_versions(rows: Iterable[Row]) -> dict[VersionKey, VersionRow]:
    return {(row[0], version.document_id, version.number): version for row in rows for version in [unpack_version(row)]}


def unpack_version(columns: Row) -> VersionRow:
    """From the columns of `VERSION`."""
    _, document_id, packed, file, size, sha256, content_type, created_at, created_by, published_as, deleted_at = columns
    number = unpack_number(packed)
    assert number is not None
    return VersionRow(
        document_id=document_id,
        number=number,
        file=StoredFile(file.hex(), size, sha256, content_type),
        created_at=created_at,
        created_by=created_by,
        published_as=unpack_number(published_as),
        deleted_at=deleted_at,
    )


def _unpack_subscriptions(rows: Iterable[Row], vault: Vault) -> dict[SubscriptionKey, Subscription]:
    found = (unpack_subscription(columns, vault, str) for columns in rows)
    return {(subscription.tenant_id, subscription.id): subscription for subscription in found}


def _unpack_replays(rows: Iterable[Row]) -> dict[ReplayKey, Replay]:
    replays = (unpack_replay(columns, str) for columns in rows)
    return {(replay.subscription_number, replay.id): replay for replay in replays}
