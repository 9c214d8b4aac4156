"""The SQL that an operator runs, with the operator's names in it."""

import re
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")

_GIVEN_NAMES: Final = ("schema", "role", "table")
"""The parts of a statement that an operator names."""


def tables(schema: str, role: str, table: str) -> str:
    """Tables, role and trigger for PostgreSQL. Raises ValueError for a name that is none."""
    return _filled("tables.sql", schema=schema, role=role) + "\n" + _filled("trigger.sql", schema=schema, table=table)


def above(schema: str, number: int) -> str:
    """What moves the numbering of PostgreSQL. Raises ValueError for a name that is none."""
    return _filled("above.sql", schema=schema, number=str(number))


def mysql_tables(database: str | None, user: str, table: str) -> str:
    """Tables, user and triggers for MySQL. Without `database`, they are for the one in which they are run. Raises
    ValueError for a name that is none."""
    before = _before(database)
    return (
        _filled("mysql_tables.sql", before=before, role=user)
        + "\n"
        + _filled("mysql_trigger.sql", before=before, table=table, snapshot=_text("mysql_snapshot.sql").strip())
    )


def mysql_above(database: str | None, number: int) -> str:
    """What moves the numbering of MySQL. Raises ValueError for a name that is none."""
    return _filled("mysql_above.sql", before=_before(database), number=str(number))


def _before(database: str | None) -> str:
    """What stands before the name of a table."""
    return "" if database is None else f"{_checked('schema', database)}."


def _checked(what: str, given: str) -> str:
    if not _NAME.fullmatch(given):
        raise ValueError(f"--{what}: {given!r} is not a name of small letters, digits and underscores.")
    return given


def _filled(name: str, **parts: str) -> str:
    text = _text(name)
    for what, given in parts.items():
        text = text.replace(f"{{{what}}}", _checked(what, given) if what in _GIVEN_NAMES else given)
    return text


def _text(name: str) -> str:
    return files("signalpost_connect.outbox").joinpath(name).read_text(encoding="utf-8")
