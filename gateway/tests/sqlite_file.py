"""The database file of a gateway, for tests that look into it or disturb it behind the gateway's back."""

from pathlib import Path
from uuid import UUID

import apsw
import msgspec
from gateway.tests.vaults import sealed_before_data_keys

from signalpost.store.open import default_url, sqlite_file


def database_file(data_dir: Path) -> Path:
    return sqlite_file(default_url(data_dir))


def keep_url_in_plain(database: Path, number: int, url: str, master_key: bytes, **said: str) -> None:
    """Lay out a subscription's row as versions did that kept its URL without a seal, and had no data keys."""
    connection = apsw.Connection(str(database))
    identity, config = connection.execute("SELECT id, config FROM subscription WHERE number = ?", (number,)).get
    former = msgspec.json.encode({**msgspec.json.decode(config), "url": url, **said})
    secrets = b'{"secret":"an-owner-s-secret","headers":{}}'
    sealed = sealed_before_data_keys(secrets, f"subscription {UUID(bytes=identity)}", master_key)
    connection.execute("UPDATE subscription SET config = ?, sealed = ? WHERE number = ?", (former, sealed, number))
    connection.close()
