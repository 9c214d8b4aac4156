"""Where the files of versions are kept, whatever keeps them.

Names are random: no text of a user's ever becomes part of a path. A file is written once and never changed, so what a
version points to is there or not, whole or damaged, and nothing else.

An upload is at first a draft on this machine's disk, under its final name and locked by its process. `store` makes it
durable; only then is the version committed that points to it. So a version's file is always there, and what a crash
leaves behind is a file that nothing points to and nobody has locked: `signalpost db scrub` finds it.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self

from signalpost.domain.documents.version import StoredFile
from signalpost.domain.errors import Unavailable

NAME_BYTES = 16
"""Of randomness in a name; written as hexadecimal digits."""
PART_BYTES = 256 * 1024
"""What is read of a file at a time."""

_NAME = re.compile(rf"[0-9a-f]{{{NAME_BYTES * 2}}}(\.draft)?")
Known = Callable[[str], bool]
Condition = Literal["sound", "missing", "damaged"]


def is_name(text: str) -> bool:
    """Whether it can be one of ours: whatever else is where files are kept, nobody here touches."""
    return _NAME.fullmatch(text) is not None


class FileLost(Unavailable):
    """A file is not where it is kept, or is not what was put there."""

    code = "file_lost"

    def __init__(self) -> None:
        super().__init__(
            "This file is missing or damaged where it is kept. Tell the operator: `signalpost db scrub` says which.",
            retry_after=60,
        )


class FilesUnavailable(Unavailable):
    """Where files are kept cannot be reached, or refuses."""

    code = "files_unavailable"


class Received(NamedTuple):
    """What has come in."""

    size: int
    sha256: bytes
    kind: str | None
    """Its name in `content_types.KINDS`, by its content; None of what is not recognised."""


class Upload(Protocol):
    """A file on its way in. Where the block around it ends without `keep`, nothing of it stays.

    Its methods raise DiskNearlyFull and FilesUnavailable."""

    @property
    def name(self) -> str: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def write(self, part: bytes) -> None: ...

    async def received(self) -> Received:
        """What was written; nothing more may be."""
        ...

    async def store(self, file: StoredFile, filename: str) -> None:
        """Make it durable, to be had as `file` and, where browsers fetch it from there, as `filename`."""
        ...

    def keep(self) -> None:
        """A version points to it, or may do so."""
        ...


class Files(Protocol):
    """Raises FileLost for a file that is not there, FilesUnavailable where nothing can be said."""

    def upload(self) -> Upload: ...

    def read(self, name: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a file from `start` to before `stop`, in parts."""
        ...

    async def link(self, name: str, seconds: int) -> str | None:
        """A URL at which anyone gets the file for so long; None if only the gateway can serve it."""
        ...

    async def remove(self, name: str) -> None:
        """Also of what is not there."""
        ...

    async def condition(self, file: StoredFile) -> Condition: ...

    def names(self) -> AsyncIterator[str]:
        """Every file that is kept, and every draft."""
        ...

    async def is_orphan(self, name: str, is_known: Known) -> bool:
        """Whether nothing points to a file, and no upload to it is under way in any process. `is_known` says whether a
        version points to it; it is asked when no upload can add one any more."""
        ...

    async def remove_orphan(self, name: str, is_known: Known) -> bool:
        """Remove a file if it is an orphan; whether it was one."""
        ...

    async def close(self) -> None: ...
