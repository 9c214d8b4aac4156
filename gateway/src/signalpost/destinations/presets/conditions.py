"""Which events presets want: their types, and the conditions that several of them have."""

from typing import Any, Final

CREATED: Final = "documentCreated"
UPDATED: Final = "documentUpdated"
DELETED: Final = "documentDeleted"
NOTICE: Final = "notice"
"""Only the tenant `operations` has such events, and no others."""


def becomes(status: str) -> dict[str, Any]:
    return {"field": "document.status", "changedTo": status}


def is_known(field: str) -> dict[str, Any]:
    return {"field": f"document.{field}", "exists": True}


REFUSED: Final = {
    "any": [
        becomes("reviewRejected"),
        becomes("approvalRejected"),
        becomes("signatureRejected"),
        becomes("signatureRequestExpired"),
    ]
}
