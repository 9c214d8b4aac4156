"""The audit: who changed what. `publish` writes entries, in the transaction of the change that they record."""

from typing import NamedTuple, Protocol

from signalpost.domain.audit import AuditEntry, EntryDraft, Fault


class AuditFilter(NamedTuple):
    """Which entries of a tenant to list. A member that is None does not restrict them."""

    actor: str | None = None
    """Only changes by the actor with this id."""
    object: str | None = None
    """The id of what was changed."""


class AuditPart(NamedTuple):
    """A part of a tenant's entries."""

    entries: list[AuditEntry]
    is_last: bool
    """Whether nothing follows. A page can be the last one of its kind and not be full."""


class AuditMark(NamedTuple):
    """The number and the hash of an entry, which stand for all of its tenant up to it."""

    number: int
    hash: bytes


class VerifiedAudit(NamedTuple):
    """The result of the verification of all entries."""

    entries: int
    """Number of entries checked, of all tenants."""
    fault: Fault | None
    """The first that does not fit; None if all do."""


class AuditStore(Protocol):
    """Entries of the audit, which are never changed, and removed from the oldest on."""

    async def page(self, tenant_id: int, wanted: AuditFilter, above: int, limit: int) -> AuditPart:
        """Entries with a number above one, oldest first. There are fewer than `limit` if they are large."""
        ...

    async def newest(self, tenant_id: int, wanted: AuditFilter, above: int, below: int, limit: int) -> AuditPart:
        """Entries with a number between two, newest first. There are fewer than `limit` if they are large."""
        ...

    async def mark(self, tenant_id: int) -> AuditMark | None:
        """The mark of a tenant's newest entry; None if it never had one."""
        ...

    async def verify(self) -> VerifiedAudit:
        """Go through all entries of the database, as of one moment."""
        ...

    async def sealed_end(self) -> str:
        """The end of the whole as a text to be kept elsewhere; see `Notary.seal`."""
        ...

    async def has(self, sealed_end: str) -> bool:
        """Whether the audit still has everything that it had when this text was made. False for what is no such
        text."""
        ...

    async def add(self, drafts: list[EntryDraft]) -> tuple[AuditEntry, ...]:
        """Add entries that belong to no change, such as of calls that were refused."""
        ...

    async def keep(self, days: int) -> int:
        """Have the database itself refuse to remove entries within so many days, if this user may decide that. Returns
        for how many days none can be removed."""
        ...

    async def prune(self, before: int, limit: int) -> int:
        """Remove the oldest entries that are older than `before` (µs), at most `limit`. The rest can be verified as
        before. Returns how many were removed."""
        ...
