"""Subscriptions. Their URLs, secrets and header values are sealed, and opened by the vault as they are read."""

import apsw

from signalpost.domain.subscription import Subscription
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.tables import codec_with
from signalpost.store.statements import bound
from signalpost.store.tables.subscriptions import SUBSCRIPTION
from signalpost.store.vault import Vault


class SqliteSubscriptions:
    def __init__(self, readers: Readers, vault: Vault) -> None:
        self._readers = readers
        self._codec = codec_with(vault)

    @reading
    def live(self, connection: apsw.Connection) -> list[Subscription]:
        statement = f"SELECT {SUBSCRIPTION.listed} FROM subscription WHERE deleted_at IS NULL ORDER BY number"  # noqa: S608
        # Row by row: all rows at once would take more memory than the subscriptions that are made of them.
        return [SUBSCRIPTION.unpack(columns, self._codec) for columns in connection.execute(statement)]

    @reading
    def page(self, connection: apsw.Connection, tenant_id: int, below: int | None, limit: int) -> list[Subscription]:
        statement = (
            f"SELECT {SUBSCRIPTION.listed} FROM subscription WHERE tenant_id = ? AND number < ?"  # noqa: S608
            " AND deleted_at IS NULL ORDER BY number DESC LIMIT ?"
        )
        found = rows(connection, statement, (tenant_id, bound(below), limit))
        return [SUBSCRIPTION.unpack(columns, self._codec) for columns in found]
