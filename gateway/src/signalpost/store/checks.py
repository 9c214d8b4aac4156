"""What must be true in every database, as queries for a counterexample that both databases answer alike."""

from typing import Final

INVARIANTS: Final = {
    "a subscription without a lane": (
        "SELECT s.number FROM subscription s LEFT JOIN lane l ON l.subscription_number = s.number"
        " WHERE s.deleted_at IS NULL AND l.head IS NULL LIMIT 1"
    ),
    "a version beyond its document's last": (
        "SELECT v.document_id FROM version v LEFT JOIN document d ON d.tenant_id = v.tenant_id"
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
        "SELECT d.sequence FROM delivery d JOIN lane l USING (subscription_number) WHERE d.sequence > l.head LIMIT 1"
    ),
}
"""Statements by the fault that each finds."""
