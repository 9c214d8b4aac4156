"""Migrations as files: numbered SQL scripts, each of which may say which versions of the program it breaks."""

import hashlib
import re
from importlib import resources
from typing import NamedTuple, Self


class Migration(NamedTuple):
    """A change of the schema that is applied once."""

    number: int
    name: str
    script: str
    breaks_before: int
    """Versions whose newest migration is below this number cannot work with what the migration leaves."""

    @classmethod
    def of(cls, file_name: str, script: str) -> Self:
        """The migration in a file: its number and name are the file's, such as `0001_tables.sql`."""
        number = int(file_name[:4])
        said = re.match(r"-- breaks_before: ([0-9]+)\n", script)
        return cls(number, file_name[5:-4], script, int(said[1]) if said else number)

    @property
    def checksum(self) -> str:
        """What shows that a script was altered after it was applied."""
        return hashlib.sha256(self.script.encode()).hexdigest()


def migrations_of(package: str) -> tuple[Migration, ...]:
    """The migrations in a package's folder `migrations`, in order."""
    folder = resources.files(package) / "migrations"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return tuple(Migration.of(entry.name, entry.read_text(encoding="utf-8")) for entry in files)
