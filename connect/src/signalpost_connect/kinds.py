"""Finds the kind of source that a configuration names."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from signalpost_connect.config import BadConfig, convert
from signalpost_connect.source import Source

GROUP: Final = "signalpost.sources"
API: Final = 1


def make_source(table: Mapping[str, Any]) -> Source:
    """The source of the table `[source]`. Raises BadConfig."""
    kinds = {each.name: each for each in entry_points(group=GROUP)}
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise BadConfig(f"source.kind: say which source; installed are {', '.join(sorted(kinds)) or 'none'}.")
    made = _loaded(kinds[kind])
    config = convert(
        {name: value for name, value in table.items() if name not in ("kind", "name")}, made.config, "source"
    )
    try:
        return made(config)
    except ValueError as error:
        raise BadConfig(f"source.{error}") from None


def _loaded(kind: EntryPoint) -> type[Source]:
    try:
        made: type[Source] = kind.load()
    except ImportError as error:
        raise BadConfig(
            f"source.kind: {kind.name} needs what is not installed ({error.name}): "
            f'pip install "signalpost-connect[{kind.name}]", or what its package says.'
        ) from None
    if getattr(made, "api", None) != API:
        raise BadConfig(f"source.kind: {kind.name} is written for another version of this program.")
    return made
