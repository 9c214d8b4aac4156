"""Batches of commands on PostgreSQL.

A batch is a transaction of two trips. The first locks its tenants and reads; then the commands are decided, while the
locks are held; the second writes and commits. Another node's batch has other tenants, or waits: so sequences, times,
`Idempotency-Key` and `If-Match` hold for all nodes together.

Tenants that another node has locked are skipped, and their commands tried again at once, because a batch that waits for
one busy tenant would hold up all others. A tenant that was skipped `SKIPS` times waits, in a batch of its own.

If the data is to blame, the batch is halved, so that only the guilty command fails. If anything else goes wrong with a
transaction, it has changed nothing and is repeated a few times. If a commit is cut off, `committers.py` finds out what
happened to it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from msgspec.structs import replace

from signalpost.commands.batch import Batch, Rows
from signalpost.commands.command import Command
from signalpost.domain.audit import WHOLE, Notary
from signalpost.domain.errors import Unavailable
from signalpost.store import batching
from signalpost.store.batching import BatchWanted, wanted
from signalpost.store.postgres import batch_reads, batch_writes
from signalpost.store.postgres.audit_chain import append
from signalpost.store.postgres.batch_reads import Reads
from signalpost.store.postgres.committers import CommitConnection, Committers
from signalpost.store.postgres.connect import Row
from signalpost.store.postgres.data_keys import PostgresDataKeys
from signalpost.store.postgres.partitions import Partitions
from signalpost.store.postgres.sessions import Steps
from signalpost.store.store import Published, joined
from signalpost.store.vault import DataKeysLetGo, Vault

SKIPS: Final = 3
Begin = Callable[[Rows, int], Batch]
"""Makes the batch of these rows at the database's time (µs)."""


class _Skipped(Exception):
    """In place of the result of a command whose tenant was locked by somebody else."""


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

    async def publish(self, commands: Sequence[Command[Any]]) -> Published:
        """See `Store.publish`. What was skipped is committed by further transactions."""
        await self._data_keys.provide({command.tenant_id for command in commands})
        published = await self._settle(commands, waiting=False)
        tries = 1
        while skipped := [place for place, result in enumerate(published.results) if isinstance(result, _Skipped)]:
            waiting = tries >= SKIPS
            if waiting:
                tenant_id = commands[skipped[0]].tenant_id
                skipped = [place for place in skipped if commands[place].tenant_id == tenant_id]
            further = await self._settle_part([commands[place] for place in skipped], waiting=waiting)
            published = _with(published, skipped, further)
            tries += 1
        for tenant in published.tenants:
            if tenant.deleted_at is not None:
                self._vault.forget(tenant.id)
        return published

    async def _settle(self, commands: Sequence[Command[Any]], *, waiting: bool) -> Published:
        """Commit the commands, halved as often as it takes. Raises Unavailable where nothing was committed."""
        try:
            return await self._commit(commands, waiting=waiting)
        except Unavailable:
            raise
        except Exception as defect:
            if len(commands) == 1:
                return Published((defect,))
        middle = len(commands) // 2
        first = await self._settle_part(commands[:middle], waiting=waiting)
        second = await self._settle_part(commands[middle:], waiting=waiting)
        return joined(first, second)

    async def _settle_part(self, commands: Sequence[Command[Any]], *, waiting: bool) -> Published:
        """Commit a part of a batch. Where it is not committed, that says nothing of the others."""
        try:
            return await self._settle(commands, waiting=waiting)
        except Unavailable as unavailable:
            return Published((unavailable,) * len(commands))

    async def _commit(self, commands: Sequence[Command[Any]], *, waiting: bool) -> Published:
        """Commit the commands together, once more where the node began anew meanwhile and let go of its data keys."""

        def work(committer: CommitConnection) -> Awaitable[Published]:
            return self._transact(committer, commands, waiting=waiting)

        try:
            return await self._committers.run(work)
        except DataKeysLetGo:
            await self._data_keys.provide({command.tenant_id for command in commands})
            return await self._committers.run(work)

    async def _transact(
        self, committer: CommitConnection, commands: Sequence[Command[Any]], *, waiting: bool
    ) -> Published:
        asked = wanted(commands)
        queries = batch_reads.reads(asked, self._vault)
        locked, names, read = await self._lock_and_read(committer, asked, queries, waiting=waiting)
        await self._data_keys.learn(batch_reads.sealed(queries, read))
        rows = batch_reads.rows_of(queries, read, batch_reads.unpack_locked(locked))
        is_ours = [_is_locked(command, rows, names) for command in commands]
        batch = self._begin(rows, batch_reads.unpack_locked(locked).now)
        ours = [command for command, locked_here in zip(commands, is_ours, strict=True) if locked_here]
        if not ours:
            return Published(tuple(_Skipped() for _ in commands))
        results = iter(batching.run(batch, ours))
        outcomes = tuple(next(results) if locked_here else _Skipped() for locked_here in is_ours)
        await self._partitions.provide(batch_writes.times(batch))
        entries, writing_them = await _take(committer, append(batch.audited, self._notary))
        owner = self._owner()
        written = [*batch_writes.writes(batch, rows, self._vault, owner), *writing_them]
        if written:
            await committer.commit(written)
        return batching.published(batch, outcomes, entries, owner)

    async def _lock_and_read(
        self, committer: CommitConnection, asked: BatchWanted, queries: Reads, *, waiting: bool
    ) -> tuple[list[Row], frozenset[str], list[list[Row]]]:
        """The locked tenants' rows, the names that there are, and the rows of each query."""
        tenants = None if asked.names else [WHOLE, *sorted(asked.tenants)]  # whose end of the audit is there too
        named = [batch_reads.existing_names(asked)] if asked.names else []
        reading = [query.statement for query in queries.values()]
        lock = batch_reads.lock(asked, waiting=waiting)
        locked, *found = await committer.begin(tenants, [lock, *named, *reading])
        names = frozenset(name for (name,) in found[0]) if named else frozenset()
        read = found[len(named) :]
        return locked, names, read


def _is_locked(command: Command[Any], rows: Rows, names: frozenset[str]) -> bool:
    """Whether a batch has the locks of all tenants that a command is about."""
    if command.tenant_id not in rows.tenants:
        return False
    name = command.reads.tenant
    return name not in names or any(tenant.name == name for tenant in rows.tenants.values())


async def _take(committer: CommitConnection, steps: Steps[Any]) -> Any:
    """The result of steps within the transaction."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send(await committer.trip(asked))
    except StopIteration as ended:
        return ended.value


def _with(published: Published, places: Sequence[int], further: Published) -> Published:
    """A batch with the results, at these places, of a part of it that was committed later."""
    results = [*published.results]
    for place, result in zip(places, further.results, strict=True):
        results[place] = result
    return replace(joined(published, further), results=tuple(results))
