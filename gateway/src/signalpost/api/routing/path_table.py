"""What stands under a path: found in one step for a path without parameters, by patterns in their order otherwise."""

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class PathTable(Generic[Entry]):
    def __init__(self, entries: Mapping[str, Entry]) -> None:
        """`entries` by templates such as `/v1/documents/{externalId}`. A path without parameters goes before a template
        that fits it too."""
        self._exact = {path: entry for path, entry in entries.items() if "{" not in path}
        self._patterns = [
            (re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), entry)
            for path, entry in entries.items()
            if path not in self._exact
        ]

    def find(self, path: str) -> tuple[Entry, dict[str, str]] | None:
        """What stands there, with the parameters in the path."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        for pattern, entry in self._patterns:
            if (match := pattern.fullmatch(path)) is not None:
                return entry, match.groupdict()
        return None
