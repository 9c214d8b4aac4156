"""The lock on a folder that keeps a second gateway out."""

import contextlib
import fcntl
import os
from pathlib import Path

from signalpost.domain.errors import StartError


def lock_file(folder: Path) -> Path:
    """The file that a gateway holds locked while it uses a folder."""
    return folder / "lock"


class FolderLock:
    """Held by the one gateway that may use a folder; the system frees it when its process ends, however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def lock(self) -> None:
        """Make the folder if need be, and lock it. Raises StartError if it cannot, or another process has it."""
        try:
            self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(lock_file(self._path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"DATA_DIR {self._path} cannot be used: {error.strerror}.") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StartError(
                f"Another Signalpost (process {owner}) uses the data directory {self._path}. "
                "Stop it first, or give this one another DATA_DIR."
            ) from None
        pid = str(os.getpid()).encode()
        with contextlib.suppress(OSError):  # only people read it, and a full disk is no reason not to start
            os.pwrite(descriptor, pid, 0)
            os.ftruncate(descriptor, len(pid))
        self._descriptor = descriptor

    def unlock(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
