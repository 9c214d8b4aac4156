"""The database file of a gateway, for tests that look into it or disturb it behind the gateway's back."""

from pathlib import Path

from signalpost.store.open import default_url, sqlite_file


def database_file(data_dir: Path) -> Path:
    return sqlite_file(default_url(data_dir))
