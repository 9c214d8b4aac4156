"""The tables of lanes, of what people ask of them, and of what their deliveries made.

In PostgreSQL rows of these have a `tenant_id`, too, for its row-level security.
"""

from typing import Final

from signalpost.store.tables.table import Columns, Kind

LANE: Final = Columns(
    "lane",
    {
        "subscription_number": Kind.NUMBER,
        "owner": Kind.NUMBER,
        "version": Kind.NUMBER,
        "head": Kind.NUMBER,
        "open": Kind.BLOB,
        "gaps": Kind.BLOB,
        "health": Kind.BLOB,
    },
)
"""A new lane."""
RETRY: Final = Columns(
    "retry",
    {
        "number": Kind.NUMBER,
        "subscription_number": Kind.NUMBER,
        "sequence": Kind.NUMBER,
        "document_id": Kind.UUID,
        "of_version": Kind.NUMBER,
    },
)
MADE: Final = Columns(
    "made",
    {
        "subscription_number": Kind.NUMBER,
        "document_id": Kind.UUID,
        "made": Kind.BLOB,
    },
)
