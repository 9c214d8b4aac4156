"""Subscriptions. Their URLs, secrets and header values are sealed, and opened by the vault as they are read."""

import apsw

from signalpost.domain.subscription import Subscription
from signalpost.store.packing.subscriptions import SUBSCRIPTION_COLUMNS, unpack_subscription
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.vault import Vault


class SqliteSubscriptions:
    def __init__(self, readers: Readers, vault: Vault) -> None:
        self._readers = readers
        self._vault = vault

    @reading
    def live(self, connection: apsw.Connection) -> list[Subscription]:
        statement = f"SELECT {SUBSCRIPTION_COLUMNS} FROM subscription WHERE deleted_at IS NULL ORDER BY number"  # noqa: S608
        # Row by row: all rows at once would take more memory than the subscriptions that are made of them.
        return [unpack_subscription(columns, self._vault, unpack_uuid) for columns in connection.execute(statement)]

    @reading
    def page(self, connection: apsw.Connection, tenant_id: int, below: int | None, limit: int) -> list[Subscription]:
        statement = (
            f"SELECT {SUBSCRIPTION_COLUMNS} FROM subscription WHERE tenant_id = ? AND number < ?"  # noqa: S608
            " AND deleted_at IS NULL ORDER BY number DESC LIMIT ?"
        )
        found = rows(connection, statement, (tenant_id, below if below is not None else 2**62, limit))
        return [unpack_subscription(columns, self._vault, unpack_uuid) for columns in found]
