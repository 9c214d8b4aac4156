"""Checks of what must be true in every database."""

from typing import Final

from signalpost.store.postgres.asking import ask_one
from signalpost.store.postgres.audit import verify

_INVARIANTS: Final = {
    "a log with a gap": (
        "SELECT t.name FROM tenant t WHERE t.deleted_at IS NULL AND"
        " (SELECT count(*) FROM event e WHERE e.tenant_id = t.id AND e.sequence >= t.floor)"
        " <> t.last_sequence - t.floor + 1 LIMIT 1"
    ),
    "a sequence that was given twice": (
        "SELECT tenant_id || ' ' || sequence FROM event GROUP BY tenant_id, sequence HAVING count(*) > 1 LIMIT 1"
    ),
    "a log whose times do not rise": (
        "SELECT sequence::text FROM (SELECT sequence, at, lead(at) OVER (PARTITION BY tenant_id ORDER BY sequence)"
        " AS following FROM event) e WHERE following <= at LIMIT 1"
    ),
    "a lane beyond its log": (
        "SELECT l.subscription_number::text FROM lane l JOIN tenant t ON t.id = l.tenant_id"
        " WHERE l.head > t.last_sequence LIMIT 1"
    ),
    "a subscription without a lane": (
        "SELECT s.number::text FROM subscription s LEFT JOIN lane l ON l.subscription_number = s.number"
        " WHERE s.deleted_at IS NULL AND l.head IS NULL LIMIT 1"
    ),
    "a lane whose exception rows are miscounted": (
        "SELECT l.subscription_number::text FROM lane l LEFT JOIN (SELECT subscription_number,"
        " count(*) FILTER (WHERE state = 1) AS awaiting_retry, count(*) FILTER (WHERE state = 2) AS blocked,"
        " count(*) FILTER (WHERE state = 3) AS failed FROM delivery GROUP BY subscription_number) d"
        " USING (subscription_number) WHERE (l.awaiting_retry, l.blocked, l.failed) <>"
        " (coalesce(d.awaiting_retry, 0), coalesce(d.blocked, 0), coalesce(d.failed, 0)) LIMIT 1"
    ),
    "a version beyond its document's last": (
        "SELECT v.document_id::text FROM version v LEFT JOIN document d ON d.tenant_id = v.tenant_id"
        " AND d.external_id = v.document_id WHERE d.last_number IS NULL OR v.number > d.last_number LIMIT 1"
    ),
    "a tenant whose documents are miscounted": (
        "SELECT t.name FROM tenant t WHERE t.deleted_at IS NULL AND t.documents <>"
        " (SELECT count(*) FROM document d WHERE d.tenant_id = t.id AND d.deleted_at IS NULL) LIMIT 1"
    ),
    "a tenant whose subscriptions are miscounted": (
        "SELECT t.name FROM tenant t WHERE t.deleted_at IS NULL AND t.subscriptions <>"
        " (SELECT count(*) FROM subscription s WHERE s.tenant_id = t.id AND s.deleted_at IS NULL) LIMIT 1"
    ),
    "a tenant whose files are miscounted": (
        "SELECT t.name FROM tenant t WHERE t.deleted_at IS NULL AND t.file_bytes <> (SELECT coalesce(sum(size), 0)"
        " FROM version v WHERE v.tenant_id = t.id AND v.deleted_at IS NULL AND v.published_as IS NULL) LIMIT 1"
    ),
    "a delivery beyond its lane": (
        "SELECT d.sequence::text FROM delivery d JOIN lane l USING (subscription_number) WHERE d.sequence > l.head"
        " LIMIT 1"
    ),
}


async def check() -> list[str]:
    """What is wrong with what is in a database, a sentence for each fault; all as of one moment."""
    found = []
    for fault, statement in _INVARIANTS.items():
        found += [f"There is {fault}: {example}." for (example,) in await ask_one(statement)]
    misfit = (await verify(None)).fault
    if misfit is not None:
        found.append(f"Entry {misfit.number} of tenant {misfit.tenant_id} in the audit: {misfit.reason}")
    return found
