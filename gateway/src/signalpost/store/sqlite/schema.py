"""The schema of a database, and how it follows the versions of Signalpost.

A schema is made by migrations: numbered files, which never change once they were published. A start applies those that
the database lacks, all in one transaction, so an upgrade happens as a whole or not at all. A database that has been in
use is first copied to a file beside it: with that copy an operator can go back to the earlier version.

A version is known by the newest migration that it has. A database may hold newer ones, left by a newer version. Each
migration says in its first line which versions it breaks: `-- breaks_before: 7` breaks those whose newest migration is
below 7. A migration without that line breaks every version that does not have it. A version that nothing breaks works
with the database as it is; any other refuses to start.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import apsw

from signalpost.domain.errors import StartError
from signalpost.runtime.logger import log
from signalpost.store.migration import Migration, migrations_of
from signalpost.store.sqlite.connect import connect, reason, rows
from signalpost.store.sqlite.copies import copy, draft_of

MIGRATIONS = migrations_of("signalpost.store.sqlite")
"""What this version knows, in order."""


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def migrate(
    connection: apsw.Connection,
    now: int,
    migrations: Sequence[Migration] = MIGRATIONS,
    free_bytes: Callable[[Path], int] = _free_bytes,
) -> None:
    """Apply the migrations that a database lacks, all or none; before that, copy a database that has been in use.

    Raises StartError, with nothing changed, if a newer version left what breaks this one, a migration was altered
    after it was applied, there is no room for the copy, or a migration cannot be applied.
    """
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
            " checksum TEXT NOT NULL, applied_at INTEGER NOT NULL, breaks_before INTEGER NOT NULL) STRICT"
        )
        applied = applied_migrations(connection, migrations)
        missing = [each for each in migrations if each.number not in applied]
        if applied and missing:
            _upgrade(connection, missing, now, max(applied), free_bytes)
        elif missing:
            _apply(connection, missing, now)
        elif max(applied) > (known := migrations[-1].number):
            log.warning(
                "the database was used by a newer version, and this one can work with it",
                newest_migration=max(applied),
                known_migration=known,
            )
    except apsw.Error as error:
        raise StartError(
            f"The database {connection.filename} cannot be brought up to date ({reason(error)}), and nothing was "
            "changed: the version that used it last can still start."
        ) from None


def applied_migrations(connection: apsw.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> set[int]:
    """The numbers of the migrations that a database has.

    Raises StartError if it is another program's database, or this version cannot work with it: a newer one left what
    breaks this one, or a migration was altered after it was applied.
    """
    try:
        applied = dict(rows(connection, "SELECT number, checksum FROM migration"))
    except apsw.SQLError:
        raise StartError(f"{connection.filename} is another program's database.") from None
    known = migrations[-1].number
    if max(applied, default=0) > known:
        _check_newer(connection, known)
    _check_unaltered(applied, migrations)
    return {*applied}


def _check_newer(connection: apsw.Connection, known: int) -> None:
    newer = "SELECT number, name, breaks_before FROM migration WHERE number > ? ORDER BY number"
    for number, name, breaks_before in rows(connection, newer, (known,)):
        if breaks_before > known:
            raise StartError(
                f"The database has migration {number} ({name}), which this version of Signalpost cannot work with: "
                "start a version as new as the one that used it last. To go back instead, restore the copy that the "
                f"upgrade left beside the database ({Path(connection.filename).name}.before-migration-…) with "
                "`signalpost db restore`."
            )


def _check_unaltered(checksums: Mapping[int, str], migrations: Sequence[Migration]) -> None:
    for each in migrations:
        if checksums.get(each.number, each.checksum) != each.checksum:
            raise StartError(
                f"Migration {each.number} ({each.name}) differs from the one that this database was made with."
            )


def _upgrade(
    connection: apsw.Connection,
    missing: Sequence[Migration],
    now: int,
    applied: int,
    free_bytes: Callable[[Path], int],
) -> None:
    database = Path(connection.filename)
    to = database.with_name(f"{database.name}.before-migration-{missing[0].number}")
    fields = {"from_schema": applied, "to_schema": missing[-1].number, "copy": str(to)}
    log.info("the database is copied before it is upgraded", **fields)
    _keep_copy(connection, to, free_bytes)
    _apply(connection, missing, now)
    log.info("the database is upgraded", **fields)


def _keep_copy(connection: apsw.Connection, to: Path, free_bytes: Callable[[Path], int]) -> None:
    """A copy takes the place of one that an earlier try of the same upgrade left."""
    pages = int(connection.pragma("page_count")) - int(connection.pragma("freelist_count"))
    needed, free = pages * int(connection.pragma("page_size")), free_bytes(to.parent)
    if needed > free:
        raise StartError(
            f"An upgrade keeps a copy of the database, which takes {needed:,} bytes; {to.parent} has {free:,} free. "
            "Make room there and start again; until then the version that used the database last can start."
        )
    try:
        with draft_of(to) as draft:
            copy(connection, draft)
    except (apsw.Error, OSError) as error:
        raise StartError(
            f"The database could not be copied before its upgrade, to {to}: {error}. Nothing was changed: the version "
            "that used it last can still start."
        ) from None


def _apply(connection: apsw.Connection, missing: Sequence[Migration], now: int) -> None:
    with connection:
        for each in missing:
            connection.execute(each.script)
        connection.executemany(
            "INSERT INTO migration (number, name, checksum, applied_at, breaks_before) VALUES (?, ?, ?, ?, ?)",
            [(each.number, each.name, each.checksum, now, each.breaks_before) for each in missing],
        )


def connect_current(path: Path, *, read_only: bool = False) -> apsw.Connection:
    """A connection to a database whose tables this version knows. Raises StartError if it has to be upgraded first,
    or is a newer version's."""
    connection = connect(path, read_only=read_only)
    try:
        missing = {each.number for each in MIGRATIONS} - applied_migrations(connection)
        if missing:
            raise StartError(
                f"The database {path} is from an earlier version of Signalpost. Start the gateway once to bring it up "
                "to date."
            )
    except BaseException:
        connection.close()
        raise
    return connection
