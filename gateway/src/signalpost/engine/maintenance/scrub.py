"""Compares the stored files with what the database knows of them: finds missing files, damaged ones, and orphans.

It works while a gateway runs. A file is an orphan if no upload to it is in progress and, asked after that, no version
points to it. In this order, a file that is just arriving is never taken for an orphan.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from signalpost.domain.documents.version import KeptVersion
from signalpost.files.files import Condition, Files


class Register(Protocol):
    """What versions point to."""

    def versions(self) -> Iterator[KeptVersion]:
        """The versions of documents that are not deleted, ordered by file."""
        ...

    def is_known(self, name: str) -> bool:
        """Whether any version points to a file, also one whose document was deleted."""
        ...


class ScrubResult(Struct, frozen=True):
    files: int
    """How many files were read."""
    bytes: int
    missing: list[KeptVersion]
    damaged: list[KeptVersion]
    orphans: list[str]
    """Names of files that no version points to and no upload has locked, removed or not."""


async def scrub(files: Files, register: Register, progress: Callable[[int], None]) -> ScrubResult:
    """`progress` is told how many bytes were read. Raises FilesUnavailable."""
    lost: dict[Condition, list[KeptVersion]] = {"sound": [], "missing": [], "damaged": []}
    count = total = 0
    last = ""
    condition: Condition = "sound"
    for version in register.versions():
        if version.file.name != last:
            last, condition = version.file.name, await files.condition(version.file)
            count, total = count + 1, total + version.file.size
            progress(total)
        if condition != "sound":
            lost[condition].append(version)
    orphans = [name async for name in files.names() if await files.is_orphan(name, register.is_known)]
    return ScrubResult(count, total, lost["missing"], lost["damaged"], orphans)


async def remove_orphans(files: Files, register: Register, names: list[str]) -> int:
    """Remove the files of these names that are still orphans; returns how many. Raises FilesUnavailable."""
    return sum([await files.remove_orphan(name, register.is_known) for name in names])
