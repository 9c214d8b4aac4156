"""What the tests of the store have to know of a database that there is an implementation for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Implementation(NamedTuple):
    url: Callable[[Path], str]
    """The URL of a database of which everything is kept in a folder."""
    add_tenant: Callable[[str], int]
    """Add another tenant, whose log is empty, to the database of a URL. Returns its number."""
    meddle: Callable[[str, str], None]
    """Carry out a statement on the database of a URL, past every node."""
    content: Callable[[Path], bytes]
    """All that the database of a folder keeps, as it is on disk, as far as it can be read."""
    rows: Callable[[Path], dict[str, list[dict[str, Any]]]]
    """Every row of every table, by the names of its columns."""
