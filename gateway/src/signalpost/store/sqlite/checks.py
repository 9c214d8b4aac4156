"""Checks of what must be true in every database."""

from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from signalpost.domain.errors import StartError
from signalpost.store.checks import INVARIANTS
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import connect, rows
from signalpost.store.sqlite.nouns import audit
from signalpost.store.sqlite.schema import applied_migrations

_OWN_INVARIANTS: Final = {
    "a log with a gap": (
        "SELECT t.name FROM tenant t WHERE (SELECT count(*) FROM event e WHERE e.tenant_id = t.id)"
        " <> t.last_sequence - t.floor + 1"
    ),
    "a log whose times do not rise": (
        "SELECT e.sequence FROM event e JOIN event f ON f.tenant_id = e.tenant_id AND f.sequence = e.sequence + 1"
        " WHERE f.at <= e.at LIMIT 1"
    ),
    "a lane beyond its log": (
        "SELECT l.subscription_number FROM lane l JOIN subscription s ON s.number = l.subscription_number"
        " JOIN tenant t ON t.id = s.tenant_id WHERE l.head > t.last_sequence"
    ),
}


def check(database: Path) -> list[str]:
    """What is wrong with a database file and with what is in it, a sentence for each fault."""
    try:
        connection = connect(database, read_only=True)
        found = [text for (text,) in rows(connection, "PRAGMA integrity_check(20)") if text != "ok"]
        applied_migrations(connection)  # whether it can be looked at
        for fault, statement in {**_OWN_INVARIANTS, **INVARIANTS}.items():
            if example := rows(connection, statement):
                found.append(f"There is {fault}: {_told(example[0][0])}.")
        if (misfit := audit.verify(connection, None).fault) is not None:
            found.append(f"Entry {misfit.number} of tenant {misfit.tenant_id} in the audit: {misfit.reason}")
        connection.close()
    except StartError as error:
        return [str(error)]
    except apsw.Error as error:
        return [f"{database} cannot be read as a Signalpost database: {error}"]
    return found


def glance(copy: Path) -> str | None:
    """Why a copy of a database cannot be used, as far as its beginning and its size tell; None if nothing is wrong with
    these."""
    try:
        with closing(connect(copy, read_only=True)) as connection:
            applied_migrations(connection)
            size = int(connection.pragma("page_count")) * int(connection.pragma("page_size"))
        if size != copy.stat().st_size:
            return f"{copy} has {copy.stat().st_size:,} bytes in place of {size:,}."
    except StartError as error:
        return str(error)
    except (apsw.Error, OSError) as error:
        return f"{copy} cannot be read: {error}."
    return None


def _told(example: str | int | bytes) -> str:
    return unpack_uuid(example) if isinstance(example, bytes) else str(example)
