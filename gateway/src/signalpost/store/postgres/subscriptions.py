"""Subscriptions. Their URLs, secrets and header values are sealed, and opened by the vault as they are read."""

from signalpost.domain.subscription import Subscription
from signalpost.store.postgres.data_keys import PostgresDataKeys
from signalpost.store.postgres.sessions import ReadSessions
from signalpost.store.postgres.tables import codec_with
from signalpost.store.statements import EVERY_TENANT, Row, bound
from signalpost.store.tables.subscriptions import SUBSCRIPTION
from signalpost.store.vault import Vault


class PostgresSubscriptions:
    def __init__(self, readers: ReadSessions, data_keys: PostgresDataKeys, vault: Vault) -> None:
        self._readers = readers
        self._data_keys = data_keys
        self._codec = codec_with(vault)

    async def live(self) -> list[Subscription]:
        statement = f"SELECT {SUBSCRIPTION.listed} FROM subscription WHERE deleted_at IS NULL ORDER BY number"
        return await self._opened(await self._readers.rows(EVERY_TENANT, statement))

    async def page(self, tenant_id: int, below: int | None, limit: int) -> list[Subscription]:
        statement = (
            f"SELECT {SUBSCRIPTION.listed} FROM subscription WHERE tenant_id = $1 AND number < $2"
            " AND deleted_at IS NULL ORDER BY number DESC LIMIT $3"
        )
        return await self._opened(await self._readers.rows(tenant_id, statement, tenant_id, bound(below), limit))

    async def _opened(self, found: list[Row]) -> list[Subscription]:
        await self._data_keys.learn(columns[-1] for columns in found)
        return [SUBSCRIPTION.unpack(columns, self._codec) for columns in found]
