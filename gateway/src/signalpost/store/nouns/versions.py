"""Versions of documents as they are kept: their numbers and what is known of their files, which are kept elsewhere."""

from collections.abc import Sequence
from typing import Protocol

from signalpost.commands.command import VersionKey
from signalpost.domain.documents.version import Number, VersionRow


class VersionStore(Protocol):
    """What is known of documents' versions. Commands add them."""

    async def get(self, tenant_id: int, document_id: str, number: Number) -> VersionRow | None:
        """A version, also one of a deleted document until `forget` removes it."""
        ...

    async def page(self, tenant_id: int, document_id: str, below: Number | None, limit: int) -> list[VersionRow]:
        """The versions of a document that is not deleted, the highest number first."""
        ...

    async def deleted(self, before: int, limit: int) -> list[tuple[int, VersionRow]]:
        """Versions, each with its tenant, of documents that were deleted before a moment (µs)."""
        ...

    async def forget(self, keys: Sequence[VersionKey]) -> None:
        """Remove the rows of versions whose files are gone."""
        ...
