"""The table of conditions that are open. The row of one that closed is removed as it is written. Those of a deleted
tenant become the gateway's own, so that people are told that they are over."""

from typing import Final

from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.operations.conditions import ConditionRow
from signalpost.store.tables.table import FoundBy, Kind, Table

CONDITION: Final = Table(
    "condition",
    ConditionRow,
    {
        "number": Kind.NUMBER,
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "kind": Kind.TEXT,
        "subject": Kind.TEXT,
        "name": Kind.TEXT,
        "detail": Kind.TEXT,
        "severity": Kind.NUMBER,
        "since": Kind.NUMBER,
        "opened_at": Kind.NUMBER,
        "told_at": Kind.NUMBER,
        "absent_since": Kind.NUMBER,
        "muted_until": Kind.NUMBER,
        "closed_at": Kind.NUMBER,
    },
    changing=["detail", "severity", "told_at", "absent_since", "muted_until", "closed_at"],
    found_by={"kind": FoundBy("kind = {}", Kind.TEXT)},
    of_any_tenant=True,
    ended={"tenant_id": OPERATIONS_TENANT},
    goes_after="closed_at",
)
