"""The interface of file storage, and the life of an uploaded file.

Names are random: no text of a user's ever becomes part of a path. A file is written once and never changed, so the file
of a version is whole, damaged or missing, and nothing else.

An upload is at first a draft on this machine's disk, under its final name and locked by its process. `store` makes it
durable; only then is the version committed that points to it. So a version's file is always there, and what a crash
leaves behind is a file that nothing points to and no upload has locked: `signalpost db scrub` finds it.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self

from signalpost.domain.documents.version import StoredFile
from signalpost.domain.errors import Unavailable

NAME_BYTES = 16
"""Random bytes in a file's name, which is written in hexadecimal digits."""
PART_BYTES = 256 * 1024
"""Bytes that are read from a file at a time."""

_NAME = re.compile(rf"[0-9a-f]{{{NAME_BYTES * 2}}}(\.draft)?")
Known = Callable[[str], bool]
Condition = Literal["sound", "missing", "damaged"]


def is_name(text: str) -> bool:
    """Whether a name has the form of our files. Other files in the same place are never touched."""
    return _NAME.fullmatch(text) is not None


class FileLost(Unavailable):
    """A file is missing from the storage, or differs from what was stored."""

    code = "file_lost"

    def __init__(self) -> None:
        super().__init__(
            "This file is missing or damaged where it is kept. Tell the operator: `signalpost db scrub` says which.",
            retry_after=60,
        )


class FilesUnavailable(Unavailable):
    """The file storage cannot be reached or refuses the request."""

    code = "files_unavailable"


class ReceivedFile(NamedTuple):
    """A file that has arrived completely."""

    size: int
    sha256: bytes
    kind: str | None
    """The file's type, as named in `content_types.KINDS`; None if its content is not recognised."""


class Upload(Protocol):
    """An upload in progress. If the block around it ends without `keep`, nothing is left of it.

    The methods raise DiskNearlyFull and FilesUnavailable."""

    @property
    def name(self) -> str: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def write(self, part: bytes) -> None: ...

    async def received(self) -> ReceivedFile:
        """End the upload and describe the file. Nothing more may be written."""
        ...

    async def store(self, file: StoredFile, filename: str) -> None:
        """Make the file durable under its name. `filename` is the name that browsers save it under, if they fetch it
        directly from the storage."""
        ...

    def keep(self) -> None:
        """Keep the file after the block, because a version points to it or may do so."""
        ...


class Files(Protocol):
    """Check that a file exists. Raises FileLost if it is missing, FilesUnavailable if that cannot be determined."""

    def upload(self) -> Upload: ...

    def read(self, name: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Read the bytes of a file from `start` to before `stop`, in parts."""
        ...

    async def link(self, name: str, seconds: int) -> str | None:
        """A URL at which anyone can download the file for some seconds; None if only the gateway can serve it."""
        ...

    async def remove(self, name: str) -> None:
        """Remove a file. A missing file is no error."""
        ...

    async def condition(self, file: StoredFile) -> Condition: ...

    def names(self) -> AsyncIterator[str]:
        """The names of all stored files and all drafts."""
        ...

    async def is_orphan(self, name: str, is_known: Known) -> bool:
        """Whether nothing points to a file and no process is uploading it. `is_known` says whether a version points to
        the file; it is called when no upload can add such a version any more."""
        ...

    async def remove_orphan(self, name: str, is_known: Known) -> bool:
        """Remove a file if it is an orphan. Returns whether it was one."""
        ...

    async def close(self) -> None: ...
