"""Copies of a database. Each is either whole and durable under its name, or does not exist."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from signalpost.runtime import durable

_DRAFT = ".signalpost-part"
"""The suffix of a draft's name. A draft that is found unlocked is removed."""


def copy(connection: apsw.Connection, to: Path) -> None:
    """Write the database of a connection to a file, as of one moment, while others may change it. Raises apsw.Error and
    OSError."""
    # SQLite's backup API would start over at every write of another process.
    connection.execute("VACUUM INTO ?", (str(to),))
    to.chmod(0o600)


def give_to_owner_of(database: Path, made: int) -> None:
    """Have an open file that was made for a database belong to the user whose the database is, or its folder if there
    is none yet: a gateway could not use what root made in its folder. Raises OSError."""
    if os.geteuid() == 0:
        owner = (database if database.exists() else database.parent).stat()
        os.fchown(made, owner.st_uid, owner.st_gid)


@contextmanager
def draft_of(to: Path) -> Iterator[Path]:
    """An empty file beside `to` for the block to fill; it then takes the name of `to`.

    Where the block fails, nothing is left of the draft, and an earlier file of that name stays. The draft is locked
    while its process lives, so the next draft in the same folder removes what a killed process left. Raises OSError.
    """
    _remove_abandoned(to.parent)
    draft = to.with_name(to.name + _DRAFT)
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink == 0:
            raise BlockingIOError(None, f"another program writes {draft}")
        yield draft
        durable.sync(draft)
        durable.rename(draft, to)
    finally:
        draft.unlink(missing_ok=True)
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name.endswith(_DRAFT):
            with suppress(OSError):
                _remove_unless_locked(path)


def _remove_unless_locked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)
