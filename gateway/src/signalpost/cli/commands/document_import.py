"""Imports a file of many snapshots, one per line, in constant memory.

Every answer says that its line is committed or refused, so an import that broke off knows how far it came. The same
file can be imported again, since a snapshot that was imported already changes nothing.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from signalpost.cli.client import Client

MAX_LINE = 1024 * 1024 + 1
"""Maximum bytes of a line to send: one more than the API accepts, so that the API itself refuses a longer line."""

Show = Callable[[dict[str, Any]], None]


class FileLine(NamedTuple):
    number: int
    content: bytes
    size: int
    """Bytes that the line takes in the file."""


@dataclass
class ImportTally:
    """Counts what happened to the lines so far."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    refused: int = 0
    through: int = 0
    """The last line up to which every line was imported or refused."""
    began: float = field(default_factory=time.monotonic)

    def count(self, answer: dict[str, Any]) -> None:
        if "problem" in answer:
            self.refused += 1
        elif answer["status"] == 201:
            self.created += 1
        elif answer["status"] == 204:
            self.deleted += 1
        elif answer["changed"]:
            self.updated += 1
        else:
            self.unchanged += 1
        self.through = answer["line"]

    @property
    def lines(self) -> int:
        return self.created + self.updated + self.deleted + self.unchanged + self.refused

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self.began, 0.001)
        deleted = f"{self.deleted:,} deleted, " if self.deleted else ""
        return (
            f"{self.lines:,} lines: {self.created:,} created, {self.updated:,} updated, {deleted}"
            f"{self.unchanged:,} unchanged, {self.refused:,} refused ({self.lines / seconds:,.0f} lines/s)"
        )


def read_lines(file: BinaryIO) -> Iterator[FileLine]:
    """The lines of a file. A line that is too long to import is cut."""
    number = 0
    while content := file.readline(MAX_LINE):
        number += 1
        size, piece = len(content), content
        while not piece.endswith(b"\n") and (piece := file.readline(MAX_LINE)):
            size += len(piece)
        yield FileLine(number, content.strip(b" \t\r\n"), size)


def import_lines(
    client: Client, lines: Iterable[FileLine], tally: ImportTally, show: Show, advance: Callable[[int], None]
) -> None:
    """Import all lines. `show` is called with every answer, which has the line's number in the file; `advance` with
    the number of bytes of the file that are under way. Raises CommandError if the gateway cannot go on."""
    numbers: deque[int] = deque()

    def contents() -> Iterator[bytes]:
        for line in lines:
            numbers.append(line.number)
            advance(line.size)
            yield line.content

    for answer in client.import_lines(contents()):
        told = {**answer, "line": numbers.popleft()}
        tally.count(told)
        show(told)
