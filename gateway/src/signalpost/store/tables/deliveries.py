"""The tables of deliveries that need a row, and of attempts."""

from typing import Final

from signalpost.store.tables.table import Columns, Kind

DELIVERY: Final = Columns(
    "delivery",
    {
        "tenant_id": Kind.NUMBER,
        "subscription_number": Kind.NUMBER,
        "sequence": Kind.NUMBER,
        "document_id": Kind.UUID,
        "state": Kind.NUMBER,
        "due": Kind.NUMBER,
        "failed_attempts": Kind.NUMBER,
        "max_attempts": Kind.NUMBER,
        "run": Kind.NUMBER,
        "resume_at": Kind.NUMBER,
        "replay": Kind.NUMBER,
    },
)
EXCEPTION_ROW: Final = DELIVERY.listed.removeprefix("tenant_id, subscription_number, ")
"""The columns of an exception row, in the order of its members."""
ATTEMPT: Final = Columns(
    "attempt",
    {
        "tenant_id": Kind.NUMBER,
        "sequence": Kind.NUMBER,
        "subscription_number": Kind.NUMBER,
        "started_at": Kind.NUMBER,
        "elapsed_us": Kind.NUMBER,
        "number": Kind.NUMBER,
        "run": Kind.NUMBER,
        "counted": Kind.FLAG,
        "status": Kind.NUMBER,
        "failure": Kind.TEXT,
        "detail": Kind.TEXT,
        "answer": Kind.BLOB,
        "exchange": Kind.BLOB,
    },
    key="tenant_id, sequence, subscription_number, started_at",
)
