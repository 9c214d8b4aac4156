"""When a database was last copied soundly by `signalpost db backup`, and where to.

A small file beside the database says so, not a row in it: the command only reads the database, also while a gateway
works on it, and its user may have no right to write there. The file is for people; nothing depends on it.
"""

import os
from contextlib import suppress
from pathlib import Path

from signalpost.store.database import LastBackup
from signalpost.store.sqlite.copies import give_to_owner_of

_SUFFIX = ".backed-up"
_MAX_DIGITS = 19
_MAX_BYTES = _MAX_DIGITS + 1 + 4096
"""A moment, and the longest path that Linux takes."""


def leave(database: Path, backup: LastBackup) -> None:
    """Note that the database was copied. A mark that cannot be left is missing: the copy is no worse for it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with suppress(OSError):
        descriptor = os.open(_beside(database), flags, 0o600)
        try:
            give_to_owner_of(database, descriptor)
            os.write(descriptor, b"%d %s" % (backup.at, os.fsencode(backup.copy.absolute())))
        finally:
            os.close(descriptor)


def last(database: Path) -> LastBackup | None:
    """The last copy; None if there was none, or its mark says nothing."""
    try:
        descriptor = os.open(_beside(database), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        at, _, copy = os.read(descriptor, _MAX_BYTES).partition(b" ")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return LastBackup(int(at), Path(os.fsdecode(copy))) if at.isdigit() and len(at) <= _MAX_DIGITS else None


def _beside(database: Path) -> Path:
    return database.with_name(database.name + _SUFFIX)
