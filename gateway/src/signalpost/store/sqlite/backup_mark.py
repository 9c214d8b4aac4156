"""When a database was last copied soundly by `signalpost db backup`.

A small file beside the database says so: the command reads the database alone, also while a gateway works on it, and
may run where it can write nothing of it. The file is for people; nothing depends on it.
"""

import os
from contextlib import suppress
from pathlib import Path

_SUFFIX = ".backed-up"
_MAX_BYTES = 20


def leave(database: Path, at: int) -> None:
    """Note that the database was copied as it was at `at`, µs since the epoch. A mark that cannot be left is missing:
    the copy is no worse for it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with suppress(OSError):
        descriptor = os.open(_beside(database), flags, 0o600)
        try:
            os.write(descriptor, str(at).encode())
        finally:
            os.close(descriptor)


def last(database: Path) -> int | None:
    """The moment of the last copy, µs since the epoch; None if there was none, or its mark says nothing."""
    try:
        descriptor = os.open(_beside(database), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        said = os.read(descriptor, _MAX_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return int(said) if said.isdigit() and len(said) < _MAX_BYTES else None


def _beside(database: Path) -> Path:
    return database.with_name(database.name + _SUFFIX)
