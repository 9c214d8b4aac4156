"""Batches of commands on PostgreSQL.

A batch is a transaction of two trips. The first locks its tenants and reads; then the commands are decided, while the
locks are held; the second writes and commits. Another node's batch has other tenants, or waits: so sequences, times,
`Idempotency-Key` and `If-Match` hold for all nodes together.

Tenants that another node has locked are skipped, and their commands tried again at once, because a batch that waits for
one busy tenant would hold up all others. A tenant that was skipped `SKIPS` times waits, in a batch of its own.

If the data is to blame, the batch is halved, so that only the guilty command fails. The halves wait for their tenants:
if the first one skipped a tenant and the second did not, later lines of an import would be taken before earlier ones.
If anything else goes wrong with a transaction, it has changed nothing and is repeated a few times. If a commit is cut
off, `committers.py` finds out what happened to it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from msgspec.structs import replace

from signalpost.commands.batch import Batch, Rows
from signalpost.commands.command import Command
from signalpost.domain.audit import WHOLE, AuditEntry, Notary
from signalpost.store import batching
from signalpost.store.batching import BatchWanted, wanted
from signalpost.store.halving import halved, halved_part
from signalpost.store.postgres import batch_writes
from signalpost.store.postgres.batch_reads import BatchQueries, LockedRows
from signalpost.store.postgres.committers import CommitConnection, Committers
from signalpost.store.postgres.nouns.audit_chain import append
from signalpost.store.postgres.nouns.data_keys import PostgresDataKeys
from signalpost.store.postgres.partitions import Partitions
from signalpost.store.postgres.sessions import Steps
from signalpost.store.store import PublishedBatch, joined
from signalpost.store.vault import DataKeysLetGo, Vault

SKIPS: Final = 3
Begin = Callable[[Rows, int], Batch]
"""Makes the batch of these rows at the database's time (µs)."""


class _Skipped(Exception):
    """In place of the result of a command whose tenant was locked by another transaction."""


class Publisher:
    def __init__(
        self,
        committers: Committers,
        partitions: Partitions,
        data_keys: PostgresDataKeys,
        vault: Vault,
        notary: Notary,
        begin: Begin,
        owner: Callable[[], int | None],
    ) -> None:
        self._committers = committers
        self._partitions = partitions
        self._data_keys = data_keys
        self._vault = vault
        self._notary = notary
        self._begin = begin
        self._owner = owner

    async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        """See `Store.publish`. What was skipped is committed by further transactions."""
        await self._data_keys.provide({command.tenant_id for command in commands})
        published = await halved(commands, self._commit, self._commit_waiting)
        tries = 1
        while skipped := [place for place, result in enumerate(published.results) if isinstance(result, _Skipped)]:
            waiting = tries >= SKIPS
            if waiting:
                tenant_id = commands[skipped[0]].tenant_id
                skipped = [place for place in skipped if commands[place].tenant_id == tenant_id]
            commit = self._commit_waiting if waiting else self._commit
            further = await halved_part([commands[place] for place in skipped], commit, self._commit_waiting)
            published = _with(published, skipped, further)
            tries += 1
        self._vault.forget_deleted(published.tenants)
        return published

    async def _commit_waiting(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        return await self._commit(commands, waiting=True)

    async def _commit(self, commands: Sequence[Command[Any]], *, waiting: bool = False) -> PublishedBatch:
        """Commit the commands together, once more where the node began anew meanwhile and let go of its data keys."""

        def work(committer: CommitConnection) -> Awaitable[PublishedBatch]:
            return self._transact(committer, commands, waiting=waiting)

        try:
            return await self._committers.run(work)
        except DataKeysLetGo:
            await self._data_keys.provide({command.tenant_id for command in commands})
            return await self._committers.run(work)

    async def _transact(
        self, committer: CommitConnection, commands: Sequence[Command[Any]], *, waiting: bool
    ) -> PublishedBatch:
        found = await self._lock_and_read(committer, wanted(commands), waiting=waiting)
        batch = self._begin(found.rows, found.now)
        results = tuple(
            batching.run(batch, command) if found.is_locked(command) else _Skipped() for command in commands
        )
        if all(isinstance(result, _Skipped) for result in results):
            return PublishedBatch(results)
        owner = self._owner()
        entries = await self._write(committer, batch, found.rows, owner)
        return batching.published(batch, results, entries, owner)

    async def _lock_and_read(self, committer: CommitConnection, asked: BatchWanted, *, waiting: bool) -> LockedRows:
        queries = BatchQueries(asked, self._vault, waiting=waiting)
        tenants = None if asked.names else [WHOLE, *sorted(asked.tenants)]  # whose end of the audit is there too
        found = await committer.begin(tenants, queries.statements)
        await self._data_keys.learn(queries.sealed_in(found))
        return queries.unpack(found)

    async def _write(
        self, committer: CommitConnection, batch: Batch, before: Rows, owner: int | None
    ) -> tuple[AuditEntry, ...]:
        """Write what the batch changed, and commit it. Returns the entries of the audit that tell of it."""
        await self._partitions.provide(batch_writes.times(batch))
        entries, writing_them = await _take(committer, append(batch.audited, self._notary))
        written = [*batch_writes.writes(batch, before, self._vault, owner), *writing_them]
        if written:
            await committer.commit(written)
        return entries  # type: ignore[no-any-return]


async def _take(committer: CommitConnection, steps: Steps[Any]) -> Any:
    """The result of steps within the transaction."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send(await committer.trip(asked))
    except StopIteration as ended:
        return ended.value


def _with(published: PublishedBatch, places: Sequence[int], further: PublishedBatch) -> PublishedBatch:
    """A batch with the results, at these places, of a part of it that was committed later."""
    results = [*published.results]
    for place, result in zip(places, further.results, strict=True):
        results[place] = result
    return replace(joined(published, further), results=tuple(results))
