"""Makes files survive a power cut: content survives once it was synced, a name once its folder was synced."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Make the content of a file durable, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(draft: Path, path: Path) -> None:
    """Rename a file within its folder, durably. Its content must be durable already."""
    draft.rename(path)
    sync(path.parent)
