"""What can be seen of an installation, before anything is decided."""

from pathlib import Path
from typing import Protocol

from msgspec import Struct


class FileSeen(Struct, frozen=True):
    """A file or folder as `stat` shows it."""

    path: Path
    owner: int
    mode: int
    """The permissions alone."""


class ServerAnswer(Struct, frozen=True):
    """What a server answered to a GET."""

    status: int
    body: bytes
    certificate_ends_at: int | None
    """When the certificate that it showed ends, µs since the epoch; None without TLS."""


class NoServerAnswer(Exception):
    """A server did not answer. The message says why, without a full stop."""


class Machine(Protocol):
    """What is looked at beyond the files."""

    @property
    def user(self) -> int:
        """The number of the user who asks."""
        ...

    def now(self) -> int:
        """µs since the epoch."""
        ...

    def free(self, folder: Path) -> int:
        """Bytes that are free on the disk of a folder. Raises OSError."""
        ...

    def is_read_only(self, folder: Path) -> bool:
        """Whether the disk of a folder takes no changes. Raises OSError."""
        ...

    def may_look_into(self, folder: Path) -> bool:
        """Whether this user may read what is in a folder, if there is one."""
        ...

    def holder(self, lock: Path) -> int | None:
        """The process that holds a lock on a file; None if there is none, or the system does not say."""
        ...

    def disk(self, path: Path) -> int | None:
        """A number that paths on the same disk share; None if there is no such path."""
        ...

    def clock_is_kept(self) -> bool | None:
        """Whether something keeps the system's clock right; None if the system does not say."""
        ...

    def user_name(self, user: int) -> str:
        """The name of a user, or the number if there is no name."""
        ...

    def get(self, url: str, ca_file: Path | None) -> ServerAnswer:
        """Ask a server, and check its certificate. Raises NoServerAnswer."""
        ...
