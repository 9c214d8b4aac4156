"""Databases by URL."""

from pathlib import Path

import pytest

from signalpost.domain.errors import StartError
from signalpost.store.open import default_url, find_database, sqlite_file


@pytest.mark.parametrize("folder", ["data", "/var/lib/data", "a b/50%/?x#y", "Vertr\udce4ge", "ä"])
def test_the_url_of_a_folder_leads_to_a_file_in_it(folder: str) -> None:
    """The folder's name may have what is special in a URL, or be no UTF-8."""
    assert sqlite_file(default_url(Path(folder))).parent == Path(folder)


def test_a_path_is_relative_unless_it_has_a_slash_of_its_own() -> None:
    assert sqlite_file("sqlite:///data/my.db") == Path("data/my.db")
    assert sqlite_file("sqlite:////data/my.db") == Path("/data/my.db")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "data/my.db",
        "sqlite:data/my.db/",
        "sqlite:///",
        "sqlite://host/my.db",
        "mysql://u:secret@h/d",
        "secret",
        "secret:",
    ],
)
def test_a_url_of_another_kind_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(StartError, match="sqlite:///PATH") as refused:
        find_database(url)
    assert "secret" not in str(refused.value)
