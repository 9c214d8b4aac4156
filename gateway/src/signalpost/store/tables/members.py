"""The table of members: a removed one stays, so that what they did can be told."""

from typing import Final

from signalpost.domain.access.member import Member
from signalpost.store.tables.table import EndValue, FoundBy, Kind, Table

MEMBER: Final = Table(
    "member",
    Member,
    {
        "number": Kind.NUMBER,
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "name": Kind.TEXT,
        "email": Kind.TEXT,
        "role": Kind.TEXT,
        "created_at": Kind.NUMBER,
        "created_by": Kind.TEXT,
        "password": Kind.TEXT,
        "subject": Kind.TEXT,
        "generation": Kind.NUMBER,
        "invitation": Kind.BLOB,
        "invited_until": Kind.NUMBER,
        "removed_at": Kind.NUMBER,
    },
    changing=(
        *("name", "email", "role", "password", "subject"),
        *("generation", "invitation", "invited_until", "removed_at"),
    ),
    numbered_with="api_key",
    found_by={"email": FoundBy("email = {} AND removed_at IS NULL", Kind.TEXT)},
    of_any_tenant=True,
    there="removed_at IS NULL",
    ended={
        "removed_at": EndValue.THEN_AT_THE_LATEST,
        "name": "",
        "email": "",
        "created_by": None,
        "password": None,
        "subject": None,
        "invitation": None,
    },
)
