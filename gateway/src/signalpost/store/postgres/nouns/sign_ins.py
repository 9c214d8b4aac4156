"""How often passwords were tried: the counts are locked, because other nodes count too."""

from collections.abc import Callable
from typing import Final, TypeVar

from signalpost.domain.access.sign_in_tries import Count, Counts, Try
from signalpost.store.nouns.sign_ins import SignInStore
from signalpost.store.postgres.columns import blobs, numbers
from signalpost.store.postgres.sessions import ReadSessions, Steps, Writers
from signalpost.store.statements import EVERY_TENANT, Statement

T = TypeVar("T")
_LOCK_COUNTS: Final = (
    "INSERT INTO sign_in_try (subject, clear_at, kept_until)"
    " SELECT subject, 0, 0 FROM unnest($1) AS asked (subject) ORDER BY subject"
    " ON CONFLICT (subject) DO UPDATE SET clear_at = sign_in_try.clear_at RETURNING subject, clear_at, kept_until"
)
"""Makes those that are not there, so that they are locked too."""
_KEEP_COUNTS: Final = (
    "UPDATE sign_in_try SET clear_at = changed.clear_at, kept_until = changed.kept_until"
    " FROM unnest($1, $2, $3) AS changed (subject, clear_at, kept_until)"
    " WHERE sign_in_try.subject = changed.subject"
)
_REMOVE_COUNTS: Final = (
    "DELETE FROM sign_in_try WHERE subject IN"
    " (SELECT subject FROM sign_in_try WHERE kept_until <= $1 FOR UPDATE SKIP LOCKED)"
)
"""What another node has locked it removes itself; to wait for it could be to wait for each other."""


class PostgresSignIns(SignInStore):
    def __init__(self, readers: ReadSessions, writers: Writers) -> None:
        super().__init__(readers, writers)
        self._writers = writers

    async def count_tries(self, of: Try, now: int, decide: Callable[[Counts], tuple[T, Counts]]) -> T:
        return await self._writers.run(EVERY_TENANT, _count_tries(of, now, decide))


def _count_tries(of: Try, now: int, decide: Callable[[Counts], tuple[T, Counts]]) -> Steps[T]:
    [found] = yield [Statement(_LOCK_COUNTS, (blobs(of),))]
    said, changed = decide({subject: Count(clear_at, kept_until) for subject, clear_at, kept_until in found})
    counts = changed.values()
    kept = (blobs(changed), numbers(each.clear_at for each in counts), numbers(each.kept_until for each in counts))
    yield [Statement(_KEEP_COUNTS, kept), Statement(_REMOVE_COUNTS, (now,))]
    return said
