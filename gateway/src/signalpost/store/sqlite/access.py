"""API keys."""

import apsw

from signalpost.domain.api_key import ApiKey
from signalpost.store.sqlite.codec import KEY_COLUMNS, unpack_key
from signalpost.store.sqlite.database import rows
from signalpost.store.sqlite.readers import Readers, reading


class SqliteAccess:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    @reading
    def keys(self, connection: apsw.Connection, below: int | None, limit: int) -> list[ApiKey]:
        return valid_keys(connection, below, limit)


def valid_keys(connection: apsw.Connection, below: int | None = None, limit: int = -1) -> list[ApiKey]:
    statement = (
        f"SELECT {KEY_COLUMNS} FROM api_key WHERE number < ? AND revoked_at IS NULL"  # noqa: S608
        " ORDER BY number DESC LIMIT ?"
    )
    found = rows(connection, statement, (below if below is not None else 2**62, limit))
    return [unpack_key(columns) for columns in found]
