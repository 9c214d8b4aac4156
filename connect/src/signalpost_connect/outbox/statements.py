"""The SQL that an operator runs, with the operator's names in it."""

import re
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")


def tables(schema: str, role: str, table: str) -> str:
    """Tables, role and trigger. Raises ValueError for a name that is none."""
    return _filled("tables.sql", schema=schema, role=role) + "\n" + _filled("trigger.sql", schema=schema, table=table)


def above(schema: str, number: int) -> str:
    """What moves the numbering. Raises ValueError for a name that is none."""
    return _filled("above.sql", schema=schema, number=str(number))


def _filled(name: str, **names: str) -> str:
    text = files("signalpost_connect.outbox").joinpath(name).read_text(encoding="utf-8")
    for what, given in names.items():
        if what != "number" and not _NAME.fullmatch(given):
            raise ValueError(f"--{what}: {given!r} is not a name of small letters, digits and underscores.")
        text = text.replace(f"{{{what}}}", given)
    return text
