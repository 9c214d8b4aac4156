"""Finds the database for the commands that open it themselves."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from signalpost.cli.client import CommandError
from signalpost.store.sqlite.database import FILE_NAME

DataDir = Annotated[Path | None, Parameter(name="--data-dir", help="The gateway's data directory. [signalpost-data]")]


def folder(data_dir: Path | None) -> Path:
    return data_dir or Path(os.environ.get("SIGNALPOST_DATA_DIR", "signalpost-data"))


def find_database(data_dir: Path | None) -> Path:
    """The path of the database file. Raises CommandError if there is none."""
    database = folder(data_dir) / FILE_NAME
    if not database.exists():
        raise CommandError(f"There is no database in {database.parent}. Name its folder with --data-dir.")
    return database
