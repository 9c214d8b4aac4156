"""The folder in which worlds keep their files, and the database that each of them begins with."""

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType

import apsw
from gateway.tests.world.disk import Image

from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.nouns import data_keys
from signalpost.store.sqlite.schema import migrate
from signalpost.store.vault import MasterKeys, Vault


@cache
def fresh(tenants: int) -> Image:
    """A new database as the first start of a gateway makes it, with so many tenants."""

    def fill(connection: apsw.Connection) -> None:
        data_keys.prepare(connection, Vault(MasterKeys([bytes(32)])), 0)
        connection.executemany("INSERT INTO tenant (name) VALUES (?)", [(f"t{n}",) for n in range(2, tenants + 1)])

    return _made(fill)


@cache
def with_tables() -> Image:
    """A new database that has its tables: to copy it takes a seventh of the time of making them."""
    return _made(lambda _connection: None)


def _made(fill: Callable[[apsw.Connection], None]) -> Image:
    with tempfile.TemporaryDirectory(dir=shared_memory()) as folder:
        database = Path(folder) / "fresh.db"
        connection = connect(database)
        migrate(connection, 0)
        fill(connection)
        connection.close()
        return Image(database.read_bytes(), b"")


def shared_memory() -> str | None:
    """The path of a folder in memory; None on a system that has none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Folder:
    """A temporary folder for the files of worlds, in memory where the system allows it."""

    def __init__(self) -> None:
        self._made = tempfile.TemporaryDirectory(prefix="signalpost-simulation-", dir=shared_memory())

    def __enter__(self) -> Path:
        return Path(self._made.name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._made.cleanup()
