"""The store on PostgreSQL. Several nodes may have the same database open, each with connections of its own."""

from collections.abc import Callable, Sequence
from typing import Any

from signalpost.commands.batch import Render
from signalpost.commands.command import Command
from signalpost.domain.documents.links import Links
from signalpost.domain.tenant_limits import NO_LIMITS, TenantLimits
from signalpost.store.postgres.connect import connect
from signalpost.store.postgres.schema import migrate
from signalpost.store.postgres.sessions import EVERY_TENANT, Readers, Writers
from signalpost.store.store import MAX_SCANNED, Published, StoreSize
from signalpost.store.vault import MasterKeys, Vault


class PostgresStore:
    def __init__(
        self,
        url: str,
        vault: Vault,
        links: Links,
        render: Render,
        now: Callable[[], int],
        random_bits: Callable[[int], int],
        *,
        max_scanned: int,
        default_limits: TenantLimits,
    ) -> None:
        self._vault = vault
        self.readers = Readers(url)
        self.writers = Writers(url)
        # Nouns that are not there yet; `NOT_YET` in the tests of the store says which of these wait for them.
        self.documents: Any = None
        self.versions: Any = None
        self.history: Any = None
        self.subscriptions: Any = None
        self.connections: Any = None
        self.deliveries: Any = None
        self.data_keys: Any = None
        self.access: Any = None
        self.audit: Any = None
        self.log: Any = None
        self.lanes: Any = None
        self.replays: Any = None
        self.retention: Any = None
        self.erasures: Any = None
        self.fleet: Any = None

    async def publish(self, commands: Sequence[Command[Any]]) -> Published:
        raise NotImplementedError

    async def size(self) -> StoreSize:
        [(size,)] = await self.readers.rows(EVERY_TENANT, "SELECT pg_database_size(current_database())")
        return StoreSize(size, 0)

    async def close(self) -> None:
        await self.readers.close()
        await self.writers.close()


async def open_postgres(
    url: str,
    master_keys: MasterKeys,
    links: Links,
    render: Render,
    now: Callable[[], int],
    random_bits: Callable[[int], int],
    *,
    max_scanned: int = MAX_SCANNED,
    default_limits: TenantLimits = NO_LIMITS,
) -> PostgresStore:
    """Open a database, made or upgraded if need be. Raises StartError."""
    connection = await connect(url)
    try:
        await migrate(connection)
    finally:
        await connection.close()
    return PostgresStore(
        url,
        Vault(master_keys),
        links,
        render,
        now,
        random_bits,
        max_scanned=max_scanned,
        default_limits=default_limits,
    )
