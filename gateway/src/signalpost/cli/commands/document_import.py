"""Imports a file of many snapshots, one per line, in constant memory.

The lines are sent in requests of bounded size, one after the other over one connection. Every answer says that its line
is committed or refused, so an import that broke off knows how far it came. The same file can be imported again, since a
snapshot that was imported already changes nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from signalpost.cli.client import SEND_BUFFER, Client, CommandError, NoAnswer, path

MAX_LINE = 1024 * 1024 + 1
"""Maximum bytes of a line to send: one more than the API accepts, so that the API itself refuses a longer line."""
BATCH_LINES = 500
BATCH_BYTES = SEND_BUFFER // 2
MEDIA_TYPE = "application/x-ndjson"

Show = Callable[[dict[str, Any]], None]


class AnswerLine(NamedTuple):
    number: int
    content: bytes
    size: int
    """Bytes that the line takes in the file."""


class LineBatch(NamedTuple):
    numbers: list[int]
    content: bytes
    size: int


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


def read_lines(file: BinaryIO) -> Iterator[AnswerLine]:
    """The lines of a file. A line that is too long to import is cut."""
    number = 0
    while content := file.readline(MAX_LINE):
        number += 1
        size, piece = len(content), content
        while not piece.endswith(b"\n") and (piece := file.readline(MAX_LINE)):
            size += len(piece)
        yield AnswerLine(number, content.strip(b" \t\r\n"), size)


def import_lines(
    client: Client, lines: Iterable[AnswerLine], tally: ImportTally, show: Show, advance: Callable[[int], None]
) -> None:
    """Import all lines. `show` is called with every answer, which has the line's number in the file; `advance` with
    the number of bytes of the file that were processed. Raises CommandError if the gateway cannot go on."""
    for batch in _batches(lines):
        unavailable = None
        for answer in _answers(client, batch):
            if answer["status"] == 503:
                unavailable = unavailable or answer
            elif unavailable is None:
                tally.count(answer)
            show(answer)
        if unavailable is not None:
            raise CommandError(str(unavailable["problem"]["detail"]))
        advance(batch.size)


def _batches(lines: Iterable[AnswerLine]) -> Iterator[LineBatch]:
    numbers: list[int] = []
    contents: list[bytes] = []
    length = size = 0
    for line in lines:
        if numbers and (len(numbers) == BATCH_LINES or length + len(line.content) > BATCH_BYTES):
            yield LineBatch(numbers, b"\n".join(contents), size)
            numbers, contents, length, size = [], [], 0, 0
        size += line.size
        if line.content:
            numbers.append(line.number)
            contents.append(line.content)
            length += len(line.content) + 1
    if numbers:
        yield LineBatch(numbers, b"\n".join(contents), size)


def _answers(client: Client, batch: LineBatch) -> Iterator[dict[str, Any]]:
    answered = 0
    for answer in client.exchange_lines(path("documents", "import"), MEDIA_TYPE, batch.content):
        yield {**answer, "line": batch.numbers[answered]}
        answered += 1
    if answered < len(batch.numbers):
        raise NoAnswer("The connection ended before every line was answered.")
