"""The table of API keys: a revoked one stays, so that what it did can be told."""

from typing import Final

from signalpost.domain.access.api_key import ApiKey
from signalpost.store.tables.table import EndValue, Kind, Table

API_KEY: Final = Table(
    "api_key",
    ApiKey,
    {
        "number": Kind.NUMBER,
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "name": Kind.TEXT,
        "role": Kind.TEXT,
        "hash": Kind.BLOB,
        "created_at": Kind.NUMBER,
        "created_by": Kind.TEXT,
        "expires_at": Kind.NUMBER,
        "revoked_at": Kind.NUMBER,
        "last_used_at": Kind.NUMBER,
    },
    changing=["revoked_at"],
    of_any_tenant=True,
    there="revoked_at IS NULL",
    ended={"revoked_at": EndValue.THEN_AT_THE_LATEST, "name": "", "created_by": None},
)
