"""Finds the database for the commands that open it themselves."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from signalpost.cli.client import CommandError
from signalpost.given_settings import given_database_url
from signalpost.store.database import Database
from signalpost.store.open import default_url, find_database

DataDir = Annotated[Path | None, Parameter(name="--data-dir", help="The gateway's data directory. [signalpost-data]")]

DatabaseUrl = Annotated[
    str | None,
    Parameter(
        name="--database-url",
        help="A PostgreSQL database (postgresql://…) in place of the data directory's. [SIGNALPOST_DATABASE_URL]",
    ),
]


def folder(data_dir: Path | None) -> Path:
    return data_dir or Path(os.environ.get("SIGNALPOST_DATA_DIR", "signalpost-data"))


def database_in(data_dir: Path | None, database_url: str | None = None) -> Database:
    """The database of a gateway, whether or not it exists yet."""
    return find_database(_url(database_url) or default_url(folder(data_dir)))


def existing_database(data_dir: Path | None, database_url: str | None = None) -> Database:
    """Raises CommandError if there is none."""
    database = database_in(data_dir, database_url)
    if not database.exists():
        if _url(database_url):
            raise CommandError("No gateway has been started on that database. Check --database-url.")
        raise CommandError(f"There is no database in {folder(data_dir)}. Name its folder with --data-dir.")
    return database


def _url(database_url: str | None) -> str | None:
    """Raises WrongSetting."""
    return database_url or given_database_url(os.environ)
