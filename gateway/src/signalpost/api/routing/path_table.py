"""What stands under a path: found in one step for a path without parameters, and otherwise in one for each set of
places in which templates with as many parts have their parameters."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

Entry = TypeVar("Entry")
_NONE: Mapping[tuple[int, ...], Any] = {}


class _Template(NamedTuple, Generic[Entry]):
    parameters: Mapping[str, int]
    """The place of each parameter."""
    entry: Entry


class _Alike(NamedTuple, Generic[Entry]):
    """Templates with as many parts, whose parameters have the same places."""

    words: Callable[[Sequence[str]], Any]
    """What the parts of a path are in all other places."""
    templates: dict[Any, _Template[Entry]]
    """The templates by their words."""


class PathTable(Generic[Entry]):
    def __init__(self, entries: Mapping[str, Entry]) -> None:
        """`entries` by templates such as `/v1/documents/{externalId}`. A path without parameters goes before a template
        that fits it too, and a template before one with more parameters."""
        self._exact = {path: entry for path, entry in entries.items() if "{" not in path}
        self._alike: dict[int, dict[tuple[int, ...], _Alike[Entry]]] = {}
        """Templates by how many parts they have, and by the places of their words."""
        for path in sorted(entries.keys() - self._exact.keys(), key=lambda path: path.count("{")):
            parts = path.split("/")
            parameters = {part[1:-1]: place for place, part in enumerate(parts) if part.startswith("{")}
            places = tuple(place for place in range(len(parts)) if place not in parameters.values())
            of_length = self._alike.setdefault(len(parts), {})
            alike = of_length.setdefault(places, _Alike(itemgetter(*places), {}))
            alike.templates[alike.words(parts)] = _Template(parameters, entries[path])

    def find(self, path: str) -> tuple[Entry, dict[str, str]] | None:
        """What stands there, with the parameters in the path."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        parts = path.split("/")
        for words, templates in self._alike.get(len(parts), _NONE).values():
            found = templates.get(words(parts))
            if found is not None:
                given = {name: parts[place] for name, place in found.parameters.items()}
                if all(given.values()):
                    return found.entry, given
        return None
