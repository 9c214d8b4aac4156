"""Erasures: the requests, and the removal itself, in parts so small that other writes hardly wait."""

from collections.abc import Sequence
from typing import Protocol

from signalpost.commands.command import VersionKey
from signalpost.domain.erasure import Erasure


class ErasureStore(Protocol):
    """Erasures as they are kept. Commands add them. Each part is one transaction, and any of them may be repeated."""

    async def get(self, erasure_id: str) -> Erasure | None:
        """The erasure with this id."""
        ...

    async def page(self, below: int | None, limit: int) -> list[Erasure]:
        """Erasures of all tenants, newest first. The number of the last one is the `below` of the next page."""
        ...

    async def pending(self) -> list[Erasure]:
        """Erasures that are not finished, oldest first."""
        ...

    async def files(self, erasure: Erasure, limit: int) -> list[tuple[str, VersionKey]]:
        """The names of files to remove, each with the version that points to it."""
        ...

    async def forget_files(self, erasure: Erasure, keys: Sequence[VersionKey]) -> None:
        """Remove the versions whose files are gone."""
        ...

    async def erase_part(self, erasure: Erasure, limit: int) -> int:
        """Remove at most about `limit` rows of each kind, once no files are left. Returns how many were removed; 0 if
        nothing is left."""
        ...

    async def finish(self, erasure: Erasure, at: int) -> None:
        """Remove traces of removed rows from the unused parts of the database's files, and note that the erasure is
        finished. Raises Unavailable while readers are in the way."""
        ...
