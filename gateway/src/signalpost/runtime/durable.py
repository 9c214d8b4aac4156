"""What a power cut leaves of a file: what was synced of its content, and its name once its folder was synced."""

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
    """Give a file another name in its folder, for good. What is in it must be durable."""
    draft.rename(path)
    sync(path.parent)
