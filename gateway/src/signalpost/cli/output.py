"""What commands print: tables and facts for people, JSON for scripts. Colours only at a terminal."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON, for scripts.")]

_STYLES = {
    "active": "green", "healthy": "green", "delivered": "green", "closed": "green",
    "paused": "yellow", "retrying": "yellow", "pending": "cyan",
    "failed": "red", "failing": "red", "disabled": "red", "open": "red",
}  # fmt: skip

_FRACTION = re.compile(r"(?<=\d\d:\d\d:\d\d)\.\d{6}\+00:00$")
"""People read seconds; `--json` has it all."""

console = Console(highlight=False, soft_wrap=True, width=10_000)
"""As wide as what it prints: a terminal wraps long lines itself, and ids can be copied whole."""


def print_json(value: object) -> None:
    """One JSON document on a line of its own."""
    print(json.dumps(value, ensure_ascii=False), flush=True)  # noqa: T201


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], nothing: str) -> None:
    """A table, or the sentence `nothing` where it has no rows."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    if table.row_count:
        console.print(table)
    else:
        console.print(nothing)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        console.print(Text(f"{name:<{width}}  ", style="bold") + cell(value))


def say(sentence: str) -> None:
    console.print(sentence, markup=False)


def cell(value: object) -> Text:
    """A value as a person reads it; what it holds is never taken for markup."""
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Text(", ".join(str(part) for part in value) or "–")
    if isinstance(value, dict):
        return Text(json.dumps(value, ensure_ascii=False))
    text = _FRACTION.sub("Z", str(value))
    return Text(text, style=_STYLES.get(text, ""))
