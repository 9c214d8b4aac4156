"""SQLite, for the tests of the store that run on every database."""

import apsw
from gateway.tests.store.implementation import Implementation

from signalpost.store.open import default_url, sqlite_file


def _add_tenant(url: str) -> int:
    connection = apsw.Connection(str(sqlite_file(url)))
    connection.execute("INSERT INTO tenant (name) VALUES (hex(randomblob(8)))")
    number = connection.last_insert_rowid()
    connection.close()
    return number


SQLITE = Implementation(default_url, _add_tenant)
