"""Finds the kind of source or sink that a configuration names."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from signalpost_connect.config import BadConfig, Config, convert
from signalpost_connect.mapping import LineMaker
from signalpost_connect.sink import Sink
from signalpost_connect.source import Source

SOURCES: Final = "signalpost.sources"
SINKS: Final = "signalpost.sinks"
API: Final = 1


def make_source(table: Mapping[str, Any]) -> Source:
    """The source of the table `[source]`. Raises BadConfig."""
    made: Source = _made({name: value for name, value in table.items() if name != "name"}, "source", SOURCES)
    return made


def make_lines(config: Config, source: Source) -> LineMaker:
    """What makes lines of the messages of a source. Raises BadConfig, also if no version could ever be in them."""
    has_versions = getattr(source, "has_versions", True)
    if config.mapping is not None and "sourceVersion" not in config.mapping and not has_versions:
        raise BadConfig(
            "mapping.sourceVersion: messages of this source have no version of their own; say where they have a number"
            " that rises with every state of a document."
        )
    return config.line_maker()


def make_sink(table: Mapping[str, Any]) -> Sink:
    """The sink of the table `[sink]`. Raises BadConfig."""
    made: Sink = _made(table, "sink", SINKS)
    return made


def _made(table: Mapping[str, Any], name: str, group: str) -> Any:
    kinds = {each.name: each for each in entry_points(group=group)}
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise BadConfig(f"{name}.kind: say which {name}; installed are {', '.join(sorted(kinds)) or 'none'}.")
    made = _loaded(kinds[kind], name)
    config = convert({member: value for member, value in table.items() if member != "kind"}, made.config, name)
    try:
        return made(config)
    except ValueError as error:
        raise BadConfig(f"{name}.{error}") from None


def _loaded(kind: EntryPoint, name: str) -> Any:
    try:
        made = kind.load()
    except ImportError as error:
        raise BadConfig(
            f"{name}.kind: {kind.name} needs what is not installed ({error.name}): "
            f'pip install "signalpost-connect[{kind.name}]", or what its package says.'
        ) from None
    if getattr(made, "api", None) != API:
        raise BadConfig(f"{name}.kind: {kind.name} is written for another version of this program.")
    return made
