"""Files that hold a key: written so that no one else ever has them open, and read only if no one else could have
read or exchanged them.

A key is worth what the weakest of these is worth: its file's permissions, and those of its folder, because anyone who
may write a folder may put another file under any name in it. A folder with the sticky bit (as /tmp) lets only a file's
owner exchange it; then the file must be the folder's owner's, ours, or root's.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from signalpost.runtime import durable


class NotPrivate(Exception):
    """Others could have read or exchanged this file. The message says what to change."""


def write(file: Path, text: str) -> None:
    """Write a new key file, as a whole and durably. Raises NotPrivate and OSError."""
    _check_folder(file.parent)
    # A crash must not leave half a key: write it whole under another name, then rename. What lies under that name is of
    # a start that ended there, or a trap: it is removed, and never followed or written into.
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="ascii") as writing:
        writing.write(text + "\n")
        writing.flush()
        os.fsync(writing.fileno())
    durable.rename(draft, file)


def read(file: Path) -> str:
    """The text of a key file without the spaces around it. Raises NotPrivate, OSError and UnicodeDecodeError."""
    if file.is_symlink():
        raise NotPrivate(f"{file} is a symbolic link. Put the key itself there, or name its file with MASTER_KEY_FILE.")
    return _read(file, lambda _owner: stat.S_IRWXG | stat.S_IRWXO)


def read_elsewhere(file: Path) -> str:
    """Read a file that the operator named, as `read` does. It may be a symbolic link, and root may have put it there
    for a group to read: secrets that are mounted into containers come so."""
    return _read(file.resolve(), lambda owner: stat.S_IRWXO | (stat.S_IRWXG if owner else stat.S_IWGRP))


def _read(file: Path, forbidden: Callable[[int], int]) -> str:
    """`forbidden` says which permissions the file may not give, by the number of its owner."""
    _check_folder(file.parent)
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, encoding="ascii") as reading:
        found = os.fstat(descriptor)
        if found.st_mode & forbidden(found.st_uid):
            raise NotPrivate(
                f"Other users may read or change {file}. Forbid that (chmod 600 {file}), and create another key if "
                f"they could have read this one."
            )
        if found.st_uid not in (0, os.geteuid(), file.parent.stat().st_uid):
            raise NotPrivate(
                f"{file} belongs to another user, who knows the key. Remove the file, or take ownership of it."
            )
        return reading.read().strip()


def _check_folder(folder: Path) -> None:
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise NotPrivate(
            f"Other users may write to {folder}, so they could replace the keys in it. Forbid that: chmod go-w {folder}"
        )
