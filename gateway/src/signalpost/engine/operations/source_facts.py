"""Which sources are behind or silent, or gave something up, as they said themselves.

One node asks for all. While it could not listen (it has just begun, or the database was away or could not be written),
no source could be heard, so silence counts from when it could again.
"""

from collections.abc import Callable
from typing import Final

from signalpost.domain.operations.conditions import ConditionRow, Fact
from signalpost.domain.source import SILENT_AFTER, trouble_of
from signalpost.domain.timestamps import MINUTE
from signalpost.engine.counts import Counts
from signalpost.engine.directory import Directory
from signalpost.store.nouns.sources import SourceStore

LISTENS_WITHIN: Final = MINUTE
"""Looks that are further apart do not show that reports could be heard between them."""


class SourceFacts:
    kinds: Final = frozenset({"sourceBehind"})

    def __init__(
        self, sources: SourceStore, directory: Directory, counts: Counts, is_first: Callable[[], bool]
    ) -> None:
        """`is_first` says whether this node tells what is no node's own."""
        self._sources = sources
        self._directory = directory
        self._counts = counts
        self._is_first = is_first
        self._failed_commits = 0
        """How many had failed at the last look."""
        self._looked_at = 0
        self._listens_since = 0

    def sees(self, condition: ConditionRow) -> bool:
        return self._is_first() and self._looked_at - self._listens_since > SILENT_AFTER

    async def facts(self, now: int) -> list[Fact]:
        if not self._is_first():
            return []
        found = await self._sources.in_trouble(now)
        failed = self._counts.failed_commits
        if abs(now - self._looked_at) > LISTENS_WITHIN or failed > self._failed_commits:
            self._listens_since = now
        self._looked_at, self._failed_commits = now, failed
        return [
            Fact(
                kind="sourceBehind",
                tenant_id=source.tenant_id,
                subject=source.id,
                name=source.name,
                since=trouble.since,
                detail=trouble.detail,
            )
            for source in found
            if self._is_at_work(source.tenant_id)
            and (trouble := trouble_of(source, now, self._listens_since)) is not None
        ]

    def _is_at_work(self, tenant_id: int) -> bool:
        """Whether the tenant takes what its sources have."""
        tenant = self._directory.tenant_with(tenant_id)
        return tenant is not None and tenant.paused_at is None
