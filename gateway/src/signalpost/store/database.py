"""A database as its operator handles it, on the gateway's own machine."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct

from signalpost.domain.api_key import ApiKey
from signalpost.domain.documents.version import KeptVersion


class Pruned(Struct, frozen=True):
    """What `Database.prune` removed."""

    removed: dict[str, int]
    """How many rows were removed, by table."""
    lost: dict[str, int]
    """How many events were removed before they were delivered, by subscription."""


class Space(NamedTuple):
    """What a database takes on disk, in bytes."""

    total: int
    free: int
    """Unused space inside it, which new rows take first."""


class PartSize(NamedTuple):
    """A table or an index."""

    name: str
    rows: int | None
    """None for an index."""
    bytes: int


class FileRegister(Protocol):
    """The files that versions point to."""

    def versions(self) -> Iterator[KeptVersion]:
        """The versions of documents that are not deleted. Versions that share a file follow one another."""
        ...

    def is_known(self, name: str) -> bool:
        """Whether any version points to a file, also one whose document was deleted."""
        ...

    def total(self) -> tuple[int, int]:
        """How many files `versions` names, and their bytes. A file that two versions share counts once."""
        ...


class Database(Protocol):
    """A database that a URL names.

    `check`, `back_up`, `sizes` and `files` work beside a running gateway; for what changes it the database must be
    claimed. Every method raises StartError where the database cannot be used.
    """

    def exists(self) -> bool:
        """Whether a gateway has been started on it."""
        ...

    def claim(self) -> AbstractContextManager[None]:
        """Keep every other process from running a gateway on it. Raises StartError where one already does."""
        ...

    def check(self) -> list[str]:
        """What is wrong with it, a sentence for each fault."""
        ...

    def back_up(self, to: Path) -> None:
        """Copy it to a new file, as of one moment, and check the copy. Where that fails, no part of it is left."""
        ...

    def check_backup(self, backup: Path) -> list[str]:
        """What is wrong with a file that `back_up` made, a sentence for each fault."""
        ...

    def restore(self, backup: Path) -> Path | None:
        """Put a checked backup in its place. Returns where the database of before is kept, whatever became of it; None
        if there was none. Where there is no room for that, nothing is changed."""
        ...

    def prune(self, now: int, before: int, progress: Callable[[int, int], None]) -> Pruned:
        """Remove the events made before a moment, with their history, and what has expired, as the retention of a
        running gateway does. `progress` is told how many events are gone, and of how many."""
        ...

    def compact(self) -> None:
        """Give unused space back to the disk. Where that fails, nothing is changed."""
        ...

    def add_key(self, key: ApiKey) -> None:
        """Add an API key, which gets the next free number."""
        ...

    def space(self) -> Space:
        """How large it is on disk, and how much of that is unused."""
        ...

    def sizes(self) -> list[PartSize]:
        """The sizes of all tables and indexes, the largest first."""
        ...

    def files(self) -> AbstractContextManager[FileRegister]:
        """Read which files its versions point to, as of one moment."""
        ...
