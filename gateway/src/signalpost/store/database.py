"""A database as its operator handles it, on the gateway's own machine."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from signalpost.domain.access.api_key import ApiKey
from signalpost.domain.audit import EntryDraft
from signalpost.domain.documents.version import KeptVersion


class PrunedRows(Struct, frozen=True):
    """What `Database.prune` removed."""

    removed: dict[str, int]
    """How many rows were removed, by table."""
    lost: dict[str, int]
    """How many events were removed before they were delivered, by subscription."""


class PartitionsKept(NamedTuple):
    """The result of `Database.keep_partitions`."""

    days_ahead: int
    """For how many days to come there is room now."""
    removed: int
    """How many partitions went."""


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


class LastBackup(NamedTuple):
    """The last sound copy that `signalpost db backup` made."""

    at: int
    """When, µs since the epoch."""
    copy: Path
    """Where it was made. It may have been moved from there."""


class SinceBackup(NamedTuple):
    """What a database has that its last backup lacks."""

    last: LastBackup | None
    """None if none was made."""
    events: int
    """Events that were created since; all if there is no backup."""
    newest_at: int
    """When the newest event was created, µs since the epoch; 0 if there never was one."""


class AccessTaken(Struct, frozen=True, kw_only=True):
    """Which access a restore took over from the replaced database, and which it ended because there was none to take
    over."""

    is_known: bool = True
    """Whether there was a replaced database that could be read."""
    keys_revoked: tuple[str, ...] = ()
    """Names of API keys that worked when the backup was made, and do not now."""
    keys_made: tuple[str, ...] = ()
    """Names of API keys that were made after the backup and go on working."""
    tenants_paused: tuple[str, ...] = ()
    """Names of tenants that were paused after the backup."""
    tenants_deleted: tuple[str, ...] = ()
    secrets_taken: bool = False
    """Whether secrets and tokens are those of the replaced database. It must be of the same version."""
    subscriptions: int = 0
    """How many subscriptions were changed after the backup, their secrets for example, and stay as they are."""
    connections: int = 0
    stopped: tuple[str, ...] = ()
    """Subscriptions that come back paused and connections that come back broken: they were deleted after the backup."""


class RestoredDatabase(Struct, frozen=True, kw_only=True):
    """What `Database.restore` did."""

    kept: Path | None
    """Where the replaced database is kept; None if there was none."""
    access: AccessTaken | None
    """None if access is as the backup has it."""


AccessFrom = Literal["replaced", "backup"]
"""Where a restore takes from who may call, with which secrets, and what is paused: from the database that it replaces,
or from the backup."""


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

    `master_keys_needed`, `check`, `back_up`, `since_backup`, `sizes` and `files` work while a gateway runs. Methods
    that change the database need it to be claimed. Every method raises StartError if the database cannot be used.
    """

    def exists(self) -> bool:
        """Whether a gateway has been started on it."""
        ...

    def claim(self) -> AbstractContextManager[None]:
        """Keep every other process from running a gateway on it. Raises StartError if one already does."""
        ...

    def require_changes(self) -> None:
        """Raises StartError if its server takes no changes, as a standby does."""
        ...

    def master_keys_needed(self) -> frozenset[str]:
        """The ids of the master keys without which no gateway starts on it. Raises StartError, with the reason, if none
        of this version would start on it at all, or it has to be brought up to date."""
        ...

    def check(self) -> list[str]:
        """What is wrong with it, a sentence for each fault."""
        ...

    def back_up(self, to: Path, now: int) -> None:
        """Copy the database to a new file, as of one moment, check the copy, and note that it was made at `now`, µs
        since the epoch. If that fails, nothing is left of the copy."""
        ...

    def since_backup(self) -> SinceBackup | None:
        """What would be gone with this database. None if its server is backed up by tools of its own."""
        ...

    def broken_backup(self, backup: Path) -> str | None:
        """Why a file that `back_up` made cannot be restored, in a sentence, as far as its beginning and its size tell:
        `check_backup` reads all of it. None if nothing is wrong with these."""
        ...

    def check_backup(self, backup: Path) -> list[str]:
        """What is wrong with a file that `back_up` made, a sentence for each fault."""
        ...

    def restore(self, backup: Path, access: AccessFrom, now: int) -> RestoredDatabase:
        """Put a checked backup in place of the database, which is kept. If there is no room for that, nothing is
        changed. With access as in a replaced database that is gone, all API keys are revoked."""
        ...

    def prune(self, now: int, kept: int, progress: Callable[[int, int], None]) -> PrunedRows:
        """Remove the events that are older than `kept` (µs), or than their tenant's own retention where it has one,
        with their history, and what has expired, as the retention of a running gateway does. `progress` is told how
        many events are gone, and of how many."""
        ...

    def migrate(self) -> None:
        """Apply the migrations that it lacks, and make it if there is none. Raises StartError if the first start
        of a version does that itself."""
        ...

    def keep_partitions(self, now: int) -> PartitionsKept:
        """Make the partitions of the days to come, and remove those of which nothing is kept, also while gateways are
        at work. Raises StartError if there are none, or this user may not."""
        ...

    def compact(self) -> None:
        """Give unused space back to the disk. Where that fails, nothing is changed."""
        ...

    def add_key(self, key: ApiKey, told: EntryDraft) -> None:
        """Add an API key, which gets the next free number. The next start writes the audit entry."""
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
